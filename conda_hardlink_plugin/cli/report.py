"""`conda hardlinks report`."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..discovery.installation import Environment, Installation
    from ..report.model import Report, Request
    from ..scan.crew import Worker
    from ..scan.index.lookup import Lookup
    from .survey import Survey

DESCRIPTION = """
Walk every package cache and every environment, and print what each costs:
SIZE is what `du -s` prints for it alone, EXCLUSIVE what removing it frees,
WITH CLEAN what removing it and then the cached packages that only it used
frees. Nothing is written but the files that are asked for, and the index of
what was found, so that the next report reads only what has changed
(`conda hardlinks index`).
"""
EXAMPLES = """\
  conda hardlinks report                      every environment and cache
  conda hardlinks report -n work              where the bytes of one come from
  conda hardlinks report --if-removed a b     what removing both would free
  conda hardlinks report --packages --sort name
  conda hardlinks report --search /home --grace 1h
  conda hardlinks report --format markdown >> "$GITHUB_STEP_SUMMARY"
"""
SORT_COLUMNS = ("size", "shared", "exclusive", "with-clean", "name")


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the report."""
    from conda.cli.helpers import add_parser_json

    from .arguments import add_evidence_options, path
    from .formats import FORMATS, FormatAction

    target = parser.add_argument_group("One environment").add_mutually_exclusive_group()
    # Not conda's add_parser_prefix: for a `name` conda makes a folder to try whether environments
    # can be written there (Context.__init__), and a report writes nothing.
    target.add_argument(
        "-n",
        "--name",
        dest="environment_name",
        metavar="ENVIRONMENT",
        help="Show one environment: its private bytes by cause, its packages by exclusive bytes,"
        " and which environments it shares most with.",
    )
    target.add_argument(
        "-p",
        "--prefix",
        dest="environment_prefix",
        metavar="PATH",
        help="The same for the environment at PATH.",
    )
    more = parser.add_argument_group("More to show")
    more.add_argument(
        "--packages",
        action="store_true",
        help="A row for each extracted package: its size and which environments use it.",
    )
    more.add_argument(
        "--why",
        action="store_true",
        help="Why each environment has bytes of its own: prefix rewritten, bytecode, pip, ...",
    )
    more.add_argument(
        "--if-removed",
        nargs="+",
        action="extend",
        metavar="ENV",
        help="What removing these environments together would free (names or paths).",
    )
    more.add_argument(
        "--du",
        action="store_true",
        dest="du_rows",
        help="What `du -s` prints for each alone, and for all in one call, caches first.",
    )
    more.add_argument(
        "--html",
        type=path,
        dest="html_file",
        metavar="FILE",
        help="Write a page as well: a map of the disk, what environments share, and tables to sort"
        " and to search. One file that loads nothing from elsewhere.",
    )
    where = parser.add_argument_group("Where to look")
    add_evidence_options(where)
    where.add_argument(
        "--cache",
        action="append",
        default=[],
        dest="cache_folders",
        metavar="DIR",
        help="Take in the package cache DIR too, of mamba, pixi or another conda. Can be repeated.",
    )
    index = parser.add_argument_group("Whether to read again what has not changed")
    index = index.add_mutually_exclusive_group()
    index.add_argument(
        "--quick",
        action="store_true",
        help="Look only at folders, if nothing in them has come or gone since the last report:"
        " files that have grown, and links made elsewhere, are not seen.",
    )
    index.add_argument(
        "--no-index",
        action="store_false",
        dest="uses_index",
        help="Read everything, and write nothing.",
    )
    how = parser.add_argument_group("How to count and to sort")
    how.add_argument(
        "--apparent-size",
        action="store_true",
        help="Count the length of files instead of the disk blocks they use.",
    )
    how.add_argument(
        "--sort",
        choices=SORT_COLUMNS,
        default="size",
        dest="sort_column",
        help="The column to sort the environments by (default: %(default)s).",
    )
    what = parser.add_argument_group("What to write, and where to")
    what.add_argument(
        "--format",
        action=FormatAction,
        choices=FORMATS,
        help="table (the default), json, csv, markdown for an issue or a wiki, ncdu for"
        " `ncdu -f FILE`, prometheus for node-exporter's textfile collector.",
    )
    what.add_argument(
        "--output",
        type=path,
        metavar="FILE",
        help="Write to FILE, which is there whole or not at all, and not to standard output.",
    )
    add_parser_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Scan, compute and print. Returns the exit code."""
    from conda.base.context import context

    from ..exceptions import StoppedError
    from ..scan.crew import crew_for
    from .formats import format_of
    from .output import is_closed

    if args.output is None and is_closed("the report"):
        return 1
    written_as = format_of(args, json=context.json)
    page, output = files_of(args)
    try:
        with ExitStack() as stack:
            crew = stack.enter_context(crew_for(context.pkgs_dirs, ready=not args.uses_index))
            lookup = None
            if args.uses_index:
                from ..analysis.index_totals import index_totals
                from ..scan.index.lookup import look_up
                from ..scan.index.trailer import index_folder

                lookup = stack.enter_context(
                    look_up(index_folder(), quick=args.quick, totals_of=index_totals, crew=crew)
                )
            report, survey = make_report(args, crew, lookup)
        if page is not None:
            write_page(report, page)
        if output is None and written_as == "table":
            print_table(report, args)
        else:
            hand_over(text_of(written_as, report, survey, args), output)
        if page is not None:
            say_where(page)
    except KeyboardInterrupt:
        files = "each file is whole" if page or output else "nothing was changed"
        raise StoppedError(f"Stopped by Ctrl-C; {files}.") from None
    return 0


def files_of(args: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return where the page and the report are to be written; `None` for what is not.

    Raises:
        FileNotWrittenError: One cannot be, or both are to be the same.

    """
    from ..exceptions import FileNotWrittenError
    from .output_file import check_file

    page = None if args.html_file is None else check_file("--html", args.html_file)
    output = None if args.output is None else check_file("--output", args.output)
    if page is not None and page == output:
        raise FileNotWrittenError(f"--html and --output are both {page}: name two files.")
    return page, output


def make_report(
    args: argparse.Namespace, crew: Sequence[Worker], lookup: Lookup | None
) -> tuple[Report, Survey]:
    """Find the installation, scan it, and compute what the options ask for."""
    from ..report.builder import build_report
    from .survey import find, take_survey

    prefix = args.environment_prefix
    installation = find(args, prefixes=[] if prefix is None else [prefix])
    request = request_of(args, installation)
    detailed = detailed_roots(request, installation)
    survey = take_survey(args, installation, crew, detailed, lookup)
    report = build_report(
        survey.inventory,
        names=survey.names,
        filesystems=survey.filesystems,
        request=request,
        terms=survey.terms,
        unreachable=installation.unreachable,
        unreachable_caches=installation.unreachable_caches,
        unreadable=installation.unreadable,
        stale=installation.stale,
    )
    return report, survey


def detailed_roots(request: Request, installation: Installation) -> list[str]:
    """Return the environments whose files are wanted one by one."""
    if request.causes or request.disk_map:
        return [environment.prefix for environment in installation.environments]
    if request.detail is not None:
        return installation.paths_of(installation.environment(request.detail))
    return []


def request_of(args: argparse.Namespace, installation: Installation) -> Request:
    """Translate the options; environments that are not there are refused."""
    from conda.common.path import expand

    from ..analysis.usage import Measure
    from ..report.model import Request

    detail = args.environment_name
    if args.environment_prefix is not None:
        detail = expand(args.environment_prefix)  # whole, it is not taken for a name
    removed = args.if_removed
    return Request(
        measure=Measure.APPARENT if args.apparent_size else Measure.DISK,
        packages=args.packages,
        causes=args.why,
        du=args.du_rows,
        if_removed=tuple(folder_of(installation.environment(name)) for name in removed)
        if removed
        else None,
        detail=installation.environment(detail).prefix if detail is not None else None,
        disk_map=args.html_file is not None,
    )


def folder_of(environment: Environment) -> str:
    """Return the prefix of an environment that is to be removed; a link to one is refused."""
    from ..exceptions import EnvironmentNotFoundError

    if os.path.islink(environment.prefix):
        raise EnvironmentNotFoundError(
            f"{environment.name} is a symbolic link: removing it frees nothing. Give the"
            f" environment that it leads to, {os.path.realpath(environment.prefix)}."
        )
    return environment.prefix


def text_of(written_as: str, report: Report, survey: Survey, args: argparse.Namespace) -> str:
    """Return the report in a format, for a pipe or a file."""
    from conda.base.context import context

    from .formats import render

    verbose = context.verbosity > 0
    return render(written_as, report, survey, sort=args.sort_column, verbose=verbose)


def hand_over(text: str, output: str | None) -> None:
    """Write a text to a file, or to stdout if there is none."""
    from .output import encoded, print_text, show
    from .output_file import write_file

    if output is None:
        show(lambda: print_text(text))
    else:
        write_file(output, encoded(text))


def write_page(report: Report, page: str) -> None:
    """Write a report as a page."""
    from ..render.html import render_html
    from .output import encoded
    from .output_file import write_file

    write_file(page, encoded(render_html(report, time.time())))


def say_where(page: str) -> None:
    """Say on stderr where the page is, which is no part of the report."""
    from conda.base.context import context

    from ..formatting import printable

    if not (context.json or context.quiet) and sys.stderr is not None:
        sys.stderr.write(f"The page is in {printable(page)}.\n")


def print_table(report: Report, args: argparse.Namespace) -> None:
    """Print the tables for whatever stdout is."""
    from conda.base.context import context

    from ..render.table import print_report
    from ..render.terminal import Terminal
    from .output import show

    def printing() -> None:
        print_report(
            report,
            Terminal(),
            sort=args.sort_column,
            quiet=context.quiet,
            verbose=context.verbosity > 0,
        )

    show(printing)
