"""Symbolic links of environments into package caches, followed hop by hop.

This module reads the disk (`readlink`, `stat`) and writes nothing. It follows the links whose text
leads out of their environment, and those with another link on their path. All other links end in
their environment, at a file or at a link that is followed itself.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.paths import is_within, real_path
from ..filesystem.problems import GONE, PathProblem, reason_of
from ..filesystem.responsiveness import ResponsivenessCheck
from ..scan.inventory import EscapingSymlink, Inventory, UnitKind
from .usage import Measure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..filesystem.protocol import FileStatus

_NEVER_RESOLVES = (errno.ELOOP, errno.ENAMETOOLONG)  # for any user


@dataclass(slots=True)
class EnvironmentSymlinks:
    """The symbolic links of one environment that lead into package caches.

    Attributes:
        count: The number of those links.
        links: For each cache unit, the number of links that pass through it at any hop.
        targets: (device, inode) of their target files in caches, to (disk bytes, apparent bytes).
        broken: Absolute paths of the links into a cache whose target is missing.
        unresolved: Symbolic links of the environment that cannot be followed to their end.

    """

    count: int = 0
    links: Counter[int] = field(default_factory=Counter)
    targets: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    unresolved: list[PathProblem] = field(default_factory=list)

    def target_bytes(self, measure: Measure) -> int:
        """Return the bytes of the target files, each once."""
        disk = measure is Measure.DISK
        return sum(target[0] if disk else target[1] for target in self.targets.values())


def follow_symlinks(inventory: Inventory) -> dict[int, EnvironmentSymlinks]:
    """Follow the escaping symbolic links of every environment.

    Returns:
        The links of each environment (by root index) that has one into a cache, or one that cannot
        be followed.

    """
    caches = _CachePaths(inventory)
    kinds = [unit.kind for unit in inventory.units]
    found: dict[int, EnvironmentSymlinks] = {}
    for symlink, chain in _chains(inventory, caches):
        if chain.error:
            problem = PathProblem(symlink.path, chain.error)
            found.setdefault(symlink.root, EnvironmentSymlinks()).unresolved.append(problem)
        dangling = chain.end is None and bool(chain.units)
        passes_package = any(kinds[unit] is UnitKind.PACKAGE for unit in chain.units)
        if not dangling and not passes_package:
            continue
        links = found.setdefault(symlink.root, EnvironmentSymlinks())
        links.count += 1
        links.links.update(chain.units)
        if chain.broken:
            links.broken.append(symlink.path)
        elif chain.end is not None and chain.ends_in_cache:
            links.targets[chain.end.identity] = (chain.end.disk_bytes, chain.end.size_bytes)
    return found


def symlinks_through(inventory: Inventory, unit: int) -> list[EscapingSymlink]:
    """Return the symbolic links of environments that pass through a cache unit."""
    chains = _chains(inventory, _CachePaths(inventory))
    return [symlink for symlink, chain in chains if unit in chain.units]


def units_on_symlink_paths(inventory: Inventory) -> set[int]:
    """Return the cache units, of any kind, that symbolic links of environments pass through."""
    chains = _chains(inventory, _CachePaths(inventory))
    return set().union(*(chain.units for _, chain in chains))


def _chains(inventory: Inventory, caches: _CachePaths) -> Iterator[tuple[EscapingSymlink, _Chain]]:
    """Follow all symbolic links that may lead into a cache.

    A mount in an environment that shows a part of a cache counts as a link to that part.
    """
    for path in caches.unknown:
        link = EscapingSymlink(caches.an_environment, path, "")
        yield link, _Chain(set(), error="its real path cannot be resolved")
    for view in caches.views:
        for real, _, root in caches.roots:
            if root not in caches.others and is_within(view, real):
                yield EscapingSymlink(root, view, ""), _Chain(caches.units_at(view))
    for symlink in inventory.symlinks:
        yield symlink, caches.follow(symlink.path, symlink.target)


@dataclass(frozen=True, slots=True)
class _Chain:
    """The hops of a symbolic link.

    Attributes:
        units: The cache units that it passes through; without any of them it is broken.
        end: Its target; `None` if the target is missing or unknown.
        ends_in_cache: The target is in a cache.
        broken: The target is missing.
        error: Why the target is unknown.

    """

    units: set[int]
    end: FileStatus | None = None
    ends_in_cache: bool = False
    broken: bool = False
    error: str = ""


class _CachePaths:
    """Finds the cache unit that a real path lies in."""

    def __init__(self, inventory: Inventory) -> None:
        units = list(enumerate(inventory.units))
        self.others = {unit.root: index for index, unit in units if unit.kind is UnitKind.OTHER}
        # A quarantined unit is also found at its original path, which links lead to. If several
        # units have the same original path, one that is still a package wins.
        units = [
            item for item in units if item[1].kind not in (UnitKind.ENVIRONMENT, UnitKind.OTHER)
        ]
        units.sort(key=lambda item: item[1].kind is UnitKind.PACKAGE)
        self.units = {unit.home: index for index, unit in units}
        self.units |= {unit.path: index for index, unit in units}
        names = [(root.path, index) for index, root in enumerate(inventory.roots)]
        index_of = dict(names)
        names += [(alias, index_of[path]) for alias, path in inventory.aliases.items()]
        self.tops = [root.path for root in inventory.roots]
        self.unknown: list[str] = []
        self.an_environment = len(inventory.roots) - 1  # caches come first
        self.roots: list[tuple[str, str, int]] = []
        self.views: list[str] = []
        mounts = fs.read_mounts()
        for name, index in names:
            top, real = self.tops[index], real_path(name)
            if real is None:
                self.unknown.append(name)
                continue
            self.roots.append((real, top, index))
            if index in self.others:
                views = mounts.views(real)
                self.views += [view for view, _ in views]
                self.roots += [(view, top + below, index) for view, below in views]
        self.roots.sort(key=lambda root: -len(root[0]))  # innermost first
        self.folders: dict[tuple[str, str], tuple[str, set[int]]] = {}
        self.hops_left = 0
        self.responsiveness = ResponsivenessCheck(mounts, (real for real, _, _ in self.roots))

    def follow(self, path: str, target: str) -> _Chain:
        """Follow a symbolic link at `path` with the text `target`, hop by hop.

        Each hop is one component of a path, as in path_resolution(7), because a folder on the path
        may be a symbolic link in a package, too.
        """
        units: set[int] = set()
        if len(os.fsencode(path)) >= fs.max_path_bytes:
            return _Chain(units, error="its path is too long to follow")
        self.hops_left = fs.max_symlinks
        try:
            current = self._enter("/", os.path.dirname(path), units)
            text: str | None = target
            while text is not None:
                folder, name = os.path.split(text.rstrip("/") or "/")
                if name in ("", ".", ".."):
                    current, text = self._enter(current, text, units), None
                    continue
                folder = self._enter(current, folder or ".", units)
                path = os.path.join(folder, name)
                text = self._read(path, "", units)
                current = path if text is None else folder
            status = fs.status(current)
        except OSError as error:
            broken = isinstance(error, GONE) or error.errno in _NEVER_RESOLVES
            reason = "" if broken else reason_of(error)
            return _Chain(units, broken=broken, error=reason)
        here = self.units_at(current)
        return _Chain(units | here, status, ends_in_cache=bool(here))

    def _enter(self, current: str, folder: str, units: set[int]) -> str:
        """Return the real path of a folder, and remember it for other links through it."""
        known = self.folders.get((current, folder))
        if known is None:
            passed: set[int] = set()
            try:
                real = self._resolve(current, folder, passed)
            finally:
                units |= passed
            known = self.folders[current, folder] = real, passed
        units |= known[1]
        return known[0]

    def _resolve(self, current: str, text: str, units: set[int]) -> str:
        """Return the real path that a text leads to from a real folder."""
        waiting = text.split("/")[::-1]
        current = "/" if text.startswith("/") else current
        while waiting:
            name = waiting.pop()
            if name in ("", "."):
                continue
            if name == "..":
                units |= self.units_at(current)
                current = os.path.dirname(current)
                continue
            path = os.path.join(current, name)
            target = self._read(path, "/".join(waiting[::-1]), units)
            if target is None:
                current = path
                continue
            waiting += target.split("/")[::-1]
            current = "/" if target.startswith("/") else current
        return current

    def _read(self, path: str, rest: str, units: set[int]) -> str | None:
        """Return the text of a symbolic link at a real path; `None` for any other file or folder.

        Raises:
            OSError: The path is missing or unreadable, and `units` gets those that it and the
                rest of the path would lie in; or there are too many links (ELOOP), as for the
                kernel.

        """
        try:
            self.responsiveness.check(path)
            target = os.readlink(path)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            units |= self.units_at(os.path.normpath(os.path.join(path, rest)))
            raise
        self.hops_left -= 1
        units |= self.units_at(path)
        if self.hops_left < 0:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return target

    def units_at(self, path: str) -> set[int]:
        """Return the cache unit that a real path lies in; an empty set outside all caches."""
        for real, as_scanned, root in self.roots:
            if not is_within(path, real):
                continue
            if root not in self.others:
                return set()  # an environment
            scanned_path = as_scanned + path[len(real) :]
            while len(scanned_path) > len(self.tops[root]):
                unit = self.units.get(scanned_path)
                if unit is not None:
                    return {unit}
                scanned_path = os.path.dirname(scanned_path)
            return {self.others[root]}
        return set()
