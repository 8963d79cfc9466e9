"""The counts of one scan, collected entry by entry."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.paths import is_within
from ..filesystem.problems import GONE, message_of
from ..filesystem.symlink_text import escapes
from .inode_table import InodeTable, Rows, State, States, Step
from .inventory import OwnFile, PrivateSums, Problem, ProblemKind, Root, RootKind, Unit, UnitKind

if TYPE_CHECKING:
    from array import array
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..filesystem.protocol import FileStatus, Handle, Identity
    from .index.page import Row


@dataclass(frozen=True, slots=True)
class NotedFile:
    """A file of a root that is read in detail, noted at the first of its links that was read.

    Attributes:
        file: The file.
        identity: Device and inode, to find out later whether all links are in the root; `None` for
            an inode with a single link.
        link_count: Number of links, including mounts over other files.

    """

    file: OwnFile
    identity: Identity | None
    link_count: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What one process found in its part of the roots, for `combine`.

    Attributes:
        links: Number of entries counted in each root.
        identities: Device and inode of each root that was opened.
        units: The units that were found in the roots.
        private: (unit, device) to the sums of its single-link inodes.
        staying: For each environment, path and text of the symbolic links whose text stays in it.
        leaving: For each environment, path and text of the symbolic links whose text may leave it.
        holding: Units that contain other roots.
        own_files: For each root read in detail, the files whose first link is in it.
        problems: Paths that could not be counted correctly.
        states: Maps the state numbers in `Rows` to states; their units are indexes into `units`.
        listed: For each device, the inodes with several links, without symbolic links.
        symbolic: For each device, the symbolic links with several links.
        pages: The pages written for the index, packed, with units as indexes into `units`; `None`
            if not all of them could be written.

    """

    links: list[int]
    identities: dict[int, Identity] = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)
    private: dict[tuple[int, int], PrivateSums] = field(default_factory=dict)
    staying: dict[int, dict[str, str]] = field(default_factory=dict)
    leaving: dict[int, dict[str, str]] = field(default_factory=dict)
    units_with_roots_inside: set[int] = field(default_factory=set)
    own_files: dict[int, list[NotedFile]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)
    listed: dict[int, Rows] = field(default_factory=dict)
    symbolic: dict[int, Rows] = field(default_factory=dict)
    pages: bytes | None = None


class Collector:
    """Counts the entries of one root after another.

    Attributes:
        roots: The roots; `begin_root` selects the current one.
        root: Index of the current root.
        in_cache: Whether the current root is a package cache.
        found: The findings so far; `findings` adds the inode tables.
        links: Number of entries counted in each root.
        listed: For each device, the inodes with several links that a directory listing is trusted
            to identify. Symbolic links are kept separately, because each of their paths must be
            examined: the same link can leave its tree from one directory and not from another.
        keeps_own: Whether the files of the current root are kept one by one.

    """

    def __init__(self, roots: Sequence[Root], inside: Sequence[Collection[str]]) -> None:
        """Begin with nothing found.

        Args:
            roots: The roots of the scan.
            inside: For each root, the paths at which other roots appear inside it.

        """
        self.roots = roots
        self._inside = inside
        self.root = 0
        self.in_cache = False
        self.found = Findings([0] * len(roots))
        self.links = self.found.links
        self.listed: dict[int, InodeTable] = {}
        self.keeps_own = False
        self._states = States()
        self._step = (-1, Step(self._states, 0, None))
        self._symbolic: dict[int, InodeTable] = {}
        self._unit_of_root: dict[int, int] = {}

    def findings(self, pages: bytes | None = None) -> Findings:
        """Return everything that was found; nothing may be counted afterwards.

        Args:
            pages: The pages that were written for the index.

        """
        tables = (*self.listed.values(), *self._symbolic.values())
        numbers = {0}.union(*(table.states.values() for table in tables))
        return replace(
            self.found,
            states={number: self._states[number] for number in numbers},
            listed={device: table.rows() for device, table in self.listed.items()},
            symbolic={device: table.rows() for device, table in self._symbolic.items()},
            pages=pages,
        )

    def examined(self) -> dict[int, array[int]]:
        """Return, by device, the inodes of `listed` that this process examined."""
        return {device: table.numbers() for device, table in self.listed.items()}

    def learn(self, numbers: Mapping[int, Iterable[array[int]]]) -> None:
        """Add, once, the inodes that each of the other processes has examined, by device."""
        for device, others in numbers.items():
            self.add_device(device)
            self.listed[device].learn(chain.from_iterable(others))

    def begin_root(self, root: int, *, detailed: bool) -> int:
        """Make a root the current one; return its own unit, for everything outside other units."""
        self.root = root
        self.in_cache = self.roots[root].kind is RootKind.CACHE
        self.keeps_own = detailed
        if detailed:
            self.found.own_files.setdefault(root, [])
        if root not in self._unit_of_root:
            kind = UnitKind.OTHER if self.in_cache else UnitKind.ENVIRONMENT
            self._unit_of_root[root] = self.add_unit(kind, self.roots[root].path)
        return self._unit_of_root[root]

    def add_file(
        self,
        unit: int,
        directory: str,
        name: str,
        handle: Handle,
        status: FileStatus,
        *,
        mounts: int = 0,
    ) -> None:
        """Count one entry that is not a directory.

        Args:
            unit: The unit that the entry belongs to.
            directory: Absolute path of the directory.
            name: Name of the entry.
            handle: The open directory.
            status: Status of the entry.
            mounts: Number of mounts of the file over other files: each adds a path to the file, as
                a link does.

        """
        self.links[self.root] += 1
        path = f"{directory}/{name}"
        is_symlink = status.is_symlink
        if is_symlink and not self.in_cache:
            try:
                self.add_symlink(path, fs.read_link_at(name, handle))
            except OSError as error:
                self.add_problem(path, error)
        identity = None
        link_count = status.link_count + mounts
        disk_bytes = status.disk_bytes
        if link_count <= 1:  # some filesystems report 0
            sums = self.sums(unit, status.device)
            sums.disk_bytes += disk_bytes
            sums.apparent_bytes += status.size_bytes
            sums.inodes += 1
        else:
            identity = status.identity
            self.add_device(status.device)
            table = (self._symbolic if is_symlink else self.listed)[status.device]
            row = (status.inode, link_count, disk_bytes, status.size_bytes)
            if not table.add(*row, self.step_in(unit)):
                return
        if self.keeps_own:
            relative = path[len(self.roots[self.root].path) + 1 :]
            file = OwnFile(relative, disk_bytes, status.size_bytes, is_symlink)
            self.found.own_files[self.root].append(NotedFile(file, identity, link_count))

    def add_directory(self, unit: int, status: FileStatus) -> None:
        """Count a directory itself, without its entries."""
        sizes = status.disk_bytes, status.size_bytes
        self.sums(unit, status.device).add(PrivateSums(*sizes, 1, *sizes))
        self.links[self.root] += 1

    def add_unit(self, kind: UnitKind, path: str) -> int:
        """Add a unit to the current root; return its index."""
        self.found.units.append(Unit(kind, self.root, path))
        return len(self.found.units) - 1

    def step_in(self, unit: int) -> Step:
        """Return the `Step` for links in a unit of the current root."""
        if self._step[0] != unit:  # only the last one is kept: a cache has thousands of units
            step = Step(self._states, self.root, unit if self.in_cache else None)
            self._step = (unit, step)
        return self._step[1]

    def is_outside_packages(self, unit: int) -> bool:
        """Return whether a unit is the part of a cache in which packages are searched for."""
        return self.found.units[unit].kind is UnitKind.OTHER

    def add_problem(self, path: str, error: OSError) -> None:
        """Note a path that could not be counted because it vanished or is unreadable."""
        kind = ProblemKind.VANISHED if isinstance(error, GONE) else ProblemKind.UNREADABLE
        self.found.problems.append(Problem(kind, self.root, path, message_of(error)))

    def sums(self, unit: int, device: int) -> PrivateSums:
        """Return the sums of the single-link inodes of a unit on a device."""
        sums = self.found.private.get((unit, device))
        if sums is None:
            self.add_device(device)
            sums = self.found.private[unit, device] = PrivateSums()
        return sums

    def add_device(self, device: int) -> None:
        """Create the inode tables of a device that was not seen before."""
        if device not in self.listed:
            self.listed[device] = InodeTable()
            self._symbolic[device] = InodeTable()

    def add_symlink(self, path: str, target: str) -> None:
        """Note the path and the text of a symbolic link of the current environment."""
        directory = os.path.dirname(path)
        top, found = self.roots[self.root].path, self.found
        leaves = escapes(target, directory[len(top) + 1 :]) or any(
            is_within(os.path.normpath(f"{directory}/{target}"), path)
            for path in self._inside[self.root]
        )
        (found.leaving if leaves else found.staying).setdefault(self.root, {})[path] = target

    def add_rows(self, unit: int, device: int, rows: Iterable[Row]) -> None:
        """Count links in a unit to inodes with several links, from their rows in the index."""
        self.add_device(device)
        step, tables = self.step_in(unit), (self.listed[device], self._symbolic[device])
        for number, link_count, disk_bytes, apparent_bytes, is_symlink in rows:
            tables[is_symlink].add(number, link_count, disk_bytes, apparent_bytes, step)

    def add_known(self, unit: int, device: int, linked: Iterable[int]) -> None:
        """Count links in a unit to inodes of `listed`, given their numbers."""
        step, states = self.step_in(unit), self.listed[device].states
        for number in linked:
            states[number] = step[states[number]]
