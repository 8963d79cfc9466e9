"""`conda hardlinks merge`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..filesystem.protocol import FileStatus, Identity

DESCRIPTION = """
Add up reports of several machines, each printed into a file by
`conda hardlinks report --json`. Nothing is scanned.
"""
EXAMPLES = """\
  conda hardlinks report --json > node17.json     on each machine
  conda hardlinks merge node*.json
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the merge."""
    from .frontend import add_json_option

    parser.add_argument(
        "reports",
        nargs="+",
        metavar="REPORT",
        help="A file with a report, named after its machine: node17.json.",
    )
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Read the reports, add them up and print. Returns the exit code."""
    from ..api import merge_reports
    from ..render.merge import print_merged, render_merged
    from ..render.terminal import Terminal
    from .frontend import wants_json
    from .output import is_closed, show

    if is_closed("the sums"):
        return 1
    merged = merge_reports(_read(args.reports))

    def printing() -> None:
        if wants_json():
            sys.stdout.write(render_merged(merged))
        else:
            print_merged(merged, Terminal())

    show(printing)
    return 0


def _read(paths: Sequence[str]) -> dict[str, str]:
    """Return the text of each file.

    Raises:
        HardlinksError: One cannot be read, or is given twice.

    """
    from ..exceptions import HardlinksError

    reports: dict[str, str] = {}
    met: dict[Identity, str] = {}
    for path in paths:
        status, text = _read_one(path)
        before = met.setdefault(status.identity, path)
        if path in reports or (status.is_regular and before != path):
            raise HardlinksError(
                f"{path} is given twice, before as {before}: it would be counted twice."
            )
        reports[path] = text
    return reports


def _read_one(path: str) -> tuple[FileStatus, str]:
    """Return what a file is, and its text.

    Raises:
        HardlinksError: It cannot be read.

    """
    from ..exceptions import HardlinksError
    from ..filesystem import fs
    from ..filesystem.problems import reason_of

    try:
        with open(path, encoding="utf-8-sig") as file:
            return fs.status_of(file.fileno()), file.read()
    except OSError as error:
        raise HardlinksError(f"{path} cannot be read: {reason_of(error)}.") from error
    except UnicodeDecodeError as error:
        raise HardlinksError(f"{path} is not text in UTF-8.") from error
