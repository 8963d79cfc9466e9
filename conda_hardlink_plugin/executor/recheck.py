"""The check that a package is still as planned, made at the last moment before it is moved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.usage import Usage
from ..filesystem import fs
from ..filesystem.problems import PathProblem
from ..metadata.cached_package import read_cached_package
from ..metadata.quarantine_names import dist_of
from ..scan.inventory import ProblemKind, Root, RootKind
from ..scan.scanner import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..filesystem.mounts import MountTable
    from ..filesystem.protocol import Identity
    from ..metadata.cached_package import CachedPackage
    from .removal_plan import Removal


class Checker:
    """Checks again what the verdict on a package rests on."""

    def __init__(self, prefixes: Sequence[str], mounts: MountTable) -> None:
        """Take the environments that could use a package, and the mount table."""
        self._prefixes = prefixes
        self._mounts = mounts
        self._moved: dict[str, str] = {}

    def note_moved(self, path: str, new_path: str) -> None:
        """Note that a package was moved: other packages may share inodes with it."""
        self._moved[path] = new_path

    def reason_to_keep(self, removal: Removal) -> str | None:
        """Return the reason to keep a package, as a phrase; `None` if it may be moved.

        The check whose answer changes fastest comes last. To move a package and put it back is not
        harmless: an install in that moment does not find it.
        """
        if removal.package is None:  # links to the files of a left-over keep working
            return None
        return (
            self._recorded(removal)
            or self._linked(removal)
            or self._changed(removal.package, removal.path)
        )

    def _changed(self, planned: CachedPackage, path: str) -> str | None:
        package = read_cached_package(path)
        if isinstance(package, PathProblem):
            return f"it changed in the meantime: {package.reason}"
        if package.linked_ns != planned.linked_ns:
            return "another process is about to link it"
        return None

    def _recorded(self, removal: Removal) -> str | None:
        record = os.path.join("conda-meta", f"{dist_of(removal.path)}.json")
        for prefix in self._prefixes:
            if prefix not in removal.recorded_by and os.path.lexists(os.path.join(prefix, record)):
                return f"it is now installed in {prefix}"
        return None

    def _linked(self, removal: Removal) -> str | None:
        """Count the links of a package again, with the packages that share inodes with it."""
        partners = (self._moved.get(path, path) for path in removal.partners)
        paths = [removal.path, *(path for path in partners if os.path.isdir(path))]
        inventory = scan([Root(RootKind.ENVIRONMENT, path) for path in paths], mounts=self._mounts)
        for problem in inventory.problems:
            if problem.kind is not ProblemKind.REPEATED:
                return f"{problem.path}: {problem.reason.lower()}"
        if Usage(inventory).outside_inodes_by_root[0]:
            return "its files have new hard links"
        return None


def identity(path: str) -> Identity | None:
    """Return the device and inode at a path, of a symbolic link itself; `None` if unreadable."""
    try:
        return fs.status(path).identity
    except OSError:
        return None
