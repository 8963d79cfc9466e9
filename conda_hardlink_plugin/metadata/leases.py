"""Leases: a running conda process names the packages that it is about to link.

A lease is a locked file in the user's cache folder. The kernel releases the lock when the process
ends, however it ends, so a file without a lock means nothing. Until its packages are known, a
process may link any package.
"""

from __future__ import annotations

import errno
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.problems import reason_of
from ..filesystem.protocol import Access, Handle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EISDIR)
_NAME = re.compile(r"[0-9]+-[0-9]+")
_END = "."  # after the last package; without it the list is not complete
_TRIES = 5
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of a running process.

    Attributes:
        path: Absolute path of its file, or of the folder that is unreadable.
        holder: The process, as a phrase; or why the lease is unreadable.
        dists: `NAME-VERSION-BUILD` of each package that it is about to link; `None` while it may
            link any package.

    """

    path: str
    holder: str
    dists: frozenset[str] | None

    def covers(self, dist: str) -> bool:
        """Return whether the process may be about to link a package."""
        return self.dists is None or dist in self.dists


class HeldLease:
    """The lease of this process."""

    def __init__(self, folder: str, command: str) -> None:
        """Take a lease.

        Args:
            folder: Where leases are; made if it is missing.
            command: The conda command that this process runs.

        Raises:
            OSError: The lease file cannot be made or locked.

        """
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder = fs.open_own_directory(folder)
        self._name = ""
        self._file = -1
        try:
            self._take()
            # On a full disk the locked file without a complete list covers every package.
            self._covers_all = not self._write(f"process {os.getpid()} (conda {command})\n")
        except BaseException:
            self.release()
            raise

    def _take(self) -> None:
        """Make a file and lock it, after removing stale ones.

        Before it is locked, another process may read it, or remove it as stale: then try again.

        Raises:
            OSError: The file cannot be made or locked, or the folder belongs to another user.

        """
        if fs.status_of(self._folder).owner != fs.current_user():
            raise PermissionError(errno.EPERM, "the lease folder belongs to another user")
        _remove_stale(self._folder)
        for tries_left in reversed(range(_TRIES)):
            self._name = f"{os.getpid()}-{time.time_ns()}"
            self._file = fs.open_file(self._name, Access.CREATE, parent=self._folder)
            try:
                fs.lock_file(self._file)
                fs.status_at(self._name, self._folder)
            except (BlockingIOError, FileNotFoundError):
                fs.close(self._file)
                self._file = -1
                with suppress(FileNotFoundError):
                    fs.unlink(self._name, self._folder)
                if not tries_left:
                    raise
            else:
                return

    def name(self, dists: Iterable[str]) -> None:
        """Add packages to those that this process is about to link; it links no others.

        If the names cannot be written, the lease keeps covering every package.
        """
        if self._covers_all:
            return
        if not self._write("".join(f"{dist}\n" for dist in (*dists, _END))):
            self._covers_all = True
            os.ftruncate(self._file, 0)

    def _write(self, text: str) -> bool:
        """Append to the file; return whether the whole text was written."""
        content = os.fsencode(text)
        try:
            return os.write(self._file, content) == len(content)
        except OSError:
            return False

    def release(self) -> None:
        """Release the lease; a second call does nothing."""
        if self._file >= 0:
            with suppress(OSError):
                fs.unlink(self._name, self._folder)
        for handle in (self._file, self._folder):
            if handle >= 0:
                with suppress(OSError):
                    fs.close(handle)
        self._file = self._folder = -1


def lease_folder(home: str | None = None) -> str:
    """Return the folder for leases in a user's cache folder for conda.

    Args:
        home: The home of another user; `None` for the current user.

    """
    return os.path.join(fs.cache_home(home), "conda", "hardlinks", "leases")


def read_leases(folders: Iterable[str]) -> tuple[Lease, ...]:
    """Return the leases of running processes; an unreadable one covers every package.

    A folder that is a symbolic link, or whose owner differs from that of its parent, is ignored.
    """
    found = []
    for folder in dict.fromkeys(folders):
        try:
            handle = fs.open_own_directory(folder)
        except OSError as error:
            if error.errno not in _NO_FOLDER:
                found.append(Lease(folder, reason_of(error), None))
            continue
        try:
            parent = fs.status(os.path.dirname(folder), follow_symlinks=True)
            if fs.status_of(handle).owner == parent.owner:
                found += _leases_in(folder, handle)
        except OSError as error:
            found.append(Lease(folder, reason_of(error), None))
        finally:
            fs.close(handle)
    return tuple(found)


def _leases_in(folder: str, handle: Handle) -> Iterator[Lease]:
    for name in sorted(filter(_NAME.fullmatch, fs.list_names(handle))):
        path = os.path.join(folder, name)
        try:
            lease = _read(path, name, handle)
        except OSError as error:
            lease = None if error.errno in _NO_FILE else Lease(path, reason_of(error), None)
        if lease is not None:
            yield lease


def _read(path: str, name: str, folder: Handle) -> Lease | None:
    """Return the lease in a locked file; `None` if no process holds it."""
    handle = fs.open_file(name, Access.READ, parent=folder)
    try:
        if not fs.status_of(handle).is_regular or not _is_locked(handle):
            return None
        content = os.read(handle, _MAX_BYTES)
    finally:
        fs.close(handle)
    holder, *dists = os.fsdecode(content).split("\n")
    is_complete = dists[-2:] == [_END, ""]
    return Lease(path, holder or path, frozenset(dists) - {_END, ""} if is_complete else None)


def _remove_stale(folder: Handle) -> None:
    """Remove the leases of processes that have ended, and nothing else."""
    for name in filter(_NAME.fullmatch, fs.list_names(folder)):
        with suppress(OSError):
            handle = fs.open_file(name, Access.CHANGE, parent=folder)
            try:
                if fs.status_of(handle).is_regular and not _is_locked(handle):
                    fs.unlink(name, folder)
            finally:
                fs.close(handle)


def _is_locked(handle: Handle) -> bool:
    """Return whether another process, or another handle, has the lock of a file."""
    try:
        return fs.is_locked(handle)
    except ImportError:  # no locks on this platform
        return False
