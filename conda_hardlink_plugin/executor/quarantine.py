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
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..metadata.quarantine_names import OUR_LOCK, QUARANTINE, QuarantineEntry, Stage
from ..scan.inventory import BLOCK_BYTES
from .outcome import RefusedError
from .rmtree import Rmtree, mount_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUPPORTED = (
    {os.open, os.stat, os.rename, os.unlink, os.rmdir, os.mkdir} <= os.supports_dir_fd
    and os.scandir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
)
_OPEN = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN_BELOW = _OPEN | getattr(os, "O_NOFOLLOW", 0)
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_MAX_NAME_BYTES = 255


class Quarantine:
    """The quarantine of one cache.

    Attributes:
        cache: Absolute path of the cache.
        cache_descriptor: Opens it.
        path: Absolute path of the quarantine.
        descriptor: Opens it.
        made: It was not there before.

    """

    def __init__(self, cache: str, cache_descriptor: int, descriptor: int, *, made: bool) -> None:
        """Take the open cache and the open quarantine in it; `opened` makes one."""
        self.cache = cache
        self.cache_descriptor = cache_descriptor
        self.path = os.path.join(cache, QUARANTINE)
        self.descriptor = descriptor
        self.made = made
        with self._said(cache):
            self._mount = mount_of(cache_descriptor)

    def is_in_place(self) -> bool:
        """Tell whether the open folder is still the quarantine of the cache."""
        with self._said(self.path):
            try:
                there = os.stat(QUARANTINE, dir_fd=self.cache_descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return False
            return os.path.samestat(there, os.fstat(self.descriptor))

    def entries(self) -> list[QuarantineEntry]:
        """Return what is in it, by name."""
        with self._said(self.path):
            names = sorted(os.listdir(self.descriptor))
        found = (QuarantineEntry.of_name(name) for name in names)
        return [entry for entry in found if entry is not None]

    def path_of(self, entry: QuarantineEntry) -> str:
        """Return the absolute path of an entry."""
        return os.path.join(self.path, entry.name)

    def home(self, entry: QuarantineEntry) -> str:
        """Return the absolute path of where an entry was."""
        return os.path.join(self.cache, entry.relative)

    def move(self, relative: str, run: str, identity: tuple[int, int]) -> QuarantineEntry:
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
            os.rename(name, entry.name, src_dir_fd=parent, dst_dir_fd=self.descriptor)
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
        remover = Rmtree(self.descriptor)
        try:
            remover.remove(entry.name)
        finally:
            on_freed(remover.freed_bytes)
        return next(iter(remover.problems), "")

    def unlink(self, relative: str, identity: tuple[int, int]) -> int:
        """Remove a single file of the cache; return the bytes that this freed.

        Args:
            relative: Where it is, relative to the cache.
            identity: Its device and inode.

        Raises:
            RefusedError: It is still there.

        """
        path = os.path.join(self.cache, relative)
        with self.parent(relative) as (parent, name), self._said(path):
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if (status.st_dev, status.st_ino) != identity or stat.S_ISDIR(status.st_mode):
                raise RefusedError(path, "it was replaced meanwhile")
            os.unlink(name, dir_fd=parent)
        return status.st_blocks * BLOCK_BYTES if status.st_nlink == 1 else 0

    def remove_if_empty(self) -> None:
        """Remove the quarantine if this run made it and nothing waits in it.

        Called with the lock held. One that was there before stays: on a disk that is full to the
        last block none could be made.
        """
        with contextlib.suppress(OSError):
            if self.made and set(os.listdir(self.descriptor)) <= {OUR_LOCK}:
                with contextlib.suppress(OSError):
                    os.unlink(OUR_LOCK, dir_fd=self.descriptor)
                os.rmdir(QUARANTINE, dir_fd=self.cache_descriptor)

    def _put_back(self, entry: QuarantineEntry, parent: int, name: str) -> None:
        status = os.stat(entry.name, dir_fd=self.descriptor, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):  # replaces an empty folder and nothing else
            os.rename(entry.name, name, src_dir_fd=self.descriptor, dst_dir_fd=parent)
            return
        source, target = self.descriptor, parent
        if self._is_same_file(status, parent, name):  # an earlier try came that far
            os.unlink(entry.name, dir_fd=source)
            return
        os.link(entry.name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        os.unlink(entry.name, dir_fd=source)

    def _is_same_file(self, status: os.stat_result, parent: int, name: str) -> bool:
        try:
            there = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, status)

    def _rename(self, entry: QuarantineEntry, renamed: QuarantineEntry) -> QuarantineEntry:
        with self._said(self.path_of(entry)):
            os.rename(
                entry.name, renamed.name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor
            )
        return renamed

    def _identity(self, entry: QuarantineEntry) -> tuple[int, int]:
        status = os.stat(entry.name, dir_fd=self.descriptor, follow_symlinks=False)
        return status.st_dev, status.st_ino

    @contextmanager
    def parent(self, relative: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the directory that holds a path in the cache; give it and the last name.

        Args:
            relative: The path, relative to the cache.
            make: Make the directories on the way that are gone.

        """
        *folders, name = relative.split("/")
        path = os.path.join(self.cache, relative)
        with self._said(path):
            descriptor = os.dup(self.cache_descriptor)
        try:
            with self._said(path):
                for folder in folders:
                    if make:
                        with contextlib.suppress(FileExistsError):
                            os.mkdir(folder, dir_fd=descriptor)
                    below = os.open(folder, _OPEN_BELOW, dir_fd=descriptor)
                    os.close(descriptor)
                    descriptor = below
                mount = mount_of(descriptor)
            if mount != self._mount:
                raise RefusedError(path, "something is mounted on the way to it")
            yield descriptor, name
        finally:
            os.close(descriptor)

    @contextmanager
    def _said(self, path: str) -> Iterator[None]:
        """Say which path an error of the system is about."""
        try:
            yield
        except OSError as error:
            raise RefusedError.of(path, error) from None


@contextmanager
def opened(cache: str, known: tuple[int, int] | None = None) -> Iterator[Quarantine]:
    """Open the quarantine of a cache, made if there is none; it is not locked yet.

    Args:
        cache: Absolute path of the cache.
        known: Its device and inode, where it has been looked at before.

    Raises:
        RefusedError: The cache cannot be written, or what stands in the quarantine's place is
            no folder of this user's own.

    """
    try:
        cache_descriptor = os.open(cache, _OPEN)
    except OSError as error:
        raise RefusedError.of(cache, error) from None
    try:
        try:
            status = os.fstat(cache_descriptor)
        except OSError as error:
            raise RefusedError.of(cache, error) from None
        if known is not None and (status.st_dev, status.st_ino) != known:
            raise RefusedError(cache, "it was replaced meanwhile")
        made, descriptor = _make_and_open_quarantine(cache, cache_descriptor)
        try:
            yield Quarantine(cache, cache_descriptor, descriptor, made=made)
        finally:
            os.close(descriptor)
    finally:
        os.close(cache_descriptor)


def _make_and_open_quarantine(cache: str, cache_descriptor: int) -> tuple[bool, int]:
    """Open the quarantine; tell whether there was none."""
    while True:
        made = _make_quarantine(cache, cache_descriptor)
        with contextlib.suppress(FileNotFoundError):  # another clean has just removed it
            return made, _open_quarantine(cache, cache_descriptor)


def _make_quarantine(cache: str, cache_descriptor: int) -> bool:
    """Make the quarantine; tell whether there was none."""
    path = os.path.join(cache, QUARANTINE)
    try:
        os.mkdir(QUARANTINE, 0o700, dir_fd=cache_descriptor)
    except FileExistsError:
        return False
    except OSError as error:
        refused = RefusedError.of(path, error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "packages go through this folder: free a few KiB elsewhere and run this again"
            refused = RefusedError(path, f"{refused.problem.reason}: {advice}")
        raise refused from None
    return True


def _open_quarantine(cache: str, cache_descriptor: int) -> int:
    path = os.path.join(cache, QUARANTINE)
    with ExitStack() as stack:
        try:
            descriptor = os.open(QUARANTINE, _OPEN_BELOW, dir_fd=cache_descriptor)
            stack.callback(os.close, descriptor)
            reason = _objection(os.fstat(descriptor), os.fstat(cache_descriptor))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RefusedError.of(path, error) from None
        if reason:
            raise RefusedError(path, reason)
        stack.pop_all()
        return descriptor


def _objection(quarantine: os.stat_result, cache: os.stat_result) -> str:
    """Return why a folder cannot be the quarantine of a cache, `""` if it can."""
    if quarantine.st_dev != cache.st_dev:
        return "it is on another filesystem than its cache"
    if quarantine.st_uid != os.geteuid():
        return "it belongs to another user"
    return "other users can write to it" if quarantine.st_mode & _WRITABLE_BY_OTHERS else ""


def unlink_trial_link(path: str) -> int:
    """Remove a trial link of conda from an environment; return the bytes that this freed.

    Raises:
        RefusedError: It is still there.

    """
    try:
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            os.unlink(path)
    except OSError as error:
        raise RefusedError.of(path, error) from None
    return status.st_blocks * BLOCK_BYTES if status.st_nlink == 1 else 0
