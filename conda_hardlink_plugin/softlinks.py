"""Symbolic links of environments followed into the package caches, hop by hop.

Reads the disk (`readlink`, `stat`) and writes nothing. Only links whose text leads out of their
environment are followed: one that stays inside ends at a file, or at one of those links.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .inventory import UnitKind
from .mounts import is_within
from .quarantined import home_of
from .records import PathProblem
from .tally import BLOCK_BYTES, GONE
from .usage import Measure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .inventory import EscapingSymlink, Inventory

_MAX_HOPS = 40  # what Linux allows, path_resolution(7)


@dataclass(slots=True)
class SoftlinksOfEnvironment:
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


def follow_softlinks(inventory: Inventory) -> dict[int, SoftlinksOfEnvironment]:
    """Follow the escaping symbolic links of every environment.

    Returns:
        For each environment (by root index) that has a link into a cache, or one that cannot be
        followed, what they lead to.

    """
    caches = _CachePaths(inventory)
    found: dict[int, SoftlinksOfEnvironment] = {}
    for symlink in inventory.symlinks:
        chain = caches.follow(symlink.path, symlink.target)
        if chain.error:
            softlinks = found.setdefault(symlink.root, SoftlinksOfEnvironment())
            softlinks.unresolved.append(PathProblem(symlink.path, chain.error))
        dangling = chain.end is None and bool(chain.units)
        if not dangling and not caches.leads_into_package(chain.units):
            continue
        softlinks = found.setdefault(symlink.root, SoftlinksOfEnvironment())
        softlinks.count += 1
        for unit in chain.units:
            softlinks.links[unit] = softlinks.links.get(unit, 0) + 1
        status = chain.end
        if chain.broken:
            softlinks.broken.append(symlink.path)
        elif status is not None and chain.ends_in_cache:
            identity = (status.st_dev, status.st_ino)
            softlinks.targets[identity] = (status.st_blocks * BLOCK_BYTES, status.st_size)
    return found


def softlinks_through(inventory: Inventory, unit: int) -> list[EscapingSymlink]:
    """Return the symbolic links of environments that pass through a unit of a cache."""
    caches = _CachePaths(inventory)
    return [
        symlink
        for symlink in inventory.symlinks
        if unit in caches.follow(symlink.path, symlink.target).units
    ]


@dataclass(frozen=True, slots=True)
class _Chain:
    """Where a symbolic link leads: the cache units it passes, and what is at its end.

    `end` is `None` where nothing is (`broken`), and where it cannot be told (`error` says why).
    """

    units: set[int]
    end: os.stat_result | None
    ends_in_cache: bool
    broken: bool
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
        # What was moved aside is found where it was, too: links lead there.
        self.units = {home_of(path): index for index, path in units}
        self.units |= {path: index for index, path in units}
        self.others = {
            unit.root: index
            for index, unit in enumerate(inventory.units)
            if unit.kind is UnitKind.OTHER
        }
        names = {root.path: [root.path] for root in inventory.roots}
        for alias, path in inventory.aliases.items():
            names[path].append(alias)
        roots = [
            (os.path.realpath(name), root.path, index)
            for index, root in enumerate(inventory.roots)
            for name in names[root.path]
        ]
        self.roots = sorted(roots, key=lambda root: -len(root[0]))  # the innermost first
        self.real_directories: dict[str, str] = {}

    def follow(self, path: str, target: str) -> _Chain:
        """Follow a symbolic link at `path` with the text `target`, hop by hop."""
        units: set[int] = set()
        for _ in range(_MAX_HOPS):
            path = os.path.join(os.path.dirname(path), target)
            units |= self.units_at(os.path.normpath(path))
            path = self._real(path)
            units |= self.units_at(path)
            try:
                status = os.lstat(path)
                if not stat.S_ISLNK(status.st_mode):
                    return _Chain(units, status, bool(self.units_at(path)), broken=False)
                target = os.readlink(path)
            except OSError as error:
                broken = isinstance(error, GONE)
                reason = "" if broken else (error.strerror or str(error)).lower()
                return _Chain(units, None, ends_in_cache=False, broken=broken, error=reason)
        return _Chain(units, None, ends_in_cache=False, broken=True)

    def _real(self, path: str) -> str:
        """Resolve every symbolic link in a path but the last component."""
        directory, name = os.path.split(path.rstrip("/") or "/")
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        if directory not in self.real_directories:
            self.real_directories[directory] = os.path.realpath(directory)
        return os.path.join(self.real_directories[directory], name)

    def units_at(self, path: str) -> set[int]:
        """Return the unit of the cache in which the path lies, nothing outside all caches."""
        for real, as_scanned, root in self.roots:
            if not is_within(path, real):
                continue
            if root not in self.others:
                return set()  # an environment
            place = as_scanned + path[len(real) :]
            while len(place) > len(as_scanned):
                unit = self.units.get(place)
                if unit is not None:
                    return {unit}
                place = os.path.dirname(place)
            return {self.others[root]}
        return set()

    def leads_into_package(self, units: Iterable[int]) -> bool:
        """Tell whether one of the units is an extracted package."""
        return any(self.kinds[unit] is UnitKind.PACKAGE for unit in units)
