"""Everything about one cached package or one file: who uses it, and what removing it would do."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.symlinks import symlinks_through
from ..analysis.verdicts import Verdict
from ..filesystem import fs
from ..filesystem.paths import is_one_of, is_within
from ..metadata.conda_meta import CachedPackage
from ..metadata.quarantine_names import Stage
from ..scan.inventory import TARBALL_SUFFIXES, RootKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ..analysis.analysis import Analysis

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FileWitness:
    """A file of an environment that shows that a package is used.

    Attributes:
        name: Name of the environment.
        prefix: Its path.
        use: `hardlink`, `softlink`, or `record` for a file of `conda-meta`.
        path: Absolute path of the file.

    """

    name: str
    prefix: str
    use: str
    path: str


@dataclass(frozen=True, slots=True)
class PackageExplanation:
    """Everything about one extracted package.

    Attributes:
        name: The name of its directory.
        path: Absolute path.
        verdict: Value of `evidence.Verdict`.
        reasons: What keeps it besides its users, as phrases.
        size_bytes: Unique usage of it alone.
        freed_bytes: What removing it, and nothing else, frees.
        last_use_ns: When it was last extracted or about to be hard-linked; `None` if unknown.
        url: Where it was fetched from; empty if unknown.
        witnesses: The files of environments that show that it is used.
        linked_outside: Files of it with links that lie in none of the trees.
        would_break: Names of the environments whose symbolic links lead to it, or may by what a
            record says.

    """

    name: str
    path: str
    verdict: str
    reasons: tuple[str, ...]
    size_bytes: int
    freed_bytes: int
    last_use_ns: int | None
    url: str
    witnesses: tuple[FileWitness, ...]
    linked_outside: tuple[str, ...]
    would_break: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileExplanation:
    """Everything about one file.

    Attributes:
        path: Absolute path.
        size_bytes: Disk usage of its inode.
        freed_bytes: What removing this one link frees.
        link_count: How many links its inode has.
        links: Absolute paths of those that lie in the trees.
        leads_to: Absolute path where it ends, if it is a symbolic link; else `None`.
        packages: Absolute paths of the cached packages that hold a link, or that it leads into.
        archive_of: Absolute path of the package that it is the archive of, extracted or not; `None`
            if it is no archive in a cache.

    """

    path: str
    size_bytes: int
    freed_bytes: int
    link_count: int
    links: tuple[str, ...]
    leads_to: str | None
    packages: tuple[str, ...]
    archive_of: str | None


def find_packages(analysis: Analysis, wanted: str) -> list[int]:
    """Return the packages that a name means: of this NAME-VERSION-BUILD, else of this name."""
    units = analysis.inventory.units
    by_dist = [
        unit
        for unit in analysis.evidence.uses
        if wanted in (units[unit].dist, os.path.basename(units[unit].home))
    ]
    return by_dist or [
        unit
        for unit in analysis.evidence.uses
        if isinstance(package := analysis.evidence.package(unit), CachedPackage)
        and package.name == wanted
    ]


def find_archives(analysis: Analysis, name: str) -> list[str]:
    """Return the paths of the archives of this name."""
    units = [unit for unit in analysis.inventory.units if unit.kind is UnitKind.TARBALL]
    return [unit.path for unit in units if os.path.basename(unit.path) == name]


def runs_holding(analysis: Analysis, wanted: str) -> list[str]:
    """Return the runs of `clean` that hold a package of this name or path."""
    return [
        unit.entry.run
        for unit in analysis.inventory.units
        if unit.entry is not None and unit.entry.stage is Stage.HELD
        if wanted in (unit.path, unit.home, unit.dist, unit.dist.rsplit("-", 2)[0])
    ]


def package_at(analysis: Analysis, path: str) -> int | None:
    """Return the package that a path lies in, by whatever name; else the one it leads into."""
    folder, name = os.path.split(path)
    inventory = analysis.inventory
    roots = [(root.path, os.path.realpath(root.path)) for root in inventory.roots]
    for real in (os.path.join(os.path.realpath(folder), name), os.path.realpath(path)):
        for unit in analysis.evidence.uses:
            place = inventory.units[unit]
            as_scanned, real_root = roots[place.root]
            if is_within(real, real_root + place.path[len(as_scanned) :]):
                return unit
    return None


def explain_package(analysis: Analysis, unit: int) -> PackageExplanation:
    """Gather everything about a package; this looks through the environments that use it."""
    place = analysis.inventory.units[unit]
    path = place.path
    package = analysis.evidence.package(unit)
    counts = {identity: count for _, identity, count in _links_below(path) if count > 1}
    links = _find_links(analysis.usage.roots_sharing_with(unit), analysis, counts)
    linked_outside = [
        paths[0] for identity, paths in links.items() if len(paths) < counts[identity]
    ]
    softlinks = sorted(symlinks_through(analysis.inventory, unit), key=lambda symlink: symlink.path)
    soft = [analysis.inventory.roots[symlink.root].path for symlink in softlinks]
    known = package if isinstance(package, CachedPackage) else None
    verdict = analysis.evidence.verdict(unit)
    against = analysis.evidence.against_copies(unit) if verdict is Verdict.RECORDED else []
    broken = [*soft, *(os.path.dirname(os.path.dirname(record.path)) for record in against)]
    return PackageExplanation(
        name=os.path.basename(place.home),
        path=path,
        verdict=verdict.value,
        reasons=(
            *(f"{record.path}: {record.reason}" for record in against),
            *(doubt.reason for doubt in analysis.evidence.keep_reasons(unit)),
        ),
        size_bytes=analysis.usage.unique_by_unit[unit],
        freed_bytes=analysis.usage.exclusive([unit]),
        last_use_ns=known.last_use_ns if known else None,
        url=known.url if known else "",
        witnesses=(
            *_hard_links(analysis, [path for paths in links.values() for path in paths]),
            *(
                FileWitness(analysis.name_of(prefix), prefix, "softlink", symlink.path)
                for prefix, symlink in zip(soft, softlinks, strict=True)
            ),
            *_records(analysis, unit),
        ),
        linked_outside=tuple(linked_outside),
        would_break=tuple(dict.fromkeys(analysis.name_of(prefix) for prefix in broken)),
    )


def explain_file(analysis: Analysis, path: str) -> FileExplanation:
    """Gather everything about one file; this looks through every tree.

    Raises:
        OSError: There is no such file, or it cannot be looked at.

    """
    status = fs.status(path)
    identity = status.identity
    every_root = range(len(analysis.inventory.roots))
    links = _find_links(every_root, analysis, {identity}).get(identity, [])
    leads_to = os.path.realpath(path) if status.is_symlink else None
    places = links if leads_to is None else [*links, leads_to]
    found = dict.fromkeys(package_at(analysis, place) for place in places)
    disk_bytes = status.disk_bytes
    return FileExplanation(
        path=path,
        size_bytes=disk_bytes,
        freed_bytes=disk_bytes if status.link_count == 1 else 0,
        link_count=status.link_count,
        links=tuple(sorted(links)),
        leads_to=leads_to,
        packages=tuple(analysis.inventory.units[unit].path for unit in found if unit is not None),
        archive_of=_package_of_archive(analysis, identity),
    )


def _package_of_archive(analysis: Analysis, identity: Identity) -> str | None:
    for unit in analysis.inventory.units:
        if unit.kind is UnitKind.TARBALL and is_one_of(unit.path, {identity}):
            suffix = next((each for each in TARBALL_SUFFIXES if unit.path.endswith(each)), "")
            return unit.path.removesuffix(suffix) if suffix else None
    return None


def _hard_links(analysis: Analysis, paths: Iterable[str]) -> Iterator[FileWitness]:
    """Name the environment of each path that lies in one."""
    prefixes = [_path(analysis, root) for root in analysis.roots_of_environments]
    innermost_first = sorted(prefixes, key=len, reverse=True)
    caches = [root.path for root in analysis.inventory.roots if root.kind is RootKind.CACHE]
    for path in sorted(paths):
        if any(is_within(path, cache) for cache in caches):
            continue
        prefix = next(prefix for prefix in innermost_first if is_within(path, prefix))
        yield FileWitness(analysis.name_of(prefix), prefix, "hardlink", path)


def _records(analysis: Analysis, unit: int) -> Iterator[FileWitness]:
    record = f"{analysis.inventory.units[unit].dist}.json"
    for root, names in analysis.inventory.records.items():
        if record in names:
            prefix = _path(analysis, root)
            path = os.path.join(prefix, "conda-meta", record)
            yield FileWitness(analysis.name_of(prefix), prefix, "record", path)


def _path(analysis: Analysis, root: int) -> str:
    return analysis.inventory.roots[root].path


def _find_links(
    roots: Iterable[int], analysis: Analysis, wanted: Collection[Identity]
) -> dict[Identity, list[str]]:
    """Return the paths at which some inodes are found below some roots, each once."""
    found: dict[Identity, dict[str, None]] = {}
    numbers, special_inodes = {number for _, number in wanted}, analysis.inventory.identities()
    for root in roots:
        for path, identity, _ in _links_below(_path(analysis, root), numbers, special_inodes):
            if identity in wanted:
                found.setdefault(identity, {})[path] = None
    return {identity: list(paths) for identity, paths in found.items()}


def _links_below(
    directory: str,
    inodes: Collection[int] | None = None,
    special_inodes: Collection[Identity] = (),
) -> Iterator[tuple[str, Identity, int]]:
    """Yield path, identity and link count of each file below a directory.

    Args:
        directory: Absolute path.
        inodes: The numbers of the inodes that matter; all where not given.
        special_inodes: Directories that are not entered.

    """
    waiting = [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                listed = list(entries)
        except OSError:  # the scan has said so
            continue
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                waiting += (
                    [] if special_inodes and is_one_of(entry.path, special_inodes) else [entry.path]
                )
            elif inodes is None or entry.inode() in inodes:
                with contextlib.suppress(OSError):
                    status = fs.status(entry.path)
                    yield entry.path, status.identity, status.link_count
