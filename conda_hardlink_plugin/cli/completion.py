"""`conda hardlinks completion`."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..render.completion import Option, Value, Verb

DESCRIPTION = """
Print a script that has a shell complete `conda hardlinks`: its commands, their
options, and the values of these. Nothing is installed.
"""
EXAMPLES = """\
  conda hardlinks completion bash > ~/.conda-hardlinks.bash
  conda hardlinks completion zsh > ~/.conda-hardlinks.zsh
  conda hardlinks completion fish > ~/.conda-hardlinks.fish
"""
SHELLS = ("bash", "zsh", "fish")


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the argument."""
    parser.add_argument(
        "shell",
        choices=SHELLS,
        help="The shell; its configuration is to source what is printed.",
    )


def execute(args: argparse.Namespace) -> int:
    """Print the script. Returns the exit code."""
    from ..render.completion import bash_script, fish_script, zsh_script
    from . import VERBS
    from .output import is_closed, show

    if is_closed("the script"):
        return 1
    script = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}[args.shell]
    verbs = [_verb(name, summary) for name, summary in VERBS.items()]
    show(lambda: sys.stdout.write(script(verbs)))
    return 0


def _verb(name: str, summary: str) -> Verb:
    """Return what the parser of a verb takes."""
    from conda.cli.conda_argparse import ArgumentParser

    from ..render.completion import Value, Verb
    from . import verb

    parser = ArgumentParser()
    verb(name).configure_parser(parser)
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]  # noqa: SLF001  # argparse has no other way to ask
    positional = [action for action in actions if not action.option_strings]
    return Verb(
        name=name,
        summary=summary,
        options=tuple(_option(action) for action in actions if action.option_strings),
        value=_value(positional[0]) if positional else Value.NOTHING,
        words=tuple(positional[0].choices or ()) if positional else (),
    )


def _option(action: argparse.Action) -> Option:
    from ..render.completion import Option

    return Option(
        names=tuple(action.option_strings),
        summary=re.split(r"\. |: |, as ", _without_default(action.help or ""))[0].rstrip("."),
        value=_value(action),
        words=tuple(action.choices or ()),
    )


def _without_default(text: str) -> str:
    return re.sub(r" \(default: %\(default\)s\)", "", text)


def _value(action: argparse.Action) -> Value:
    """Return what an action takes, by what it is called in the help."""
    from ..render.completion import Value

    if action.nargs == 0:
        return Value.NOTHING
    if action.choices:
        return Value.WORDS
    match action.metavar:
        case "ENVIRONMENT" | "ENV":
            return Value.ENVIRONMENT
        case "DIR":
            return Value.FOLDER
        case "PATH" | "FILE" | "REPORT" | "PACKAGE|PATH":
            return Value.FILE
        case _:
            return Value.ANYTHING
