"""The locks on a package cache: ours, mamba's and rattler's, so that each waits for the others.

conda itself takes none. `docs/explanation/package-caches.md` says where the rules are from.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.protocol import Access
from ..metadata.quarantine_names import OUR_LOCK
from .outcome import RefusedError
from .quarantine import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ..filesystem.protocol import FileStatus, Handle, Identity
    from .quarantine import Quarantine

WAIT_S = 30.0
RATTLER_LOCK = ".cache.lock"
_MAMBA_BYTE = 21  # conda's and mamba's locks are on this byte
_RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class LockFile:
    """A file to lock.

    Attributes:
        path: Absolute path, to name it.
        name: Its name in the directory.
        directory: Opens the directory.
        lock: Locks an open file without waiting, or raises `OSError`.
        ours_alone: Nobody else has any business with it.

    """

    path: str
    name: str
    directory: Handle
    lock: Callable[[Handle], None]
    ours_alone: bool


def lock_files(cache: str, quarantine: Quarantine) -> list[LockFile]:
    """Return the locks of a cache in the order in which they are to be taken."""
    mamba = f"{os.path.basename(cache)}.lock"
    ours, theirs = quarantine.handle, quarantine.cache_handle
    return [
        LockFile(f"{quarantine.path}/{OUR_LOCK}", OUR_LOCK, ours, fs.lock_file, ours_alone=True),
        LockFile(f"{cache}/{mamba}", mamba, theirs, _lock_mamba_byte, ours_alone=False),
        LockFile(f"{cache}/{RATTLER_LOCK}", RATTLER_LOCK, theirs, fs.lock_file, ours_alone=False),
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
                stack.callback(fs.close, _take(file, deadline))
            except OSError as error:  # noqa: PERF203  # there are few
                raise RefusedError.of(file.path, error) from None
        yield


def _take(file: LockFile, deadline: float) -> Handle:
    """Return an open file that holds the lock."""
    while True:
        with ExitStack() as stack:
            handle = _open(file)
            stack.callback(fs.close, handle)
            _check(file, fs.status_of(handle))
            if _try_lock(file, handle) and _is_still_there(file, handle):
                stack.pop_all()
                return handle
            if time.monotonic() >= deadline:
                raise RefusedError(
                    file.path,
                    f"it is locked by {fs.lock_holder(handle)}: wait until that is finished, or"
                    " stop it, and run this again",
                )
        time.sleep(_RETRY_S)


def _open(file: LockFile) -> Handle:
    try:
        return fs.open_file(file.name, Access.LOCK, parent=file.directory, mode=0o666)
    except OSError as error:
        raise RefusedError.of(file.path, error) from None


def _check(file: LockFile, status: FileStatus) -> None:
    if not status.is_regular:
        raise RefusedError(file.path, "it cannot be locked: it is no regular file")
    if file.ours_alone and status.owner != fs.current_user():
        raise RefusedError(file.path, "it cannot be locked: it belongs to another user")


def _try_lock(file: LockFile, handle: Handle) -> bool:
    try:
        file.lock(handle)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES
        return False
    except OSError as error:
        raise RefusedError.of(file.path, error) from None
    return True


def _is_still_there(file: LockFile, handle: Handle) -> bool:
    """Tell whether the locked file is what others will lock: mamba removes its own when done."""
    try:
        there = fs.status_at(file.name, file.directory)
    except FileNotFoundError:
        return False
    return there.identity == fs.status_of(handle).identity


def _lock_mamba_byte(handle: Handle) -> None:
    fs.lock_byte(handle, _MAMBA_BYTE)


@contextmanager
def locked_quarantine(
    cache: str, folders: Collection[str] = (), known: Identity | None = None
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
                theirs = LockFile(path, name, directory, fs.lock_file, ours_alone=False)
                stack.enter_context(locked([theirs]))
        yield quarantine
