"""Symbolic links of environments followed into the package caches, hop by hop.

Reads the disk (`readlink`, `stat`) and writes nothing. Only links whose text leads out of their
environment are followed: one that stays inside ends at a file, or at one of those links.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .inventory import RootKind, UnitKind
from .mounts import is_within

if TYPE_CHECKING:
    from .inventory import Inventory

_MAX_HOPS = 40  # what Linux allows, path_resolution(7)
_BLOCK_BYTES = 512


@dataclass(slots=True)
class SoftlinksOfEnvironment:
    """The symbolic links of one environment that lead into package caches.

    Attributes:
        links: For each cache unit, how many of them pass through it at any hop.
        targets: (device, inode) of the files in caches that they end at, to (disk bytes, apparent
            bytes).
        broken: Absolute paths of those that lead into a cache where nothing is.

    """

    links: dict[int, int] = field(default_factory=dict)
    targets: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def follow_softlinks(inventory: Inventory) -> dict[int, SoftlinksOfEnvironment]:
    """Follow the escaping symbolic links of every environment.

    Returns:
        For each environment (by root index) that has any link into a cache, what they lead to.

    """
    caches = _CachePaths(inventory)
    real_directories: dict[str, str] = {}
    found: dict[int, SoftlinksOfEnvironment] = {}
    for symlink in inventory.symlinks:
        path = os.path.join(os.path.dirname(symlink.path), symlink.target)
        units: set[int] = set()
        status = None
        for _ in range(_MAX_HOPS):
            units |= caches.units_at(os.path.normpath(path))
            directory, name = os.path.split(path.rstrip("/") or "/")
            if name in ("", ".", ".."):
                path = os.path.realpath(path)
                directory, name = os.path.split(path)
            if directory not in real_directories:
                real_directories[directory] = os.path.realpath(directory)
            path = os.path.join(real_directories[directory], name)
            units |= caches.units_at(path)
            try:
                status = os.lstat(path)
                if not stat.S_ISLNK(status.st_mode):
                    break
                path = os.path.join(os.path.dirname(path), os.readlink(path))
            except OSError:
                status = None
                break
        if not units:
            continue
        softlinks = found.setdefault(symlink.root, SoftlinksOfEnvironment())
        for unit in units:
            softlinks.links[unit] = softlinks.links.get(unit, 0) + 1
        if status is None or stat.S_ISLNK(status.st_mode):
            softlinks.broken.append(symlink.path)
        elif caches.units_at(path):
            identity = (status.st_dev, status.st_ino)
            softlinks.targets[identity] = (status.st_blocks * _BLOCK_BYTES, status.st_size)
    return found


class _CachePaths:
    """Which cache unit a real path lies in."""

    def __init__(self, inventory: Inventory) -> None:
        self.units: dict[str, int] = {}
        self.caches: list[tuple[str, str, int]] = []
        names = {root.path: [root.path] for root in inventory.roots}
        for alias, path in inventory.aliases.items():
            names[path].append(alias)
        for index, unit in enumerate(inventory.units):
            root = inventory.roots[unit.root]
            if root.kind is not RootKind.CACHE:
                continue
            if unit.kind is UnitKind.OTHER:
                for name in names[root.path]:
                    self.caches.append((os.path.realpath(name), root.path, index))
            else:
                self.units[unit.path] = index

    def units_at(self, path: str) -> set[int]:
        """Return the unit in which the path lies, nothing outside all caches."""
        for real, as_scanned, other in self.caches:
            if not is_within(path, real):
                continue
            place = as_scanned + path[len(real) :]
            while len(place) > len(as_scanned):
                unit = self.units.get(place)
                if unit is not None:
                    return {unit}
                place = os.path.dirname(place)
            return {other}
        return set()
