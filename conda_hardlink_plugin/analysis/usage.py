"""All arithmetic over inodes and links: from an inventory to figures.

It works on groups of inodes that lie in the same units; there are about as many groups as packages.
For every set of units, `0 <= exclusive <= unique`. For disjoint sets A and B,
`exclusive(A) + exclusive(B) <= exclusive(A | B)` and `unique(A | B) <= unique(A) + unique(B)`:
never add up the rows of a table.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

from ..scan.inventory import UnitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from ..scan.inventory import GroupSums, Inventory, OwnFile, PrivateSums


class Measure(Enum):
    """The bytes to count for an inode."""

    DISK = "disk"
    APPARENT = "apparent"

    def of(self, sums: PrivateSums | GroupSums | OwnFile) -> int:
        """Return the bytes of a file, or of a sum over inodes, in this measure."""
        return sums.disk_bytes if self is Measure.DISK else sums.apparent_bytes

    def of_directories(self, sums: PrivateSums) -> int:
        """Return the part of `of` that directories hold."""
        disk = self is Measure.DISK
        return sums.directory_disk_bytes if disk else sums.directory_apparent_bytes


class CachePart(Enum):
    """A part of a package cache; each byte belongs to one part."""

    USED = 0
    KEPT = 1
    UNUSED = 2
    ARCHIVES = 3
    QUARANTINE = 4
    OTHER = 5


_PART_OF_KIND = {
    UnitKind.PACKAGE: CachePart.KEPT,
    UnitKind.ARCHIVE: CachePart.ARCHIVES,
    UnitKind.QUARANTINED: CachePart.QUARANTINE,
    UnitKind.TRASH: CachePart.OTHER,
    UnitKind.OTHER: CachePart.OTHER,
}


class Usage:
    """Figures of one inventory in one measure. All of them are bytes unless named otherwise."""

    def __init__(self, inventory: Inventory, measure: Measure = Measure.DISK) -> None:
        """Add up the inodes with a single link; the inventory is not changed."""
        self.inventory = inventory
        self.measure = measure
        self._groups = [(group, measure.of(sums), sums) for group, sums in inventory.groups.items()]
        self._unit_private = [0] * len(inventory.units)
        self._unit_private_inodes = [0] * len(inventory.units)
        self._unit_directories = [0] * len(inventory.units)
        for (unit, _), sums in inventory.private.items():
            self._unit_private[unit] += measure.of(sums)
            self._unit_private_inodes[unit] += sums.inodes
            self._unit_directories[unit] += measure.of_directories(sums)

    @cached_property
    def units_of_root(self) -> list[list[int]]:
        """The units of each root; an environment has one."""
        units: list[list[int]] = [[] for _ in self.inventory.roots]
        for index, unit in enumerate(self.inventory.units):
            units[unit.root].append(index)
        return units

    @cached_property
    def unique_by_root(self) -> list[int]:
        """Unique usage of each root alone: what `du -s` prints for it."""
        amounts = ((group.roots, amount) for group, amount, _ in self._groups)
        return _added(self._by_root(self._unit_private), amounts)

    @cached_property
    def inodes_by_root(self) -> list[int]:
        """Inodes with a link in each root."""
        inodes = ((group.roots, sums.inodes) for group, _, sums in self._groups)
        return _added(self._by_root(self._unit_private_inodes), inodes)

    @cached_property
    def exclusive_by_root(self) -> list[int]:
        """Exclusive usage of each root: what removing only this root frees."""
        no_packages = dict.fromkeys(range(len(self.inventory.roots)), ())
        return list(self.exclusive_with_packages(no_packages).values())

    @cached_property
    def directories_by_root(self) -> list[int]:
        """Bytes of the directories of each root."""
        return self._by_root(self._unit_directories)

    @cached_property
    def on_disk(self) -> int:
        """Unique usage of all roots together."""
        return sum(self._unit_private) + sum(amount for _, amount, _ in self._groups)

    @cached_property
    def inodes_on_disk(self) -> int:
        """Inodes with a link in any root."""
        return sum(self._unit_private_inodes) + sum(sums.inodes for _, _, sums in self._groups)

    @cached_property
    def as_copies(self) -> int:
        """What the roots would take without links between them: the sum of each alone."""
        return sum(self.unique_by_root)

    @cached_property
    def inodes_as_copies(self) -> int:
        """Inodes that the roots would take without links between them."""
        return sum(self.inodes_by_root)

    @cached_property
    def outside_links(self) -> int:
        """Links to the inodes of these roots that lie outside them."""
        return sum(sums.outside_links for _, _, sums in self._groups)

    @cached_property
    def outside_inodes(self) -> int:
        """Inodes of these roots that have a link outside them."""
        return sum(sums.inodes for group, _, sums in self._groups if not group.complete)

    @cached_property
    def outside_inodes_by_root(self) -> list[int]:
        """Inodes of each root that have a link outside all roots."""
        inodes = (
            (group.roots, sums.inodes) for group, _, sums in self._groups if not group.complete
        )
        return _added([0] * len(self.inventory.roots), inodes)

    @cached_property
    def surplus_inodes(self) -> int:
        """Inodes with more links seen than their link count: some were made during the scan."""
        return sum(sums.inodes for group, _, sums in self._groups if group.surplus)

    @cached_property
    def on_disk_by_device(self) -> list[int]:
        """Unique usage of all roots on each device of the inventory."""
        figures = [0] * len(self.inventory.devices)
        for (_, device), sums in self.inventory.private.items():
            figures[device] += self.measure.of(sums)
        for group, amount, _ in self._groups:
            figures[group.device] += amount
        return figures

    @cached_property
    def unique_by_unit(self) -> list[int]:
        """Unique usage of each unit alone."""
        amounts = (amount for _, amount, _ in self._groups)
        return _added(self._unit_private.copy(), zip(self._holders, amounts, strict=True))

    @cached_property
    def cache_units_linked_from(self) -> list[set[int]]:
        """For each root, the cache units that it shares an inode with."""
        units: list[set[int]] = [set() for _ in self.inventory.roots]
        for group, _, _ in self._groups:
            for root in group.roots:
                units[root] |= group.cache_units
        return units

    @cached_property
    def cache_units_linked_from_outside(self) -> set[int]:
        """The cache units with an inode that has links outside all roots."""
        incomplete = (group.cache_units for group, _, _ in self._groups if not group.complete)
        return set().union(*incomplete)

    def unique(self, roots: AbstractSet[int]) -> int:
        """Return the unique usage of a set of roots: `du -s` of all of them in one call."""
        return self._unique({unit for root in roots for unit in self.units_of_root[root]})

    def added(self, order: Sequence[int]) -> list[int]:
        """Return what each root adds to those before it: `du -s` of all, in this order.

        Args:
            order: Every root once.

        """
        position_of = {root: position for position, root in enumerate(order)}
        private = self._by_root(self._unit_private)
        figures = [private[root] for root in order]
        for group, amount, _ in self._groups:
            figures[min(position_of[root] for root in group.roots)] += amount
        return figures

    def shared_between(self, root: int, other: int) -> int:
        """Return the bytes of the inodes that have a link in both roots."""
        pair = min(root, other), max(root, other)
        return self.shared_by_pair({root, other}).get(pair, 0)

    def shared_by_pair(self, roots: AbstractSet[int]) -> dict[tuple[int, int], int]:
        """Return `shared_between` for every pair of some roots, the smaller index first.

        Pairs that share no bytes are left out.
        """
        amounts: Counter[tuple[int, ...]] = Counter()
        for group, amount, _ in self._groups:
            amounts[tuple(root for root in group.roots if root in roots)] += amount
        figures: Counter[tuple[int, int]] = Counter()
        for holders, amount in amounts.items():
            if amount:
                for pair in combinations(holders, 2):
                    figures[pair] += amount
        return figures

    def assign_inodes(
        self, rank: Mapping[int, int]
    ) -> tuple[list[int], dict[tuple[tuple[int, ...], bool], int]]:
        """Assign each inode to one owner: all of these figures add up to `on_disk`.

        The owner of an inode with links in caches is the unit of the lowest rank that holds it, the
        first of equal ones. An inode that only one environment holds, with all its links, belongs
        to the unit of that environment. Any other inode belongs to the set of environments that
        hold it.

        Args:
            rank: For each cache unit its rank; a lower one comes first.

        Returns:
            The bytes of each unit; and the bytes of each set of environments (root indexes), split
            by whether all links of the inodes were seen.

        """
        by_unit = list(self._unit_private)
        between: Counter[tuple[tuple[int, ...], bool]] = Counter()
        for group, amount, _ in self._groups:
            if group.cache_units:
                by_unit[min(group.cache_units, key=lambda unit: (rank[unit], unit))] += amount
            elif group.complete and len(group.roots) == 1:
                by_unit[self.units_of_root[group.roots[0]][0]] += amount
            else:
                between[group.roots, group.complete] += amount
        return by_unit, between

    def roots_sharing_with(self, unit: int) -> set[int]:
        """Return the roots that share an inode with a cache unit."""
        groups = (group.roots for group, _, _ in self._groups if unit in group.cache_units)
        return set().union(*groups)

    def cache_units_sharing_with(self, unit: int) -> set[int]:
        """Return the other cache units that share an inode with a cache unit."""
        return self._cache_units_sharing.get(unit, set()) - {unit}

    def unique_without(self, root: int, units: AbstractSet[int]) -> int:
        """Return the unique usage of a cache after some of its units are removed."""
        return self._unique(frozenset(self.units_of_root[root]) - units)

    def exclusive(self, units: Collection[int]) -> int:
        """Return the exclusive usage of a set of units: what removing them all frees.

        Args:
            units: Indexes into `Inventory.units`, of any kind.

        """
        chosen = frozenset(units)
        return sum(self._unit_private[unit] for unit in chosen) + sum(
            amount
            for (group, amount, _), holders in zip(self._groups, self._holders, strict=True)
            if group.complete and holders <= chosen
        )

    def exclusive_with_packages(self, packages: Mapping[int, Collection[int]]) -> dict[int, int]:
        """Return what removing each root and its packages frees.

        It equals `exclusive` of the root's units and the packages, computed in one pass for many
        roots.

        Args:
            packages: For each root, the units of other roots to remove with it. A unit may belong
                to one root only.

        """
        owner_of = {
            unit: root
            for root, units in packages.items()
            for unit in (*self.units_of_root[root], *units)
        }
        figures = dict.fromkeys(packages, 0)
        for unit, root in owner_of.items():
            figures[root] += self._unit_private[unit]
        for (group, amount, _), holders in zip(self._groups, self._holders, strict=True):
            owners = {owner_of.get(unit) for unit in holders}
            if group.complete and len(owners) == 1 and (owner := owners.pop()) is not None:
                figures[owner] += amount
        return figures

    def cache_parts(
        self, root: int, used: Collection[int], unused: Collection[int]
    ) -> dict[CachePart, int]:
        """Split the unique usage of a cache into parts, which add up to it.

        An inode that lies in several units of the cache belongs to the first part of `CachePart`.

        Args:
            root: Index of the cache.
            used: Packages that are in use.
            unused: Packages that nothing keeps. A package in neither has no known user, yet
                something keeps it.

        """
        units = frozenset(self.units_of_root[root])
        part_of = self.parts_of_units(used, unused)
        parts = dict.fromkeys(CachePart, 0)
        for unit in units:
            parts[part_of[unit]] += self._unit_private[unit]
        for group, amount, _ in self._groups:
            if root in group.roots:
                here = (part_of[unit] for unit in group.cache_units & units)
                parts[min(here, key=lambda part: part.value)] += amount
        return parts

    def parts_of_units(
        self, used: Collection[int], unused: Collection[int]
    ) -> dict[int, CachePart]:
        """Return the part of each cache unit; the arguments are those of `cache_parts`."""
        parts = {
            index: _PART_OF_KIND[unit.kind]
            for index, unit in enumerate(self.inventory.units)
            if unit.kind is not UnitKind.ENVIRONMENT
        }
        return parts | dict.fromkeys(unused, CachePart.UNUSED) | dict.fromkeys(used, CachePart.USED)

    @cached_property
    def _cache_units_sharing(self) -> dict[int, set[int]]:
        sharing: dict[int, set[int]] = {}
        for group, _, _ in self._groups:
            if len(group.cache_units) > 1:
                for unit in group.cache_units:
                    sharing.setdefault(unit, set()).update(group.cache_units)
        return sharing

    def _unique(self, units: AbstractSet[int]) -> int:
        """Return the unique usage of a set of units."""
        return sum(self._unit_private[unit] for unit in units) + sum(
            amount
            for (_, amount, _), holders in zip(self._groups, self._holders, strict=True)
            if not holders.isdisjoint(units)
        )

    @cached_property
    def _holders(self) -> list[frozenset[int]]:
        """For each group, all units that hold its inodes, those of environments included."""
        unit_of = {
            unit.root: index
            for index, unit in enumerate(self.inventory.units)
            if unit.kind is UnitKind.ENVIRONMENT
        }
        return [
            group.cache_units.union(unit_of[root] for root in group.roots if root in unit_of)
            for group, _, _ in self._groups
        ]

    def _by_root(self, by_unit: Sequence[int]) -> list[int]:
        """Add up the figures of units by root."""
        figures = [0] * len(self.inventory.roots)
        for unit, figure in zip(self.inventory.units, by_unit, strict=True):
            figures[unit.root] += figure
        return figures


def _added(figures: list[int], amounts: Iterable[tuple[Iterable[int], int]]) -> list[int]:
    """Add each amount to the figures at its indexes; return the figures."""
    for indexes, amount in amounts:
        for index in indexes:
            figures[index] += amount
    return figures
