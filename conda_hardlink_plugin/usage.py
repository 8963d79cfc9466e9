"""Inventory to numbers: all arithmetic over inodes and links.

Sets of inodes are big integers with one byte for each row of the multi-link table, so that `&` and
`|` over a million rows are a few machine loops. For every set of units
`0 <= exclusive <= unique` holds, and for disjoint sets A and B
`exclusive(A) + exclusive(B) <= exclusive(A | B)` and `unique(A | B) <= unique(A) + unique(B)`:
rows of a table must never be added up.
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from itertools import compress
from operator import ge
from typing import TYPE_CHECKING

from .inventory import Inventory, OwnFile, PrivateSums, RootKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


_OWNERS_IN_A_BYTE = 255


class Measure(Enum):
    """What is counted for an inode."""

    DISK = "disk"
    APPARENT = "apparent"

    def of(self, sums: PrivateSums) -> int:
        """Return this measure's bytes of a unit's single-link inodes."""
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
    UNUSED = 1
    TARBALLS = 2
    OTHER = 3


class Usage:
    """Figures of one inventory in one measure. All of them are bytes unless named otherwise."""

    def __init__(self, inventory: Inventory, measure: Measure = Measure.DISK) -> None:
        """Prepare the sets; the inventory is not changed."""
        self.inventory = inventory
        self.measure = measure
        table = inventory.multilink
        self._rows = len(table)
        disk = measure is Measure.DISK
        # A list: summing an array would make its integers anew for every sum.
        self._values = list(table.disk_bytes if disk else table.apparent_bytes)
        self._ones = int.from_bytes(b"\1" * self._rows, "little")
        self._present = [int.from_bytes(presence, "little") for presence in table.presence]
        complete = bytes(map(ge, table.links_seen, table.link_count))
        self._complete = int.from_bytes(complete, "little")
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
        return [
            self._private_of_root(root) + self._sum(present)
            for root, present in enumerate(self._present)
        ]

    @cached_property
    def inodes_by_root(self) -> list[int]:
        """Inodes with a link in each root."""
        return [
            sum(self._unit_private_inodes[unit] for unit in self.units_of_root[root])
            + present.bit_count()
            for root, present in enumerate(self._present)
        ]

    @cached_property
    def exclusive_by_root(self) -> list[int]:
        """Exclusive usage of each root: what removing it, and nothing else, frees."""
        return [
            self._private_of_root(root) + self._sum(present & self._complete & ~self._several)
            for root, present in enumerate(self._present)
        ]

    @cached_property
    def on_disk(self) -> int:
        """Unique usage of all roots together."""
        return sum(self._unit_private) + self._sum(self._union(self._present))

    @cached_property
    def inodes_on_disk(self) -> int:
        """Inodes with a link in any root."""
        return sum(self._unit_private_inodes) + self._rows

    @cached_property
    def as_copies(self) -> int:
        """What the roots would take without links between them: each alone, added up."""
        return sum(self.unique_by_root)

    @cached_property
    def inodes_as_copies(self) -> int:
        """Inodes the roots would take without links between them."""
        return sum(self.inodes_by_root)

    @property
    def incomplete_rows(self) -> Iterable[int]:
        """Rows of inodes that have links which the scan did not see."""
        missing = self._ones & ~self._complete
        return compress(range(self._rows), self._bytes(missing))

    @cached_property
    def outside_links(self) -> int:
        """Links to the inodes of these roots that lie outside them."""
        table = self.inventory.multilink
        return sum(table.link_count[row] - table.links_seen[row] for row in self.incomplete_rows)

    @cached_property
    def outside_inodes(self) -> int:
        """Inodes of these roots that have a link outside them."""
        return self._rows - self._complete.bit_count()

    @cached_property
    def surplus_links(self) -> int:
        """Links beyond an inode's link count: they were made while the scan ran."""
        table = self.inventory.multilink
        return sum(
            seen - count
            for seen, count in zip(table.links_seen, table.link_count, strict=True)
            if seen > count
        )

    def outside_inodes_of_root(self, root: int) -> int:
        """Return how many inodes of a root have a link outside all roots."""
        return (self._present[root] & ~self._complete).bit_count()

    def added(self, order: Sequence[int]) -> list[int]:
        """Return what each root adds to those before it: `du -s` of all, in this order."""
        before = 0
        figures = []
        for root in order:
            present = self._present[root]
            figures.append(self._private_of_root(root) + self._sum(present & ~before))
            before |= present
        return figures

    def shared_between(self, root: int, other: int) -> int:
        """Return the bytes of the inodes that have a link in both roots."""
        return self._sum(self._present[root] & self._present[other])

    def shared_with_caches(self, root: int) -> int:
        """Return the bytes of the inodes of an environment that have a link in a cache."""
        return self._sum(self._present[root] & self._in_caches)

    def directories_of_root(self, root: int) -> int:
        """Return the bytes that the directories of a root hold."""
        return sum(self._unit_directories[unit] for unit in self.units_of_root[root])

    def exclusive(self, units: Collection[int]) -> int:
        """Return the exclusive usage of a set of units: what removing them all frees.

        Args:
            units: Indexes into `Inventory.units`: environments, packages, tarballs in any mix.

        """
        inventory = self.inventory
        environments = {
            inventory.units[unit].root
            for unit in units
            if inventory.units[unit].kind is UnitKind.ENVIRONMENT
        }
        outside = self._union(
            present
            for root, present in enumerate(self._present)
            if inventory.roots[root].kind is RootKind.ENVIRONMENT and root not in environments
        )
        freed = self._only_in_cache_units(units) & self._complete & ~outside
        return sum(self._unit_private[unit] for unit in units) + self._sum(freed)

    def exclusive_with_packages(self, packages: Mapping[int, Collection[int]]) -> dict[int, int]:
        """Return what removing each environment and then its packages frees.

        The same as `exclusive` of the environment's unit and the packages, for many environments.

        Args:
            packages: For each environment (root index), units of the caches that go with it. No
                unit may be in two environments' collections.

        """
        figures = {}
        environments = list(packages)
        for start in range(0, len(environments), _OWNERS_IN_A_BYTE):
            group = environments[start : start + _OWNERS_IN_A_BYTE]
            owner_of = bytearray(len(self.inventory.units) + 1)
            for number, root in enumerate(group, 1):
                for unit in packages[root]:
                    owner_of[unit] = number
            table = self.inventory.multilink
            owners = bytearray(map(owner_of.__getitem__, table.cache_unit))
            for row, several in table.more_cache_units.items():
                of_all = {owner_of[unit] for unit in several}
                owners[row] = of_all.pop() if len(of_all) == 1 else 0
            for number, root in enumerate(group, 1):
                of_this = bytearray(256)
                of_this[number] = 1
                owned = int.from_bytes(owners.translate(of_this), "little")
                freed = owned & self._complete & ~self._environments_but(root)
                figures[root] = (
                    self.exclusive_by_root[root]
                    + sum(self._unit_private[unit] for unit in packages[root])
                    + self._sum(freed)
                )
        return figures

    def exclusive_rows(self, root: int) -> bytes:
        """Return a byte for each row: 1 where all links of the inode lie in this root."""
        return self._bytes(self._present[root] & self._complete & ~self._several)

    def unique_by_unit(self) -> list[int]:
        """Return the unique usage of each cache unit; 0 for environments."""
        figures = [
            0 if unit.kind is UnitKind.ENVIRONMENT else private
            for unit, private in zip(self.inventory.units, self._unit_private, strict=True)
        ]
        table = self.inventory.multilink
        for unit, value in zip(table.cache_unit, self._values, strict=True):
            if unit >= 0:
                figures[unit] += value
        for row, units in table.more_cache_units.items():
            for unit in units - {table.cache_unit[row]}:
                figures[unit] += self._values[row]
        return figures

    def cache_parts(self, root: int, used: Collection[int]) -> dict[CachePart, int]:
        """Split the unique usage of a cache by what it is there for; the parts add up to it.

        An inode that lies in several units of the cache goes to the first part of `CachePart`.

        Args:
            root: Index of the cache.
            used: Units (packages) that some environment uses.

        """
        part_of = self._part_of_unit(used)
        parts = dict.fromkeys(CachePart, 0)
        for unit in self.units_of_root[root]:
            parts[part_of[unit]] += self._unit_private[unit]
        table, several = self.inventory.multilink, self.inventory.multilink.more_cache_units
        present = self._bytes(self._present[root])
        for row in compress(range(self._rows), present):
            if row in several:
                units = (unit for unit in several[row] if self.inventory.units[unit].root == root)
                part = min((part_of[unit] for unit in units), key=lambda part: part.value)
            else:
                part = part_of[table.cache_unit[row]]
            parts[part] += self._values[row]
        return parts

    def on_disk_by_device(self) -> list[int]:
        """Return the unique usage of all roots on each device of the inventory."""
        figures = [0] * len(self.inventory.devices)
        for (_, device), sums in self.inventory.private.items():
            figures[device] += self.measure.of(sums)
        for device, value in zip(self.inventory.multilink.device, self._values, strict=True):
            figures[device] += value
        return figures

    def cache_units_linked_from(self, root: int) -> set[int]:
        """Return the cache units that share an inode with a root."""
        table = self.inventory.multilink
        present = self._bytes(self._present[root])
        units = set(compress(table.cache_unit, present)) - {-1}
        for row, several in table.more_cache_units.items():
            if present[row]:
                units |= several
        return units

    def cache_units_linked_from_outside(self) -> set[int]:
        """Return the cache units with an inode that has links which the scan did not see."""
        table = self.inventory.multilink
        units: set[int] = set()
        for row in self.incomplete_rows:
            units |= table.cache_units(row)
        return units

    @cached_property
    def _several(self) -> int:
        """Rows with links in more than one root."""
        once = several = 0
        for present in self._present:
            several |= once & present
            once |= present
        return several

    @cached_property
    def _in_caches(self) -> int:
        return self._union(
            present
            for present, root in zip(self._present, self.inventory.roots, strict=True)
            if root.kind is RootKind.CACHE
        )

    @cached_property
    def _environments_once_and_several(self) -> tuple[int, int]:
        """Rows with a link in some environment, and rows with links in more than one."""
        once = several = 0
        for present, root in zip(self._present, self.inventory.roots, strict=True):
            if root.kind is RootKind.ENVIRONMENT:
                several |= once & present
                once |= present
        return once, several

    def _environments_but(self, root: int) -> int:
        """Rows with a link in an environment other than `root`."""
        once, several = self._environments_once_and_several
        return several | (once & ~self._present[root])

    def _only_in_cache_units(self, units: Collection[int]) -> int:
        """Rows with a link in some of the units and, in the caches, in none but them."""
        inventory, table = self.inventory, self.inventory.multilink
        environments = self._union(
            self._present[inventory.units[unit].root]
            for unit in units
            if inventory.units[unit].kind is UnitKind.ENVIRONMENT
        )
        if all(inventory.units[unit].kind is UnitKind.ENVIRONMENT for unit in units):
            return environments & ~self._in_caches
        chosen = bytearray(len(inventory.units) + 1)
        for unit in units:
            chosen[unit] = 1
        within = bytearray(map(chosen.__getitem__, table.cache_unit))
        for row, several in table.more_cache_units.items():
            within[row] = all(chosen[unit] for unit in several)
        return int.from_bytes(within, "little") | (environments & ~self._in_caches)

    def _part_of_unit(self, used: Collection[int]) -> list[CachePart]:
        parts = {UnitKind.TARBALL: CachePart.TARBALLS, UnitKind.PACKAGE: CachePart.UNUSED}
        part_of = [parts.get(unit.kind, CachePart.OTHER) for unit in self.inventory.units]
        for unit in used:
            part_of[unit] = CachePart.USED
        return part_of

    def _private_of_root(self, root: int) -> int:
        return sum(self._unit_private[unit] for unit in self.units_of_root[root])

    def _sum(self, rows: int) -> int:
        return sum(compress(self._values, self._bytes(rows)))

    def _bytes(self, rows: int) -> bytes:
        return rows.to_bytes(self._rows, "little")

    @staticmethod
    def _union(sets: Iterable[int]) -> int:
        union = 0
        for rows in sets:
            union |= rows
        return union
