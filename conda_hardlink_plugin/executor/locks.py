"""The locks on a package cache: ours, mamba's and rattler's, so that each waits for the others.

conda itself takes none. `docs/explanation/package-caches.md` says where the rules are from.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..metadata.quarantine_names import OUR_LOCK
from .outcome import RefusedError
from .quarantine import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from .quarantine import Quarantine

WAIT_S = 30.0
RATTLER_LOCK = ".cache.lock"
_MAMBA_BYTE = 21  # conda's and mamba's locks are on this byte
_RETRY_S = 0.1
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class LockFile:
    """A file to lock.

    Attributes:
        path: Absolute path, to name it.
        name: Its name in the directory.
        directory: Descriptor of the directory.
        lock: Locks a descriptor without waiting, or raises `OSError`.
        ours_alone: Nobody else has any business with it.

    """

    path: str
    name: str
    directory: int
    lock: Callable[[int], None]
    ours_alone: bool


def lock_files(cache: str, quarantine: Quarantine) -> list[LockFile]:
    """Return the locks of a cache in the order in which they are to be taken."""
    mamba = f"{os.path.basename(cache)}.lock"
    ours, theirs = quarantine.descriptor, quarantine.cache_descriptor
    return [
        LockFile(f"{quarantine.path}/{OUR_LOCK}", OUR_LOCK, ours, _lock_whole, ours_alone=True),
        LockFile(f"{cache}/{mamba}", mamba, theirs, _lock_mamba_byte, ours_alone=False),
        LockFile(f"{cache}/{RATTLER_LOCK}", RATTLER_LOCK, theirs, _lock_whole, ours_alone=False),
    ]


@contextmanager
def locked(files: list[LockFile], wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold all locks; whoever has one is waited for.

    Args:
        files: What to lock.
        wait_s: How long to wait for all of them.

    Raises:
        RefusedError: One is held for longer, or is no file of ours to lock.

    """
    deadline = time.monotonic() + wait_s
    with ExitStack() as stack:
        for file in files:
            try:
                stack.callback(os.close, _take(file, deadline))
            except OSError as error:  # noqa: PERF203  # there are few
                raise RefusedError.of(file.path, error) from None
        yield


def _take(file: LockFile, deadline: float) -> int:
    """Return a descriptor that holds the lock."""
    while True:
        with ExitStack() as stack:
            descriptor = _open(file)
            stack.callback(os.close, descriptor)
            _check(file, os.fstat(descriptor))
            if _try_lock(file, descriptor) and _is_still_there(file, descriptor):
                stack.pop_all()
                return descriptor
            if time.monotonic() >= deadline:
                raise RefusedError(
                    file.path,
                    f"it is locked by {_holder(descriptor)}: wait until that is finished, or stop"
                    " it, and run this again",
                )
        time.sleep(_RETRY_S)


def _open(file: LockFile) -> int:
    try:
        return os.open(file.name, _OPEN, 0o666, dir_fd=file.directory)
    except OSError as error:
        raise RefusedError.of(file.path, error) from None


def _check(file: LockFile, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError(file.path, "it cannot be locked: it is no regular file")
    if file.ours_alone and status.st_uid != os.geteuid():
        raise RefusedError(file.path, "it cannot be locked: it belongs to another user")


def _try_lock(file: LockFile, descriptor: int) -> bool:
    try:
        file.lock(descriptor)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, fcntl(2)
        return False
    except OSError as error:
        raise RefusedError.of(file.path, error) from None
    return True


def _is_still_there(file: LockFile, descriptor: int) -> bool:
    """Tell whether the locked file is what others will lock: mamba removes its own when done."""
    try:
        there = os.stat(file.name, dir_fd=file.directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _lock_whole(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_mamba_byte(descriptor: int) -> None:
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _MAMBA_BYTE)


def _holder(descriptor: int) -> str:
    """Name the process that holds a lock on a file, from `/proc/locks` (proc_locks(5))."""
    status = os.fstat(descriptor)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
        holder = next(words[4] for words in lines if words[1] != "->" and words[5] == device)
        with open(f"/proc/{holder}/comm", encoding="utf-8", errors="replace") as file:
            return f"process {holder} ({file.read().strip()})"
    except (OSError, StopIteration, IndexError, ValueError):
        return "another process"


@contextmanager
def locked_quarantine(
    cache: str, folders: Collection[str] = (), known: tuple[int, int] | None = None
) -> Iterator[Quarantine]:
    """Open the quarantine of a cache and hold every lock of the cache.

    Args:
        cache: Absolute path of the cache.
        folders: Folders in it that hold packages, relative to it: one of them may be the cache of
            a rattler, which then has its lock there.
        known: Device and inode of the cache, where it has been looked at before.

    Raises:
        RefusedError: The quarantine or a lock cannot be had.

    """
    with ExitStack() as stack:
        while True:
            attempt = stack.enter_context(ExitStack())
            quarantine = attempt.enter_context(opened(cache, known))
            try:
                attempt.enter_context(locked(lock_files(cache, quarantine)))
            except RefusedError:
                if quarantine.is_in_place():
                    raise
            if quarantine.is_in_place():
                break
            attempt.close()  # whoever had it before removed the empty quarantine
        for folder in folders:
            path = os.path.join(cache, folder, RATTLER_LOCK)
            if os.path.lexists(path):
                relative = os.path.join(folder, RATTLER_LOCK)
                directory, name = stack.enter_context(quarantine.parent(relative))
                theirs = LockFile(path, name, directory, _lock_whole, ours_alone=False)
                stack.enter_context(locked([theirs]))
        yield quarantine
