"""`conda hardlinks report`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from .arguments import add_cache_option, add_evidence_options, path

if TYPE_CHECKING:
    import argparse

    from ..api import Analysis, Detail, Report

DESCRIPTION = """
Read every package cache and every environment, and show what each costs.
SIZE is what `du -s` prints for it alone. EXCLUSIVE is what removing it frees.
WITH CLEAN is what you gain if you also remove the cached packages that only it
used. The command writes only the files that you ask for and an index, which
makes the next report faster (`conda hardlinks index`).
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
    from .formats import FORMATS, FormatAction
    from .frontend import add_json_option

    target = parser.add_argument_group("One environment").add_mutually_exclusive_group()
    # Not conda's add_parser_prefix: for a `dest` of `name`, conda creates a folder to test whether
    # environments can be written there (Context.__init__), and a report writes nothing.
    target.add_argument(
        "-n",
        "--name",
        dest="environment_name",
        metavar="ENVIRONMENT",
        help="Show one environment: its private bytes by cause, its packages by exclusive bytes,"
        " and the environments it shares most with.",
    )
    target.add_argument(
        "-p",
        "--prefix",
        type=path,
        dest="environment_prefix",
        metavar="PATH",
        help="The same for the environment at PATH.",
    )
    more = parser.add_argument_group("More tables")
    more.add_argument(
        "--packages",
        action="store_true",
        help="Show a row for each extracted package: its size, and which environments use it.",
    )
    more.add_argument(
        "--why",
        action="store_true",
        help="Show why each environment has private bytes: prefix rewritten, bytecode, pip, ...",
    )
    more.add_argument(
        "--if-removed",
        nargs="+",
        action="extend",
        metavar="ENV",
        help="Show what removing these environments together would free (names or paths).",
    )
    more.add_argument(
        "--du",
        action="store_true",
        dest="du_rows",
        help="Show what `du -s` prints for each one alone, and for all in one call, caches first.",
    )
    more.add_argument(
        "--html",
        type=path,
        dest="html_file",
        metavar="FILE",
        help="Also write an HTML page: a map of the disk, what environments share, and tables to"
        " sort and search. It is one file that loads nothing from elsewhere.",
    )
    where = parser.add_argument_group("Where to look")
    add_evidence_options(where)
    add_cache_option(where, "Include the package cache DIR, of mamba, pixi or another conda.")
    index = parser.add_argument_group("Index")
    index = index.add_mutually_exclusive_group()
    index.add_argument(
        "--quick",
        action="store_true",
        help="Check only folders if nothing was added or removed since the last report. It does not"
        " notice files that grew or links made elsewhere.",
    )
    index.add_argument(
        "--no-index",
        action="store_false",
        dest="uses_index",
        help="Read everything and write nothing.",
    )
    cluster = parser.add_argument_group("Several machines")
    cluster.add_argument(
        "--dask",
        type=path,
        metavar="SCHEDULER",
        help="Read with the workers of the Dask scheduler at this address or scheduler file, all of"
        " which must see the same folders. The index is not used.",
    )
    how = parser.add_argument_group("Counting and sorting")
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
    what = parser.add_argument_group("Output")
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
        help="Write to FILE, completely or not at all, instead of to standard output.",
    )
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Read, compute and print. Returns the exit code."""
    from ..exceptions import StoppedError
    from .formats import format_of, render
    from .frontend import is_verbose, wants_json
    from .output import is_closed

    if args.output is None and is_closed("the report"):
        return 1
    written_as = format_of(args, json=wants_json())
    page, output = _files_of(args)
    try:
        report, analysis = _make_report(args)
        if page is not None:
            _write_page(report, page)
        if output is None and written_as == "table":
            _print_table(report, args)
        else:
            text = render(written_as, report, analysis, sort=args.sort_column, verbose=is_verbose())
            _write_text(text, output)
        if page is not None:
            _print_where(page)
    except KeyboardInterrupt:
        files = "Each file is complete" if page or output else "Nothing was changed"
        raise StoppedError(f"Interrupted. {files}.") from None
    return 0


def _files_of(args: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return the files to write the page and the report to; `None` for what is not asked for.

    Raises:
        HardlinksError: One cannot be written, or both are the same.

    """
    from ..exceptions import HardlinksError
    from .output_file import check_file

    page = None if args.html_file is None else check_file("--html", args.html_file)
    output = None if args.output is None else check_file("--output", args.output)
    if page is not None and page == output:
        raise HardlinksError(f"--html and --output are both {page}: name two files.")
    return page, output


def _make_report(args: argparse.Namespace) -> tuple[Report, Analysis]:
    """Read the installation, and compute what the options ask for."""
    from ..exceptions import HardlinksError
    from ..filesystem.paths import expand
    from .reading import read_installation

    asked: dict[Detail, bool] = {
        "packages": args.packages,
        "causes": args.why,
        "du": args.du_rows,
        "map": args.html_file is not None,
    }
    prefix, removed = args.environment_prefix, args.if_removed or ()
    uses_index = args.uses_index and args.dask is None
    if args.quick and args.dask is not None:
        raise HardlinksError("--quick and --dask cannot be combined: --dask reads everything.")
    analysis = read_installation(
        args,
        prefixes=[] if prefix is None else [prefix],
        removable=removed,
        index=("quick" if args.quick else "exact") if uses_index else None,
        details=[detail for detail, is_asked in asked.items() if is_asked],
        # As a path, a prefix is not taken for a name.
        environment=args.environment_name if prefix is None else expand(prefix),
        apparent_size=args.apparent_size,
    )
    return analysis.report(if_removed=removed), analysis


def _write_text(text: str, output: str | None) -> None:
    """Write a text to a file, or to stdout where none is named."""
    from .output import encoded, print_text, show
    from .output_file import write_file

    if output is None:
        show(lambda: print_text(text))
    else:
        write_file(output, encoded(text))


def _write_page(report: Report, page: str) -> None:
    from ..render.html import render_html
    from .output import encoded
    from .output_file import write_file

    write_file(page, encoded(render_html(report, time.time())))


def _print_where(page: str) -> None:
    """Print on stderr where the page is, which is not part of the report."""
    from ..formatting import printable
    from .frontend import is_quiet

    if not is_quiet() and sys.stderr is not None:
        sys.stderr.write(f"The page is in {printable(page)}.\n")


def _print_table(report: Report, args: argparse.Namespace) -> None:
    """Print the tables to a terminal or a pipe."""
    from ..render.table import print_report
    from ..render.terminal import Terminal
    from .frontend import is_quiet, is_verbose
    from .output import show

    sort, quiet, verbose = args.sort_column, is_quiet(), is_verbose()
    show(lambda: print_report(report, Terminal(), sort=sort, quiet=quiet, verbose=verbose))
