"""Print a report for a person: tables, totals and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import and_more, size
from ..scan.inventory import ReaderKind, ReadingMode
from .bar import BLOCKS, LETTERS, draw_bar, legend
from .labels import cache_columns, name_suffix, report_notes, totals_sentence
from .output import Column, text_columns
from .sections import print_requested_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..report.model import EnvironmentFigures, Report
    from .output import Output

SORT_KEYS: dict[str, Callable[[EnvironmentFigures], tuple[int, str]]] = {
    "size": lambda row: (-row.size_bytes, row.name),
    "shared": lambda row: (-row.shared_bytes, row.name),
    "exclusive": lambda row: (-row.exclusive_bytes, row.name),
    "with-clean": lambda row: (-row.with_clean_bytes, row.name),
    "name": lambda row: (0, row.name),
}
_LINES_OF_HEADING = 2  # the headings, and the number of rows left out
_LINES_OF_LEGEND = 1
_LINES_OF_PROMPT = 2  # the command above and the next prompt below
_FEWEST_ENVIRONMENTS = 5
_NEXT_STEPS = (
    "Next: conda hardlinks report -n NAME (one environment), --packages (users of packages),"
    " --why (private bytes by cause), --if-removed ENV... (what removing them frees)"
)
_READERS = {
    ReaderKind.NATIVE: "The compiled module read the disk.",
    ReaderKind.PYTHON: "The disk was read in Python, without the compiled module.",
}
_EXACT = "Exact: every directory and inode was checked; whatever had changed was read again."


def print_report(
    report: Report,
    output: Output,
    *,
    sort: str = "size",
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Print a report.

    Args:
        report: The report to print. Requested parts replace the tables.
        output: The output to print to.
        sort: A key of `SORT_KEYS`.
        quiet: Whether to leave out the next steps.
        verbose: Whether to print every environment, even beyond the screen, and more figures.

    """
    environments = sorted(report.environments, key=SORT_KEYS[sort])
    if print_requested_parts(report, environments, output):
        _print_notes(report, output, verbose=verbose)
        return

    def print_rest() -> None:
        output.say()
        _print_caches(report, output)
        output.say()
        output.say(totals_sentence(report), style="bold")
        if not quiet:
            if report.reading.mode is ReadingMode.EXACT:
                output.say(_EXACT, style="dim")
            output.say()
            output.say(_NEXT_STEPS, indent="  ")
        _print_notes(report, output, verbose=verbose)
        if verbose:
            output.say(_READERS[report.reading.reader], style="dim")

    lines = None
    if output.lines is not None and not verbose:
        lines = output.lines - output.lines_of(print_rest) - _LINES_OF_PROMPT
    _print_environments(environments, output, lines, verbose=verbose)
    print_rest()


def _print_environments(
    environments: list[EnvironmentFigures], output: Output, lines: int | None, *, verbose: bool
) -> None:
    """Print the environments that fit into some lines, or all if there is no limit."""
    if not environments:
        output.say("No environments were found.")
        return
    characters = BLOCKS if output.draws_blocks else LETTERS
    headings = ["SIZE", "SHARED", "EXCLUSIVE", "WITH CLEAN"]
    headings += ["INODES", "LINKS"] if verbose else []
    columns = [*text_columns("ENVIRONMENT"), *map(Column, headings), *text_columns("")]
    rows = [
        [
            row.name + name_suffix(row),
            size(row.size_bytes),
            size(row.shared_bytes),
            size(row.exclusive_bytes),
            size(row.with_clean_bytes),
            *([f"{row.inodes:,}", f"{row.links:,}"] if verbose else []),
            draw_bar(characters, row),
        ]
        for row in environments
    ]
    shown = rows[: _rows_that_fit(columns, rows, output, lines)]
    output.table(columns, shown)
    if len(shown) < len(rows):
        output.say(and_more(len(rows) - len(shown), "environment"))
    output.say(legend(characters), style="dim")


def _rows_that_fit(
    columns: list[Column], rows: list[list[str]], output: Output, lines: int | None
) -> int:
    if lines is None:
        return len(rows)
    needed = output.lines_of(lambda: output.table(columns, rows))
    if needed + _LINES_OF_LEGEND <= lines:
        return len(rows)
    fit = (lines - _LINES_OF_LEGEND - _LINES_OF_HEADING) * len(rows) // needed
    return max(fit, min(_FEWEST_ENVIRONMENTS, len(rows)))


def _print_caches(report: Report, output: Output) -> None:
    if not report.caches:
        output.say("No package caches were found.")
        return
    parts = cache_columns(report)
    rows = [
        [
            cache.path + name_suffix(cache),
            *(size(getattr(cache, field)) for field in parts.values()),
        ]
        for cache in report.caches
    ]
    output.table([*text_columns("PACKAGE CACHE"), *map(Column, parts)], rows)


def _print_notes(report: Report, output: Output, *, verbose: bool) -> None:
    notes = report_notes(report, verbose=verbose)
    if notes:
        output.say()
    for note in notes:
        output.warn(note)
