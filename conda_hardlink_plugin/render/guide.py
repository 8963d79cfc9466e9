"""Print what `conda hardlinks` alone shows: the last report in one line, and the first commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import count, percent, size, timestamp
from .output import text_columns

if TYPE_CHECKING:
    from ..scan.index.trailer import IndexTotals
    from .output import Output

_COMMANDS = (
    ("conda hardlinks report", "what each environment costs and what it would free"),
    ("conda hardlinks report -n NAME", "why one environment takes space of its own"),
    ("conda hardlinks clean --dry-run", "which packages can be removed safely"),
    ("conda hardlinks explain PACKAGE", "which environments use a package"),
)
_MORE = (
    "All commands: conda hardlinks --help. Options and examples: conda hardlinks COMMAND --help."
)


def print_guide(last: tuple[IndexTotals, float, bool] | None, output: Output) -> None:
    """Print the result of the last report, and the first commands to run.

    Args:
        last: The totals of the last report, its time in seconds since the epoch, and whether it
            covered the package caches of this conda; `None` if no report has been made.
        output: The output to print to.

    """
    output.say(_summary(last), style="bold")
    output.say()
    output.table(text_columns("COMMAND", "SHOWS"), _COMMANDS)
    output.say()
    output.say(_MORE, style="dim")


def _summary(last: tuple[IndexTotals, float, bool] | None) -> str:
    if last is None:
        return "There is no report yet: run `conda hardlinks report`."
    totals, taken_s, is_of_these_caches = last
    if not is_of_these_caches:
        return "The last report covered other package caches: run `conda hardlinks report` again."
    least = "at least " if totals.incomplete else ""
    saved_bytes = totals.as_copies_bytes - totals.on_disk_bytes
    return (
        f"The last report found {count(totals.environments, 'environment')} and"
        f" {count(totals.caches, 'package cache')}, {least}{size(totals.on_disk_bytes)} on disk,"
        f" on {timestamp(taken_s)}: hard links saved {size(saved_bytes)}"
        f" ({percent(saved_bytes, totals.as_copies_bytes)})."
    )
