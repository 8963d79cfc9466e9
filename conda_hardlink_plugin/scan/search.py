"""Searches the folders below a folder for environments."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.mounts import PSEUDO_FILESYSTEMS
from ..filesystem.native import (
    NO_PARENT,
    EventKind,
    Settings,
    TaskFlag,
    events_of,
    native_module,
    search_trees,
)
from ..filesystem.paths import is_within
from ..filesystem.problems import GONE
from ..filesystem.thread_counts import native_threads
from .open_directory import open_directories_allowed

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import ModuleType

_RECORDS = "conda-meta"


@dataclass(frozen=True, slots=True)
class FoundBelow:
    """What a search found.

    Attributes:
        prefixes: Paths of environments, and of symbolic links to environments.
        unsearched: Folders that cannot be listed, to the error.

    """

    prefixes: list[str] = field(default_factory=list)
    unsearched: dict[str, OSError] = field(default_factory=dict)


def find_below(folder: str) -> FoundBelow:
    """Find every environment below a folder; inside an environment, only those in its `envs`.

    A symbolic link to an environment counts as one; other symbolic links are not followed.
    `conda-meta` makes an environment: conda writes `conda-meta/history` last.
    """
    pseudo = pseudo_mount_points()
    native = native_module()
    found = FoundBelow()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        if native is None:
            waiting += _look_in(path, pseudo, found)
        else:
            waiting += _search(native, path, found)
    return found


def _look_in(path: str, pseudo: Collection[str], found: FoundBelow) -> list[str]:
    """Look at one folder; return those in it that are to be looked at."""
    if has_records(path):
        found.prefixes.append(path)
        path = os.path.join(path, "envs")
    below = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below += [entry.path] if entry.path not in pseudo else []
                elif entry.is_symlink() and has_records(entry.path):
                    found.prefixes.append(entry.path)
    except GONE:
        pass
    except OSError as error:
        found.unsearched[path] = error
    return below


def _search(native: ModuleType, top: str, found: FoundBelow) -> list[str]:
    """Search a tree with the native module; return folders that are to be searched as well."""
    below, prefix = [], top if top.endswith("/") else f"{top}/"
    skipped = list(map(os.fsencode, pseudo_below(top)))
    settings = Settings(*native_threads(), open_directories_allowed())
    task = (NO_PARENT, TaskFlag.ROOT, 0, 0, os.fsencode(top), b"")
    _, packed = search_trees(native, [task], skipped, settings)
    for event in events_of(packed):
        path = prefix + event.path if event.path else top
        if event.kind == EventKind.ENVIRONMENT:
            found.prefixes.append(path)
        elif event.kind == EventKind.LEFT:  # `envs` is a symbolic link
            below.append(path)
        else:
            found.unsearched[path] = OSError(event.error, os.strerror(event.error))
    return below


def pseudo_mount_points() -> set[str]:
    """Return where filesystems without files are mounted."""
    mounts = fs.read_mounts().mounts
    return {mount.mount_point for mount in mounts if mount.filesystem in PSEUDO_FILESYSTEMS}


def pseudo_below(top: str) -> list[str]:
    """Return where filesystems without files are mounted below a folder, relative to it."""
    prefix = top if top.endswith("/") else f"{top}/"
    return [path[len(prefix) :] for path in pseudo_mount_points() if is_within(path, top)]


def has_records(path: str) -> bool:
    """Return whether a folder is an environment, or is about to become one."""
    return os.path.isdir(os.path.join(path, _RECORDS))
