"""The inventory: the result of a scan, from which every figure is computed.

An inode with one link belongs to the unit that has the link. Inodes with several links are grouped
by the roots and units that have links to them. Inodes are not kept one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from ..metadata.quarantine_names import QuarantineEntry, dist_of, entry_of, home_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHIVE_SUFFIXES = (".conda", ".tar.bz2")
PARTIAL_SUFFIXES = tuple(  # of unfinished downloads, in recent versions of conda
    tarball + partial for tarball in ARCHIVE_SUFFIXES for partial in (".partial", ".part")
)


class RootKind(Enum):
    """The role of a scanned tree in conda."""

    CACHE = "cache"
    ENVIRONMENT = "environment"


class UnitKind(Enum):
    """The kinds of units."""

    ENVIRONMENT = "environment"
    PACKAGE = "package"
    ARCHIVE = "tarball"
    QUARANTINED = "quarantined"
    TRASH = "trash"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Root:
    """A tree that is scanned: a package cache or the prefix of an environment.

    Attributes:
        kind: Cache or environment.
        path: Absolute path. A root inside another root is not counted in the outer root.

    """

    kind: RootKind
    path: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest part of a root that is removed as a whole.

    An environment is one unit. A cache has one unit for each extracted package (a directory with
    `info/index.json` that is not hidden), for each tarball, for each entry of its quarantine, for
    each leftover that conda or mamba renamed before deletion, and one for everything else. A
    package in the quarantine remains a package until its removal is committed.

    Attributes:
        kind: Kind of the unit.
        root: Index into `Inventory.roots`.
        path: Absolute path; for `UnitKind.OTHER` that of the cache itself.
        entry: The parsed name of a quarantine entry; `None` outside the quarantine.
        home: Absolute path before the unit was moved to the quarantine.
        dist: `NAME-VERSION-BUILD` of an extracted package, from the name of its directory.

    """

    kind: UnitKind
    root: int
    path: str
    entry: QuarantineEntry | None = field(init=False, compare=False, repr=False)
    home: str = field(init=False, compare=False, repr=False)
    dist: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Parse the path once."""
        entry = entry_of(self.path)
        home = self.path if entry is None else home_of(self.path)
        object.__setattr__(self, "entry", entry)
        object.__setattr__(self, "home", home)
        object.__setattr__(self, "dist", dist_of(home))


@dataclass(slots=True)
class PrivateSums:
    """Sums over the single-link inodes of one unit on one device, including directories.

    Attributes:
        disk_bytes: Allocated bytes.
        apparent_bytes: Apparent size.
        inodes: Number of inodes.
        directory_disk_bytes: The part of `disk_bytes` that belongs to directories.
        directory_apparent_bytes: The part of `apparent_bytes` that belongs to directories.

    """

    disk_bytes: int = 0
    apparent_bytes: int = 0
    inodes: int = 0
    directory_disk_bytes: int = 0
    directory_apparent_bytes: int = 0

    def add(self, other: PrivateSums) -> None:
        """Add sums over other inodes."""
        self.disk_bytes += other.disk_bytes
        self.apparent_bytes += other.apparent_bytes
        self.inodes += other.inodes
        self.directory_disk_bytes += other.directory_disk_bytes
        self.directory_apparent_bytes += other.directory_apparent_bytes


@dataclass(frozen=True, slots=True)
class InodeGroup:
    """Inodes with links in the same roots and cache units: every figure treats them alike.

    Attributes:
        roots: Indexes of the roots that have a link to each inode, in ascending order.
        cache_units: Units of caches that have a link to each inode.
        device: Index into `Inventory.devices`.
        complete: Whether the scan saw all links.
        surplus: Whether the scan saw more links than the link count, because links were created
            during the scan.

    """

    roots: tuple[int, ...]
    cache_units: frozenset[int]
    device: int
    complete: bool
    surplus: bool


@dataclass(slots=True)
class GroupSums:
    """Sums over a group of inodes.

    Attributes:
        inodes: Number of inodes.
        disk_bytes: Allocated bytes, each inode once.
        apparent_bytes: Apparent size, each inode once.
        outside_links: Number of links that the scan did not see.

    """

    inodes: int = 0
    disk_bytes: int = 0
    apparent_bytes: int = 0
    outside_links: int = 0

    def add(self, other: GroupSums) -> None:
        """Add sums over other inodes."""
        self.inodes += other.inodes
        self.disk_bytes += other.disk_bytes
        self.apparent_bytes += other.apparent_bytes
        self.outside_links += other.outside_links


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file, not a directory, with all of its links in one root; named by the first link read.

    Attributes:
        path: Path relative to the root, with `/` between components.
        disk_bytes: Allocated bytes.
        apparent_bytes: Apparent size.
        is_symlink: Whether the file is a symbolic link.

    """

    path: str
    disk_bytes: int
    apparent_bytes: int
    is_symlink: bool


@dataclass(frozen=True, slots=True)
class EscapingSymlink:
    """A symbolic link that may lead out of its environment.

    Its text leads out, or it leads through another symbolic link.

    Attributes:
        root: Index of the environment in `Inventory.roots`.
        path: Absolute path of the link.
        target: The text of the link, as `readlink` returns it.

    """

    root: int
    path: str
    target: str


class ProblemKind(Enum):
    """Why a path below a root could not be counted correctly."""

    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Problem:
    """A path that the scan could not count correctly.

    Attributes:
        kind: Unreadable (its content is not in the figures), vanished during the scan, or repeated
            (reached again through a mount, and counted only the first time).
        root: Index of the root that contains it.
        path: Absolute path.
        reason: The error message of the operating system.

    """

    kind: ProblemKind
    root: int
    path: str
    reason: str


class ReadingMode(Enum):
    """How the contents of the roots were determined.

    Attributes:
        FULL: Everything was read.
        EXACT: The index was used after each directory, and each inode by one of its names, was
            checked; what had changed was read again.
        QUICK: The index was used after each directory was checked: no entry had been added or
            removed.

    """

    FULL = "full"
    EXACT = "exact"
    QUICK = "quick"


class ReaderKind(Enum):
    """What reads directories: the compiled module, or Python alone."""

    NATIVE = "native"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the contents of the roots were determined, and how current they are.

    Attributes:
        mode: By reading, or from the index.
        taken_s: In `QUICK` mode, the time of the last exact check, in seconds since the epoch:
            later changes that a quick check does not notice are missing. Otherwise `None`.
        reader: What read directories.

    """

    mode: ReadingMode
    taken_s: int | None = None
    reader: ReaderKind = ReaderKind.PYTHON


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that one scan found.

    Attributes:
        roots: The roots: caches, then environments, in the order given, each directory once.
        root_devices: The device (index into `devices`) of each root; -1 if it could not be opened.
        root_inodes: The inode number of each root; 0 if it could not be opened.
        links: Number of directory entries below each root, including the root itself.
        units: The units of all roots.
        private: (unit, device index) to the sums of its single-link inodes.
        groups: The inodes with several links, in groups.
        devices: The device numbers.
        records: For each environment (by root index), the names of its records in `conda-meta`.
        symlinks: The symbolic links that may lead out of their environment.
        holding: Units that contain other roots, which would be removed with them.
        own_files: For each root read in detail, the files that have all of their links in it.
        problems: Paths that could not be counted correctly.
        aliases: Path of a root that is the same directory as an earlier root, to that root's path.
        reading: How the inventory was obtained.

    """

    roots: tuple[Root, ...]
    root_devices: tuple[int, ...]
    root_inodes: tuple[int, ...]
    links: tuple[int, ...]
    units: tuple[Unit, ...]
    private: dict[tuple[int, int], PrivateSums]
    groups: dict[InodeGroup, GroupSums]
    devices: tuple[int, ...]
    records: dict[int, frozenset[str]]
    symlinks: tuple[EscapingSymlink, ...]
    units_with_roots_inside: frozenset[int]
    own_files: dict[int, list[OwnFile]]
    problems: tuple[Problem, ...]
    aliases: dict[str, str]
    reading: Reading = Reading(ReadingMode.FULL)

    def caches(self) -> Iterator[int]:
        """Yield the package caches among the roots, which come first."""
        for index, root in enumerate(self.roots):
            if root.kind is not RootKind.CACHE:
                return
            yield index

    def identity(self, root: int) -> tuple[int, int] | None:
        """Return device and inode of a root; `None` if it could not be opened."""
        device = self.root_devices[root]
        return None if device < 0 else (self.devices[device], self.root_inodes[root])

    def identities(self) -> frozenset[tuple[int, int]]:
        """Return device and inode of each root, to recognize a root that is inside another one."""
        found = map(self.identity, range(len(self.roots)))
        return frozenset(identity for identity in found if identity is not None)
