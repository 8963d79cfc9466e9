"""Expected figures: from GNU `du`, and from a model that follows the definitions literally."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from conda_hardlink_plugin.scan.inventory import RootKind, UnitKind
from tests.support.trees import LEFTOVERS, MOVED_ASIDE, QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from conda_hardlink_plugin.scan.inventory import Root

NOBODY = 65534


def du(
    *paths: str, apparent: bool = False, exclude: Sequence[str] = (), tolerate: bool = False
) -> list[int]:
    """Return the bytes that `du -s` prints for each path; 0 for a path that it omits.

    Newer versions (coreutils 9.2) omit directories from the apparent size; they are added here.

    Args:
        paths: The paths, in the order in which `du` counts them.
        apparent: Whether to return apparent sizes.
        exclude: Absolute paths to exclude.
        tolerate: Whether `du` may report errors about unreadable paths.

    """
    command = ["du", "-B1", "-s", "-0"]
    command += ["--apparent-size"] * apparent + [f"--exclude={path}" for path in exclude]
    done = subprocess.run(
        [*command, "--", *paths],
        check=False,
        capture_output=True,
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
    )
    assert tolerate or done.returncode == 0, done.stderr
    printed = {}
    for line in done.stdout.split(b"\0")[:-1]:
        figure, _, path = line.partition(b"\t")
        printed[os.fsdecode(path)] = int(figure)
    assert printed, done.stderr
    figures = [printed.get(path, 0) for path in paths]
    if apparent and not _du_counts_directories():
        seen: set[tuple[int, int]] = set()
        for index, path in enumerate(paths):
            figures[index] += _bytes_of_directories(path, exclude, seen)
    return figures


@cache
def _du_counts_directories() -> bool:
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/inner")
        output = subprocess.check_output(["du", "-B1", "-s", "--apparent-size", directory])
    return int(output.split()[0]) > 0


def _bytes_of_directories(path: str, exclude: Sequence[str], seen: set[tuple[int, int]]) -> int:
    total = 0
    for directory, names, _ in os.walk(path):
        names[:] = [name for name in names if f"{directory}/{name}" not in exclude]
        status = os.lstat(directory)
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_size
    return total


@dataclass(frozen=True)
class Thing:
    """An inode: its size, its link count, and the paths at which it was found."""

    bytes: int
    links: int
    paths: frozenset[str]
    is_directory: bool


class Model:
    """All inodes with all their paths, and sums over them by definition.

    A path belongs to the innermost unit that contains it.
    """

    def __init__(self, roots: Sequence[Root], *, apparent: bool = False) -> None:
        """Walk every root."""
        self.roots = [root.path for root in roots]
        paths: dict[tuple[int, int], set[str]] = {}
        status_of: dict[tuple[int, int], os.stat_result] = {}
        for path in _walk(self.roots):
            status = os.lstat(path)
            identity = status.st_dev, status.st_ino
            paths.setdefault(identity, set()).add(path)
            status_of[identity] = status
        self.things = [
            Thing(
                status.st_size if apparent else status.st_blocks * 512,
                1 if stat.S_ISDIR(status.st_mode) else status.st_nlink,
                frozenset(paths[identity]),
                stat.S_ISDIR(status.st_mode),
            )
            for identity, status in status_of.items()
        ]
        self.units = _find_units(roots)

    def owner(self, path: str) -> str:
        """Return the unit of a path."""
        while path not in self.units:
            path = os.path.dirname(path)
        return path

    def owners(self, thing: Thing) -> set[str]:
        """Return the units that have a link to an inode."""
        return {self.owner(path) for path in thing.paths}

    def root_of_path(self, path: str) -> str:
        """Return the root in which a path is counted."""
        while path not in self.roots:
            path = os.path.dirname(path)
        return path

    def units_of(self, *roots: str) -> set[str]:
        """Return all units of some roots."""
        return {unit for unit in self.units if self.root_of_path(unit) in roots}

    def unique(self, units: Collection[str]) -> int:
        """Return the bytes of the inodes with a link in some of the units."""
        return sum(thing.bytes for thing in self.things if self.owners(thing) & set(units))

    def exclusive(self, units: Collection[str]) -> int:
        """Return the bytes of the inodes with all of their links in the units."""
        return sum(
            thing.bytes
            for thing in self.things
            if len(thing.paths) == thing.links and self.owners(thing) <= set(units)
        )

    def shared_between(self, root: str, other: str) -> int:
        """Return the bytes of the inodes with a link in both roots."""
        return sum(
            thing.bytes
            for thing in self.things
            if {root, other} <= {self.root_of_path(path) for path in thing.paths}
        )

    def added(self, order: Iterable[str]) -> list[int]:
        """Return the bytes that each root adds to the roots before it."""
        figures, before = [], set()
        for root in order:
            now = before | self.units_of(root)
            figures.append(self.unique(now) - self.unique(before))
            before = now
        return figures

    def entries(self, root: str) -> int:
        """Return the number of paths that are counted in a root, including the root."""
        return sum(self.root_of_path(path) == root for thing in self.things for path in thing.paths)

    def inodes(self, root: str) -> int:
        """Return the number of inodes with a link in a root."""
        units = self.units_of(root)
        return sum(bool(self.owners(thing) & units) for thing in self.things)

    def with_outside_links(self) -> list[Thing]:
        """Return the inodes with links outside all roots."""
        return [thing for thing in self.things if thing.links > len(thing.paths)]


def _walk(roots: Iterable[str]) -> Iterable[str]:
    for root in roots:
        yield root
        for directory, names, files in os.walk(root):
            yield from (f"{directory}/{name}" for name in (*names, *files))


def _find_units(roots: Sequence[Root]) -> dict[str, UnitKind]:
    """Return the units by definition: environments, and parts of caches."""
    paths = {root.path for root in roots}
    units = {}
    for root in roots:
        if root.kind is RootKind.ENVIRONMENT:
            units[root.path] = UnitKind.ENVIRONMENT
            continue
        units[root.path] = UnitKind.OTHER
        for directory, names, files in os.walk(root.path):
            kind = _kind_of_directory(root.path, directory)
            if kind is not UnitKind.OTHER:
                units[directory] = kind
                names.clear()
                continue
            for name in files + [name for name in names if os.path.islink(f"{directory}/{name}")]:
                kind = _kind_of_file(root.path, directory, name)
                if kind is not UnitKind.OTHER:
                    units[f"{directory}/{name}"] = kind
            names[:] = [name for name in names if f"{directory}/{name}" not in paths]
    return units


def _kind_of_directory(cache: str, path: str) -> UnitKind:
    parent, name = os.path.split(path)
    if path == cache:
        return UnitKind.OTHER
    if parent == f"{cache}/{QUARANTINE}" and name in MOVED_ASIDE:
        package = name.startswith("moving-") and _is_package(path)
        return UnitKind.PACKAGE if package else UnitKind.QUARANTINED
    if name in LEFTOVERS:
        return UnitKind.TRASH
    return UnitKind.PACKAGE if name[0] != "." and _is_package(path) else UnitKind.OTHER


def _kind_of_file(cache: str, directory: str, name: str) -> UnitKind:
    if directory == f"{cache}/{QUARANTINE}" and name in MOVED_ASIDE:
        return UnitKind.QUARANTINED
    if name.endswith((".conda", ".tar.bz2")):
        return UnitKind.ARCHIVE
    return UnitKind.TRASH if name in LEFTOVERS else UnitKind.OTHER


def _is_package(directory: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(f"{directory}/info/index.json").st_mode)
    except OSError:
        return False


def open_descriptors() -> int:
    """Return the number of open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))
