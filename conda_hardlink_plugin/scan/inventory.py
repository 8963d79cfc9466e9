"""What a scan found: the facts on disk that every figure is computed from.

An inode with one link belongs to the one unit that names it. Inodes with several links are put in
groups that lie in the same places. Neither is kept one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ..metadata.quarantine_names import QuarantineEntry, dist_of, entry_of, home_of

TARBALL_SUFFIXES = (".conda", ".tar.bz2")
PARTIAL_SUFFIXES = tuple(  # of downloads that were not finished, in conda of these years
    tarball + partial for tarball in TARBALL_SUFFIXES for partial in (".partial", ".part")
)


class RootKind(Enum):
    """What a scanned tree is to conda."""

    CACHE = "cache"
    ENVIRONMENT = "environment"


class UnitKind(Enum):
    """What kind of thing can be removed as one."""

    ENVIRONMENT = "environment"
    PACKAGE = "package"
    TARBALL = "tarball"
    QUARANTINED = "quarantined"
    TRASH = "trash"
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
    `info/index.json`, not hidden), one for each tarball, one for each entry of its quarantine, one
    for each left-over that conda or mamba renamed out of the way, and one for everything else. A
    package that was moved to the quarantine and not yet given up is still a package.

    Attributes:
        kind: What it is.
        root: Index into `Inventory.roots`.
        path: Absolute path; of the cache itself for `UnitKind.OTHER`.
        entry: What its name in the quarantine says; `None` outside.
        home: Absolute path of where it belongs: where it was before it was moved aside.
        dist: `NAME-VERSION-BUILD` of an extracted package, by the name of its directory.

    """

    kind: UnitKind
    root: int
    path: str
    entry: QuarantineEntry | None = field(init=False, compare=False, repr=False)
    home: str = field(init=False, compare=False, repr=False)
    dist: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Read its names once."""
        entry = entry_of(self.path)
        home = self.path if entry is None else home_of(self.path)
        object.__setattr__(self, "entry", entry)
        object.__setattr__(self, "home", home)
        object.__setattr__(self, "dist", dist_of(home))


@dataclass(slots=True)
class PrivateSums:
    """Sums over the inodes with a single link, directories included, for one unit on one device.

    Attributes:
        disk_bytes: Allocated bytes.
        apparent_bytes: Length.
        inodes: How many, directories included.
        directory_disk_bytes: The part of `disk_bytes` that directories hold.
        directory_apparent_bytes: The part of `apparent_bytes` that directories hold.

    """

    disk_bytes: int = 0
    apparent_bytes: int = 0
    inodes: int = 0
    directory_disk_bytes: int = 0
    directory_apparent_bytes: int = 0

    def add(self, other: PrivateSums) -> None:
        """Add the sums over other inodes."""
        self.disk_bytes += other.disk_bytes
        self.apparent_bytes += other.apparent_bytes
        self.inodes += other.inodes
        self.directory_disk_bytes += other.directory_disk_bytes
        self.directory_apparent_bytes += other.directory_apparent_bytes


@dataclass(frozen=True, slots=True)
class InodeGroup:
    """Inodes with several links that lie in the same places: every figure treats them alike.

    Attributes:
        roots: Indexes of the roots that hold a link to each of them, ascending.
        cache_units: The units of caches that hold one.
        device: Index into `Inventory.devices`.
        complete: All links were seen.
        surplus: More links were seen than there were: some were made while the scan ran.

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
        inodes: How many.
        disk_bytes: Allocated bytes, each inode once.
        apparent_bytes: Length, each inode once.
        outside_links: Links that the scan did not see.

    """

    inodes: int = 0
    disk_bytes: int = 0
    apparent_bytes: int = 0
    outside_links: int = 0


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file, not a directory, all of whose links lie in one root; named by the first one met.

    Attributes:
        path: Relative to the root, `/` between components.
        disk_bytes: Allocated bytes.
        apparent_bytes: Length.
        is_symlink: It is a symbolic link.

    """

    path: str
    disk_bytes: int
    apparent_bytes: int
    is_symlink: bool


@dataclass(frozen=True, slots=True)
class EscapingSymlink:
    """A symbolic link in an environment that may lead out of it.

    By its text, or because another symbolic link is on its way.

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


class ReadingMode(Enum):
    """How it was found out what there is.

    Attributes:
        FULL: Everything was read.
        EXACT: Each directory, and each inode by one of its names, was looked at again; what had
            changed was read again, and the rest is as an index says.
        QUICK: Each directory was looked at again, nothing in them had come or gone, and everything
            is as an index says.

    """

    FULL = "full"
    EXACT = "exact"
    QUICK = "quick"


@dataclass(frozen=True, slots=True)
class Reading:
    """How it was found out what there is.

    Attributes:
        mode: By reading, or from an index.
        taken_s: Since when nothing is known of what a quick look does not see, in seconds since the
            epoch; `None` in the other modes.

    """

    mode: ReadingMode
    taken_s: int | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything one scan found.

    Attributes:
        roots: The trees scanned, in the order given, each directory once.
        root_devices: The device (index into `devices`) of each root; -1 if it could not be opened.
        root_inodes: The inode number of each root; 0 if it could not be opened.
        links: Directory entries below each root, itself included.
        units: Environments, packages, tarballs and the rest of each cache.
        private: (unit, device index) to the sums of single-link inodes.
        groups: The inodes with several links.
        devices: Number of every device met.
        records: For each environment (by root index) the names of the files in `conda-meta`.
        symlinks: Symbolic links that may lead out of their environment.
        holding: Units that other roots lie in: removing them would remove those.
        own_files: For each root asked for in detail, the files that it alone holds.
        problems: What could not be counted as it stands.
        aliases: Path of a root that is the same directory as an earlier root, to that root's path.
        reading: How all that was found out.

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
    holding: frozenset[int]
    own_files: dict[int, list[OwnFile]]
    problems: tuple[Problem, ...]
    aliases: dict[str, str]
    reading: Reading = Reading(ReadingMode.FULL)  # it is immutable

    def identity(self, root: int) -> tuple[int, int] | None:
        """Return device and inode of a root; `None` if it could not be opened."""
        device = self.root_devices[root]
        return None if device < 0 else (self.devices[device], self.root_inodes[root])

    def identities(self) -> frozenset[tuple[int, int]]:
        """Return device and inode of each root, by which one that lies in another is known."""
        found = (self.identity(root) for root in range(len(self.roots)))
        return frozenset(identity for identity in found if identity is not None)
