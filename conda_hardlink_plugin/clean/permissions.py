"""Which package caches may be touched."""

from __future__ import annotations

import os
import pwd
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def closed_caches(
    caches: Iterable[str], named: Sequence[str], read_only: Sequence[str] = ()
) -> dict[str, str]:
    """Return the caches that are not to be touched, and why as a phrase.

    A cache that is named may be somebody else's, or writable by others; no cache that is not named
    beside it is touched.

    Args:
        caches: Absolute paths of all caches.
        named: Absolute paths of those that the user named with `--cache`.
        read_only: Absolute paths of those that are never to be touched.

    """
    closed = {}
    for cache in caches:
        if is_named(cache, read_only):
            reason = "the setting hardlinks_read_only_caches names it"
        elif is_named(cache, named):
            reason = _obstacle(cache)
        elif named:
            reason = "it is not named with --cache"
        else:
            reason = _obstacle(cache) or _reservation(cache)
        if reason:
            closed[cache] = reason
    return closed


def is_named(cache: str, named: Sequence[str]) -> bool:
    """Tell whether a cache is one of those that are named."""
    return os.path.realpath(cache) in {os.path.realpath(path) for path in named}


def _obstacle(cache: str) -> str:
    """Return why a cache cannot be written, `""` if it can."""
    return "" if os.access(cache, os.W_OK | os.X_OK) else "it is read-only for you"


def _reservation(cache: str) -> str:
    """Return why a cache is not touched unless it is named."""
    try:
        status = os.stat(cache)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if status.st_uid != os.geteuid():
        return f"it belongs to {_user(status.st_uid)}; to clean it name it with --cache"
    if os.geteuid() == 0 and status.st_mode & _WRITABLE_BY_OTHERS:
        return "others than root can write to it; to clean it name it with --cache"
    return ""


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
