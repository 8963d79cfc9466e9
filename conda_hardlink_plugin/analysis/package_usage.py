"""What packages in one environment cost, measured inode by inode; bounded in time.

Paths in, figures out: nothing here knows conda.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..filesystem import fs
from .causes import Cause, cause_of_recorded, role_on_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from ..filesystem.protocol import FileStatus
    from ..metadata.conda_meta import FileRole

Identity = tuple[int, int]
_FILES_BETWEEN_LOOKS = 256


class OverBudgetError(Exception):
    """Measuring took longer than it may."""


class Budget:
    """How long measuring may take.

    Attributes:
        deadline_s: When it ends, by `time.monotonic`.

    """

    def __init__(self, seconds: float) -> None:
        """Begin now."""
        self.deadline_s = time.monotonic() + seconds
        self._files = 0

    def spend(self) -> None:
        """Count a file.

        Raises:
            OverBudgetError: The time is over.

        """
        self._files += 1
        if self._files % _FILES_BETWEEN_LOOKS == 0 and time.monotonic() > self.deadline_s:
            raise OverBudgetError


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package in an environment, as its record has it.

    Attributes:
        dist: `NAME-VERSION-BUILD`.
        files: Its paths, relative to the prefix.
        role_of: What conda does with the file of an index.
        hard_link_asked_for: conda asked for hard links.
        soft_link_asked_for: conda asked for symbolic links.
        extracted: Absolute path of the package in its cache; empty if unknown.

    """

    dist: str
    files: Sequence[str]
    role_of: Callable[[int], FileRole]
    hard_link_asked_for: bool
    soft_link_asked_for: bool
    extracted: str


@dataclass(slots=True)
class LinkFigures:
    """What packages that were linked cost; each inode once.

    Attributes:
        packages: How many.
        hardlinked_bytes: Disk usage of inodes with further links.
        by_cause: Disk usage of inodes with one link, by why they have only one.
        copied: Packages of which files could have been linked and were not.
        softlinked: Packages that conda asked symbolic links for.
        links: The inodes with several links, and how many of them were met.

    """

    packages: int = 0
    hardlinked_bytes: int = 0
    by_cause: dict[Cause, int] = field(default_factory=dict)
    copied: list[InstalledPackage] = field(default_factory=list)
    softlinked: list[InstalledPackage] = field(default_factory=list)
    links: Counter[Identity] = field(default_factory=Counter)

    @property
    def private_bytes(self) -> int:
        """Disk usage of inodes with one link."""
        return sum(self.by_cause.values())

    @property
    def size_bytes(self) -> int:
        """Disk usage of all."""
        return self.hardlinked_bytes + self.private_bytes


@dataclass(slots=True)
class UnlinkFigures:
    """What packages that are to be unlinked hold, measured before.

    Attributes:
        packages: Those packages.
        size_bytes: Disk usage of their files and records, each inode once.
        freed_bytes: The part that has no further link.
        folders: Their folders, to the disk usage of each: those that are gone afterwards are freed.
        rest_bytes: What is freed besides when the environment goes with everything in it; `None` if
            it was not asked for.

    """

    packages: list[InstalledPackage]
    size_bytes: int = 0
    freed_bytes: int = 0
    folders: dict[str, int] = field(default_factory=dict)
    rest_bytes: int | None = None


def measure_linked(
    prefix: str, packages: Iterable[InstalledPackage], budget: Budget
) -> LinkFigures:
    """Measure packages that were linked.

    Raises:
        OverBudgetError: It takes too long.

    """
    figures = LinkFigures()
    met: set[str] = set()
    for package in packages:
        figures.packages += 1
        if package.soft_link_asked_for:
            figures.softlinked.append(package)
        is_copied = False
        for index, status in _stats(prefix, package.files, budget):
            if package.files[index] in met:  # of two packages
                continue
            met.add(package.files[index])
            disk_bytes = status.disk_bytes
            if status.link_count > 1:
                identity = status.identity
                figures.links[identity] += 1
                if figures.links[identity] == 1:
                    figures.hardlinked_bytes += disk_bytes
                continue
            role = role_on_disk(
                package.role_of(index),
                is_symlink=status.is_symlink,
                hard_link_asked_for=package.hard_link_asked_for,
            )
            cause = cause_of_recorded(role, in_cache=True)
            is_copied |= cause is Cause.COPIED
            figures.by_cause[cause] = figures.by_cause.get(cause, 0) + disk_bytes
        if is_copied:
            figures.copied.append(package)
    return figures


def measure_unlinked(
    prefix: str, packages: Iterable[InstalledPackage], budget: Budget, *, everything: bool
) -> UnlinkFigures:
    """Measure packages that are about to be unlinked.

    Args:
        prefix: Of the environment.
        packages: Those packages.
        budget: How long it may take.
        everything: The environment is to go: measure the rest of it as well.

    Raises:
        OverBudgetError: It takes too long.

    """
    figures = UnlinkFigures(list(packages))
    links: Counter[Identity] = Counter()
    names = {
        name: None
        for package in figures.packages
        for name in (*package.files, f"conda-meta/{package.dist}.json")
    }
    for _, status in _stats(prefix, names, budget):
        identity = status.identity
        links[identity] += 1
        if links[identity] == 1:
            figures.size_bytes += status.disk_bytes
        if links[identity] == status.link_count:
            figures.freed_bytes += status.disk_bytes
    for folder in _folders_above(names):
        path = os.path.join(prefix, folder)
        with suppress(FileNotFoundError, NotADirectoryError):
            status = fs.status(path)
            if status.is_directory:
                figures.folders[path] = status.disk_bytes
    if everything:
        figures.rest_bytes = measure_rest(prefix, names, links, budget)
    return figures


def measure_rest(
    prefix: str, known: Collection[str], links: Counter[Identity], budget: Budget
) -> int:
    """Return the disk usage of a prefix and what is in it but for some files.

    Of a file with several links only if all of them are in the prefix: else it stays elsewhere.

    Args:
        prefix: Absolute path.
        known: Paths of the files that are left out, relative to the prefix.
        links: How many links to each inode are among those files; what is found is added.
        budget: How long it may take.

    Raises:
        OverBudgetError: It takes too long.

    """
    figure = 0
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        figure += fs.status(os.path.join(prefix, folder)).disk_bytes
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
                    if links[identity] == status.link_count:
                        figure += status.disk_bytes
    return figure


def held_by_nobody(packages: Iterable[InstalledPackage], budget: Budget) -> int:
    """Return the disk usage of those packages in the cache that no hard link leads to from outside.

    Raises:
        OverBudgetError: It takes too long.

    """
    figure = 0
    for package in packages:
        links: dict[Identity, list[int]] = {}
        folders_bytes = 0
        for folder, folders, names in os.walk(package.extracted):
            folders_bytes += fs.status(folder).disk_bytes
            symlinks = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for _, status in _stats(folder, (*names, *symlinks), budget):
                identity = status.identity
                counted = links.setdefault(identity, [0, status.link_count, status.disk_bytes])
                counted[0] += 1
        if all(seen == link_count for seen, link_count, _ in links.values()):
            figure += folders_bytes + sum(disk_bytes for _, _, disk_bytes in links.values())
    return figure


def _stats(folder: str, names: Iterable[str], budget: Budget) -> Iterator[tuple[int, FileStatus]]:
    """Yield the index and `lstat` of each file that is there."""
    for index, name in enumerate(names):
        budget.spend()
        try:
            yield index, fs.status(f"{folder}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            continue


def _folders_above(names: Iterable[str]) -> set[str]:
    """Return the folders of some relative paths, and those above."""
    folders: set[str] = set()
    for folder in {os.path.dirname(name) for name in names}:
        while folder and folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)  # noqa: PLW2901  # on the way up
    return folders
