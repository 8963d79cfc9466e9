"""The counts of one scan, collected entry by entry."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.paths import is_within
from ..filesystem.problems import GONE, message_of
from ..filesystem.symlink_text import escapes
from .inventory import OwnFile, PrivateSums, Problem, ProblemKind, Root, RootKind, Unit, UnitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..filesystem.protocol import FileStatus, Handle, Identity
    from .inode_table import InodeTable


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


Location = tuple[int, int | None]  # a root and, in a cache, a unit


@dataclass(slots=True)
class Findings:
    """What a scan has counted, the inodes with several links apart.

    Attributes:
        links: Number of entries counted in each root.
        identities: Device and inode of each root that was opened.
        units: The units that were found in the roots.
        private: (unit, device) to the sums of its single-link inodes.
        staying: For each environment, path and text of the symbolic links whose text stays in it.
        leaving: For each environment, path and text of the symbolic links whose text may leave it.
        units_with_roots_inside: Units that contain other roots.
        own_files: For each root read in detail, the files whose first link is in it.
        problems: Paths that could not be counted correctly.

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


class Collector:
    """Counts the entries of one root after another.

    Attributes:
        roots: The roots; `begin_root` selects the current one.
        root: Index of the current root.
        in_cache: Whether the current root is a package cache.
        found: The findings so far.
        table: The inodes with several links.
        locations: What the locations in the table stand for.
        links: Number of entries counted in each root.
        keeps_own: Whether the files of the current root are kept one by one.

    """

    def __init__(
        self, roots: Sequence[Root], inside: Sequence[Collection[str]], table: InodeTable
    ) -> None:
        """Begin with nothing found.

        Args:
            roots: The roots of the scan.
            inside: For each root, the paths at which other roots appear inside it.
            table: An empty table.

        """
        self.roots = roots
        self._inside = inside
        self.root = 0
        self.in_cache = False
        self.found = Findings([0] * len(roots))
        self.links = self.found.links
        self.table = table
        self.locations: list[Location] = []
        self.keeps_own = False
        self._location_of: dict[int, int] = {}
        self._unit_of_root: dict[int, int] = {}

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
            if not self.table.add(status, link_count, self.location_of(unit)):
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

    def add_unit(self, kind: UnitKind, path: str, location: int | None = None) -> int:
        """Add a unit to the current root; return its index.

        Args:
            kind: Its kind.
            path: Its path.
            location: The location of its links, if it has one already.

        """
        unit = len(self.found.units)
        self.found.units.append(Unit(kind, self.root, path))
        if location is not None:
            self._location_of[unit] = location
            self.locations[location] = self.root, unit
        return unit

    def location_of(self, unit: int) -> int:
        """Return the location of links in a unit."""
        location = self._location_of.get(unit)
        if location is None:
            found = self.found.units[unit]
            is_root = found.kind is UnitKind.ENVIRONMENT
            location = self._location_of[unit] = self.add_location(
                found.root, None if is_root else unit
            )
        return location

    def add_location(self, root: int, unit: int | None) -> int:
        """Add a location; return its number."""
        self.locations.append((root, unit))
        return len(self.locations) - 1

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
            sums = self.found.private[unit, device] = PrivateSums()
        return sums

    def add_symlink(self, path: str, target: str) -> None:
        """Note the path and the text of a symbolic link of the current environment."""
        directory = os.path.dirname(path)
        top, found = self.roots[self.root].path, self.found
        leaves = escapes(target, directory[len(top) + 1 :]) or any(
            is_within(os.path.normpath(f"{directory}/{target}"), path)
            for path in self._inside[self.root]
        )
        (found.leaving if leaves else found.staying).setdefault(self.root, {})[path] = target
