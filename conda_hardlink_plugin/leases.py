"""Leases: a conda process that is about to link packages says so, while it lives.

A lease is a locked file in the user's cache folder. The kernel gives the lock back when the process
ends, however it ends: a file that is not locked means nothing. Before the packages are known the
process may link any.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL
_CLOSE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_END = "."  # after the last package; until it stands there, not all are known
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lease:
    """What a living process says.

    Attributes:
        holder: The process, as a phrase.
        dists: `NAME-VERSION-BUILD` of each package that it is about to link; `None` while it may
            link any.

    """

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
        _forget_the_dead(folder)
        self._path = os.path.join(folder, f"{os.getpid()}-{time.time_ns()}")
        self._descriptor = os.open(self._path, _CREATE | _CLOSE, 0o600)
        try:
            self._lock()
            os.write(self._descriptor, f"process {os.getpid()} (conda {command})\n".encode())
        except BaseException:
            self.release()
            raise

    def _lock(self) -> None:
        """Lock the file; another process may take it for a dead one's until that is done."""
        import fcntl  # noqa: PLC0415  # not on Windows

        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.lstat(self._path)

    def name(self, dists: Iterable[str]) -> None:
        """Say which packages are about to be linked, besides those said before, and no other.

        Raises:
            OSError: It cannot be written; then it stays that it may be any.

        """
        lines = os.fsencode("".join(f"{dist}\n" for dist in (*dists, _END)))
        if os.write(self._descriptor, lines) < len(lines):
            os.ftruncate(self._descriptor, 0)

    def release(self) -> None:
        """Give the lease back."""
        with suppress(OSError):
            os.unlink(self._path)
        with suppress(OSError):
            os.close(self._descriptor)


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
    """Return the leases of living processes; one that cannot be looked at may be of any package."""
    found = []
    for folder in dict.fromkeys(folders):
        try:
            names = sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            found.append(Lease(f"{folder} ({(error.strerror or str(error)).lower()})", None))
            continue
        for name in names:
            lease = _read(os.path.join(folder, name))
            if lease is not None:
                found.append(lease)
    return tuple(found)


def _read(path: str) -> Lease | None:
    """Return what a locked file says; `None` if nobody holds it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _CLOSE)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not _is_locked(descriptor):
                return None
            content = os.read(descriptor, _MAX_BYTES)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Lease(f"{path} ({(error.strerror or str(error)).lower()})", None)
    holder, *dists = os.fsdecode(content).split("\n")
    is_complete = dists[-2:] == [_END, ""]
    return Lease(holder or path, frozenset(dists[:-2]) if is_complete else None)


def _forget_the_dead(folder: str) -> None:
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | _CLOSE)
            try:
                if not _is_locked(descriptor):
                    os.unlink(path)
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
