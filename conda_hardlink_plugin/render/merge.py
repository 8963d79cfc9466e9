"""Reports of several machines together: for a person, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ..formatting import count, listed, percent, size
from .json import json_text
from .output import Column

if TYPE_CHECKING:
    from ..report.merge import MachineFigures, MergedReport
    from .output import Output

_TREES_SAID = 3
_MACHINES_SAID = 3


def print_merged(merged: MergedReport, output: Output) -> None:
    """Print a row for each machine, what they have together, and what may be counted twice."""
    columns = [Column("MACHINE", figures=False), Column("ENVIRONMENTS")]
    columns += map(Column, ("ON DISK", "AS COPIES", "SAVED", "UNUSED", "TARBALLS"))
    ordered = sorted(merged.machines, key=lambda machine: (-machine.on_disk_bytes, machine.name))
    output.table(columns, [_row(machine) for machine in ordered])
    together = merged.together
    least = "at least " if together.incomplete else ""
    kind = "on disk" if merged.measure == "disk" else "apparent size"
    output.say()
    output.say(
        f"{count(len(merged.machines), 'machine')}, {count(together.environments, 'environment')}:"
        f" {least}{size(together.on_disk_bytes)} {kind}; hard links save"
        f" {size(together.saved_bytes)}"
        f" ({percent(together.saved_bytes, together.as_copies_bytes)}). In the caches"
        f" {size(together.unused_bytes)} are unused, and archives take"
        f" {size(together.tarball_bytes)}.",
        style="bold",
    )
    if merged.seen_again:
        output.say()
    for tree in merged.seen_again[:_TREES_SAID]:
        output.say(
            f"! {tree.path}, {size(tree.size_bytes)}, is the same in"
            f" {listed(tree.machines, _MACHINES_SAID, ' and ')}: if that is one"
            " filesystem, it is counted for each of them.",
            style="yellow",
            indent="  ",
        )
    more = len(merged.seen_again) - _TREES_SAID
    if more > 0:
        output.say(f"! ... and so {'is' if more == 1 else 'are'} {more} more.", style="yellow")


def render_merged(merged: MergedReport) -> str:
    """Return all of it as JSON text that ends with a newline."""
    content = {**asdict(merged)}
    return json_text(content)


def _row(machine: MachineFigures) -> list[str]:
    return [
        machine.name + (" (incomplete)" if machine.incomplete else ""),
        f"{machine.environments:,}",
        size(machine.on_disk_bytes),
        size(machine.as_copies_bytes),
        size(machine.saved_bytes),
        size(machine.unused_bytes),
        size(machine.tarball_bytes),
    ]
