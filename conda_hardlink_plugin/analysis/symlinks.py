"""Symbolic links of environments followed into the package caches, hop by hop.

Reads the disk (`readlink`, `stat`) and writes nothing. Followed are the links that lead out of
their environment by their text, and those with another link on their way. All others end in their
environment, at a file or at a link that is looked at itself.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.paths import is_within, real_path
from ..filesystem.problems import GONE, PathProblem, reason_of
from ..filesystem.responsiveness import ResponsivenessCheck
from ..scan.inventory import EscapingSymlink, UnitKind
from .usage import Measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..filesystem.protocol import FileStatus
    from ..scan.inventory import Inventory

_NO_WAY = (errno.ELOOP, errno.ENAMETOOLONG)  # for nobody


@dataclass(slots=True)
class EnvironmentSymlinks:
    """The symbolic links of one environment that lead into package caches.

    Attributes:
        count: How many they are.
        links: For each cache unit, how many of them pass through it at any hop.
        targets: (device, inode) of the files in caches that they end at, to (disk bytes, apparent
            bytes).
        broken: Absolute paths of those that lead into a cache where nothing is.
        unresolved: Symbolic links of it that cannot be followed to their end.

    """

    count: int = 0
    links: dict[int, int] = field(default_factory=dict)
    targets: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    unresolved: list[PathProblem] = field(default_factory=list)

    def target_bytes(self, measure: Measure) -> int:
        """Return the bytes of the files that they end at, each once."""
        disk = measure is Measure.DISK
        return sum(target[0] if disk else target[1] for target in self.targets.values())


def follow_symlinks(inventory: Inventory) -> dict[int, EnvironmentSymlinks]:
    """Follow the escaping symbolic links of every environment.

    Returns:
        For each environment (by root index) that has a link into a cache, or one that cannot be
        followed, what they lead to.

    """
    caches = _CachePaths(inventory)
    found: dict[int, EnvironmentSymlinks] = {}
    for symlink, chain in _chains(inventory, caches):
        if chain.error:
            softlinks = found.setdefault(symlink.root, EnvironmentSymlinks())
            softlinks.unresolved.append(PathProblem(symlink.path, chain.error))
        dangling = chain.end is None and bool(chain.units)
        if not dangling and not caches.leads_into_package(chain.units):
            continue
        softlinks = found.setdefault(symlink.root, EnvironmentSymlinks())
        softlinks.count += 1
        for unit in chain.units:
            softlinks.links[unit] = softlinks.links.get(unit, 0) + 1
        status = chain.end
        if chain.broken:
            softlinks.broken.append(symlink.path)
        elif status is not None and chain.ends_in_cache:
            softlinks.targets[status.identity] = (status.disk_bytes, status.size_bytes)
    return found


def symlinks_through(inventory: Inventory, unit: int) -> list[EscapingSymlink]:
    """Return the symbolic links of environments that pass through a unit of a cache."""
    chains = _chains(inventory, _CachePaths(inventory))
    return [symlink for symlink, chain in chains if unit in chain.units]


def units_passed(inventory: Inventory) -> set[int]:
    """Return the units of caches, of whatever kind, that symbolic links of environments pass."""
    chains = _chains(inventory, _CachePaths(inventory))
    return set().union(*(chain.units for _, chain in chains))


def _chains(inventory: Inventory, caches: _CachePaths) -> Iterator[tuple[EscapingSymlink, _Chain]]:
    """Follow all symbolic links that may lead into a cache, and mounts that show a part of one."""
    for path in caches.unknown:
        link = EscapingSymlink(caches.an_environment, path, "")
        yield link, _Chain(set(), error="it cannot be told which folder this is")
    for root, path in caches.views_in_environments():
        yield EscapingSymlink(root, path, ""), _Chain(caches.units_at(path))
    for symlink in inventory.symlinks:
        yield symlink, caches.follow(symlink.path, symlink.target)


@dataclass(frozen=True, slots=True)
class _Chain:
    """Where a symbolic link leads.

    Attributes:
        units: The cache units that it passes: without one of them it leads nowhere.
        end: What is there; `None` where nothing is, and where it cannot be told.
        ends_in_cache: That is in a cache.
        broken: Nothing is there.
        error: Why it cannot be told.

    """

    units: set[int]
    end: FileStatus | None = None
    ends_in_cache: bool = False
    broken: bool = False
    error: str = ""


class _CachePaths:
    """Which cache unit a real path lies in."""

    def __init__(self, inventory: Inventory) -> None:
        self.kinds = [unit.kind for unit in inventory.units]
        units = [
            (index, unit.path)
            for index, unit in enumerate(inventory.units)
            if unit.kind not in (UnitKind.ENVIRONMENT, UnitKind.OTHER)
        ]
        # What was moved aside is found where it was, too: links lead there. Of several that were
        # at one place, what is still a package.
        units.sort(key=lambda item: self.kinds[item[0]] is UnitKind.PACKAGE)
        self.units = {inventory.units[index].home: index for index, path in units}
        self.units |= {path: index for index, path in units}
        self.others = {
            unit.root: index
            for index, unit in enumerate(inventory.units)
            if unit.kind is UnitKind.OTHER
        }
        names = {root.path: [root.path] for root in inventory.roots}
        for alias, path in inventory.aliases.items():
            names[path].append(alias)
        self.tops = [root.path for root in inventory.roots]
        self.unknown: list[str] = []
        self.an_environment = len(inventory.roots) - 1  # caches come first
        self.roots: list[tuple[str, str, int]] = []
        self.views: list[str] = []
        mounts = fs.read_mounts()
        for index, root in enumerate(inventory.roots):
            for name in names[root.path]:
                real = real_path(name)
                if real is None:
                    self.unknown.append(name)
                else:
                    self.roots.append((real, root.path, index))
                    if index in self.others:
                        views = mounts.views(real)
                        self.views += [view for view, _ in views]
                        self.roots += [(view, root.path + below, index) for view, below in views]
        self.roots.sort(key=lambda root: -len(root[0]))  # the innermost first
        self.folders: dict[tuple[str, str], tuple[str, frozenset[int]]] = {}
        self.responsiveness = ResponsivenessCheck(mounts, (real for real, _, _ in self.roots))

    def views_in_environments(self) -> list[tuple[int, str]]:
        """Return where mounts show a part of a cache in an environment, with that root."""
        return [
            (root, view)
            for view in self.views
            for real, _, root in self.roots
            if root not in self.others and is_within(view, real)
        ]

    def follow(self, path: str, target: str) -> _Chain:
        """Follow a symbolic link at `path` with the text `target`, hop by hop.

        Each hop is one component of a path, as in path_resolution(7): a folder on the way may be a
        symbolic link in a package, too.
        """
        units: set[int] = set()
        hops = _Hops()
        if len(os.fsencode(path)) >= fs.path_limit_bytes:
            return _Chain(units, error="its path is too long to be followed")
        try:
            current = self._enter("/", os.path.dirname(path), units, hops)
            while True:
                folder, name = os.path.split(target.rstrip("/") or "/")
                current = self._enter(current, folder or ".", units, hops)
                if name in ("", ".", ".."):
                    current = self._resolve(current, name, units, hops)
                    break
                path = os.path.join(current, name)
                next_target = self._read(path, "", units)
                if next_target is None:
                    current = path
                    break
                hops.take()
                target = next_target
            status = fs.status(current)
        except OSError as error:
            broken = isinstance(error, GONE) or error.errno in _NO_WAY
            reason = "" if broken else reason_of(error)
            return _Chain(units, broken=broken, error=reason)
        here = self.units_at(current)
        return _Chain(units | here, status, ends_in_cache=bool(here))

    def _enter(self, current: str, folder: str, units: set[int], hops: _Hops) -> str:
        """Return the real path of a folder; what was found once is known for other links in it."""
        known = self.folders.get((current, folder))
        if known is None:
            passed: set[int] = set()
            try:
                real = self._resolve(current, folder, passed, hops)
            finally:
                units |= passed
            known = self.folders[current, folder] = real, frozenset(passed)
        units |= known[1]
        return known[0]

    def _resolve(self, current: str, text: str, units: set[int], hops: _Hops) -> str:
        """Return the real path of what a text leads to from a real folder."""
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
            hops.take()
            waiting += target.split("/")[::-1]
            current = "/" if target.startswith("/") else current
        return current

    def _read(self, path: str, rest: str, units: set[int]) -> str | None:
        """Return the text of a symbolic link at a real path; `None` if something else is there.

        Raises:
            OSError: Nothing is there, or it cannot be told. The units are noted in which it, and
                what comes after it, would lie.

        """
        try:
            self.responsiveness.check(path)
            target = os.readlink(path)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            units |= self.units_at(os.path.normpath(os.path.join(path, rest)))
            raise
        units |= self.units_at(path)
        return target

    def units_at(self, path: str) -> set[int]:
        """Return the unit of the cache in which the path lies, nothing outside all caches."""
        for real, as_scanned, root in self.roots:
            if not is_within(path, real):
                continue
            if root not in self.others:
                return set()  # an environment
            place = as_scanned + path[len(real) :]
            while len(place) > len(self.tops[root]):
                unit = self.units.get(place)
                if unit is not None:
                    return {unit}
                place = os.path.dirname(place)
            return {self.others[root]}
        return set()

    def leads_into_package(self, units: Iterable[int]) -> bool:
        """Tell whether one of the units is an extracted package."""
        return any(self.kinds[unit] is UnitKind.PACKAGE for unit in units)


class _Hops:
    """How many symbolic links one path may lead through."""

    def __init__(self) -> None:
        self.left = fs.symlink_limit

    def take(self) -> None:
        """Take one more.

        Raises:
            OSError: There are too many, as for the kernel.

        """
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
