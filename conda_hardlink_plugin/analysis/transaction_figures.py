"""The figures of a transaction: disk usage of packages in one environment, within a time budget.

Each inode is measured. It takes paths and returns figures, and does not depend on conda.
"""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.native import (
    NO_PARENT,
    LinksSeen,
    Settings,
    TaskFlag,
    count_trees,
    groups_of,
    native_module,
    sums_of,
)
from ..filesystem.path_facts import path_facts_below
from ..filesystem.problems import GONE
from ..filesystem.thread_counts import native_threads
from ..scan.collection import without_collection
from .causes import Cause, cause_of_recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from types import ModuleType

    from ..filesystem.native import PathFacts
    from ..filesystem.protocol import Identity
    from ..metadata.conda_meta import FileRole

_FILES_BETWEEN_CHECKS = 256
_MAX_OPEN = 64  # directories


class OverBudgetError(Exception):
    """Measuring exceeded its time budget."""


class Budget:
    """The time that measuring may take.

    Attributes:
        deadline_s: When it ends, by `time.monotonic`.

    """

    def __init__(self, seconds: float) -> None:
        """Start the budget now."""
        self.deadline_s = time.monotonic() + seconds
        self._files = 0

    def spend(self) -> None:
        """Count a file.

        Raises:
            OverBudgetError: The deadline has passed.

        """
        self._files += 1
        if self._files % _FILES_BETWEEN_CHECKS == 0:
            self.check()

    def check(self, _files: int = 0) -> None:
        """Look at the clock.

        Raises:
            OverBudgetError: The deadline has passed.

        """
        if time.monotonic() > self.deadline_s:
            raise OverBudgetError


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package in an environment, by its record.

    Attributes:
        dist: `NAME-VERSION-BUILD`.
        files: Its paths, relative to the prefix.
        role_of: Returns the recorded role of the file at an index of `files`.
        hard_link_requested: conda requested hard links.
        soft_link_requested: conda requested symbolic links.
        extracted: Absolute path of the package in its cache; empty if unknown.

    """

    dist: str
    files: Sequence[str]
    role_of: Callable[[int], FileRole]
    hard_link_requested: bool
    soft_link_requested: bool
    extracted: str


@dataclass(slots=True)
class LinkFigures:
    """The disk usage of packages that were linked, each inode once.

    Attributes:
        packages: The number of packages.
        hardlinked_bytes: Disk usage of inodes with several links.
        by_cause: Disk usage of inodes with one link, by the cause.
        copied: Packages with files that could have been linked and were not.
        softlinked: Packages for which conda requested symbolic links.

    """

    packages: int = 0
    hardlinked_bytes: int = 0
    by_cause: dict[Cause, int] = field(default_factory=dict)
    copied: list[InstalledPackage] = field(default_factory=list)
    softlinked: list[InstalledPackage] = field(default_factory=list)

    @property
    def private_bytes(self) -> int:
        """Disk usage of inodes with one link."""
        return sum(self.by_cause.values())

    @property
    def size_bytes(self) -> int:
        """Disk usage of all inodes."""
        return self.hardlinked_bytes + self.private_bytes


@dataclass(slots=True)
class UnlinkFigures:
    """The disk usage of packages before they are unlinked.

    Attributes:
        packages: The packages.
        prefix: Real path of the environment.
        size_bytes: Disk usage of their files and records, each inode once.
        freed_bytes: The part without other links.
        folders: Path of each of their folders to its disk usage, which is freed if the folder is
            removed.
        rest_bytes: What removing the whole environment frees in addition; `None` if it was not
            measured.
        inodes: What was measured, the folders of a whole environment included: allocated bytes, and
            whether removing all of it frees them.

    """

    packages: list[InstalledPackage]
    prefix: str
    size_bytes: int = 0
    freed_bytes: int = 0
    folders: dict[str, int] = field(default_factory=dict)
    rest_bytes: int | None = None
    inodes: dict[Identity, tuple[int, bool]] = field(default_factory=dict)


@without_collection()
def measure_linked(
    prefix: str, packages: Iterable[InstalledPackage], budget: Budget
) -> LinkFigures:
    """Measure packages that were linked.

    Raises:
        OverBudgetError: Measuring exceeds the budget.

    """
    figures = LinkFigures()
    links: dict[Identity, int] = {}
    seen: set[str] = set()
    linked = list(packages)
    facts = _path_facts(prefix, chain.from_iterable(package.files for package in linked), budget)
    for package in linked:
        figures.packages += 1
        if package.soft_link_requested:
            figures.softlinked.append(package)
        for index, (path, of_path) in enumerate(zip(package.files, facts, strict=False)):
            error, device, inode, mode, link_count, disk_bytes = of_path
            if error or path in seen:  # two packages have it
                continue
            seen.add(path)
            if link_count > 1:
                identity = device, inode
                links[identity] = count = links.get(identity, 0) + 1
                if count == 1:
                    figures.hardlinked_bytes += disk_bytes
                continue
            cause = cause_of_recorded(
                package.role_of(index),
                is_symlink=stat.S_ISLNK(mode),
                hard_link_requested=package.hard_link_requested,
                in_cache=True,
            )
            if cause is Cause.COPIED and package not in figures.copied[-1:]:
                figures.copied.append(package)
            figures.by_cause[cause] = figures.by_cause.get(cause, 0) + disk_bytes
    return figures


@without_collection()
def measure_added(prefix: str, budget: Budget) -> int:
    """Return what a new environment adds to the disk: what has no link outside it.

    Raises:
        OverBudgetError: Measuring exceeds the budget.

    """
    budget.check()
    native = native_module()
    added_bytes = None if native is None else _added_by_native(native, prefix, budget)
    return measure_rest(prefix, (), Counter(), budget) if added_bytes is None else added_bytes


def _added_by_native(native: ModuleType, prefix: str, budget: Budget) -> int | None:
    """Return `measure_added`; `None` if there is something that the native reader leaves out."""
    table = native.Table()
    found = count_trees(
        native,
        table,
        [(NO_PARENT, TaskFlag.ROOT, 0, 0, os.fsencode(prefix), b"")],
        settings=Settings(*native_threads(), _MAX_OPEN),
        special=(),
        untrusted=(),
        on_progress=budget.check,
    )
    if not found.tops[0] or found.events or found.is_too_deep or found.untrusted is not None:
        return None
    private_bytes = sum(disk_bytes for _, _, _, _, disk_bytes, *_ in sums_of(found.sums))
    _, packed, _ = table.groups()
    return private_bytes + sum(
        disk_bytes
        for _, _, seen, _, _, disk_bytes, *_ in groups_of(packed)
        if seen != LinksSeen.FEWER
    )


@without_collection()
def measure_unlinked(
    prefix: str, packages: Iterable[InstalledPackage], budget: Budget, *, everything: bool
) -> UnlinkFigures:
    """Measure packages that are about to be unlinked.

    Args:
        prefix: Prefix of the environment.
        packages: The packages.
        budget: The time that measuring may take.
        everything: The whole environment is about to be removed: measure the rest of it as well.

    Raises:
        OverBudgetError: Measuring exceeds the budget.

    """
    prefix = os.path.realpath(prefix)  # of a symbolic link, conda removes the link alone
    figures = UnlinkFigures(list(packages), prefix)
    links: Counter[Identity] = Counter()
    names = {
        name: None
        for package in figures.packages
        for name in (*package.files, f"conda-meta/{package.dist}.json")
    }
    for error, device, inode, _, link_count, disk_bytes in _path_facts(prefix, names, budget):
        if error:
            continue
        identity = device, inode
        links[identity] = count = links.get(identity, 0) + 1
        if count == 1:
            figures.size_bytes += disk_bytes
        if count == link_count:
            figures.freed_bytes += disk_bytes
        figures.inodes[identity] = disk_bytes, count == link_count
    folders = list(_folders_above(names))
    for name, node in zip(folders, _path_facts(prefix, folders, budget), strict=True):
        _, _, _, mode, _, disk_bytes = node
        if stat.S_ISDIR(mode):
            figures.folders[os.path.join(prefix, name)] = disk_bytes
    if everything:
        figures.rest_bytes = measure_rest(prefix, names, links, budget, figures.inodes)
    return figures


@without_collection()
def measure_left(figures: UnlinkFigures, budget: Budget) -> tuple[int, int]:
    """Return how much of what was to be removed is still there afterwards.

    A file that could not be deleted may have another name in its folder by then.

    Returns:
        Disk usage, and the part of it that was to be freed.

    Raises:
        OverBudgetError: Measuring exceeds the budget.

    """
    left: dict[Identity, tuple[int, bool]] = {}
    waiting = [figures.prefix]
    if figures.rest_bytes is None:
        waiting += figures.folders
    while waiting:
        folder = waiting.pop()
        try:
            above = fs.status(folder)
            entries = os.scandir(folder)
        except GONE:
            continue
        identities = [above.identity]
        with entries:
            for entry in entries:
                budget.spend()
                identities.append((above.device, entry.inode()))
                if figures.rest_bytes is not None and entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
        left |= {found: figures.inodes[found] for found in identities if found in figures.inodes}
    return (
        sum(disk_bytes for disk_bytes, _ in left.values()),
        sum(disk_bytes for disk_bytes, is_freed in left.values() if is_freed),
    )


def measure_rest(
    prefix: str,
    known: Collection[str],
    links: Counter[Identity],
    budget: Budget,
    inodes: dict[Identity, tuple[int, bool]] | None = None,
) -> int:
    """Return the disk usage of a prefix without some known files.

    A file with several links counts only if all of them are in the prefix.

    Args:
        prefix: Absolute path.
        known: Paths of the files to leave out, relative to the prefix.
        links: The number of links to each inode among those files; the links found are added.
        budget: The time that measuring may take.
        inodes: What is measured is added (`UnlinkFigures.inodes`).

    Raises:
        OverBudgetError: Measuring exceeds the budget.

    """
    rest_bytes = 0
    inodes = {} if inodes is None else inodes
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        status = fs.status(os.path.join(prefix, folder))
        rest_bytes += status.disk_bytes
        inodes[status.identity] = status.disk_bytes, True
        with os.scandir(os.path.join(prefix, folder)) as entries:
            for entry in entries:
                budget.spend()
                path = f"{folder}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                elif path not in known:
                    status = fs.status(entry.path)
                    identity = status.identity
                    links[identity] += 1
                    if is_freed := links[identity] == status.link_count:
                        rest_bytes += status.disk_bytes
                    inodes[identity] = status.disk_bytes, is_freed
    return rest_bytes


@without_collection()
def measure_unheld(packages: Iterable[InstalledPackage], budget: Budget) -> int:
    """Return the disk usage of the packages in a cache without hard links from elsewhere.

    Raises:
        OverBudgetError: Measuring exceeds the budget.

    """
    total_bytes = 0
    for package in packages:
        links: Counter[Identity] = Counter()
        found: dict[Identity, tuple[int, int]] = {}  # link count, allocated bytes
        package_bytes = 0
        for folder, folders, names in os.walk(package.extracted):
            package_bytes += fs.status(folder).disk_bytes
            symlinks = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for error, device, inode, _, *facts in _path_facts(folder, (*names, *symlinks), budget):
                if not error:
                    links[device, inode] += 1
                    found[device, inode] = facts[0], facts[1]
        package_bytes += sum(disk_bytes for _, disk_bytes in found.values())
        if all(link_count == links[identity] for identity, (link_count, _) in found.items()):
            total_bytes += package_bytes
    return total_bytes


def _path_facts(folder: str, names: Iterable[str], budget: Budget) -> Iterator[PathFacts]:
    """Yield what is at each path below a folder, within a budget."""
    for node in path_facts_below(folder, names):
        budget.spend()
        yield node


def _folders_above(names: Iterable[str]) -> set[str]:
    """Return all folders above some relative paths."""
    folders: set[str] = set()
    for name in names:
        folder = os.path.dirname(name)
        while folder and folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    return folders
