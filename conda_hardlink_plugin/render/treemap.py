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

from ..picture import Area, AreaKind, Holder, HolderKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    Sized = TypeVar("Sized", Area, Holder)

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
        for group, place, amount in _divide(groups, whole)
    ]


def _tiles(holders: Sequence[Holder], place: Rectangle, total_bytes: int) -> list[Tile]:
    """Divide the place of some holders among the kinds of their areas, and then the areas."""
    areas = sorted(
        (area for holder in holders for area in holder.areas), key=lambda area: -area.amount_bytes
    )
    smallest_bytes = SMALLEST_TILE * total_bytes / (place.width * place.height)
    fewest_bytes = areas[:MOST_TILES_OF_A_HOLDER][-1].amount_bytes
    kinds = [tuple(area for area in areas if area.kind is kind) for kind in AreaKind]
    tiles = []
    for of_kind, part, _ in _divide([areas for areas in kinds if areas], place):
        large = [
            area
            for area in of_kind
            if area.amount_bytes >= smallest_bytes and area.amount_bytes >= fewest_bytes
        ][:MOST_TILES_OF_A_HOLDER]
        groups: list[tuple[Area, ...]] = [(area,) for area in large]
        groups += [of_kind[len(large) :]] if len(large) < len(of_kind) else []
        tiles += [Tile(where, group, amount) for group, where, amount in _divide(groups, part)]
    return tiles


def _divide(
    groups: Sequence[tuple[Sized, ...]], place: Rectangle
) -> list[tuple[tuple[Sized, ...], Rectangle, int]]:
    """Divide a place among groups by their bytes, the largest first."""
    amounts = [(group, sum(item.amount_bytes for item in group)) for group in groups]
    amounts.sort(key=lambda item: -item[1])
    least = sum(amount for _, amount in amounts) / FINEST
    sizes = [max(amount, least) for _, amount in amounts]
    scaled = squarify.normalize_sizes(sizes, place.width, place.height)
    found = squarify.squarify(scaled, place.x, place.y, place.width, place.height)
    return [
        (group, Rectangle(where["x"], where["y"], where["dx"], where["dy"]), amount)
        for (group, amount), where in zip(amounts, found, strict=True)
    ]
