"""The figures of a report: the dataclasses behind every output format.

The field names are the names in `--json`.
"""

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


SCHEMA_VERSION = 1  # of the JSON of every command; adding a field does not change it


@dataclass(frozen=True, slots=True)
class EnvironmentFigures:
    """The disk usage of one environment.

    Attributes:
        name: Its name; its path if conda knows no name for it.
        prefix: Absolute path.
        size_bytes: Its unique usage: what `du -s` prints, less the other environments and caches
            inside it. Equals `shared_bytes + exclusive_bytes`.
        shared_bytes: Inodes that also have a link elsewhere; removing the environment keeps them.
        exclusive_bytes: Inodes whose links are all in it: what removing it frees.
        with_clean_bytes: What removing it and the cached packages that only it uses frees.
        softlinked: Whether it has symbolic links that resolve into a package cache.
        softlinked_bytes: The files in caches that these links resolve to, each once. They are not
            part of `size_bytes`.
        softlinks: The number of these links.
        broken_softlinks: The number of these links whose target does not exist.
        inodes: Inodes with a link in it.
        links: Directory entries in it.
        outside_linked_inodes: Its inodes that also have links outside the scanned trees.
        incomplete: Whether something in it could not be read; then its figures are lower bounds.
        on_other_filesystem: Whether no package cache is on its filesystem, so that nothing in it
            can be hard-linked.
        private_bytes: Equals `exclusive_bytes`; set only if the causes were requested.
        private: The private bytes by cause; they add up to `private_bytes`.

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
    """The disk usage of one package cache.

    Attributes:
        path: Absolute path.
        size_bytes: Its unique usage; the six parts below add up to it.
        used_bytes: Extracted packages with a user, in the scanned trees or outside.
        kept_bytes: Extracted packages without a known user that `conda hardlinks clean` keeps:
            they are recent, cannot be downloaded again, or cannot be verified.
        unused_bytes: The other extracted packages, which `conda hardlinks clean` removes.
        tarball_bytes: `.conda` and `.tar.bz2` files.
        quarantine_bytes: Packages that `conda hardlinks clean` has moved aside.
        other_bytes: Everything else.
        packages: The number of extracted packages.
        kept_packages: The number of packages in `kept_bytes`.
        unused_packages: The number of packages in `unused_bytes`.
        inodes: Inodes with a link in it.
        links: Directory entries in it.
        incomplete: Whether something in it could not be read; then its figures are lower bounds.

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
        on_disk_bytes: Unique usage of all of them: what one `du -s` of all of them prints in total.
        as_copies_bytes: The sum of their unique usages: their disk usage without hard links.
        saved_bytes: `as_copies_bytes - on_disk_bytes`.
        inodes: Inodes with a link in any of them.
        saved_inodes: The sum of the inodes of each of them, less `inodes`.
        links: Directory entries.
        outside_links: Links to their inodes from outside all of them.
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
    """A filesystem that holds some of the scanned trees.

    Attributes:
        device: Its device number.
        filesystem: Its type; `""` if unknown.
        on_disk_bytes: Unique usage of all trees on it.
        roots: The caches and prefixes on it.

    """

    device: int
    filesystem: str
    on_disk_bytes: int
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DuRow:
    """What `du -s` prints for a root, alone and in one call after the roots before it.

    `alone_bytes` includes the roots inside this one.
    """

    path: str
    alone_bytes: int
    added_bytes: int


@dataclass(frozen=True, slots=True)
class IfRemoved:
    """What removing some environments together frees.

    Attributes:
        environments: Their names.
        inside: Paths of the environments and caches inside them, which are removed with them.
        exclusive_bytes: What removing their folders frees.
        with_clean_bytes: What also removing the cached packages that only they use frees.

    """

    environments: tuple[str, ...]
    inside: tuple[str, ...]
    exclusive_bytes: int
    with_clean_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """A report. Parts that were not requested are `None`.

    Attributes:
        measure: What the bytes are: disk usage or apparent size.
        environments: The figures of each environment.
        caches: The figures of each package cache.
        totals: The figures of all of them together.
        devices: The figures of each filesystem.
        unreachable: Listed environments and caches that could not be scanned.
        unreadable: Paths in the trees and searched folders that could not be read.
        stale: Paths in `environments.txt` that are no longer environments.
        aliases: Other paths of scanned roots, to the path that was scanned.
        incomplete: Whether something below the roots could not be read; then sizes are lower
            bounds.
        warnings: Sentences about the figures.
        reading: How the scan read the trees: in full, or with the index.
        packages: The figures of each extracted package.
        du: What `du` prints for each root.
        if_removed: What removing some environments frees.
        detail: The details of one environment.
        disk_map: What a page draws.

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
    """The optional parts of a report; environments are given by prefix."""

    packages: bool = False
    causes: bool = False
    du: bool = False
    if_removed: tuple[str, ...] | None = None
    detail: str | None = None
    disk_map: bool = False
