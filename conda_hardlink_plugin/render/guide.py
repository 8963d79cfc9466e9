"""What `conda hardlinks` alone prints: this machine in a line, and the commands to begin with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..formatting import count, percent, size
from .output import Column

if TYPE_CHECKING:
    from ..scan.index.trailer import Totals
    from .output import Output

_BEGIN_WITH = (
    ("conda hardlinks report", "what each environment costs and would free"),
    ("conda hardlinks report -n NAME", "where the bytes of one come from"),
    ("conda hardlinks clean --dry-run", "what can be freed without harm"),
    ("conda hardlinks explain PACKAGE", "who uses it, and why it stays"),
)
_MORE = (
    "All commands: conda hardlinks --help. Options and examples: conda hardlinks COMMAND --help."
)


def print_guide(found: tuple[Totals, float, bool] | None, output: Output) -> None:
    """Print what the last report has found, where there is one, and where to begin.

    Args:
        found: Its totals and when it was made, in seconds since the epoch.
        output: Where to print.
        elsewhere: That report was on other package caches than those of this conda.

    """
    output.say(_summary(found), style="bold")
    output.say()
    output.table(
        [Column("BEGIN WITH", figures=False), Column("IT TELLS", figures=False)],
        [list(row) for row in _BEGIN_WITH],
    )
    output.say()
    output.say(_MORE, style="dim")


def _summary(found: tuple[Totals, float, bool] | None) -> str:
    if found is None:
        return "No report was made yet, or it left no index: `conda hardlinks report` makes one."
    totals, taken_s, is_of_these_caches = found
    if not is_of_these_caches:
        return (
            "The last report was on other package caches: `conda hardlinks report` makes another."
        )
    taken = time.strftime("%Y-%m-%d %H:%M", time.localtime(taken_s))
    least = "at least " if totals.incomplete else ""
    saved_bytes = totals.as_copies_bytes - totals.on_disk_bytes
    return (
        f"The last report found {count(totals.environments, 'environment')} and"
        f" {count(totals.caches, 'package cache')}, {least}{size(totals.on_disk_bytes)} on disk,"
        f" on {taken}: hard links saved {size(saved_bytes)}"
        f" ({percent(saved_bytes, totals.as_copies_bytes)})."
    )
