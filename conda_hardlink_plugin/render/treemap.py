"""Lay out the areas of the disk as a squarified treemap in which each byte is drawn once.

The canvas is divided among the holders, and the block of each holder among its areas, without room
for margins or headings: the share of a rectangle in the canvas is the share of its bytes in the
disk, to within a billionth. Areas of one kind are next to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import squarify

from ..report.disk_map import Area, AreaKind, Holder, HolderKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    Part = TypeVar("Part")

SMALLEST_HOLDER = 400.0  # area in square units of the smallest environment with its own block
SMALLEST_TILE = 30.0
MOST_TILES_OF_A_HOLDER = 300
FINEST = 1e9  # the smallest part is 1/FINEST of the whole: squarify treats less as 0


@dataclass(frozen=True, slots=True)
class Canvas:
    """The size of a map, in the units of its coordinates."""

    name: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle on a canvas."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle for one area, or for several areas of one kind that are too small to draw.

    Attributes:
        rectangle: The rectangle.
        areas: The areas, at least one.
        amount_bytes: The bytes of all of them.

    """

    rectangle: Rectangle
    areas: tuple[Area, ...]
    amount_bytes: int

    @property
    def kind(self) -> AreaKind:
        """The kind of the areas."""
        return self.areas[0].kind


@dataclass(frozen=True, slots=True)
class Block:
    """The rectangle of one holder, or of several environments that are too small to draw.

    Attributes:
        rectangle: The rectangle.
        holders: The holders, at least one.
        amount_bytes: The bytes of all of them.
        tiles: The tiles in it, the largest first.

    """

    rectangle: Rectangle
    holders: tuple[Holder, ...]
    amount_bytes: int
    tiles: tuple[Tile, ...]


def lay_out(holders: Sequence[Holder], canvas: Canvas) -> list[Block]:
    """Divide a canvas among the areas of some holders.

    Args:
        holders: The holders to draw, none of them empty.
        canvas: The canvas.

    Returns:
        The blocks, the largest first. The tiles have the bytes of all areas and fill the canvas.

    """
    total_bytes = sum(holder.amount_bytes for holder in holders)
    if not total_bytes:
        return []
    smallest_bytes = SMALLEST_HOLDER * total_bytes / (canvas.width * canvas.height)

    def is_small(holder: Holder) -> bool:
        return holder.kind is HolderKind.ENVIRONMENT and holder.amount_bytes < smallest_bytes

    groups: list[tuple[Holder, ...]] = [(holder,) for holder in holders if not is_small(holder)]
    if small := tuple(filter(is_small, holders)):
        groups.append(small)
    whole = Rectangle(0, 0, canvas.width, canvas.height)
    return [
        Block(rectangle, group, amount, tuple(_tiles(group, rectangle, amount)))
        for group, rectangle, amount in _divide(
            [(group, _bytes_of(group)) for group in groups], whole
        )
    ]


def _tiles(holders: Sequence[Holder], rectangle: Rectangle, total_bytes: int) -> list[Tile]:
    """Divide the rectangle of a block among the kinds of areas, and then among the areas.

    For several holders, all areas of one kind of one holder are drawn as one.
    """
    groups = _groups(holders)
    smallest_bytes = max(
        SMALLEST_TILE * total_bytes / (rectangle.width * rectangle.height),
        _bytes_of(groups[:MOST_TILES_OF_A_HOLDER][-1]),
    )
    kinds = [[group for group in groups if group[0].kind is kind] for kind in AreaKind]
    parts = [(of_kind, sum(map(_bytes_of, of_kind))) for of_kind in kinds if of_kind]
    return [
        Tile(rectangle_of_tile, areas, amount)
        for of_kind, part, _ in _divide(parts, rectangle)
        for areas, rectangle_of_tile, amount in _divide(_merged(of_kind, smallest_bytes), part)
    ]


def _groups(holders: Sequence[Holder]) -> list[tuple[Area, ...]]:
    """Return the groups of areas that are drawn as one rectangle, the largest first."""
    groups: Iterable[tuple[Area, ...]]
    if len(holders) == 1:
        groups = [(area,) for area in holders[0].areas]
    else:
        groups = (
            tuple(area for area in holder.areas if area.kind is kind)
            for holder in holders
            for kind in AreaKind
        )
    return sorted(filter(None, groups), key=_bytes_of, reverse=True)


def _merged(
    groups: Sequence[tuple[Area, ...]], smallest_bytes: float
) -> list[tuple[tuple[Area, ...], int]]:
    """Return the groups of one kind with their bytes, the small groups merged into one."""
    large = [group for group in groups if _bytes_of(group) >= smallest_bytes]
    large = large[:MOST_TILES_OF_A_HOLDER]
    small = tuple(area for group in groups[len(large) :] for area in group)
    return [(group, _bytes_of(group)) for group in [*large, *([small] if small else [])]]


def _bytes_of(parts: Sequence[Area] | Sequence[Holder]) -> int:
    return sum(part.amount_bytes for part in parts)


def _divide(
    parts: Sequence[tuple[Part, int]], rectangle: Rectangle
) -> list[tuple[Part, Rectangle, int]]:
    """Divide a rectangle among parts by their bytes, the largest first."""
    ordered = sorted(parts, key=lambda part: -part[1])
    least = sum(amount for _, amount in ordered) / FINEST
    sizes = [max(amount, least) for _, amount in ordered]
    scaled = squarify.normalize_sizes(sizes, rectangle.width, rectangle.height)
    rectangles = squarify.squarify(
        scaled, rectangle.x, rectangle.y, rectangle.width, rectangle.height
    )
    return [
        (part, Rectangle(each["x"], each["y"], each["dx"], each["dy"]), amount)
        for (part, amount), each in zip(ordered, rectangles, strict=True)
    ]
