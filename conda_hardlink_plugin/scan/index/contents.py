"""The table of the index as JSON: an inventory, and the location of its pages."""

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
from .page import Page, unpack_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..scan_roots import ScanRoots

Extent = tuple[int, int, int]  # a part of the file: offset, length, CRC-32
IndexedRoot = tuple[str, str, list[str]]  # kind, path, paths at which other roots appear inside


@dataclass(frozen=True, slots=True)
class Stored:
    """The contents of an index.

    Attributes:
        roots: The roots of the inventory, with the roots that appear inside each.
        inventory: The inventory, without records, which are cheap to list again.
        pages: The pages; their units are indexes into `inventory.units`.
        texts: Unit to the extent of the texts of its symbolic links.
        unread: Units in which something could not be counted correctly.
        is_whole: Whether the index contains everything that the scan found.

    """

    roots: list[IndexedRoot]
    inventory: Inventory
    pages: list[Page]
    texts: dict[int, Extent]
    unread: frozenset[int]
    is_whole: bool


def indexed_roots(scan_roots: ScanRoots) -> list[IndexedRoot]:
    """Return the roots in the form in which an index contains them."""
    return [
        (root.kind.value, root.path, sorted(inside))
        for root, inside in zip(scan_roots.roots, scan_roots.inside, strict=True)
    ]


def to_json(
    inventory: Inventory,
    scan_roots: ScanRoots,
    pages: Extent,
    texts: dict[int, Extent],
    unread: frozenset[int],
) -> Iterator[tuple[str, object]]:
    """Yield the names and values that `from_json` reads, one by one to save memory.

    Args:
        inventory: The inventory.
        scan_roots: The roots.
        pages: Extent of the packed pages.
        texts: Unit to the extent of the texts of its symbolic links.
        unread: Units in which something could not be counted correctly.

    """
    yield "roots", indexed_roots(scan_roots)
    yield "devices", inventory.devices
    yield "root_devices", inventory.root_devices
    yield "root_inodes", inventory.root_inodes
    yield "links", inventory.links
    yield "units", [(unit.kind.value, unit.root, unit.path) for unit in inventory.units]
    yield "private", [(*key, *astuple(sums)) for key, sums in inventory.private.items()]
    yield "groups", [_group_as_json(*item) for item in inventory.groups.items()]
    yield "symlinks", [astuple(link) for link in inventory.symlinks]
    yield "holding", sorted(inventory.units_with_roots_inside)
    yield "pages", pages
    yield "texts", [(unit, *extent) for unit, extent in texts.items()]
    yield "unread", sorted(unread)
    has_surplus = any(group.surplus for group in inventory.groups)
    yield "is_whole", not (unread or inventory.problems or has_surplus)


def _group_as_json(group: InodeGroup, sums: GroupSums) -> tuple[object, ...]:
    units = sorted(group.cache_units)
    return group.roots, units, group.device, group.complete, group.surplus, *astuple(sums)


def from_json(data: dict[str, Any], read: Callable[[int, int, int], bytes]) -> Stored:
    """Return the contents of an index from its table.

    Args:
        data: The names and values of `to_json`.
        read: Returns an `Extent` of the file.

    Raises:
        OSError: The file cannot be read, or is damaged.
        KeyError, TypeError, ValueError: The data is not a table of an index.

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
        units_with_roots_inside=frozenset(data["holding"]),
        own_files={},
        problems=(),
        aliases={},
    )
    return Stored(
        roots=[(kind, path, inside) for kind, path, inside in data["roots"]],
        inventory=inventory,
        pages=list(unpack_pages(read(*data["pages"]))),
        texts={unit: (offset, length, crc) for unit, offset, length, crc in data["texts"]},
        unread=frozenset(data["unread"]),
        is_whole=data["is_whole"],
    )
