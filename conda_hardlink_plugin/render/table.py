"""A report for a person: tables, totals, and what to know beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import size
from ..scan.inventory import ReadingMode
from .bar import BLOCKS, LETTERS
from .labels import mark_of, notes_of, parts_of_caches, totals_sentence
from .output import Column
from .sections import print_views

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
_LINES_OF_HEADING = 2  # the headings, and how many more there are
_LINES_OF_LEGEND = 1
_LINES_OF_PROMPT = 2  # the command above and the next one below
_FEWEST_ENVIRONMENTS = 5
_NEXT_STEPS = (
    "Next: conda hardlinks report -n NAME (one environment), --packages (who uses what),"
    " --why (private bytes by cause), --if-removed ENV... (what that would free)"
)


_EXACT = "Exact: every folder and inode was looked at again, and read again where it had changed."


def print_report(
    report: Report,
    terminal: Output,
    *,
    sort: str = "size",
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Print a report.

    Args:
        report: What to print. Parts that were asked for take the place of the tables.
        terminal: Where to.
        sort: A key of `SORT_KEYS`.
        quiet: Leave out where to go next.
        verbose: Every environment, also where they do not fit on the screen, and more figures.

    """
    environments = sorted(report.environments, key=SORT_KEYS[sort])
    if print_views(report, environments, terminal):
        _print_notes(report, terminal, verbose=verbose)
        return

    def print_the_rest() -> None:
        _print_caches(report, terminal)
        _print_totals(report, terminal)
        if not quiet:
            if report.reading.mode is ReadingMode.EXACT:
                terminal.say(_EXACT, style="dim")
            terminal.say()
            terminal.say(_NEXT_STEPS, indent="  ")
        _print_notes(report, terminal, verbose=verbose)

    lines = None
    if terminal.lines is not None and not verbose:
        lines = terminal.lines - terminal.lines_of(print_the_rest) - _LINES_OF_PROMPT
    _print_environments(environments, terminal, lines, verbose=verbose)
    print_the_rest()


def _print_environments(
    environments: list[EnvironmentFigures], terminal: Output, lines: int | None, *, verbose: bool
) -> None:
    """Print as many environments as fit in so many lines, all where there is no limit."""
    if not environments:
        terminal.say("No environments were found.")
        return
    bar = BLOCKS if terminal.draws_blocks else LETTERS
    columns = [
        Column("ENVIRONMENT", figures=False),
        *(Column(heading) for heading in ("SIZE", "SHARED", "EXCLUSIVE", "WITH CLEAN")),
        *(Column(heading) for heading in ("INODES", "LINKS") if verbose),
        Column("", figures=False),
    ]
    rows = [
        [
            row.name + mark_of(row),
            size(row.size_bytes),
            size(row.shared_bytes),
            size(row.exclusive_bytes),
            size(row.with_clean_bytes),
            *([f"{row.inodes:,}", f"{row.links:,}"] if verbose else []),
            bar.draw(row),
        ]
        for row in environments
    ]
    shown = rows[: _rows_that_fit(columns, rows, terminal, lines)]
    terminal.table(columns, shown)
    if len(shown) < len(rows):
        terminal.say(f"... and {len(rows) - len(shown)} more: -v shows all.")
    terminal.say(bar.legend(), style="dim")


def _rows_that_fit(
    columns: list[Column], rows: list[list[str]], terminal: Output, lines: int | None
) -> int:
    if lines is None:
        return len(rows)
    needed = terminal.lines_of(lambda: terminal.table(columns, rows))
    if needed + _LINES_OF_LEGEND <= lines:
        return len(rows)
    fit = (lines - _LINES_OF_LEGEND - _LINES_OF_HEADING) * len(rows) // needed
    return max(fit, min(_FEWEST_ENVIRONMENTS, len(rows)))


def _print_caches(report: Report, terminal: Output) -> None:
    terminal.say()
    if not report.caches:
        terminal.say("No package caches were found.")
        return
    parts = parts_of_caches(report)
    columns = [Column("PACKAGE CACHE", figures=False), *map(Column, parts)]
    rows = [
        [cache.path + mark_of(cache), *(size(getattr(cache, field)) for field in parts.values())]
        for cache in report.caches
    ]
    terminal.table(columns, rows)


def _print_totals(report: Report, terminal: Output) -> None:
    terminal.say()
    terminal.say(totals_sentence(report), style="bold")


def _print_notes(report: Report, terminal: Output, *, verbose: bool) -> None:
    notes = notes_of(report, verbose=verbose)
    if notes:
        terminal.say()
    for note in notes:
        terminal.say(f"! {note}", style="yellow", indent="  ")
