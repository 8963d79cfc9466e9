"""The roots of a scan, and the facts about them that are known before any of them is read."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.mounts import SUBVOLUME_FILESYSTEMS, MountTable, is_in_user_space
from ..filesystem.paths import is_within, real_path
from ..filesystem.problems import GONE
from .inventory import Root, RootKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ..filesystem.protocol import Identity

_Views = dict[int, list[tuple[str, str]]]  # `MountTable.views` of each root


@dataclass(frozen=True, slots=True)
class ScanRoots:
    """The facts about the roots that every process that reads a part of them needs.

    Attributes:
        roots: Package caches, then prefixes; each directory once.
        detailed: Paths of the roots whose own files are kept one by one.
        aliases: Path of a root that is the same directory as an earlier root, to that root's path.
        identities: Device and inode of each root that exists.
        unknown: Roots that cannot be identified, with the error. They are not read, because they
            could be counted twice.
        inside: For each root, the paths below it at which other roots appear.
        careful: Directories in which every entry is examined: a file is mounted in them, so that
            the listing may show another inode, or one of their files is mounted elsewhere.
        mounted_files: For each file in the roots that is mounted over other files, how often.
        has_subvolumes: Whether a directory may be listed with the inode number of some file.
        dates_directories: Whether adding or removing an entry changes the times of a directory.
            Not every filesystem in user space does that.
        may_repeat: Whether a mount inside a root may show a directory that is also elsewhere.
        mounts_own_file: Whether a file of a root is also mounted over another file.

    """

    roots: tuple[Root, ...]
    detailed: frozenset[str]
    aliases: dict[str, str]
    identities: frozenset[Identity]
    unknown: dict[str, OSError]
    inside: tuple[tuple[str, ...], ...]
    careful: frozenset[Identity]
    mounted_files: Counter[Identity]
    has_subvolumes: bool
    dates_directories: bool
    may_repeat: bool
    mounts_own_file: bool

    @property
    def can_be_indexed(self) -> bool:
        """Whether the content of a directory depends on nothing else, and its times show changes.

        Only the roots inside a directory may affect what is counted in it.
        """
        is_separate = not (self.may_repeat or self.mounts_own_file or self.unknown)
        return is_separate and self.dates_directories

    def holds(self, path: str) -> bool:
        """Return whether a path is inside a root, or may be."""
        real = real_path(path)
        roots = [real_path(root.path) for root in self.roots]
        return real is None or any(root is None or is_within(real, root) for root in roots)


def survey_roots(roots: Iterable[Root], detailed: Collection[str], mounts: MountTable) -> ScanRoots:
    """Identify the roots, and find the mounts that affect them."""
    ordered = sorted(dict.fromkeys(roots), key=lambda root: root.kind is not RootKind.CACHE)
    aliases: dict[str, str] = {}
    identities: dict[Identity, str] = {}
    unknown: dict[str, OSError] = {}
    kept = [root for root in ordered if _is_new(root, aliases, identities, unknown)]
    real_paths = [real_path(root.path) for root in kept]
    paths = {root: path for root, path in enumerate(real_paths) if path is not None}
    views = {root: mounts.views(path) for root, path in paths.items()}
    mount_points = [point for path in paths.values() for point in mounts.below(path)]
    covered, sources = _mounted_files(paths, views, mount_points)
    filesystems = {mounts.filesystem(path) for path in paths.values()}
    are_known = mounts.known and len(paths) == len(kept)
    return ScanRoots(
        roots=tuple(kept),
        detailed=frozenset(detailed),
        aliases=aliases,
        identities=frozenset(identities),
        unknown=unknown,
        inside=tuple(map(tuple, _paths_inside(kept, paths, views))),
        careful=frozenset(_identities(map(os.path.dirname, [*covered, *sources]))),
        mounted_files=Counter(_identities(covered)),
        has_subvolumes=not are_known or not filesystems.isdisjoint(SUBVOLUME_FILESYSTEMS),
        dates_directories=are_known and not any(map(is_in_user_space, filesystems)),
        may_repeat=not are_known
        or any(_identity(point) not in identities for point in mount_points),
        mounts_own_file=bool(sources),
    )


def _is_new(
    root: Root,
    aliases: dict[str, str],
    identities: dict[Identity, str],
    unknown: dict[str, OSError],
) -> bool:
    """Return whether a root is not the same directory as an earlier one, and note its identity."""
    try:
        identity = fs.status(root.path, follow_symlinks=True).identity
    except OSError as error:
        if not isinstance(error, GONE):
            unknown[root.path] = error
        return True
    if identity not in identities:
        identities[identity] = root.path
        return True
    if identities[identity] != root.path:
        aliases[root.path] = identities[identity]
    return False


def _mounted_files(
    paths: Mapping[int, str], views: _Views, mount_points: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Find the files that are mounted in the roots, and the files of roots that are mounted.

    No other mount is examined, because a mount whose server is gone never responds.

    Args:
        paths: Real path of each root.
        views: The other paths at which mounts show parts of each root.
        mount_points: The mount points inside the roots.

    Returns:
        The mount points that are files, and the files of roots that are mounted there.

    """
    shown = {
        view: paths[root] + below for root, seen in views.items() for view, below in seen if below
    }
    covered = [path for path in dict.fromkeys([*shown, *mount_points]) if not os.path.isdir(path)]
    return covered, [shown[path] for path in covered if path in shown]


def _paths_inside(
    roots: Sequence[Root], paths: Mapping[int, str], views: _Views
) -> list[list[str]]:
    """Return, for each root, the paths at which other roots appear, starting with its own path."""
    root_at = {path: root for root, path in paths.items()}
    inside: list[list[str]] = [[] for _ in roots]
    for other, path in paths.items():
        for seen in (path, *(view for view, _ in views[other])):
            for directory in _directories_above(seen):
                root = root_at.get(directory, other)
                if root != other:
                    inside[root].append(roots[root].path + seen[len(directory) :])
    return inside


def _directories_above(path: str) -> Iterator[str]:
    """Yield the directories that contain a path, innermost first."""
    above = os.path.dirname(path)
    while above != path:
        yield above
        path, above = above, os.path.dirname(above)


def _identities(paths: Iterable[str]) -> list[Identity]:
    """Return the identities of the paths that exist."""
    return [identity for path in paths if (identity := _identity(path))]


def _identity(path: str) -> Identity | None:
    """Return device and inode of the file that a path leads to, `None` if there is no such file."""
    try:
        return fs.status(path, follow_symlinks=True).identity
    except OSError:
        return None
