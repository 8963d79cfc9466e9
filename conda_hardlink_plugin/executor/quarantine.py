"""The way out of a package cache, and back: the only code that renames or removes anything.

Everything is named relative to open directories, never through a symbolic link and never across
a mount, so that nothing outside the cache can be reached whatever changes meanwhile. Each step is
one rename: whoever kills this leaves every package whole in its place, whole in the quarantine, or
given up.
"""

from __future__ import annotations

import contextlib
import errno
import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..metadata.quarantine_names import OUR_LOCK, QUARANTINE, QuarantineEntry, Stage
from .outcome import RefusedError
from .rmtree import Rmtree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..filesystem.protocol import FileStatus, Handle, Identity

_MAX_NAME_BYTES = 255


class Quarantine:
    """The quarantine of one cache.

    Attributes:
        cache: Absolute path of the cache.
        cache_handle: Opens it.
        path: Absolute path of the quarantine.
        handle: Opens it.
        made: It was not there before.

    """

    def __init__(self, cache: str, cache_handle: Handle, handle: Handle, *, made: bool) -> None:
        """Take the open cache and the open quarantine in it; `opened` makes one."""
        self.cache = cache
        self.cache_handle = cache_handle
        self.path = os.path.join(cache, QUARANTINE)
        self.handle = handle
        self.made = made
        with self._said(cache):
            self._mount = fs.mount_of(cache_handle)

    def is_in_place(self) -> bool:
        """Tell whether the open folder is still the quarantine of the cache."""
        with self._said(self.path):
            try:
                there = fs.status_at(QUARANTINE, self.cache_handle)
            except FileNotFoundError:
                return False
            return there.identity == fs.status_of(self.handle).identity

    def entries(self) -> list[QuarantineEntry]:
        """Return what is in it, by name."""
        with self._said(self.path):
            names = sorted(fs.list_names(self.handle))
        found = (QuarantineEntry.of_name(name) for name in names)
        return [entry for entry in found if entry is not None]

    def path_of(self, entry: QuarantineEntry) -> str:
        """Return the absolute path of an entry."""
        return os.path.join(self.path, entry.name)

    def home(self, entry: QuarantineEntry) -> str:
        """Return the absolute path of where an entry was."""
        return os.path.join(self.cache, entry.relative)

    def move(self, relative: str, run: str, identity: Identity) -> QuarantineEntry:
        """Move something aside; nothing finds it any more at its place.

        Args:
            relative: Where it is, relative to the cache.
            run: Which run moves it.
            identity: Its device and inode.

        Raises:
            RefusedError: It was not moved, or was something else and is back.

        """
        entry = QuarantineEntry(Stage.MOVING, run, relative)
        if len(os.fsencode(entry.name)) > _MAX_NAME_BYTES:
            raise RefusedError(self.home(entry), "its path is too long to be moved aside")
        with self.parent(relative) as (parent, name), self._said(self.home(entry)):
            fs.rename(name, parent, entry.name, self.handle)
        with self._said(self.home(entry)):
            replaced = self._identity(entry) != identity
        if replaced:
            self.back(entry)
            raise RefusedError(self.home(entry), "it was replaced meanwhile")
        return entry

    def back(self, entry: QuarantineEntry) -> None:
        """Move an entry back to where it was.

        Raises:
            RefusedError: Something else is there, or it cannot be moved.

        """
        home = self.home(entry)
        with self.parent(entry.relative, make=True) as (parent, name), self._said(home):
            try:
                self._put_back(entry, parent, name)
            except OSError as error:
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise RefusedError(home, "something is there again") from None
                raise

    def give_up(self, entry: QuarantineEntry) -> QuarantineEntry:
        """Decide that an entry is removed for good."""
        return self._rename(entry, replace(entry, stage=Stage.PURGE, expires_s=0))

    def hold(self, entry: QuarantineEntry, expires_s: int) -> QuarantineEntry:
        """Keep an entry until a time, in seconds since the epoch."""
        return self._rename(entry, replace(entry, stage=Stage.HELD, expires_s=expires_s))

    def purge(self, entry: QuarantineEntry, on_freed: Callable[[int], None]) -> str:
        """Remove an entry that was given up.

        Args:
            entry: Which.
            on_freed: Called with the bytes that this freed, also when it is stopped by Ctrl-C.

        Returns:
            What of it cannot be removed and why, `""` if all of it is gone. What is left stays
            given up.

        """
        remover = Rmtree(self.handle)
        try:
            remover.remove(entry.name)
        finally:
            on_freed(remover.freed_bytes)
        return next(iter(remover.problems), "")

    def unlink(self, relative: str, identity: Identity) -> int:
        """Remove a single file of the cache; return the bytes that this freed.

        Args:
            relative: Where it is, relative to the cache.
            identity: Its device and inode.

        Raises:
            RefusedError: It is still there.

        """
        path = os.path.join(self.cache, relative)
        with self.parent(relative) as (parent, name), self._said(path):
            status = fs.status_at(name, parent)
            if status.identity != identity or status.is_directory:
                raise RefusedError(path, "it was replaced meanwhile")
            fs.unlink(name, parent)
        return status.disk_bytes if status.link_count == 1 else 0

    def remove_if_empty(self) -> None:
        """Remove the quarantine if this run made it and nothing waits in it.

        Called with the lock held. One that was there before stays: on a disk that is full to the
        last block none could be made.
        """
        with contextlib.suppress(OSError):
            if self.made and set(fs.list_names(self.handle)) <= {OUR_LOCK}:
                with contextlib.suppress(OSError):
                    fs.unlink(OUR_LOCK, self.handle)
                fs.remove_directory(QUARANTINE, self.cache_handle)

    def _put_back(self, entry: QuarantineEntry, parent: Handle, name: str) -> None:
        status = fs.status_at(entry.name, self.handle)
        if status.is_directory:  # replaces an empty folder and nothing else
            fs.rename(entry.name, self.handle, name, parent)
            return
        if self._is_same_file(status, parent, name):  # an earlier try came that far
            fs.unlink(entry.name, self.handle)
            return
        fs.link(entry.name, self.handle, name, parent)
        fs.unlink(entry.name, self.handle)

    def _is_same_file(self, status: FileStatus, parent: Handle, name: str) -> bool:
        try:
            there = fs.status_at(name, parent)
        except FileNotFoundError:
            return False
        return there.identity == status.identity

    def _rename(self, entry: QuarantineEntry, renamed: QuarantineEntry) -> QuarantineEntry:
        with self._said(self.path_of(entry)):
            fs.rename(entry.name, self.handle, renamed.name, self.handle)
        return renamed

    def _identity(self, entry: QuarantineEntry) -> Identity:
        return fs.status_at(entry.name, self.handle).identity

    @contextmanager
    def parent(self, relative: str, *, make: bool = False) -> Iterator[tuple[Handle, str]]:
        """Open the directory that holds a path in the cache; give it and the last name.

        Args:
            relative: The path, relative to the cache.
            make: Make the directories on the way that are gone.

        """
        *folders, name = relative.split("/")
        path = os.path.join(self.cache, relative)
        with self._said(path):
            handle = fs.duplicate(self.cache_handle)
        try:
            with self._said(path):
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
    def _said(self, path: str) -> Iterator[None]:
        """Say which path an error of the system is about."""
        try:
            yield
        except OSError as error:
            raise RefusedError.of(path, error) from None


@contextmanager
def opened(cache: str, known: Identity | None = None) -> Iterator[Quarantine]:
    """Open the quarantine of a cache, made if there is none; it is not locked yet.

    Args:
        cache: Absolute path of the cache.
        known: Its device and inode, where it has been looked at before.

    Raises:
        RefusedError: The cache cannot be written, or what stands in the quarantine's place is
            no folder of this user's own.

    """
    try:
        cache_handle = fs.open_root(cache)
    except OSError as error:
        raise RefusedError.of(cache, error) from None
    try:
        try:
            status = fs.status_of(cache_handle)
        except OSError as error:
            raise RefusedError.of(cache, error) from None
        if known is not None and status.identity != known:
            raise RefusedError(cache, "it was replaced meanwhile")
        made, handle = _make_and_open_quarantine(cache, cache_handle)
        try:
            yield Quarantine(cache, cache_handle, handle, made=made)
        finally:
            fs.close(handle)
    finally:
        fs.close(cache_handle)


def _make_and_open_quarantine(cache: str, cache_handle: Handle) -> tuple[bool, Handle]:
    """Open the quarantine; tell whether there was none."""
    while True:
        made = _make_quarantine(cache, cache_handle)
        with contextlib.suppress(FileNotFoundError):  # another clean has just removed it
            return made, _open_quarantine(cache, cache_handle)


def _make_quarantine(cache: str, cache_handle: Handle) -> bool:
    """Make the quarantine; tell whether there was none."""
    path = os.path.join(cache, QUARANTINE)
    try:
        fs.make_directory(QUARANTINE, cache_handle, 0o700)
    except FileExistsError:
        return False
    except OSError as error:
        refused = RefusedError.of(path, error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "packages go through this folder: free a few KiB elsewhere and run this again"
            refused = RefusedError(path, f"{refused.problem.reason}: {advice}")
        raise refused from None
    return True


def _open_quarantine(cache: str, cache_handle: Handle) -> Handle:
    path = os.path.join(cache, QUARANTINE)
    with ExitStack() as stack:
        try:
            handle = fs.open_directory(QUARANTINE, cache_handle)
            stack.callback(fs.close, handle)
            reason = _objection(fs.status_of(handle), fs.status_of(cache_handle))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RefusedError.of(path, error) from None
        if reason:
            raise RefusedError(path, reason)
        stack.pop_all()
        return handle


def _objection(quarantine: FileStatus, cache: FileStatus) -> str:
    """Return why a folder cannot be the quarantine of a cache, `""` if it can."""
    if quarantine.device != cache.device:
        return "it is on another filesystem than its cache"
    if quarantine.owner != fs.current_user():
        return "it belongs to another user"
    return "other users can write to it" if quarantine.is_writable_by_others else ""


def unlink_trial_link(path: str) -> int:
    """Remove a trial link of conda from an environment; return the bytes that this freed.

    Raises:
        RefusedError: It is still there.

    """
    try:
        status = fs.status(path)
        if status.is_regular:
            os.unlink(path)
    except OSError as error:
        raise RefusedError.of(path, error) from None
    return status.disk_bytes if status.link_count == 1 else 0
