"""Relations between paths, and paths as users write them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def is_within(path: str, directory: str) -> bool:
    """Return whether `path` is `directory` or below it, judging by two absolute paths as text."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def has_identity_in(path: str, identities: Collection[tuple[int, int]]) -> bool:
    """Return whether the file at a path has one of these (device, inode) pairs."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):  # the latter for a NUL in the path
        return False
    return (status.st_dev, status.st_ino) in identities


def real_path(path: str) -> str | None:
    """Return a path with every symbolic link resolved; `None` if that is impossible.

    If nothing exists at the path, the missing part is kept as written.
    """
    try:
        return os.path.realpath(path, strict=True)
    except (FileNotFoundError, NotADirectoryError):
        return os.path.realpath(path)
    except (OSError, ValueError):
        return None


def expand(path: str) -> str:
    """Return the absolute path that a user means: `~` and variables are replaced, as in conda."""
    return os.path.abspath(os.path.expanduser(os.path.expandvars(path)))


def is_same_file(path: str, other: str) -> bool:
    """Return whether two paths lead to the same file or directory."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False
