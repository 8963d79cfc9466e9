"""Leases: a conda process that is about to link packages says so, while it lives.

A lease is a locked file in the user's cache folder. The kernel gives the lock back when the process
ends, however it ends: a file that is not locked means nothing. Before the packages are known the
process may link any.
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
from ..filesystem.protocol import Access

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..filesystem.protocol import Handle, Owner

_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EISDIR)
_NAME = re.compile(r"[0-9]+-[0-9]+")
_END = "."  # after the last package; until it stands there, not all are known
_TRIES = 5
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lease:
    """What a living process says.

    Attributes:
        path: Absolute path of its file, or of the folder that cannot be looked at.
        holder: The process, as a phrase; or why it cannot be told.
        dists: `NAME-VERSION-BUILD` of each package that it is about to link; `None` while it may
            link any.

    """

    path: str
    holder: str
    dists: frozenset[str] | None

    def covers(self, dist: str) -> bool:
        """Tell whether the process may be about to link a package."""
        return self.dists is None or dist in self.dists


class HeldLease:
    """The lease of this process."""

    def __init__(self, folder: str, command: str) -> None:
        """Take a lease.

        Args:
            folder: Where leases are; made if it is not there.
            command: What the process does, as a word.

        Raises:
            OSError: It cannot be had.

        """
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder = fs.open_own_directory(folder)
        self._name = ""
        self._file = -1
        self._may_be_any = False
        try:
            _check_owner(self._folder)
            _forget_the_dead(self._folder)
            self._take()
            try:
                os.write(self._file, f"process {os.getpid()} (conda {command})\n".encode())
            except OSError:  # a full disk: an empty file that is locked says that it may be any
                self._may_be_any = True
        except BaseException:
            self.release()
            raise

    def _take(self) -> None:
        """Make a file and lock it; before that, another may look at it or take it for a dead one's.

        Raises:
            OSError: It cannot be done.

        """
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
        """Say which packages are about to be linked, besides those said before, and no other.

        Where that cannot be written it stays that it may be any.
        """
        if self._may_be_any:
            return
        lines = os.fsencode("".join(f"{dist}\n" for dist in (*dists, _END)))
        try:
            self._may_be_any = os.write(self._file, lines) < len(lines)
        except OSError:
            self._may_be_any = True
        if self._may_be_any:
            os.ftruncate(self._file, 0)

    def release(self) -> None:
        """Give the lease back; once more does nothing."""
        if self._file >= 0:
            with suppress(OSError):
                fs.unlink(self._name, self._folder)
            with suppress(OSError):
                fs.close(self._file)
        if self._folder >= 0:
            with suppress(OSError):
                fs.close(self._folder)
        self._file = self._folder = -1


def lease_folder(home: str | None = None) -> str:
    """Return where leases are, in the cache folder that conda has for a user.

    Args:
        home: The home of another user; of the one who runs this where not given.

    """
    return os.path.join(fs.cache_home(home), "conda", "hardlinks", "leases")


def read_leases(folders: Iterable[str]) -> tuple[Lease, ...]:
    """Return the leases of living processes; one that cannot be looked at may be of any package.

    A folder that is a symbolic link, or that belongs to somebody else than what it lies in, holds
    none.
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
            if _owner_of(handle) == fs.status(os.path.dirname(folder), follow_symlinks=True).owner:
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
            if error.errno not in _NO_FILE:
                yield Lease(path, reason_of(error), None)
        else:
            if lease is not None:
                yield lease


def _read(path: str, name: str, folder: Handle) -> Lease | None:
    """Return what a locked file says; `None` if nobody holds it."""
    handle = fs.open_file(name, Access.READ, parent=folder)
    try:
        if not fs.status_of(handle).is_regular or not _is_locked(handle):
            return None
        content = os.read(handle, _MAX_BYTES)
    finally:
        fs.close(handle)
    holder, *dists = os.fsdecode(content).split("\n")
    is_complete = dists[-2:] == [_END, ""]
    return Lease(path, holder or path, frozenset(dists[:-2]) if is_complete else None)


def _check_owner(folder: Handle) -> None:
    """Refuse a folder of somebody else.

    Raises:
        OSError: It is one.

    """
    if _owner_of(folder) != fs.current_user():
        raise PermissionError(errno.EPERM, "the folder of leases belongs to another user")


def _forget_the_dead(folder: Handle) -> None:
    """Remove the leases of processes that are gone, and nothing else."""
    for name in filter(_NAME.fullmatch, fs.list_names(folder)):
        with suppress(OSError):
            handle = fs.open_file(name, Access.CHANGE, parent=folder)
            try:
                if fs.status_of(handle).is_regular and not _is_locked(handle):
                    fs.unlink(name, folder)
            finally:
                fs.close(handle)


def _is_locked(handle: Handle) -> bool:
    """Tell whether another process, or another handle, has the lock of a file."""
    try:
        return fs.is_locked(handle)
    except ImportError:  # no locks on this platform
        return False


def _owner_of(handle: Handle) -> Owner:
    return fs.status_of(handle).owner
