"""Leases: a conda process that is about to link packages says so, while it lives.

A lease is a locked file in the user's cache folder. The kernel gives the lock back when the process
ends, however it ends: a file that is not locked means nothing. Before the packages are known the
process may link any.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filesystem.problems import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL
_CLOSE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
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
        self._folder = os.open(folder, _FOLDER)
        self._name = ""
        self._descriptor = -1
        self._may_be_any = False
        try:
            _check_owner(self._folder)
            _forget_the_dead(self._folder)
            self._take()
            try:
                os.write(self._descriptor, f"process {os.getpid()} (conda {command})\n".encode())
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
        import fcntl  # noqa: PLC0415  # not on Windows

        for tries_left in reversed(range(_TRIES)):
            self._name = f"{os.getpid()}-{time.time_ns()}"
            self._descriptor = os.open(self._name, _CREATE | _CLOSE, 0o600, dir_fd=self._folder)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
            except (BlockingIOError, FileNotFoundError):
                os.close(self._descriptor)
                self._descriptor = -1
                with suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=self._folder)
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
            self._may_be_any = os.write(self._descriptor, lines) < len(lines)
        except OSError:
            self._may_be_any = True
        if self._may_be_any:
            os.ftruncate(self._descriptor, 0)

    def release(self) -> None:
        """Give the lease back; once more does nothing."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
            with suppress(OSError):
                os.close(self._descriptor)
        if self._folder >= 0:
            with suppress(OSError):
                os.close(self._folder)
        self._descriptor = self._folder = -1


def lease_folder(home: str | None = None) -> str:
    """Return where leases are, in the cache folder that conda has for a user.

    Args:
        home: The home of another user; of the one who runs this where not given.

    """
    if sys.platform == "darwin":
        base = os.path.join(home or os.path.expanduser("~"), "Library", "Caches")
    else:
        base = os.path.join(home or os.path.expanduser("~"), ".cache")
        if home is None and os.path.isabs(os.environ.get("XDG_CACHE_HOME", "")):
            base = os.environ["XDG_CACHE_HOME"]
    return os.path.join(base, "conda", "hardlinks", "leases")


def read_leases(folders: Iterable[str]) -> tuple[Lease, ...]:
    """Return the leases of living processes; one that cannot be looked at may be of any package.

    A folder that is a symbolic link, or that belongs to somebody else than what it lies in, holds
    none.
    """
    found = []
    for folder in dict.fromkeys(folders):
        try:
            descriptor = os.open(folder, _FOLDER)
        except OSError as error:
            if error.errno not in _NO_FOLDER:
                found.append(Lease(folder, reason_of(error), None))
            continue
        try:
            if os.fstat(descriptor).st_uid == os.stat(os.path.dirname(folder)).st_uid:
                found += _leases_in(folder, descriptor)
        except OSError as error:
            found.append(Lease(folder, reason_of(error), None))
        finally:
            os.close(descriptor)
    return tuple(found)


def _leases_in(folder: str, descriptor: int) -> Iterator[Lease]:
    for name in sorted(filter(_NAME.fullmatch, os.listdir(descriptor))):
        path = os.path.join(folder, name)
        try:
            lease = _read(path, name, descriptor)
        except OSError as error:
            if error.errno not in _NO_FILE:
                yield Lease(path, reason_of(error), None)
        else:
            if lease is not None:
                yield lease


def _read(path: str, name: str, folder: int) -> Lease | None:
    """Return what a locked file says; `None` if nobody holds it."""
    descriptor = os.open(name, os.O_RDONLY | _CLOSE, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not _is_locked(descriptor):
            return None
        content = os.read(descriptor, _MAX_BYTES)
    finally:
        os.close(descriptor)
    holder, *dists = os.fsdecode(content).split("\n")
    is_complete = dists[-2:] == [_END, ""]
    return Lease(path, holder or path, frozenset(dists[:-2]) if is_complete else None)


def _check_owner(folder: int) -> None:
    """Refuse a folder of somebody else.

    Raises:
        OSError: It is one.

    """
    if os.fstat(folder).st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "the folder of leases belongs to another user")


def _forget_the_dead(folder: int) -> None:
    """Remove the leases of processes that are gone, and nothing else."""
    for name in filter(_NAME.fullmatch, os.listdir(folder)):
        with suppress(OSError):
            descriptor = os.open(name, os.O_RDWR | _CLOSE, dir_fd=folder)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode) and not _is_locked(descriptor):
                    os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Tell whether another process, or another descriptor, has the lock of a file."""
    try:
        import fcntl  # noqa: PLC0415  # not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except ImportError:
        return False
    return False
