"""The contents of the index as JSON: an inventory, and where the pages are that it was made of."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from ..inventory import (
    EscapingSymlink,
    GroupSums,
    InodeGroup,
    Inventory,
    PrivateSums,
    Root,
    RootKind,
    Unit,
    UnitKind,
)
from .page import Page

if TYPE_CHECKING:
    from ..ground import Ground

IndexedRoot = tuple[str, str, list[str]]  # kind, path, where other roots are seen inside


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in an index.

    Attributes:
        roots: The roots of the inventory, and what is seen inside them.
        inventory: What was found; without records, which are cheap to list again.
        pages: Its pages; their units are indexes into those of the inventory.
        texts: Unit to where the texts of its symbolic links are: offset, length, checksum.
        unread: Units in which something could not be counted as it stands.
        is_whole: Nothing else than what is in the index was found.

    """

    roots: list[IndexedRoot]
    inventory: Inventory
    pages: list[Page]
    texts: dict[int, tuple[int, int, int]]
    unread: frozenset[int]
    is_whole: bool


def indexed_roots(ground: Ground) -> list[IndexedRoot]:
    """Return the roots as they stand in an index."""
    return [
        (root.kind.value, root.path, sorted(inside))
        for root, inside in zip(ground.roots, ground.inside, strict=True)
    ]


def to_json(
    inventory: Inventory,
    ground: Ground,
    pages: list[Page],
    texts: dict[int, tuple[int, int, int]],
    unread: frozenset[int],
) -> dict[str, Any]:
    """Return what `from_json` reads."""
    return {
        "roots": indexed_roots(ground),
        "devices": inventory.devices,
        "root_devices": inventory.root_devices,
        "root_inodes": inventory.root_inodes,
        "links": inventory.links,
        "units": [(unit.kind.value, unit.root, unit.path) for unit in inventory.units],
        "private": [(*key, *astuple(sums)) for key, sums in inventory.private.items()],
        "groups": [
            (
                group.roots,
                sorted(group.cache_units),
                group.device,
                group.complete,
                group.surplus,
                *astuple(sums),
            )
            for group, sums in inventory.groups.items()
        ],
        "symlinks": [astuple(link) for link in inventory.symlinks],
        "holding": sorted(inventory.holding),
        "pages": pages,
        "texts": [(unit, *place) for unit, place in texts.items()],
        "unread": sorted(unread),
        "is_whole": not unread
        and not inventory.problems
        and not any(group.surplus for group in inventory.groups),
    }


def from_json(data: dict[str, Any]) -> Stored:
    """Return what `to_json` was given.

    Raises:
        KeyError, TypeError, ValueError: That is something else.

    """
    kinds = {kind.value: kind for kind in UnitKind}
    inventory = Inventory(
        roots=tuple(Root(RootKind(kind), path) for kind, path, _ in data["roots"]),
        root_devices=tuple(data["root_devices"]),
        root_inodes=tuple(data["root_inodes"]),
        links=tuple(data["links"]),
        units=tuple(Unit(kinds[kind], root, path) for kind, root, path in data["units"]),
        private={(unit, device): PrivateSums(*sums) for unit, device, *sums in data["private"]},
        groups={
            InodeGroup(tuple(roots), frozenset(units), device, complete, surplus): GroupSums(*sums)
            for roots, units, device, complete, surplus, *sums in data["groups"]
        },
        devices=tuple(data["devices"]),
        records={},
        symlinks=tuple(EscapingSymlink(*link) for link in data["symlinks"]),
        holding=frozenset(data["holding"]),
        own_files={},
        problems=(),
        aliases={},
    )
    return Stored(
        roots=[(kind, path, inside) for kind, path, inside in data["roots"]],
        inventory=inventory,
        pages=[Page(*page) for page in data["pages"]],
        texts={unit: (offset, length, crc) for unit, offset, length, crc in data["texts"]},
        unread=frozenset(data["unread"]),
        is_whole=data["is_whole"],
    )
