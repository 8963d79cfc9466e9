"""The locks on a package cache: ours, mamba's and rattler's, so that each waits for the others.

conda itself takes no lock. The rules are from the sources in
`docs/explanation/package-caches.md`.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.protocol import Access
from ..metadata.quarantine_names import LOCK_NAME
from .errors import RefusedError, naming_path
from .quarantine import identity_at, opened_quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ..filesystem.protocol import FileStatus, Handle, Identity
    from .quarantine import Quarantine

WAIT_S = 30.0
RATTLER_LOCK = ".cache.lock"
_MAMBA_BYTE = 21  # the offset that conda and mamba lock
_RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class LockFile:
    """A file to lock.

    Attributes:
        path: Absolute path, for messages.
        name: Its name in the directory.
        directory: Handle of the directory.
        lock: Locks an open file without waiting, or raises `OSError`.
        is_private: No other program and no other user uses the file.

    """

    path: str
    name: str
    directory: Handle
    lock: Callable[[Handle], None] = fs.lock_file
    is_private: bool = False


def lock_files(cache: str, quarantine: Quarantine) -> list[LockFile]:
    """Return the lock files of a cache, in the order in which to lock them."""
    mamba, in_cache = f"{os.path.basename(cache)}.lock", quarantine.cache_handle
    lock_byte = partial(fs.lock_byte, offset=_MAMBA_BYTE)
    return [
        LockFile(f"{quarantine.path}/{LOCK_NAME}", LOCK_NAME, quarantine.handle, is_private=True),
        LockFile(f"{cache}/{mamba}", mamba, in_cache, lock_byte),
        LockFile(f"{cache}/{RATTLER_LOCK}", RATTLER_LOCK, in_cache),
    ]


@contextmanager
def locked(files: list[LockFile], wait_s: float = WAIT_S) -> Iterator[None]:
    """Wait for all locks and hold them.

    Args:
        files: The files to lock.
        wait_s: How long to wait for all of them, in seconds.

    Raises:
        RefusedError: Another process holds a lock for longer, or a file cannot be locked.

    """
    deadline = time.monotonic() + wait_s
    with ExitStack() as stack:
        for file in files:
            with naming_path(file.path):
                stack.callback(fs.close, _take(file, deadline))
        yield


def _take(file: LockFile, deadline: float) -> Handle:
    """Return the handle of an open file that holds the lock."""
    while True:
        with ExitStack() as stack:
            handle = fs.open_file(file.name, Access.LOCK, parent=file.directory, mode=0o666)
            stack.callback(fs.close, handle)
            _check(file, fs.status_of(handle))
            if _try_lock(file, handle) and _is_in_place(file, handle):
                stack.pop_all()
                return handle
            if time.monotonic() >= deadline:
                raise RefusedError(
                    file.path,
                    f"it is locked by {fs.lock_holder(handle)}: wait until that process finishes,"
                    " or stop it, and run this command again",
                )
        time.sleep(_RETRY_S)


def _check(file: LockFile, status: FileStatus) -> None:
    if not status.is_regular:
        raise RefusedError(file.path, "it cannot be locked: it is not a regular file")
    if file.is_private and status.owner != fs.current_user():
        raise RefusedError(file.path, "it cannot be locked: it belongs to another user")


def _try_lock(file: LockFile, handle: Handle) -> bool:
    try:
        file.lock(handle)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES
        return False
    return True


def _is_in_place(file: LockFile, handle: Handle) -> bool:
    """Return whether others lock the same file: mamba removes its lock file when it is done."""
    return identity_at(file.name, file.directory) == fs.status_of(handle).identity


@contextmanager
def locked_quarantine(
    cache: str, folders: Collection[str] = (), known: Identity | None = None
) -> Iterator[Quarantine]:
    """Open the quarantine of a cache and hold every lock of the cache.

    Args:
        cache: Absolute path of the cache.
        folders: Folders in it that hold packages, relative to it. Each may be a cache of rattler's,
            with rattler's lock in it.
        known: Device and inode of the cache, as the plan saw them.

    Raises:
        RefusedError: The quarantine cannot be opened, or a lock cannot be taken.

    """
    with ExitStack() as stack:
        while True:
            attempt = stack.enter_context(ExitStack())
            quarantine = attempt.enter_context(opened_quarantine(cache, known))
            try:
                attempt.enter_context(locked(lock_files(cache, quarantine)))
            except RefusedError:
                if quarantine.is_in_place():
                    raise
            if quarantine.is_in_place():
                break
            attempt.close()  # the process that held the lock removed the empty quarantine
        for folder in folders:
            path = os.path.join(cache, folder, RATTLER_LOCK)
            if os.path.lexists(path):
                relative = os.path.join(folder, RATTLER_LOCK)
                directory, name = stack.enter_context(quarantine.parent(relative))
                stack.enter_context(locked([LockFile(path, name, directory)]))
        yield quarantine
