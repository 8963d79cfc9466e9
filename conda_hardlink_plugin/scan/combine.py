"""Findings to inventory: groups what a scan has counted."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from ..filesystem.symlink_text import passes_link
from .inventory import EscapingSymlink, GroupSums, InodeGroup, Inventory, UnitKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .collector import Collector, Location
    from .inventory import OwnFile, Unit
    from .scan_roots import ScanRoots

_ROOT_UNITS = (UnitKind.ENVIRONMENT, UnitKind.OTHER)


def combine(
    collector: Collector, scan_roots: ScanRoots, records: dict[int, frozenset[str]]
) -> Inventory:
    """Return the inventory of everything that was counted.

    Args:
        collector: The counts of all roots.
        scan_roots: The roots.
        records: For each environment the names of its records (`Inventory.records`).

    """
    found = collector.found
    units = sorted(found.units, key=_unit_order)
    index_of = {unit: index for index, unit in enumerate(units)}
    unit_map = [index_of[unit] for unit in found.units]
    identities = [found.identities.get(root, (None, 0)) for root in range(len(scan_roots.roots))]
    located = list(collector.table.groups())
    seen = {device for _, device in found.private} | {group.device for group in located}
    of_roots = [device for device, _ in identities if device is not None]
    devices = tuple(dict.fromkeys([*of_roots, *sorted(seen)]))
    device_of: dict[int | None, int] = {device: index for index, device in enumerate(devices)}
    groups: dict[InodeGroup, GroupSums] = {}
    for inodes in located:
        roots, cache_units = _places(inodes.locations, collector.locations, unit_map)
        device = device_of[inodes.device]
        group = InodeGroup(roots, cache_units, device, inodes.complete, inodes.surplus)
        groups.setdefault(group, GroupSums()).add(inodes.sums)
    return Inventory(
        roots=scan_roots.roots,
        root_devices=tuple(device_of.get(device, -1) for device, _ in identities),
        root_inodes=tuple(number for _, number in identities),
        links=tuple(found.links),
        units=tuple(units),
        private={
            (unit_map[unit], device_of[device]): sums
            for (unit, device), sums in found.private.items()
        },
        groups=groups,
        devices=devices,
        records=records,
        symlinks=tuple(
            link
            for root in range(len(identities))
            for link in _symlinks(root, found.leaving.get(root, {}), found.staying.get(root, {}))
        ),
        units_with_roots_inside=frozenset(unit_map[unit] for unit in found.units_with_roots_inside),
        own_files={root: _own_files(collector, root) for root in found.own_files},
        problems=tuple(sorted(found.problems, key=attrgetter("root", "path"))),
        aliases=scan_roots.aliases,
    )


def _places(
    locations: Sequence[int], meaning: Sequence[Location], unit_map: Sequence[int]
) -> tuple[tuple[int, ...], frozenset[int]]:
    """Return the roots, and the units of caches, in which some links are."""
    places = [meaning[location] for location in set(locations)]
    units = frozenset(unit_map[unit] for _, unit in places if unit is not None)
    return tuple(sorted({root for root, _ in places})), units


def _own_files(collector: Collector, root: int) -> list[OwnFile]:
    """Return the files that were noted in a root and have all of their links there."""
    files = []
    for noted in collector.found.own_files[root]:
        if noted.identity is not None:
            locations = collector.table.locations(*noted.identity)
            elsewhere = {collector.locations[location][0] for location in locations} - {root}
            if elsewhere or len(locations) < noted.link_count:
                continue
        files.append(noted.file)
    return files


def _symlinks(
    root: int, leaving: Mapping[str, str], staying: Mapping[str, str]
) -> Iterator[EscapingSymlink]:
    """Yield the symbolic links of a root that may lead out of it."""
    links = leaving.keys() | staying.keys()
    for path, target in sorted(leaving.items()):  # threads find them in any order
        yield EscapingSymlink(root, path, target)
    for path, target in sorted(staying.items()):
        if passes_link(path, target, links):
            yield EscapingSymlink(root, path, target)


def _unit_order(unit: Unit) -> tuple[int, bool, str]:
    """Return the sort key of units: root by root, the unit of the root itself first."""
    return unit.root, unit.kind not in _ROOT_UNITS, unit.path
