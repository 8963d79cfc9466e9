"""The Python code in the documents: blocks of kind `pycon`, with what each statement prints.

    ```pycon
    >>> report.totals.on_disk_bytes
    104857600
    ```

The blocks of a document are one session, which the python of the demo runs.
"""

from __future__ import annotations

import json
import os
import re
from doctest import DocTestParser
from typing import TYPE_CHECKING

from tests.docs.blocks import SHOWN
from tests.support.realconda.demo import CLOCK

if TYPE_CHECKING:
    from tests.support.realconda.installation import Installation

_BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COLLECT = """\
import doctest, json, sys

printed = []

class Collector(doctest.OutputChecker):
    def check_output(self, want, got, optionflags):
        printed.append(got)
        return True

session = doctest.DocTestParser().get_doctest(sys.argv[1], {}, "session", None, 0)
if doctest.DocTestRunner(Collector()).run(session, out=sys.stderr.write).failed:
    sys.exit(1)
print(json.dumps(printed))
"""


def shown_in(text: str) -> list[str]:
    """Return what a document shows below each of its Python statements."""
    return [example.want for example in DocTestParser().get_examples(_session(text))]


def printed_by(demo: Installation, text: str) -> list[str]:
    """Return what each Python statement of a document prints in a demo.

    Raises:
        CommandFailedError: A statement raises an exception.

    """
    python = os.path.join(demo.root_prefix, "bin", "python")
    # The clock is ahead in processes with `hardlinks` among their arguments.
    done = demo.run(python, "-c", _COLLECT, _session(text), "hardlinks", env=CLOCK)
    return [printed.replace(demo.directory, SHOWN) for printed in json.loads(done.stdout)]


def with_outputs(text: str, outputs: list[str]) -> str:
    """Return the text of a document with these outputs below its Python statements."""
    following = iter(outputs)

    def write(block: re.Match[str]) -> str:
        parts = DocTestParser().parse(block[1])
        body = "".join(
            part if isinstance(part, str) else _statement(part.source) + next(following)
            for part in parts
        )
        return f"```pycon\n{body}```"

    return _BLOCK.sub(write, text)


def _session(text: str) -> str:
    return "\n".join(_BLOCK.findall(text))


def _statement(source: str) -> str:
    first, *others = source.splitlines()
    return "".join([f">>> {first}\n", *(f"... {line}".rstrip() + "\n" for line in others)])
