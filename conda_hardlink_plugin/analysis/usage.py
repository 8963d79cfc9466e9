"""Inventory to numbers: all arithmetic over inodes and links.

It works on groups of inodes that lie in the same places, of which there are about as many as
packages. For every set of units `0 <= exclusive <= unique` holds, and for disjoint sets A and B
`exclusive(A) + exclusive(B) <= exclusive(A | B)` and `unique(A | B) <= unique(A) + unique(B)`:
rows of a table must never be added up.
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

from ..scan.inventory import GroupSums, Inventory, OwnFile, PrivateSums, RootKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet


class Measure(Enum):
    """What is counted for an inode."""

    DISK = "disk"
    APPARENT = "apparent"

    def of(self, sums: PrivateSums) -> int:
        """Return this measure's bytes of a unit's single-link inodes."""
        return sums.disk_bytes if self is Measure.DISK else sums.apparent_bytes

    def of_group(self, sums: GroupSums) -> int:
        """Return this measure's bytes of a group of inodes with several links."""
        return sums.disk_bytes if self is Measure.DISK else sums.apparent_bytes

    def of_file(self, file: OwnFile) -> int:
        """Return this measure's bytes of a file."""
        return file.disk_bytes if self is Measure.DISK else file.apparent_bytes

    def of_directories(self, sums: PrivateSums) -> int:
        """Return the part of `of` that directories hold."""
        disk = self is Measure.DISK
        return sums.directory_disk_bytes if disk else sums.directory_apparent_bytes


class CachePart(Enum):
    """What a byte of a package cache is there for; each byte has one part."""

    USED = 0
    KEPT = 1
    UNUSED = 2
    TARBALLS = 3
    QUARANTINE = 4
    OTHER = 5


_PART_OF_KIND = {
    UnitKind.PACKAGE: CachePart.KEPT,
    UnitKind.TARBALL: CachePart.TARBALLS,
    UnitKind.QUARANTINED: CachePart.QUARANTINE,
    UnitKind.TRASH: CachePart.OTHER,
    UnitKind.OTHER: CachePart.OTHER,
}


class Usage:
    """Figures of one inventory in one measure. All of them are bytes unless named otherwise."""

    def __init__(self, inventory: Inventory, measure: Measure = Measure.DISK) -> None:
        """Add up what has a single link; the inventory is not changed."""
        self.inventory = inventory
        self.measure = measure
        self._groups = [
            (group, measure.of_group(sums), sums) for group, sums in inventory.groups.items()
        ]
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
        figures = self._by_root(self._unit_private)
        for group, amount, _ in self._groups:
            for root in group.roots:
                figures[root] += amount
        return figures

    @cached_property
    def inodes_by_root(self) -> list[int]:
        """Inodes with a link in each root."""
        figures = self._by_root(self._unit_private_inodes)
        for group, _, sums in self._groups:
            for root in group.roots:
                figures[root] += sums.inodes
        return figures

    @cached_property
    def exclusive_by_root(self) -> list[int]:
        """Exclusive usage of each root: what removing it, and nothing else, frees."""
        figures = self._by_root(self._unit_private)
        for group, amount, _ in self._groups:
            if group.complete and len(group.roots) == 1:
                figures[group.roots[0]] += amount
        return figures

    @cached_property
    def directories_by_root(self) -> list[int]:
        """What the directories of each root hold."""
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
        """What the roots would take without links between them: each alone, added up."""
        return sum(self.unique_by_root)

    @cached_property
    def inodes_as_copies(self) -> int:
        """Inodes the roots would take without links between them."""
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
        figures = [0] * len(self.inventory.roots)
        for group, _, sums in self._groups:
            if not group.complete:
                for root in group.roots:
                    figures[root] += sums.inodes
        return figures

    @cached_property
    def surplus_inodes(self) -> int:
        """Inodes of which more links were met than they had: some were made meanwhile."""
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
        """Unique usage of each cache unit; 0 for environments."""
        figures = [
            0 if unit.kind is UnitKind.ENVIRONMENT else private
            for unit, private in zip(self.inventory.units, self._unit_private, strict=True)
        ]
        for group, amount, _ in self._groups:
            for unit in group.cache_units:
                figures[unit] += amount
        return figures

    @cached_property
    def cache_units_linked_from(self) -> list[set[int]]:
        """For each root the cache units that it shares an inode with."""
        units: list[set[int]] = [set() for _ in self.inventory.roots]
        for group, _, _ in self._groups:
            for root in group.roots:
                units[root] |= group.cache_units
        return units

    @cached_property
    def cache_units_linked_from_outside(self) -> set[int]:
        """The cache units with an inode that has links which the scan did not see."""
        incomplete = (group.cache_units for group, _, _ in self._groups if not group.complete)
        return set().union(*incomplete)

    def unique(self, roots: AbstractSet[int]) -> int:
        """Return the unique usage of a set of roots: `du -s` of all of them in one call."""
        private = self._by_root(self._unit_private)
        return sum(private[root] for root in roots) + sum(
            amount for group, amount, _ in self._groups if not roots.isdisjoint(group.roots)
        )

    def added(self, order: Sequence[int]) -> list[int]:
        """Return what each root adds to those before it: `du -s` of all, in this order.

        Args:
            order: Every root once.

        """
        place_of = {root: place for place, root in enumerate(order)}
        private = self._by_root(self._unit_private)
        figures = [private[root] for root in order]
        for group, amount, _ in self._groups:
            figures[min(place_of[root] for root in group.roots)] += amount
        return figures

    def shared_between(self, root: int, other: int) -> int:
        """Return the bytes of the inodes that have a link in both roots."""
        return sum(
            amount
            for group, amount, _ in self._groups
            if root in group.roots and other in group.roots
        )

    def shared_by_pair(self, roots: AbstractSet[int]) -> dict[tuple[int, int], int]:
        """Return `shared_between` for every two of some roots, the smaller index first.

        Pairs that have nothing in common are left out.
        """
        amounts: dict[tuple[int, ...], int] = {}
        for group, amount, _ in self._groups:
            held_by = tuple(root for root in group.roots if root in roots)
            amounts[held_by] = amounts.get(held_by, 0) + amount
        figures: dict[tuple[int, int], int] = {}
        for held_by, amount in amounts.items():
            if amount:
                for pair in combinations(held_by, 2):
                    figures[pair] = figures.get(pair, 0) + amount
        return figures

    def each_inode_once(
        self, rank: Mapping[int, int]
    ) -> tuple[list[int], dict[tuple[tuple[int, ...], bool], int]]:
        """Give each inode to one place: all of these figures add up to `on_disk`.

        An inode with links in caches goes to the unit of the lowest rank that holds it, of several
        to the first; one that only one environment holds, with all its links, to the unit of that;
        any other to the environments that hold it together.

        Args:
            rank: For each unit of a cache, how soon it is given an inode that others hold too.

        Returns:
            What each unit is given; and for each set of environments (root indexes), and whether
            all links of those inodes were seen, what is given to it.

        """
        by_unit = list(self._unit_private)
        between: dict[tuple[tuple[int, ...], bool], int] = {}
        for group, amount, _ in self._groups:
            if group.cache_units:
                by_unit[min(group.cache_units, key=lambda unit: (rank[unit], unit))] += amount
            elif group.complete and len(group.roots) == 1:
                by_unit[self.units_of_root[group.roots[0]][0]] += amount
            else:
                place = group.roots, group.complete
                between[place] = between.get(place, 0) + amount
        return by_unit, between

    def roots_sharing_with(self, unit: int) -> set[int]:
        """Return the roots that hold a link to some inode of a cache unit."""
        groups = (group.roots for group, _, _ in self._groups if unit in group.cache_units)
        return set().union(*groups)

    def cache_units_sharing_with(self, unit: int) -> set[int]:
        """Return the other cache units that hold a link to some inode of a cache unit."""
        return self._cache_units_sharing.get(unit, set()) - {unit}

    def unique_without(self, root: int, units: AbstractSet[int]) -> int:
        """Return the unique usage of a cache after some of its units are removed."""
        rest = frozenset(self.units_of_root[root]) - units
        return sum(self._unit_private[unit] for unit in rest) + sum(
            amount for group, amount, _ in self._groups if not rest.isdisjoint(group.cache_units)
        )

    def exclusive(self, units: Collection[int]) -> int:
        """Return the exclusive usage of a set of units: what removing them all frees.

        Args:
            units: Indexes into `Inventory.units`: environments, packages, tarballs in any mix.

        """
        chosen = frozenset(units)
        kinds = self.inventory.units
        environments = {
            kinds[unit].root for unit in chosen if kinds[unit].kind is UnitKind.ENVIRONMENT
        }
        figure = sum(self._unit_private[unit] for unit in chosen)
        for group, amount, _ in self._groups:
            if (
                group.complete
                and group.cache_units <= chosen
                and all(root in environments or self._is_cache[root] for root in group.roots)
            ):
                figure += amount
        return figure

    def exclusive_with_packages(self, packages: Mapping[int, Collection[int]]) -> dict[int, int]:
        """Return what removing each environment and then its packages frees.

        The same as `exclusive` of the environment's unit and the packages, in one go for many
        environments.

        Args:
            packages: For each environment (root index), units of the caches that go with it. No
                unit may be in two environments' collections.

        """
        owner_of = {unit: root for root, units in packages.items() for unit in units}
        figures = {
            root: self.exclusive_by_root[root] + sum(self._unit_private[unit] for unit in units)
            for root, units in packages.items()
        }
        for group, amount, _ in self._groups:
            if not group.complete or not group.cache_units:
                continue
            owners = {owner_of.get(unit) for unit in group.cache_units}
            owners |= {root for root in group.roots if not self._is_cache[root]}
            if len(owners) == 1 and (owner := owners.pop()) is not None:
                figures[owner] += amount
        return figures

    def cache_parts(
        self, root: int, used: Collection[int], unused: Collection[int]
    ) -> dict[CachePart, int]:
        """Split the unique usage of a cache by what it is there for; the parts add up to it.

        An inode that lies in several units of the cache goes to the first part of `CachePart`.

        Args:
            root: Index of the cache.
            used: Packages that somebody uses.
            unused: Packages that nothing keeps. Those in neither nobody is known to use, and yet
                something keeps them.

        """
        part_of_any = self.parts_of_units(used, unused)
        part_of = {unit: part_of_any[unit] for unit in self.units_of_root[root]}
        parts = dict.fromkeys(CachePart, 0)
        for unit, part in part_of.items():
            parts[part] += self._unit_private[unit]
        for group, amount, _ in self._groups:
            if root in group.roots:
                here = [part_of[unit] for unit in group.cache_units if unit in part_of]
                parts[min(here, key=lambda part: part.value)] += amount
        return parts

    def parts_of_units(
        self, used: Collection[int], unused: Collection[int]
    ) -> dict[int, CachePart]:
        """Return what each unit of a cache is there for; the arguments are as in `cache_parts`."""
        return {
            index: CachePart.USED
            if index in used
            else CachePart.UNUSED
            if index in unused
            else _PART_OF_KIND[unit.kind]
            for index, unit in enumerate(self.inventory.units)
            if unit.kind is not UnitKind.ENVIRONMENT
        }

    @cached_property
    def _cache_units_sharing(self) -> dict[int, set[int]]:
        sharing: dict[int, set[int]] = {}
        for group, _, _ in self._groups:
            if len(group.cache_units) > 1:
                for unit in group.cache_units:
                    sharing.setdefault(unit, set()).update(group.cache_units)
        return sharing

    @cached_property
    def _is_cache(self) -> list[bool]:
        return [root.kind is RootKind.CACHE for root in self.inventory.roots]

    def _by_root(self, by_unit: Sequence[int]) -> list[int]:
        """Add up figures of units by root."""
        figures = [0] * len(self.inventory.roots)
        for unit, figure in zip(self.inventory.units, by_unit, strict=True):
            figures[unit.root] += figure
        return figures
