"""The quarantine of a package cache, the only code that renames or removes anything in it.

Every name is relative to an open directory. No symbolic link and no mount is crossed, so nothing
outside the cache can be reached, whatever changes in the meantime. Each step is one rename: if the
process is killed, each package is whole in its place, whole in the quarantine, or given up.
"""

from __future__ import annotations

import contextlib
import errno
import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..filesystem import closing, fs
from ..filesystem.problems import reason_of
from ..metadata.quarantine_names import LOCK_NAME, QUARANTINE, QuarantineEntry, Stage
from .errors import RefusedError, naming_path
from .rmtree import Rmtree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..filesystem.protocol import FileStatus, Handle, Identity

_MAX_NAME_BYTES = 255


class Quarantine:
    """The quarantine of one cache.

    Attributes:
        cache: Absolute path of the cache.
        cache_handle: Handle of the cache.
        path: Absolute path of the quarantine.
        handle: Handle of the quarantine.
        made: This run created it.

    """

    def __init__(self, cache: str, cache_handle: Handle, handle: Handle, *, made: bool) -> None:
        """Take the open cache and the open quarantine in it; `opened_quarantine` provides them."""
        self.cache = cache
        self.cache_handle = cache_handle
        self.path = os.path.join(cache, QUARANTINE)
        self.handle = handle
        self.made = made
        with naming_path(cache):
            self._mount = fs.mount_of(cache_handle)

    def is_in_place(self) -> bool:
        """Return whether the open folder is still the quarantine of the cache."""
        with naming_path(self.path):
            there = identity_at(QUARANTINE, self.cache_handle)
            return there == fs.status_of(self.handle).identity

    def entries(self) -> list[QuarantineEntry]:
        """Return the entries, sorted by name."""
        with naming_path(self.path):
            names = sorted(fs.list_names(self.handle))
        found = (QuarantineEntry.of_name(name) for name in names)
        return [entry for entry in found if entry is not None]

    def path_of(self, entry: QuarantineEntry) -> str:
        """Return the absolute path of an entry."""
        return os.path.join(self.path, entry.name)

    def home(self, entry: QuarantineEntry) -> str:
        """Return the absolute path that an entry came from."""
        return os.path.join(self.cache, entry.relative)

    def move(self, relative: str, run: str, identity: Identity) -> QuarantineEntry:
        """Move a package or file of the cache to the quarantine.

        Args:
            relative: Its path, relative to the cache.
            run: The name of this run.
            identity: Its device and inode.

        Raises:
            RefusedError: It was not moved, or it was something else and was moved back.

        """
        entry = QuarantineEntry(Stage.MOVING, run, relative)
        home = self.home(entry)
        if len(os.fsencode(entry.name)) > _MAX_NAME_BYTES:
            raise RefusedError(home, "its path is too long to move it aside")
        with self.parent(relative) as (parent, name), naming_path(home):
            fs.rename(name, parent, entry.name, self.handle)
        with naming_path(home):
            replaced = fs.status_at(entry.name, self.handle).identity != identity
        if replaced:
            self.back(entry)
            raise RefusedError(home, "it was replaced in the meantime")
        return entry

    def back(self, entry: QuarantineEntry) -> None:
        """Move an entry back to the path that it came from.

        Raises:
            RefusedError: Something else is there, or it cannot be moved.

        """
        home = self.home(entry)
        with self.parent(entry.relative, make=True) as (parent, name), naming_path(home):
            try:
                self._put_back(entry, parent, name)
            except OSError as error:
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise RefusedError(home, "something else is there now") from None
                raise

    def give_up(self, entry: QuarantineEntry) -> QuarantineEntry:
        """Commit the removal of an entry; return it under its new name."""
        return self._rename(entry, replace(entry, stage=Stage.PURGE, expires_s=0))

    def hold(self, entry: QuarantineEntry, expires_s: int) -> QuarantineEntry:
        """Hold an entry until a time, in seconds since the epoch; return it under its new name."""
        return self._rename(entry, replace(entry, stage=Stage.HELD, expires_s=expires_s))

    def purge(self, entry: QuarantineEntry, on_freed: Callable[[int], None]) -> None:
        """Remove an entry that was given up, as far as possible.

        Args:
            entry: The entry.
            on_freed: Called with the freed bytes, also after Ctrl-C.

        Raises:
            RefusedError: A part cannot be removed; the entry is still given up.

        """
        remover = Rmtree(self.handle)
        try:
            remover.remove(entry.name)
        finally:
            on_freed(remover.freed_bytes)
        if remover.problems:
            raise RefusedError(self.path_of(entry), remover.problems[0])

    def unlink(self, relative: str, identity: Identity) -> int:
        """Remove a single file of the cache; return the freed bytes.

        Args:
            relative: Its path, relative to the cache.
            identity: Its device and inode.

        Raises:
            RefusedError: It was not removed.

        """
        path = os.path.join(self.cache, relative)
        with self.parent(relative) as (parent, name), naming_path(path):
            status = fs.status_at(name, parent)
            if status.identity != identity or status.is_directory:
                raise RefusedError(path, "it was replaced in the meantime")
            fs.unlink(name, parent)
        return status.disk_bytes if status.link_count == 1 else 0

    def remove_if_empty(self) -> None:
        """Remove the quarantine if this run created it and it has no entries.

        The caller holds the lock. A quarantine that already existed is left, because on a disk
        without a free block it could not be created again.
        """
        with contextlib.suppress(OSError):
            if self.made and set(fs.list_names(self.handle)) <= {LOCK_NAME}:
                with contextlib.suppress(OSError):
                    fs.unlink(LOCK_NAME, self.handle)
                fs.remove_directory(QUARANTINE, self.cache_handle)

    def _put_back(self, entry: QuarantineEntry, parent: Handle, name: str) -> None:
        status = fs.status_at(entry.name, self.handle)
        if status.is_directory:  # a rename replaces an empty folder and nothing else
            fs.rename(entry.name, self.handle, name, parent)
            return
        if identity_at(name, parent) != status.identity:  # else an earlier try linked it
            fs.link(entry.name, self.handle, name, parent)
        fs.unlink(entry.name, self.handle)

    def _rename(self, entry: QuarantineEntry, renamed: QuarantineEntry) -> QuarantineEntry:
        with naming_path(self.path_of(entry)):
            fs.rename(entry.name, self.handle, renamed.name, self.handle)
        return renamed

    @contextmanager
    def parent(self, relative: str, *, make: bool = False) -> Iterator[tuple[Handle, str]]:
        """Open the directory of a path in the cache; yield its handle and the last name.

        Args:
            relative: The path, relative to the cache.
            make: Create the directories of the path that are missing.

        Raises:
            RefusedError: A directory cannot be opened, or it is on another mount.

        """
        *folders, name = relative.split("/")
        path = os.path.join(self.cache, relative)
        with naming_path(path):
            handle = fs.duplicate(self.cache_handle)
        try:
            with naming_path(path):
                for folder in folders:
                    if make:
                        with contextlib.suppress(FileExistsError):
                            fs.make_directory(folder, handle)
                    below = fs.open_directory(folder, handle)
                    fs.close(handle)
                    handle = below
                mount = fs.mount_of(handle)
            if mount != self._mount:
                raise RefusedError(path, "something is mounted on the way to it")
            yield handle, name
        finally:
            fs.close(handle)


@contextmanager
def opened_quarantine(cache: str, known: Identity | None = None) -> Iterator[Quarantine]:
    """Open the quarantine of a cache without locking it; create it if it does not exist.

    Args:
        cache: Absolute path of the cache.
        known: Device and inode of the cache, as the plan saw them.

    Raises:
        RefusedError: The cache cannot be written or was replaced, or the quarantine is not a folder
            that only this user can write to.

    """
    path = os.path.join(cache, QUARANTINE)
    with ExitStack() as stack:
        with naming_path(cache):
            cache_handle = fs.open_root(cache)
            stack.callback(fs.close, cache_handle)
            status = fs.status_of(cache_handle)
        if known is not None and status.identity != known:
            raise RefusedError(cache, "it was replaced in the meantime")
        with naming_path(path):
            handle, made = _open_or_make_quarantine(path, cache_handle)
            stack.callback(fs.close, handle)
            reason = _reason_against(fs.status_of(handle), fs.status_of(cache_handle))
        if reason:
            raise RefusedError(path, reason)
        yield Quarantine(cache, cache_handle, handle, made=made)


def identity_at(name: str, parent: Handle) -> Identity | None:
    """Return the device and inode of a name in an open directory; `None` if it does not exist."""
    try:
        return fs.status_at(name, parent).identity
    except FileNotFoundError:
        return None


def _open_or_make_quarantine(path: str, cache_handle: Handle) -> tuple[Handle, bool]:
    """Open the quarantine; return its handle, and whether it was created."""
    while True:
        made = _make_quarantine(path, cache_handle)
        with contextlib.suppress(FileNotFoundError):  # another clean has just removed it
            return fs.open_directory(QUARANTINE, cache_handle), made


def _make_quarantine(path: str, cache_handle: Handle) -> bool:
    """Create the quarantine; return whether it did not exist."""
    try:
        fs.make_directory(QUARANTINE, cache_handle, 0o700)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = (
                "clean moves packages to this folder. Free a few KiB elsewhere and run it again"
            )
            raise RefusedError(path, f"{reason_of(error)}: {advice}") from None
        raise
    return True


def _reason_against(quarantine: FileStatus, cache: FileStatus) -> str:
    """Return why a folder cannot be the quarantine of a cache; `""` if it can."""
    if quarantine.device != cache.device:
        return "it is not on the filesystem of its cache"
    if quarantine.owner != fs.current_user():
        return "it belongs to another user"
    return "other users can write to it" if quarantine.is_writable_by_others else ""


def unlink_trial_link(path: str) -> int:
    """Remove a trial link of conda from an environment; return the freed bytes.

    Raises:
        RefusedError: It was not removed.

    """
    folder, name = os.path.split(path)
    with naming_path(path), closing(fs.open_own_directory(folder)) as parent:
        status = fs.status_at(name, parent)
        if not status.is_regular:
            raise RefusedError(path, "it is not a regular file")
        fs.unlink(name, parent)
    return status.disk_bytes if status.link_count == 1 else 0
