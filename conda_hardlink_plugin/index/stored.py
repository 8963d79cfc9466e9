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
    RootKind,
    Unit,
    UnitKind,
)
from .page import Page

if TYPE_CHECKING:
    from ..ground import Ground
    from ..inventory import Reading

IndexedRoot = tuple[str, str, list[str]]  # kind, path, where other roots are seen inside


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in an index.

    Attributes:
        roots: The roots, in the order of the inventory.
        devices: `Inventory.devices`.
        root_devices: `Inventory.root_devices`.
        root_inodes: `Inventory.root_inodes`.
        links: `Inventory.links`.
        units: `Inventory.units`.
        private: `Inventory.private`.
        groups: `Inventory.groups`.
        symlinks: `Inventory.symlinks`.
        holding: `Inventory.holding`.
        pages: Its pages; their units are indexes into `units`.
        texts: Unit to where the texts of its symbolic links are: offset, length, checksum.
        unread: Units in which something could not be counted as it stands.
        is_whole: Nothing else than what is in the index was found.

    """

    roots: list[IndexedRoot]
    devices: tuple[int, ...]
    root_devices: tuple[int, ...]
    root_inodes: tuple[int, ...]
    links: tuple[int, ...]
    units: tuple[Unit, ...]
    private: dict[tuple[int, int], PrivateSums]
    groups: dict[InodeGroup, GroupSums]
    symlinks: tuple[EscapingSymlink, ...]
    holding: frozenset[int]
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


def inventory_of(
    stored: Stored, ground: Ground, records: dict[int, frozenset[str]], reading: Reading
) -> Inventory:
    """Return an inventory as it was stored, on the same ground.

    Args:
        stored: What was stored, and is as it was.
        ground: The roots.
        records: For each environment the names of its records.
        reading: How it was found out that it is as it was.

    """
    return Inventory(
        roots=ground.roots,
        root_devices=stored.root_devices,
        root_inodes=stored.root_inodes,
        links=stored.links,
        units=stored.units,
        private=stored.private,
        groups=stored.groups,
        devices=stored.devices,
        records=records,
        symlinks=stored.symlinks,
        holding=stored.holding,
        own_files={},
        problems=(),
        aliases=ground.aliases,
        reading=reading,
    )


def from_json(data: dict[str, Any]) -> Stored:
    """Return what `to_json` was given.

    Raises:
        KeyError, TypeError, ValueError: That is something else.

    """
    kinds = {kind.value: kind for kind in UnitKind}
    units = tuple(Unit(kinds[kind], root, path) for kind, root, path in data["units"])
    return Stored(
        roots=[(RootKind(kind).value, path, inside) for kind, path, inside in data["roots"]],
        devices=tuple(data["devices"]),
        root_devices=tuple(data["root_devices"]),
        root_inodes=tuple(data["root_inodes"]),
        links=tuple(data["links"]),
        units=units,
        private={(unit, device): PrivateSums(*sums) for unit, device, *sums in data["private"]},
        groups={
            InodeGroup(tuple(roots), frozenset(units), device, complete, surplus): GroupSums(*sums)
            for roots, units, device, complete, surplus, *sums in data["groups"]
        },
        symlinks=tuple(EscapingSymlink(*link) for link in data["symlinks"]),
        holding=frozenset(data["holding"]),
        pages=[Page(*page) for page in data["pages"]],
        texts={unit: (offset, length, crc) for unit, offset, length, crc in data["texts"]},
        unread=frozenset(data["unread"]),
        is_whole=data["is_whole"],
    )
