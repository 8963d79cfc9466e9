"""Areas of the disk to rectangles: squarified, exactly in proportion, each byte drawn once.

The canvas is divided among the holders and each part among the areas of its holder, with nothing
set aside for margins or headings: a rectangle is to the canvas as its bytes are to the disk, to
within a billionth.
What is of one kind lies together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import squarify

from ..report.disk_map import Area, AreaKind, Holder, HolderKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    Part = TypeVar("Part")

SMALLEST_HOLDER = 400.0  # of an environment that gets a place of its own, in square units
SMALLEST_TILE = 30.0
MOST_TILES_OF_A_HOLDER = 300
FINEST = 1e9  # the smallest part of a place is one in so many: squarify takes less for nothing


@dataclass(frozen=True, slots=True)
class Canvas:
    """How large a map is, in the units of its coordinates."""

    name: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place on a canvas."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle for one area, or for several of one kind that are too small to be seen.

    Attributes:
        place: Where it is.
        areas: What it stands for, at least one.
        amount_bytes: All of them.

    """

    place: Rectangle
    areas: tuple[Area, ...]
    amount_bytes: int

    @property
    def kind(self) -> AreaKind:
        """What the areas are there for."""
        return self.areas[0].kind


@dataclass(frozen=True, slots=True)
class Block:
    """The part of a canvas that a holder takes, or several that are too small to be seen.

    Attributes:
        place: Where it is.
        holders: What it stands for, at least one.
        amount_bytes: All of them.
        tiles: What is in it, the largest first.

    """

    place: Rectangle
    holders: tuple[Holder, ...]
    amount_bytes: int
    tiles: tuple[Tile, ...]


def lay_out(holders: Sequence[Holder], canvas: Canvas) -> list[Block]:
    """Divide a canvas among the areas of some holders.

    Args:
        holders: What to draw, none of it empty.
        canvas: Where.

    Returns:
        The blocks, the largest first. The bytes of all tiles are those of all areas, and the tiles
        fill the canvas.

    """
    total_bytes = sum(holder.amount_bytes for holder in holders)
    if not total_bytes:
        return []
    smallest_bytes = SMALLEST_HOLDER * total_bytes / (canvas.width * canvas.height)
    groups: list[tuple[Holder, ...]] = []
    small: tuple[Holder, ...] = ()
    for holder in holders:
        if holder.kind is HolderKind.ENVIRONMENT and holder.amount_bytes < smallest_bytes:
            small += (holder,)
        else:
            groups.append((holder,))
    groups += [small] if small else []
    whole = Rectangle(0, 0, canvas.width, canvas.height)
    return [
        Block(place, group, amount, tuple(_tiles(group, place, amount)))
        for group, place, amount in _divide([(group, _bytes_of(group)) for group in groups], whole)
    ]


def _tiles(holders: Sequence[Holder], place: Rectangle, total_bytes: int) -> list[Tile]:
    """Divide the place of some holders among the kinds of their areas, and then the areas.

    Of several holders, all that one of them has of a kind is drawn as one.
    """
    wholes = _wholes(holders)
    smallest_bytes = max(
        SMALLEST_TILE * total_bytes / (place.width * place.height),
        _bytes_of(wholes[:MOST_TILES_OF_A_HOLDER][-1]),
    )
    kinds = [[whole for whole in wholes if whole[0].kind is kind] for kind in AreaKind]
    parts = [(of_kind, sum(map(_bytes_of, of_kind))) for of_kind in kinds if of_kind]
    return [
        Tile(where, areas, amount)
        for of_kind, part, _ in _divide(parts, place)
        for areas, where, amount in _divide(_gathered(of_kind, smallest_bytes), part)
    ]


def _wholes(holders: Sequence[Holder]) -> list[tuple[Area, ...]]:
    """Return what is drawn as one if it is large enough, the largest first."""
    wholes: list[tuple[Area, ...]]
    if len(holders) == 1:
        wholes = [(area,) for area in holders[0].areas]
    else:
        of_kinds = (
            tuple(area for area in holder.areas if area.kind is kind)
            for holder in holders
            for kind in AreaKind
        )
        wholes = [areas for areas in of_kinds if areas]
    return sorted(wholes, key=_bytes_of, reverse=True)


def _gathered(
    wholes: Sequence[tuple[Area, ...]], smallest_bytes: float
) -> list[tuple[tuple[Area, ...], int]]:
    """Return what is drawn of one kind, with its bytes; what is too small is gathered."""
    large = [whole for whole in wholes if _bytes_of(whole) >= smallest_bytes]
    large = large[:MOST_TILES_OF_A_HOLDER]
    small = tuple(area for whole in wholes[len(large) :] for area in whole)
    return [(whole, _bytes_of(whole)) for whole in [*large, *([small] if small else [])]]


def _bytes_of(parts: Sequence[Area] | Sequence[Holder]) -> int:
    return sum(part.amount_bytes for part in parts)


def _divide(
    parts: Sequence[tuple[Part, int]], place: Rectangle
) -> list[tuple[Part, Rectangle, int]]:
    """Divide a place among parts by their bytes, the largest first."""
    ordered = sorted(parts, key=lambda part: -part[1])
    least = sum(amount for _, amount in ordered) / FINEST
    sizes = [max(amount, least) for _, amount in ordered]
    scaled = squarify.normalize_sizes(sizes, place.width, place.height)
    found = squarify.squarify(scaled, place.x, place.y, place.width, place.height)
    return [
        (part, Rectangle(where["x"], where["y"], where["dx"], where["dy"]), amount)
        for (part, amount), where in zip(ordered, found, strict=True)
    ]
