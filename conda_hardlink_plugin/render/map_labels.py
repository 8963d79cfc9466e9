"""What is written on the map of the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import count, listed, percent, size
from ..report.disk_map import AreaKind, HolderKind
from .labels import CAUSE_HEADINGS, users_of

if TYPE_CHECKING:
    from ..report.disk_map import Area, Holder
    from ..report.model import Report
    from .treemap import Block, Tile

KIND_LABELS = {
    AreaKind.SEVERAL: "Packages, shared",
    AreaKind.ONE: "Packages of one environment",
    AreaKind.UNLINKED: "Packages used without hard links",
    AreaKind.KEPT: "Packages without a known user, kept",
    AreaKind.UNUSED: "Packages nobody uses",
    AreaKind.ARCHIVES: "Archives of packages",
    AreaKind.REST: "Rest of the caches",
    AreaKind.BETWEEN: "Shared by environments, in no cache",
    AreaKind.OUTSIDE: "Also linked from outside",
    AreaKind.OWN: "Environments' own files",
}
PACKAGE_KINDS = frozenset(
    {AreaKind.SEVERAL, AreaKind.ONE, AreaKind.UNLINKED, AreaKind.KEPT, AreaKind.UNUSED}
)
# In the units of the map: about how wide a character is, and what is left free beside a text.
HEADING_CHARACTER, HEADING_MARGIN = 8.0, 16.0
LABEL_CHARACTER, LABEL_MARGIN = 6.7, 8.0
_FEWEST_CHARACTERS = 5
_NAMES_SHOWN = 12


def block_title(block: Block) -> str:
    """Return the heading of a part of the map, as much of it as there is room for."""
    name, amount = _holder_name(block), size(block.amount_bytes)
    room = int((block.place.width - HEADING_MARGIN) / HEADING_CHARACTER)
    if len(name) + 1 + len(amount) <= room:
        return f"{name} {amount}"
    cut = _cut_before if block.holders[0].kind is HolderKind.CACHE else _cut_after
    room_for_name = room - 1 - len(amount)
    if room_for_name >= _FEWEST_CHARACTERS:
        return f"{cut(name, room_for_name)} {amount}"
    return cut(name, room) if room >= _FEWEST_CHARACTERS else ""


def tile_label(tile: Tile, block: Block, report: Report) -> str:
    """Return what stands in a rectangle, as much of it as there is room for."""
    room = int((tile.place.width - LABEL_MARGIN) / LABEL_CHARACTER)
    return _cut_after(tile_name(tile, block, report), room) if room >= _FEWEST_CHARACTERS else ""


def tile_name(tile: Tile, block: Block, report: Report) -> str:
    """Return what a rectangle stands for."""
    environments = {place for area in tile.areas for place in area.environments}
    if len(block.holders) > 1 and len(environments) == 1:
        return report.environments[environments.pop()].name
    if len(tile.areas) > 1:
        return _how_many(tile)
    return _area_name(tile.areas[0], report)


def tile_title(tile: Tile, block: Block, report: Report) -> str:
    """Return a sentence about a rectangle: what it is, how much, where, and for whom."""
    whole = report.totals.on_disk_bytes
    what = f"{size(tile.amount_bytes)} ({percent(tile.amount_bytes, whole)})"
    kind = KIND_LABELS[tile.kind].lower()
    name, area = tile_name(tile, block, report), tile.areas[0]
    if len(tile.areas) > 1:
        return f"{name}: {what}, {kind}, in {_holder_name(block)}."
    if area.package is not None and report.disk_map is not None:
        used_by = listed(users_of(report.disk_map.packages[area.package]), _NAMES_SHOWN)
        return f"{name}: {what}, {kind}: {used_by}."
    if name.lower() == kind:
        return f"{name}: {what}, in {_holder_name(block)}."
    return f"{name}: {what}, {kind}, in {_holder_name(block)}."


def _how_many(tile: Tile) -> str:
    if tile.areas[0].package is not None:
        return count(len(tile.areas), "smaller package")
    # Of several environments each is one part, whatever its areas are.
    environments = {area.environments for area in tile.areas}
    parts = len(environments) if len(environments) > 1 else len(tile.areas)
    return count(parts, "smaller part")


def _area_name(area: Area, report: Report) -> str:
    if area.package is not None and report.disk_map is not None:
        return report.disk_map.packages[area.package].name
    if area.kind is AreaKind.OWN:
        return CAUSE_HEADINGS[area.cause].lower() if area.cause else "own files"
    if area.kind is AreaKind.BETWEEN:
        return ", ".join(report.environments[place].name for place in area.environments)
    return KIND_LABELS[area.kind]


def _holder_name(block: Block) -> str:
    if len(block.holders) > 1:
        return count(len(block.holders), "smaller environment")
    return _name_of(block.holders[0])


def _name_of(holder: Holder) -> str:
    return "between environments" if holder.kind is HolderKind.BETWEEN else holder.name


def _cut_after(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _cut_before(text: str, room: int) -> str:
    return text if len(text) <= room else f"…{text[len(text) - room + 1 :]}"
