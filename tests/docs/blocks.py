"""The commands in the documents: every block of kind `console`, with what they print below them.

    ```console
    $ conda hardlinks report
    what that prints
    ```

Each document is run from top to bottom on a demo as it was built, in its folder, by `sh`. A block
that cannot be run has `<!-- not run: REASON -->` above it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.conda_cleaning import on_terminal
from tests.support.realconda.copying import copy_in_place, forget_reports
from tests.support.realconda.demo import CHANNEL, CLOCK
from tests.support.repository import TOP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.realconda.installation import Installation

SHOWN = "/data/demo"  # what the documents call the folder of the demo
SHOWN_URL = f"http://127.0.0.1:50000/{CHANNEL}"  # and its channel, whose port the system chooses
COLUMNS = 100

_BLOCK = re.compile(
    r"(?P<above><!-- not run(?P<reason>.*)-->\n+)?^```console\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_PROMPT = "$ "
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
# The last line that shows how far a command is, which the command erases at the end.
_ERASED = re.compile(r"[^\n]*\n(?:\x1b\[\?25h)?\r\x1b\[1A\x1b\[2K")
_CHANGES = {"--yes": ("conda", "home"), ">>": ("home",)}  # what changes which folders of a demo
_LINES = 1000  # no row is left out for want of room


@dataclass(frozen=True, slots=True)
class Step:
    """A command and what a document says that it prints."""

    command: str
    output: str


def documents() -> list[str]:
    """Return the documents, as paths relative to the top."""
    found = ["README.md", "CONTRIBUTING.md"]
    for folder, folders, names in os.walk(os.path.join(TOP, "docs")):
        folders[:] = sorted(name for name in folders if not name.startswith("_"))
        paths = (os.path.join(folder, name) for name in sorted(names) if name.endswith(".md"))
        found += [os.path.relpath(path, TOP) for path in paths]
    return found


def read(document: str) -> str:
    """Return the text of a document."""
    with open(os.path.join(TOP, document), encoding="utf-8") as file:
        return file.read()


def steps_of(text: str) -> list[Step]:
    """Return the commands of a document that are to be run.

    Raises:
        ValueError: A block begins with something else than a command, or is not to be run and does
            not say why.

    """
    steps = []
    for block in _BLOCK.finditer(text):
        if _is_run(block):
            steps += _steps(block["body"])
    return steps


def rewritten(text: str, output_of: Callable[[str], str]) -> str:
    """Return the text of a document with the output of each command as it is now."""

    def write(block: re.Match[str]) -> str:
        if not _is_run(block):
            return block[0]
        body = "".join(
            f"{_PROMPT}{step.command}\n{output_of(step.command)}" for step in _steps(block["body"])
        )
        return f"```console\n{body}```"

    return _BLOCK.sub(write, text)


@contextmanager
def place_for_demo() -> Iterator[str]:
    """Make a folder for a demo, its path as long as `SHOWN`: lines are folded as they are shown."""
    parent = min(tempfile.gettempdir(), "/tmp", key=len)
    length = len(SHOWN) - len(os.path.join(parent, ""))
    directory = os.path.join(parent, secrets.token_hex(length)[:length])
    os.mkdir(directory, mode=0o700)  # what is somebody else's is not removed below
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def as_built(demo: Installation, steps: list[Step]) -> Iterator[None]:
    """Have some commands find a demo as it was built; of what they change, a copy."""
    with ExitStack() as stack:
        for pattern, folders in _CHANGES.items():
            if any(pattern in step.command for step in steps):
                for folder in folders:
                    stack.enter_context(copy_in_place(os.path.join(demo.directory, folder)))
        forget_reports(demo.directory)
        yield


def run(demo: Installation, command: str, *, colour: bool = False) -> str:
    """Run a command on a terminal as wide as a document; the folder of the demo is as it is shown.

    Args:
        demo: Where.
        command: What `sh` is to run.
        colour: Whether escape sequences are wanted.

    """
    env = {
        **CLOCK,
        "TERM": "xterm-256color",
        **({"COLORTERM": "truecolor"} if colour else {"NO_COLOR": "1"}),
    }
    shell = ("/bin/sh", "-c", command)
    _, printed = on_terminal(demo, *shell, columns=COLUMNS, lines=_LINES, env=env)
    for name, shown in ((demo.directory, SHOWN), (demo.channels[0], SHOWN_URL)):
        printed = printed.replace(name, shown)
    printed = _ERASED.sub("", printed)
    if colour:
        return printed
    return "".join(f"{line.rstrip()}\n" for line in _CONTROL.sub("", printed).splitlines())


def _is_run(block: re.Match[str]) -> bool:
    if block["above"] is None:
        return True
    if not re.fullmatch(r": \S.* ", block["reason"]):
        raise ValueError(f"say why it is not run, as `<!-- not run: REASON -->`: {block['above']}")
    return False


def _steps(body: str) -> list[Step]:
    if not body.startswith(_PROMPT):
        raise ValueError(f"a block of kind `console` begins with `$ ` and a command: {body}")
    parts = re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]
    steps = []
    for part in parts:
        command, _, output = part.partition("\n")
        steps.append(Step(command, output))
    return steps
