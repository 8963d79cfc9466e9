"""`conda hardlinks merge`."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from ..report.merge import MachineReport

DESCRIPTION = """
Add up reports of several machines, each as `conda hardlinks report --json`
has printed it into a file. Nothing is scanned.
"""
EXAMPLES = """\
  conda hardlinks report --json > node17.json     on each machine
  conda hardlinks merge node*.json
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the merge."""
    from conda.cli.helpers import add_parser_json

    parser.add_argument(
        "reports",
        nargs="+",
        metavar="REPORT",
        help="A file with a report; it is named after the machine: node17.json.",
    )
    add_parser_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Read the reports, add them up and print. Returns the exit code."""
    from conda.base.context import context

    from ..exceptions import ReportNotReadError
    from ..render.merge import print_merged, render_merged
    from ..render.terminal import Terminal
    from ..report.merge import NotAReportError, add_up
    from .output import is_closed, show

    if is_closed("the sums"):
        return 1
    try:
        merged = add_up(_read(args.reports))
    except NotAReportError as error:
        raise ReportNotReadError(f"Nothing was added up: {error}.") from error

    def printing() -> None:
        if context.json:
            sys.stdout.write(render_merged(merged))
        else:
            print_merged(merged, Terminal())

    show(printing)
    return 0


def _read(paths: Sequence[str]) -> Mapping[str, MachineReport]:
    """Return the report in each file.

    Raises:
        ReportNotReadError: One cannot be read, is no report, or is given twice.

    """
    from ..exceptions import ReportNotReadError

    reports: dict[str, MachineReport] = {}
    met: dict[tuple[int, int], str] = {}
    for path in paths:
        status, report = _read_one(path)
        before = met.setdefault((status.st_dev, status.st_ino), path)
        if path in reports or (stat.S_ISREG(status.st_mode) and before != path):
            raise ReportNotReadError(
                f"{path} is given twice, before as {before}: it would be counted twice."
            )
        reports[path] = report
    return reports


def _read_one(path: str) -> tuple[os.stat_result, MachineReport]:
    """Return what a file is, and the report in it.

    Raises:
        ReportNotReadError: It cannot be read, or is no report.

    """
    from ..exceptions import ReportNotReadError
    from ..report.merge import NotAReportError, read_report

    try:
        with open(path, encoding="utf-8-sig") as file:
            return os.fstat(file.fileno()), read_report(file.read())
    except OSError as error:
        raise ReportNotReadError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ReportNotReadError(f"{path}: it is no text in UTF-8.") from error
    except NotAReportError as error:
        raise ReportNotReadError(f"{path}: {error}.") from error
