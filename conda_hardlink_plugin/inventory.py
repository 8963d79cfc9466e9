"""What a scan found: the facts on disk that every figure is computed from.

An inode with one link belongs to the one unit that names it and is only summed up. An inode with
several links is kept as a row of a table, because whom it belongs to is not known before the last
root has been read.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import Enum


class RootKind(Enum):
    """What a scanned tree is to conda."""

    CACHE = "cache"
    ENVIRONMENT = "environment"


class UnitKind(Enum):
    """What kind of thing can be removed as one."""

    ENVIRONMENT = "environment"
    PACKAGE = "package"
    TARBALL = "tarball"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Root:
    """A tree that is scanned: a package cache or the prefix of an environment.

    Attributes:
        kind: Cache or environment.
        path: Absolute path. A root inside another root is not counted in the outer one.

    """

    kind: RootKind
    path: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest thing that is removed as one.

    An environment is one unit. A cache has a unit for each extracted package (a directory with
    `info/index.json`), one for each tarball, and one for everything else in it.

    Attributes:
        kind: What it is.
        root: Index into `Inventory.roots`.
        path: Absolute path; of the cache itself for `UnitKind.OTHER`.

    """

    kind: UnitKind
    root: int
    path: str


@dataclass(slots=True)
class PrivateSums:
    """Sums over the inodes with a single link, directories included, for one unit on one device.

    Attributes:
        disk_bytes: `st_blocks * 512`.
        apparent_bytes: `st_size`.
        inodes: How many, directories included.
        directory_disk_bytes: The part of `disk_bytes` that directories hold.
        directory_apparent_bytes: The part of `apparent_bytes` that directories hold.

    """

    disk_bytes: int = 0
    apparent_bytes: int = 0
    inodes: int = 0
    directory_disk_bytes: int = 0
    directory_apparent_bytes: int = 0


@dataclass(slots=True)
class MultiLinkTable:
    """One row for each inode (not a directory) whose link count is above one.

    Columns of equal length, and one presence string for each root.

    Attributes:
        disk_bytes: `st_blocks * 512`.
        apparent_bytes: `st_size`.
        link_count: `st_nlink` when the inode was first met.
        links_seen: Directory entries found for it, over all roots.
        cache_unit: Index of the first unit of a cache that names it, or -1.
        more_cache_units: Row to every cache unit that names it, where there are several.
        device: Index into `Inventory.devices`.
        presence: For each root, a byte per row: 1 where the root holds a link to the inode.

    """

    disk_bytes: array[int] = field(default_factory=lambda: array("Q"))
    apparent_bytes: array[int] = field(default_factory=lambda: array("Q"))
    link_count: array[int] = field(default_factory=lambda: array("I"))
    links_seen: list[int] = field(default_factory=list)
    cache_unit: array[int] = field(default_factory=lambda: array("i"))
    more_cache_units: dict[int, set[int]] = field(default_factory=dict)
    device: array[int] = field(default_factory=lambda: array("H"))
    presence: list[bytearray] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of inodes in the table."""
        return len(self.disk_bytes)

    def cache_units(self, row: int) -> set[int]:
        """Return every cache unit that names the inode of `row`; empty when no cache does."""
        several = self.more_cache_units.get(row)
        if several is not None:
            return several
        unit = self.cache_unit[row]
        return set() if unit < 0 else {unit}


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file, not a directory, that no root scanned earlier holds a link to.

    Attributes:
        path: Relative to the root, `/` between components.
        disk_bytes: `st_blocks * 512`.
        apparent_bytes: `st_size`.
        row: Its row in the `MultiLinkTable`, or -1 when it has a single link.

    """

    path: str
    disk_bytes: int
    apparent_bytes: int
    row: int


@dataclass(frozen=True, slots=True)
class EscapingSymlink:
    """A symbolic link in an environment whose text leads out of the environment.

    Attributes:
        root: Index of the environment in `Inventory.roots`.
        path: Absolute path of the link.
        target: The text of the link, as `readlink` gives it.

    """

    root: int
    path: str
    target: str


class ProblemKind(Enum):
    """Why a path below a root could not be counted as it stands."""

    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Problem:
    """A path that the scan could not count as it stands.

    Attributes:
        kind: Unreadable (its content is not in the figures), vanished while scanning, or repeated
            (reached a second time through a mount, and counted where it was met first).
        root: Index of the root below which it lies.
        path: Absolute path.
        reason: The operating system's sentence for it.

    """

    kind: ProblemKind
    root: int
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything one scan found.

    Attributes:
        roots: The trees scanned, in the order given, each directory once.
        root_devices: The device (index into `devices`) of each root; -1 if it could not be opened.
        links: Directory entries below each root, itself included.
        units: Environments, packages, tarballs and the rest of each cache.
        private: (unit, device index) to the sums of single-link inodes.
        multilink: The inodes with several links.
        devices: `st_dev` of every device met.
        records: For each environment (by root index) the names of the files in `conda-meta`.
        symlinks: Symbolic links that lead out of their environment.
        own_files: For each root asked for in detail, the files no earlier root holds.
        problems: What could not be counted as it stands.
        aliases: Path of a root that is the same directory as an earlier root, to that root's path.

    """

    roots: tuple[Root, ...]
    root_devices: tuple[int, ...]
    links: tuple[int, ...]
    units: tuple[Unit, ...]
    private: dict[tuple[int, int], PrivateSums]
    multilink: MultiLinkTable
    devices: tuple[int, ...]
    records: dict[int, frozenset[str]]
    symlinks: tuple[EscapingSymlink, ...]
    own_files: dict[int, list[OwnFile]]
    problems: tuple[Problem, ...]
    aliases: dict[str, str]
