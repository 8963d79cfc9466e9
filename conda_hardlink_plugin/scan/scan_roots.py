"""The ground a scan covers: what is known of the roots before any of them is read."""

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
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ..filesystem.protocol import Identity

Views = list[tuple[str, str]]  # `MountTable.views`


@dataclass(frozen=True, slots=True)
class ScanRoots:
    """What every process that reads a part of the roots must know.

    Attributes:
        roots: Package caches, then prefixes; each directory once.
        detailed: Paths of roots whose own files are kept one by one.
        aliases: Path of a root that is the same directory as an earlier one, to that root's path.
        identities: Device and inode of each root that is there.
        unknown: Roots of which it cannot be told what they are, and why: they are not read.
        inside: For each root, where other roots are seen inside it, by its own path.
        careful: Directories of which each entry is looked at: a file is mounted in them, so that
            the listing may name another inode than is there, or one of theirs is mounted elsewhere.
        mounted_files: How often each file is mounted over another one, of those in roots.
        has_subvolumes: A directory may be listed with the inode number of some file.
        dates_directories: The times of a directory change when an entry comes or goes; not every
            filesystem in user space keeps to that.
        may_meet_twice: A mount inside a root may show a directory that is also elsewhere.
        mounts_own_file: A file of a root is also mounted over another one.

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
    may_meet_twice: bool
    mounts_own_file: bool

    @property
    def can_be_indexed(self) -> bool:
        """What is in a directory depends on nothing but the directory and the other roots in it.

        And it tells when that has changed.
        """
        is_apart = not (self.may_meet_twice or self.mounts_own_file or self.unknown)
        return is_apart and self.dates_directories

    def holds(self, path: str) -> bool:
        """Tell whether a path is inside a root, or whether that cannot be told."""
        real = real_path(path)
        roots = [real_path(root.path) for root in self.roots]
        return real is None or any(root is None or is_within(real, root) for root in roots)


def survey_roots(roots: Iterable[Root], detailed: Collection[str], mounts: MountTable) -> ScanRoots:
    """Look at the roots themselves, and at what is mounted where."""
    ordered = sorted(dict.fromkeys(roots), key=lambda root: root.kind is not RootKind.CACHE)
    aliases: dict[str, str] = {}
    identities: dict[Identity, str] = {}
    unknown: dict[str, OSError] = {}
    kept = [root for root in ordered if _is_new(root, aliases, identities, unknown)]
    paths = [real_path(root.path) for root in kept]
    views = [[] if path is None else mounts.views(path) for path in paths]
    covered, sources = _mounted_files(paths, views, mounts)
    filesystems = {mounts.filesystem(path) for path in paths if path is not None}
    are_known = mounts.known and None not in paths
    return ScanRoots(
        roots=tuple(kept),
        detailed=frozenset(detailed),
        aliases=aliases,
        identities=frozenset(identities),
        unknown=unknown,
        inside=tuple(map(tuple, _places_inside(kept, paths, views))),
        careful=frozenset(_identities(map(os.path.dirname, [*covered, *sources]))),
        mounted_files=Counter(_identities(covered)),
        has_subvolumes=not are_known or not filesystems.isdisjoint(SUBVOLUME_FILESYSTEMS),
        dates_directories=are_known and not any(map(is_in_user_space, filesystems)),
        may_meet_twice=not mounts.known or _may_meet_twice(paths, mounts, identities),
        mounts_own_file=bool(sources),
    )


def _mounted_files(
    paths: Sequence[str | None], views: Sequence[Views], mounts: MountTable
) -> tuple[list[str], list[str]]:
    """Return where files of roots are mounted or covered, and those that are mounted somewhere.

    No other mount is looked at: one of a server that is gone would never answer.

    Args:
        paths: The real paths of the roots.
        views: Where each is seen through mounts.
        mounts: What is mounted.

    """
    known = [path for path in paths if path is not None]
    shown = {
        view: path + below
        for path, seen in zip(paths, views, strict=True)
        if path is not None
        for view, below in seen
        if below
    }
    places = dict.fromkeys([*shown, *(point for path in known for point in mounts.below(path))])
    covered = [point for point in places if not os.path.isdir(point)]
    return covered, [shown[point] for point in covered if point in shown]


def _is_new(
    root: Root,
    aliases: dict[str, str],
    identities: dict[Identity, str],
    unknown: dict[str, OSError],
) -> bool:
    """Tell whether a root is not the same directory as an earlier one, and note what it is.

    One of which that cannot be told is not read: it could be counted twice.
    """
    try:
        status = fs.status(root.path, follow_symlinks=True)
    except OSError as error:
        if not isinstance(error, GONE):
            unknown[root.path] = error
        return True
    identity = status.identity
    known = identities.get(identity)
    if known is None:
        identities[identity] = root.path
    elif known != root.path:
        aliases[root.path] = known
    return known is None


def _places_inside(
    roots: Sequence[Root], paths: Sequence[str | None], views: Sequence[Views]
) -> list[list[str]]:
    """Return where other roots are seen inside each, by the path by which that is scanned."""
    root_at = {path: root for root, path in enumerate(paths) if path is not None}
    inside: list[list[str]] = [[] for _ in roots]
    for other, path in enumerate(paths):
        for seen in () if path is None else (path, *(view for view, _ in views[other])):
            for folder in _folders_above(seen):
                root = root_at.get(folder, other)
                if root != other:
                    inside[root].append(roots[root].path + seen[len(folder) :])
    return inside


def _folders_above(path: str) -> Iterator[str]:
    """Yield the folders that a path is in, from the inside out."""
    above = os.path.dirname(path)
    while above != path:
        yield above
        path, above = above, os.path.dirname(above)


def _may_meet_twice(
    paths: Collection[str | None], mounts: MountTable, identities: Collection[Identity]
) -> bool:
    return None in paths or any(
        _identity(mount_point) not in identities
        for path in paths
        for mount_point in mounts.below(path or "/")
    )


def _identities(paths: Iterable[str]) -> list[Identity]:
    """Return the identity of each of the paths that lead somewhere."""
    return [identity for path in paths if (identity := _identity(path))]


def _identity(path: str) -> Identity | None:
    """Return device and inode of what the path leads to, `None` if it leads nowhere."""
    try:
        return fs.status(path, follow_symlinks=True).identity
    except OSError:
        return None
