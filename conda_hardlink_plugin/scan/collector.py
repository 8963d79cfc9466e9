"""What a scan has found so far, entry by entry."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.paths import is_within
from ..filesystem.problems import GONE
from ..filesystem.symlink_text import escapes
from .inode_table import InodeTable, Rows, State, States, Step
from .inventory import (
    OwnFile,
    PrivateSums,
    Problem,
    ProblemKind,
    Root,
    RootKind,
    Unit,
    UnitKind,
)

if TYPE_CHECKING:
    from array import array
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..filesystem.protocol import FileStatus, Handle
    from .index.page import Row


@dataclass(frozen=True, slots=True)
class NotedFile:
    """A file met first in the root that is read in detail.

    Attributes:
        file: The file.
        identity: Device and inode, by which to know whether all links lie in the root; `None` for
            an inode with a single link.
        is_symlink: It is among the symbolic links.
        link_count: Its links, mounts over other files included.

    """

    file: OwnFile
    identity: tuple[int, int] | None
    is_symlink: bool
    link_count: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found of some part of the roots, to be put together with the rest (`assemble`).

    Attributes:
        links: Entries counted in each root.
        identities: Device and inode of each root that was opened.
        units: Units of the roots, as far as they were met.
        private: (unit, device) to the sums of its single-link inodes.
        states: What the numbers in `Rows` mean; their units are indexes into `units`.
        listed: The inodes with several links on each device, symbolic links apart.
        symbolic: The symbolic links with several links on each device.
        staying: For each environment, the symbolic links that stay in it by their text.
        leaving: Those that may leave it by their text.
        holding: Units that other roots lie in.
        own_files: For each root read in detail, the files met first in it.
        problems: What could not be counted as it stands.
        pages: What was written for the index, by units of `units`, packed; `None` if not all could
            be written.

    """

    links: list[int]
    identities: dict[int, tuple[int, int]]
    units: list[Unit]
    private: dict[tuple[int, int], PrivateSums]
    states: dict[int, State]
    listed: dict[int, Rows]
    symbolic: dict[int, Rows]
    staying: dict[int, dict[str, str]]
    leaving: dict[int, dict[str, str]]
    holding: set[int]
    own_files: dict[int, list[NotedFile]]
    problems: list[Problem]
    pages: bytes | None


class Collector:
    """Counts entries of one root after another, and hands over what was found in the end.

    Attributes:
        roots: The roots; `begin_root` makes one of them the current one.
        root: Index of the current root.
        in_cache: The current root is a package cache.
        links: Entries counted in each root.
        listed: For each device, the inodes with several links that the listing of a directory may
            be trusted to name. Symbolic links are not among them, so that each of their places is
            looked at: from one they may lead out of their tree, and from another not.
        keeps_own: The current root's own files are kept one by one.

    """

    def __init__(self, roots: Sequence[Root], inside: Sequence[Collection[str]]) -> None:
        """Begin with nothing found.

        Args:
            roots: The roots of the scan.
            inside: For each root, where other roots are seen inside it.

        """
        self.roots = roots
        self._inside = inside
        self.root = 0
        self.in_cache = False
        self.links = [0] * len(roots)
        self.listed: dict[int, InodeTable] = {}
        self.keeps_own = False
        self._states = States()
        self._step = (-1, Step(self._states, 0, None))
        self._symbolic: dict[int, InodeTable] = {}
        self._identities: dict[int, tuple[int, int]] = {}
        self._units: list[Unit] = []
        self._unit_of_root: dict[int, int] = {}
        self._private: dict[tuple[int, int], PrivateSums] = {}
        self._staying: dict[int, dict[str, str]] = {}
        self._leaving: dict[int, dict[str, str]] = {}
        self._holding: set[int] = set()
        self._own_files: dict[int, list[NotedFile]] = {}
        self._problems: list[Problem] = []

    def findings(self, pages: bytes | None = None) -> Findings:
        """Return what was found; nothing may be counted afterwards.

        Args:
            pages: What was written of it for the index.

        """
        return Findings(
            links=self.links,
            identities=self._identities,
            units=self._units,
            private=self._private,
            states=self._states_in_use(),
            listed={device: table.rows() for device, table in self.listed.items()},
            symbolic={device: table.rows() for device, table in self._symbolic.items()},
            staying=self._staying,
            leaving=self._leaving,
            holding=self._holding,
            own_files=self._own_files,
            problems=self._problems,
            pages=pages,
        )

    def _states_in_use(self) -> dict[int, State]:
        tables = (*self.listed.values(), *self._symbolic.values())
        numbers = {0}.union(*(table.states.values() for table in tables))
        return {number: self._states[number] for number in numbers}

    def met(self) -> dict[int, array[int]]:
        """Return the inodes with several links that listings name and that were met, by device."""
        return {device: table.numbers() for device, table in self.listed.items()}

    def learn(self, numbers: Mapping[int, Iterable[array[int]]]) -> None:
        """Take in, once, which inodes each of the others has met, by device."""
        for device, others in numbers.items():
            self.meet_device(device)
            self.listed[device].learn(chain.from_iterable(others))

    def begin_root(self, root: int, *, detailed: bool) -> int:
        """Make a root the current one; return the unit for what is not a unit of its own in it."""
        self.root = root
        self.in_cache = self.roots[root].kind is RootKind.CACHE
        self.keeps_own = detailed
        if detailed:
            self._own_files.setdefault(root, [])
        if root not in self._unit_of_root:
            kind = UnitKind.OTHER if self.in_cache else UnitKind.ENVIRONMENT
            self._unit_of_root[root] = self.add_unit(kind, self.roots[root].path)
        return self._unit_of_root[root]

    def note_holding(self, unit: int) -> None:
        """Note that another root lies in a unit."""
        self._holding.add(unit)

    def note_root(self, status: FileStatus) -> None:
        """Note what the current root is, from what is known of it."""
        self._identities[self.root] = status.identity

    def _leads_inside(self, directory: str, target: str) -> bool:
        """Tell whether a symbolic link leads into a root inside the current one, by its text."""
        places = self._inside[self.root]
        return bool(places) and any(
            is_within(os.path.normpath(f"{directory}/{target}"), place) for place in places
        )

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
            unit: What it belongs to.
            directory: Absolute path of its directory.
            name: Its name there.
            handle: Opens the directory.
            status: What is known of it.
            mounts: How often the file is mounted over another one: each mount is one more place
                where it is found, as a link is.

        """
        self.links[self.root] += 1
        is_symlink = status.is_symlink
        if is_symlink and not self.in_cache:
            self._note_symlink(directory, name, handle)
        table = None
        link_count = status.link_count + mounts
        if link_count <= 1:  # some filesystems say 0
            sums = self.sums(unit, status.device)
            sums.disk_bytes += status.disk_bytes
            sums.apparent_bytes += status.size_bytes
            sums.inodes += 1
        else:
            table = self._table_of(status.device, is_symlink=is_symlink)
            disk_bytes = status.disk_bytes
            row = (status.inode, link_count, disk_bytes, status.size_bytes)
            if not table.add(*row, self.step_in(unit)):
                return
        if self.keeps_own:
            relative = f"{directory}/{name}"[len(self.roots[self.root].path) + 1 :]
            disk_bytes = status.disk_bytes
            file = OwnFile(relative, disk_bytes, status.size_bytes, is_symlink)
            identity = None if table is None else status.identity
            self._own_files[self.root].append(NotedFile(file, identity, is_symlink, link_count))

    def add_directory(self, unit: int, status: FileStatus) -> None:
        """Count a directory itself, from what is known of it."""
        sums = self.sums(unit, status.device)
        disk_bytes = status.disk_bytes
        sums.disk_bytes += disk_bytes
        sums.apparent_bytes += status.size_bytes
        sums.inodes += 1
        sums.directory_disk_bytes += disk_bytes
        sums.directory_apparent_bytes += status.size_bytes
        self.links[self.root] += 1

    def add_unit(self, kind: UnitKind, path: str) -> int:
        """Add a unit to the current root; return its index."""
        self._units.append(Unit(kind, self.root, path))
        return len(self._units) - 1

    def step_in(self, unit: int) -> Step:
        """Return the step from an inode's state to the one after another link to it in a unit."""
        if self._step[0] != unit:  # one at a time: a cache has thousands of units
            step = Step(self._states, self.root, unit if self.in_cache else None)
            self._step = (unit, step)
        return self._step[1]

    def is_outside_packages(self, unit: int) -> bool:
        """Tell whether the unit is the part of a cache in which packages are still looked for."""
        return self._units[unit].kind is UnitKind.OTHER

    def add_problem(self, path: str, error: OSError) -> None:
        """Note a path that could not be counted: gone by now, or unreadable."""
        kind = ProblemKind.VANISHED if isinstance(error, GONE) else ProblemKind.UNREADABLE
        reason = error.strerror or str(error)
        self._problems.append(Problem(kind, self.root, path, reason))

    def add_repeated(self, path: str) -> None:
        """Note a directory that was reached before, through another mount."""
        reason = "seen before, through another mount"
        self._problems.append(Problem(ProblemKind.REPEATED, self.root, path, reason))

    def unit_of(self, unit: int) -> Unit:
        """Return what a unit is."""
        return self._units[unit]

    def sums(self, unit: int, device: int) -> PrivateSums:
        """Return where the single-link inodes of a unit on a device are added up."""
        sums = self._private.get((unit, device))
        if sums is None:
            self.meet_device(device)
            sums = self._private[unit, device] = PrivateSums()
        return sums

    def meet_device(self, device: int) -> None:
        """Make room for the inodes of a device, if it was not met before."""
        if device not in self.listed:
            self.listed[device] = InodeTable()
            self._symbolic[device] = InodeTable()

    def _table_of(self, device: int, *, is_symlink: bool) -> InodeTable:
        """Return the table that an inode with several links is in, or is to be put in."""
        self.meet_device(device)
        return (self._symbolic if is_symlink else self.listed)[device]

    def _note_symlink(self, directory: str, name: str, handle: Handle) -> None:
        """Note a symbolic link of an environment."""
        path = f"{directory}/{name}"
        try:
            target = fs.read_link_at(name, handle)
        except OSError as error:
            self.add_problem(path, error)
        else:
            self.add_symlink(path, target)

    def add_symlink(self, path: str, target: str) -> None:
        """Note a symbolic link of an environment by its path and its text."""
        directory = os.path.dirname(path)
        inside = directory[len(self.roots[self.root].path) + 1 :]
        leaves = escapes(target, inside) or self._leads_inside(directory, target)
        (self._leaving if leaves else self._staying).setdefault(self.root, {})[path] = target

    def add_rows(self, unit: int, device: int, rows: Iterable[Row]) -> None:
        """Count links to inodes with several that were looked at before.

        Args:
            unit: What they belong to.
            device: What they are on.
            rows: The inodes.

        """
        step = self.step_in(unit)
        tables = [self._table_of(device, is_symlink=is_symlink) for is_symlink in (False, True)]
        for number, link_count, disk_bytes, apparent_bytes, is_symlink in rows:
            table = tables[is_symlink]
            table.add(number, link_count, disk_bytes, apparent_bytes, step)

    def add_known(self, unit: int, device: int, linked: Iterable[int]) -> None:
        """Count links to inodes that have been met.

        Args:
            unit: What they belong to.
            device: What they are on.
            linked: The numbers of the inodes.

        """
        step, states = self.step_in(unit), self._table_of(device, is_symlink=False).states
        for number in linked:
            states[number] = step[states[number]]
