"""Explain one cached package or one file: its users, and the effects of removing it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.symlinks import symlinks_through
from ..analysis.verdicts import PackageUser, Verdict
from ..filesystem import fs
from ..filesystem.paths import has_identity_in, is_within
from ..metadata.cached_package import CachedPackage
from ..metadata.quarantine_names import Stage
from ..scan.inventory import ARCHIVE_SUFFIXES, RootKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ..analysis.analysis import Analysis
    from ..filesystem.protocol import Identity


@dataclass(frozen=True, slots=True)
class Witness(PackageUser):
    """A user of a package, with one file that proves the use.

    Attributes:
        path: Absolute path of the file in the environment.

    """

    path: str


@dataclass(frozen=True, slots=True)
class PackageExplanation:
    """The explanation of one extracted package.

    Attributes:
        name: The name of its directory.
        path: Absolute path.
        verdict: Value of `verdicts.Verdict`.
        reasons: The reasons to keep it besides its users, as phrases.
        size_bytes: Its unique usage.
        exclusive_bytes: What removing only this package frees.
        last_use_ns: When it was last extracted or prepared for hard-linking, in nanoseconds since
            the epoch; `None` if unknown.
        url: The URL that it was downloaded from; empty if unknown.
        witnesses: The files of environments that prove that it is used.
        linked_outside: Its files that also have links outside the scanned trees.
        would_break: Names of the environments whose symbolic links lead into it, or may lead into
            it according to a record.

    """

    name: str
    path: str
    verdict: str
    reasons: tuple[str, ...]
    size_bytes: int
    exclusive_bytes: int
    last_use_ns: int | None
    url: str
    witnesses: tuple[Witness, ...]
    linked_outside: tuple[str, ...]
    would_break: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileExplanation:
    """The explanation of one file.

    Attributes:
        path: Absolute path.
        size_bytes: Disk usage of its inode.
        exclusive_bytes: What removing only this link frees.
        link_count: The link count of its inode.
        links: Absolute paths of the links in the scanned trees.
        leads_to: Absolute path that a symbolic link resolves to; `None` for any other file.
        packages: Absolute paths of the cached packages that hold a link or the target of the
            symbolic link.
        archive_of: For an archive in a cache, the absolute path of its extracted package, whether
            that exists or not; `None` for any other file.

    """

    path: str
    size_bytes: int
    exclusive_bytes: int
    link_count: int
    links: tuple[str, ...]
    leads_to: str | None
    packages: tuple[str, ...]
    archive_of: str | None


def find_packages(analysis: Analysis, wanted: str) -> list[int]:
    """Return the packages with this NAME-VERSION-BUILD; if there are none, those with this name."""
    units, verdicts = analysis.inventory.units, analysis.verdicts
    by_dist = [
        unit
        for unit in verdicts.uses
        if wanted in (units[unit].dist, os.path.basename(units[unit].home))
    ]
    return by_dist or [
        unit
        for unit in verdicts.uses
        if isinstance(package := verdicts.package(unit), CachedPackage) and package.name == wanted
    ]


def find_archives(analysis: Analysis, name: str) -> list[str]:
    """Return the paths of the archives with this file name."""
    units = [unit for unit in analysis.inventory.units if unit.kind is UnitKind.ARCHIVE]
    return [unit.path for unit in units if os.path.basename(unit.path) == name]


def runs_holding(analysis: Analysis, wanted: str) -> list[str]:
    """Return the runs of `clean` that hold a package with this name or path."""
    return [
        unit.entry.run
        for unit in analysis.inventory.units
        if unit.entry is not None and unit.entry.stage is Stage.HELD
        if wanted in (unit.path, unit.home, unit.dist, unit.dist.rsplit("-", 2)[0])
    ]


def package_at(analysis: Analysis, path: str) -> int | None:
    """Return the package that contains a path, else the package that contains its target.

    The path may reach the package through symbolic links or another spelling of its cache.
    """
    folder, name = os.path.split(path)
    inventory = analysis.inventory
    roots = [(root.path, os.path.realpath(root.path)) for root in inventory.roots]
    for real in (os.path.join(os.path.realpath(folder), name), os.path.realpath(path)):
        for index in analysis.verdicts.uses:
            unit = inventory.units[index]
            as_scanned, real_root = roots[unit.root]
            if is_within(real, real_root + unit.path[len(as_scanned) :]):
                return index
    return None


def explain_package(analysis: Analysis, index: int) -> PackageExplanation:
    """Return the explanation of a package; this walks the environments that share its inodes."""
    inventory, verdicts = analysis.inventory, analysis.verdicts
    unit, package, verdict = (
        inventory.units[index],
        verdicts.package(index),
        verdicts.verdict(index),
    )
    counts = {identity: count for _, identity, count in _links_below(unit.path) if count > 1}
    links = _find_links(analysis.usage.roots_sharing_with(index), analysis, counts)
    symlinks = [
        Witness(analysis.name_of(prefix), prefix, "softlink", symlink.path)
        for symlink in sorted(symlinks_through(inventory, index), key=lambda symlink: symlink.path)
        for prefix in [inventory.roots[symlink.root].path]
    ]
    against = verdicts.records_against_copies(index) if verdict is Verdict.RECORDED else []
    broken = [witness.prefix for witness in symlinks]
    broken += [os.path.dirname(os.path.dirname(record.path)) for record in against]
    known = package if isinstance(package, CachedPackage) else None
    return PackageExplanation(
        name=os.path.basename(unit.home),
        path=unit.path,
        verdict=verdict.value,
        reasons=(
            *(f"{record.path}: {record.reason}" for record in against),
            *(keep_reason.reason for keep_reason in verdicts.keep_reasons(index)),
        ),
        size_bytes=analysis.usage.unique_by_unit[index],
        exclusive_bytes=analysis.usage.exclusive([index]),
        last_use_ns=known.last_use_ns if known else None,
        url=known.url if known else "",
        witnesses=(
            *_hard_links(analysis, [path for paths in links.values() for path in paths]),
            *symlinks,
            *_records(analysis, f"{unit.dist}.json"),
        ),
        linked_outside=tuple(
            paths[0] for identity, paths in links.items() if len(paths) < counts[identity]
        ),
        would_break=tuple(dict.fromkeys(analysis.name_of(prefix) for prefix in broken)),
    )


def explain_file(analysis: Analysis, path: str) -> FileExplanation:
    """Return the explanation of a file; this walks every tree.

    Raises:
        OSError: The file does not exist or its status cannot be read.

    """
    status = fs.status(path)
    identity, disk_bytes = status.identity, status.disk_bytes
    every_root = range(len(analysis.inventory.roots))
    links = _find_links(every_root, analysis, {identity}).get(identity, [])
    leads_to = os.path.realpath(path) if status.is_symlink else None
    packages = dict.fromkeys(
        package_at(analysis, each) for each in (links if leads_to is None else [*links, leads_to])
    )
    return FileExplanation(
        path=path,
        size_bytes=disk_bytes,
        exclusive_bytes=disk_bytes if status.link_count == 1 else 0,
        link_count=status.link_count,
        links=tuple(sorted(links)),
        leads_to=leads_to,
        packages=tuple(
            analysis.inventory.units[index].path for index in packages if index is not None
        ),
        archive_of=_package_of_archive(analysis, identity),
    )


def _package_of_archive(analysis: Analysis, identity: Identity) -> str | None:
    for unit in analysis.inventory.units:
        if unit.kind is UnitKind.ARCHIVE and has_identity_in(unit.path, {identity}):
            suffix = next((each for each in ARCHIVE_SUFFIXES if unit.path.endswith(each)), "")
            return unit.path.removesuffix(suffix) if suffix else None
    return None


def _hard_links(analysis: Analysis, paths: Iterable[str]) -> Iterator[Witness]:
    """Yield a witness for each path in an environment, the innermost environment for each."""
    roots = analysis.inventory.roots
    prefixes = [roots[root].path for root in analysis.roots_of_environments]
    innermost_first = sorted(prefixes, key=len, reverse=True)
    caches = [root.path for root in roots if root.kind is RootKind.CACHE]
    for path in sorted(paths):
        if not any(is_within(path, cache) for cache in caches):
            prefix = next(prefix for prefix in innermost_first if is_within(path, prefix))
            yield Witness(analysis.name_of(prefix), prefix, "hardlink", path)


def _records(analysis: Analysis, record: str) -> Iterator[Witness]:
    """Yield a witness for each environment with a record of this file name."""
    for root, names in analysis.inventory.records.items():
        if record in names:
            prefix = analysis.inventory.roots[root].path
            path = os.path.join(prefix, "conda-meta", record)
            yield Witness(analysis.name_of(prefix), prefix, "record", path)


def _find_links(
    roots: Iterable[int], analysis: Analysis, wanted: Collection[Identity]
) -> dict[Identity, list[str]]:
    """Return the paths below some roots of each wanted inode, each path once."""
    found: dict[Identity, dict[str, None]] = {}
    inodes, excluded = {inode for _, inode in wanted}, analysis.inventory.identities()
    for root in roots:
        path_of_root = analysis.inventory.roots[root].path
        for path, identity, _ in _links_below(path_of_root, inodes, excluded):
            if identity in wanted:
                found.setdefault(identity, {})[path] = None
    return {identity: list(paths) for identity, paths in found.items()}


def _links_below(
    directory: str, inodes: Collection[int] | None = None, excluded: Collection[Identity] = ()
) -> Iterator[tuple[str, Identity, int]]:
    """Yield path, identity and link count of each file below a directory.

    Args:
        directory: Absolute path.
        inodes: The inode numbers to yield; `None` for all.
        excluded: Directories that are not entered.

    """
    waiting = [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                listing = list(entries)
        except OSError:  # the scan has reported it
            continue
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                if not (excluded and has_identity_in(entry.path, excluded)):
                    waiting.append(entry.path)
            elif inodes is None or entry.inode() in inodes:
                with contextlib.suppress(OSError):
                    status = fs.status(entry.path)
                    yield entry.path, status.identity, status.link_count
