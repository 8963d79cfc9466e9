"""The labels on the disk map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import count, join_names, percent, size
from ..report.disk_map import AreaKind, HolderKind
from .labels import CAUSE_HEADINGS, users_of

if TYPE_CHECKING:
    from ..report.disk_map import Area
    from ..report.model import Report
    from .treemap import Block, Tile

KIND_LABELS = {
    AreaKind.SEVERAL: "Shared packages",
    AreaKind.ONE: "Packages of one environment",
    AreaKind.UNLINKED: "Packages used without hard links",
    AreaKind.KEPT: "Packages without a known user, kept",
    AreaKind.UNUSED: "Unused packages",
    AreaKind.ARCHIVES: "Package archives",
    AreaKind.REST: "Other files in caches",
    AreaKind.BETWEEN: "Shared by environments, not in a cache",
    AreaKind.OUTSIDE: "Also linked from outside",
    AreaKind.OWN: "Private files of environments",
}
PACKAGE_KINDS = frozenset(
    {AreaKind.SEVERAL, AreaKind.ONE, AreaKind.UNLINKED, AreaKind.KEPT, AreaKind.UNUSED}
)
# In the units of the map: the approximate width of a character, and the margin beside a text.
HEADING_CHARACTER, HEADING_MARGIN = 8.0, 16.0
LABEL_CHARACTER, LABEL_MARGIN = 6.7, 8.0
_FEWEST_CHARACTERS = 5
_NAMES_SHOWN = 12


def block_title(block: Block) -> str:
    """Return the heading of a block, shortened to its width; `""` if the block is too narrow."""
    name, amount = _holder_name(block), size(block.amount_bytes)
    room = int((block.rectangle.width - HEADING_MARGIN) / HEADING_CHARACTER)
    room_for_name = room - 1 - len(amount)
    cut = _cut_start if block.holders[0].kind is HolderKind.CACHE else _cut_end
    if len(name) <= room_for_name or room_for_name >= _FEWEST_CHARACTERS:
        return f"{cut(name, room_for_name)} {amount}"
    return cut(name, room) if room >= _FEWEST_CHARACTERS else ""


def tile_label(tile: Tile, block: Block, report: Report) -> str:
    """Return the label of a tile, shortened to its width; `""` if the tile is too narrow."""
    room = int((tile.rectangle.width - LABEL_MARGIN) / LABEL_CHARACTER)
    return _cut_end(tile_name(tile, block, report), room) if room >= _FEWEST_CHARACTERS else ""


def tile_name(tile: Tile, block: Block, report: Report) -> str:
    """Return the name of what a tile represents."""
    environments = {number for area in tile.areas for number in area.environments}
    if len(block.holders) > 1 and len(environments) == 1:
        return report.environments[environments.pop()].name
    if len(tile.areas) == 1:
        return _area_name(tile.areas[0], report)
    if tile.areas[0].package is not None:
        return count(len(tile.areas), "smaller package")
    # All areas of one environment count as one part, if there are several environments.
    holders = {area.environments for area in tile.areas}
    return count(len(holders) if len(holders) > 1 else len(tile.areas), "smaller part")


def tile_title(tile: Tile, block: Block, report: Report) -> str:
    """Return a sentence about a tile: its name, size, kind, and its holder or users."""
    share = percent(tile.amount_bytes, report.totals.on_disk_bytes)
    kind = KIND_LABELS[tile.kind].lower()
    name, area = tile_name(tile, block, report), tile.areas[0]
    what = f"{name}: {size(tile.amount_bytes)} ({share})"
    if len(tile.areas) == 1 and area.package is not None and report.disk_map is not None:
        package = report.disk_map.packages[area.package]
        if package.environments:
            return f"{what}, {kind}: {join_names(users_of(package), _NAMES_SHOWN)}."
        if area.kind is AreaKind.KEPT:
            return f"{what}, {kind}: {package.verdict}."
    if len(tile.areas) > 1 or name.lower() != kind:
        what += f", {kind}"
    is_between = block.holders[0].kind is HolderKind.BETWEEN
    return f"{what}." if is_between else f"{what}, in {_holder_name(block)}."


def _area_name(area: Area, report: Report) -> str:
    if area.package is not None and report.disk_map is not None:
        return report.disk_map.packages[area.package].name
    if area.kind is AreaKind.OWN:
        return CAUSE_HEADINGS[area.cause].lower() if area.cause else "private files"
    if area.kind is AreaKind.BETWEEN:
        return ", ".join(report.environments[number].name for number in area.environments)
    return KIND_LABELS[area.kind]


def _holder_name(block: Block) -> str:
    if len(block.holders) > 1:
        return count(len(block.holders), "smaller environment")
    (holder,) = block.holders
    return "between environments" if holder.kind is HolderKind.BETWEEN else holder.name


def _cut_end(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _cut_start(text: str, room: int) -> str:
    return text if len(text) <= room else f"…{text[len(text) - room + 1 :]}"
