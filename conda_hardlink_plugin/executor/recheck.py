"""Is a package still as it was planned? Asked at the last moment before it is moved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.usage import Usage
from ..filesystem import fs
from ..filesystem.problems import PathProblem
from ..metadata.conda_meta import read_cached_package
from ..metadata.quarantine_names import dist_of
from ..scan.inventory import ProblemKind, Root, RootKind
from ..scan.scanner import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..filesystem.mounts import MountTable
    from ..filesystem.protocol import Identity
    from ..metadata.conda_meta import CachedPackage
    from .removal import Removal


class Checker:
    """Asks again what the verdict of a package rests on."""

    def __init__(self, prefixes: Sequence[str], mounts: MountTable) -> None:
        """Take the environments that could use a package, and what is mounted where."""
        self._prefixes = prefixes
        self._mounts = mounts
        self._moved: dict[str, str] = {}

    def note_moved(self, path: str, now_at: str) -> None:
        """Take note that a package was moved: others may share inodes with it."""
        self._moved[path] = now_at

    def objection(self, removal: Removal) -> str | None:
        """Return why a package may not be moved; `None` if it may.

        What changes quickest is asked last: a package that is moved and comes back was away.
        """
        if removal.package is None:  # a left-over: whoever links it keeps his links
            return None
        return (
            self._recorded(removal)
            or self._linked(removal)
            or self._changed(removal.package, removal.path)
        )

    def _changed(self, planned: CachedPackage, path: str) -> str | None:
        package = read_cached_package(path)
        if isinstance(package, PathProblem):
            return f"it changed meanwhile: {package.reason}"
        if package.linked_ns != planned.linked_ns:
            return "somebody is about to link it"
        return None

    def _recorded(self, removal: Removal) -> str | None:
        record = os.path.join("conda-meta", f"{dist_of(removal.path)}.json")
        for prefix in self._prefixes:
            if prefix not in removal.recorded_by and os.path.lexists(os.path.join(prefix, record)):
                return f"{prefix} has it now"
        return None

    def _linked(self, removal: Removal) -> str | None:
        """Count its links again, with those of what shares inodes with it."""
        partners = (self._moved.get(path, path) for path in removal.partners)
        places = [removal.path, *(place for place in partners if os.path.isdir(place))]
        roots = [Root(RootKind.ENVIRONMENT, place) for place in places]
        inventory = scan(roots, mounts=self._mounts)
        for problem in inventory.problems:
            if problem.kind is not ProblemKind.REPEATED:
                return f"{problem.path}: {problem.reason.lower()}"
        if Usage(inventory).outside_inodes_by_root[0]:
            return "somebody has links to it now"
        return None


def identity(path: str) -> Identity | None:
    """Return device and inode of what is at a path itself; `None` if nothing is."""
    try:
        return fs.status(path).identity
    except OSError:
        return None
