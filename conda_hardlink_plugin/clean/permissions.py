"""The package caches that a clean must not change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.paths import real_path
from ..filesystem.problems import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOT_NAMED = "you named other caches"
_HOW_TO_NAME = "to clean it, name it with --cache (in Python: caches)"


def closed_caches(
    caches: Iterable[str],
    named: Sequence[str],
    read_only: Sequence[str] = (),
    *,
    read_only_by: str = "the setting hardlinks_read_only_caches",
) -> dict[str, str]:
    """Return the caches that must not be changed, each to the reason as a phrase.

    A cache that the user names may belong to another user, or be writable by others. If any cache
    is named, all others are closed.

    Args:
        caches: Absolute paths of all caches.
        named: Absolute paths of the caches that the user named.
        read_only: Absolute paths of caches that are always closed.
        read_only_by: What names those caches.

    """
    closed = {}
    for cache in caches:
        if is_named(cache, read_only):
            reason = f"{read_only_by} names it"
        elif is_named(cache, named):
            reason = _obstacle(cache)
        elif named:
            reason = NOT_NAMED
        else:
            reason = _obstacle(cache) or _reservation(cache)
        if reason:
            closed[cache] = reason
    return closed


def is_named(cache: str, named: Sequence[str]) -> bool:
    """Return whether a cache is one of some caches, by its real path."""
    return (real_path(cache) or cache) in {real_path(path) or path for path in named}


def _obstacle(cache: str) -> str:
    """Return why a cache cannot be written; `""` if it can."""
    return "" if os.access(cache, os.W_OK | os.X_OK) else "it is read-only for you"


def _reservation(cache: str) -> str:
    """Return why a cache is closed unless the user names it; `""` if it is not."""
    try:
        status = fs.status(cache, follow_symlinks=True)
    except OSError as error:
        return reason_of(error)
    if status.owner != fs.current_user():
        return f"it belongs to {fs.user_name(status.owner)}; {_HOW_TO_NAME}"
    if fs.is_administrator() and status.is_writable_by_others:
        return f"users other than root can write to it; {_HOW_TO_NAME}"
    return ""
