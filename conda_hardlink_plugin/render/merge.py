"""Render the merged reports of several machines, for a person and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ..formatting import count, join_names, percent, size
from .json import json_text
from .output import Column, text_columns

if TYPE_CHECKING:
    from ..report.merge import MergedReport
    from .output import Output

_SIZES = {
    "ON DISK": "on_disk_bytes",
    "AS COPIES": "as_copies_bytes",
    "SAVED": "saved_bytes",
    "UNUSED": "unused_bytes",
    "TARBALLS": "tarball_bytes",
}
_TREES_SHOWN = 3
_MACHINES_SHOWN = 3


def print_merged(merged: MergedReport, output: Output) -> None:
    """Print a row for each machine, the sums, and the trees that may be counted twice."""
    columns = [*text_columns("MACHINE"), *map(Column, ("ENVIRONMENTS", *_SIZES))]
    ordered = sorted(merged.machines, key=lambda machine: (-machine.on_disk_bytes, machine.name))
    rows = [
        [
            machine.name + (" (incomplete)" if machine.incomplete else ""),
            f"{machine.environments:,}",
            *(size(getattr(machine, field)) for field in _SIZES.values()),
        ]
        for machine in ordered
    ]
    output.table(columns, rows)
    sums = merged.together
    least = "at least " if sums.incomplete else ""
    kind = "on disk" if merged.measure == "disk" else "apparent size"
    output.say()
    output.say(
        f"{count(len(merged.machines), 'machine')}, {count(sums.environments, 'environment')}:"
        f" {least}{size(sums.on_disk_bytes)} {kind}; hard links save {size(sums.saved_bytes)}"
        f" ({percent(sums.saved_bytes, sums.as_copies_bytes)}). The caches contain"
        f" {size(sums.unused_bytes)} of unused packages and {size(sums.tarball_bytes)} of"
        " archives.",
        style="bold",
    )
    if merged.seen_again:
        output.say()
    for tree in merged.seen_again[:_TREES_SHOWN]:
        output.warn(
            f"{tree.path}, {size(tree.size_bytes)}, is the same in"
            f" {join_names(tree.machines, _MACHINES_SHOWN, ' and ')}: if they share one filesystem,"
            " it counts once for each of them."
        )
    more = len(merged.seen_again) - _TREES_SHOWN
    if more > 0:
        output.warn(f"... and {count(more, 'more tree')} in several reports.")


def render_merged(merged: MergedReport) -> str:
    """Return the merged reports as JSON text that ends with a newline."""
    return json_text(asdict(merged))
