"""Every figure of a report, named and with its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..analysis.usage import Measure
    from ..filesystem.problems import PathProblem
    from ..scan.inventory import Reading
    from .disk_map import DiskMap
    from .environment_detail import EnvironmentDetail
    from .packages import PackageFigures

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class EnvironmentFigures:
    """What one environment costs.

    Attributes:
        name: Its name; its path where conda knows it by no name.
        prefix: Absolute path.
        size_bytes: Unique usage of it alone: what `du -s` prints, less the other environments and
            caches that lie inside it. `shared_bytes + exclusive_bytes`.
        shared_bytes: Inodes that also have a link elsewhere; they stay when it is removed.
        exclusive_bytes: Inodes all of whose links are in it: what removing it frees.
        with_clean_bytes: What removing it and then the cached packages that only it used frees.
        softlinked: It has symbolic links that resolve into a package cache.
        softlinked_bytes: The files in caches that these links lead to, each once. They are not
            part of `size_bytes`.
        softlinks: How many such links.
        broken_softlinks: How many of them lead into a cache where nothing is.
        inodes: Inodes with a link in it.
        links: Directory entries in it.
        outside_linked_inodes: Inodes of it with links that lie in none of the trees.
        incomplete: Something in it could not be read: its figures are at least so much.
        on_other_filesystem: No package cache is on its filesystem, so nothing in it can be
            hard-linked.
        private_bytes: Equal to `exclusive_bytes`; only when causes were asked for.
        private: The causes of the private bytes; they add up to `private_bytes`.

    """

    name: str
    prefix: str
    size_bytes: int
    shared_bytes: int
    exclusive_bytes: int
    with_clean_bytes: int
    softlinked: bool
    softlinked_bytes: int
    softlinks: int
    broken_softlinks: int
    inodes: int
    links: int
    outside_linked_inodes: int
    incomplete: bool
    on_other_filesystem: bool
    private_bytes: int | None = None
    private: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What one package cache holds.

    Attributes:
        path: Absolute path.
        size_bytes: Unique usage of it alone; the six parts below add up to it.
        used_bytes: Extracted packages that an environment, or somebody unseen, uses.
        kept_bytes: Those that nobody is known to use and that `conda hardlinks clean` keeps: they
            are recent, cannot be had again, or something could not be read.
        unused_bytes: Those that nothing keeps: what `conda hardlinks clean` removes.
        tarball_bytes: `.conda` and `.tar.bz2` files.
        quarantine_bytes: What `conda hardlinks clean` has moved aside.
        other_bytes: Everything else.
        packages: How many extracted packages.
        kept_packages: How many of them are kept without a known user.
        unused_packages: How many of them nothing keeps.
        inodes: Inodes with a link in it.
        links: Directory entries in it.
        incomplete: Something in it could not be read: its figures are at least so much.

    """

    path: str
    size_bytes: int
    used_bytes: int
    kept_bytes: int
    unused_bytes: int
    tarball_bytes: int
    quarantine_bytes: int
    other_bytes: int
    packages: int
    kept_packages: int
    unused_packages: int
    inodes: int
    links: int
    incomplete: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """All caches and environments together.

    Attributes:
        on_disk_bytes: Unique usage of all of them: what `du -s` of all together prints.
        as_copies_bytes: Each alone, added up: what they would take without hard links.
        saved_bytes: `as_copies_bytes - on_disk_bytes`.
        inodes: Inodes with a link in any of them.
        saved_inodes: Each alone, added up, less `inodes`.
        links: Directory entries.
        outside_links: Links to their inodes that lie in none of them.
        outside_linked_inodes: Inodes that have such links.

    """

    on_disk_bytes: int
    as_copies_bytes: int
    saved_bytes: int
    inodes: int
    saved_inodes: int
    links: int
    outside_links: int
    outside_linked_inodes: int


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """A filesystem that holds some of the trees.

    Attributes:
        device: Its number.
        filesystem: Its type, `""` where unknown.
        on_disk_bytes: Unique usage of all trees on it.
        roots: The caches and prefixes on it.

    """

    device: int
    filesystem: str
    on_disk_bytes: int
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DuRow:
    """What `du -s` prints for a root: alone, with those inside it, and after those before it."""

    path: str
    alone_bytes: int
    added_bytes: int


@dataclass(frozen=True, slots=True)
class IfRemoved:
    """What removing some environments together would free.

    Attributes:
        environments: Their names.
        inside: Paths of the environments and caches that lie inside them, and go with them.
        freed_bytes: What removing their folders frees.
        freed_with_clean_bytes: And then the cached packages that only they used.

    """

    environments: tuple[str, ...]
    inside: tuple[str, ...]
    freed_bytes: int
    freed_with_clean_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says. Parts that were not asked for are `None`.

    `incomplete` says that something below the roots could not be read: sizes are at least so much.
    `reading` says how it was found out what there is.
    """

    measure: Measure
    environments: tuple[EnvironmentFigures, ...]
    caches: tuple[CacheFigures, ...]
    totals: Totals
    devices: tuple[DeviceFigures, ...]
    unreachable: tuple[PathProblem, ...]
    unreadable: tuple[PathProblem, ...]
    stale: tuple[str, ...]
    aliases: Mapping[str, str]
    incomplete: bool
    warnings: tuple[str, ...]
    reading: Reading
    packages: tuple[PackageFigures, ...] | None = None
    du: tuple[DuRow, ...] | None = None
    if_removed: IfRemoved | None = None
    detail: EnvironmentDetail | None = None
    disk_map: DiskMap | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a report is to say beyond its tables; environments are given by prefix."""

    packages: bool = False
    causes: bool = False
    du: bool = False
    if_removed: tuple[str, ...] | None = None
    detail: str | None = None
    disk_map: bool = False
