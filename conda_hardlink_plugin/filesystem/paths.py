"""Questions about paths."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def is_within(path: str, directory: str) -> bool:
    """Tell whether `path` is `directory` or below it, by the text of the two absolute paths."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def is_one_of(path: str, identities: Collection[tuple[int, int]]) -> bool:
    """Tell whether what is at a path has one of these devices and inodes."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) in identities


def real_path(path: str) -> str | None:
    """Return a path with every symbolic link resolved; `None` where that cannot be told.

    Of a path to nothing the rest is taken as it stands.
    """
    try:
        return os.path.realpath(path, strict=True)
    except (FileNotFoundError, NotADirectoryError):
        return os.path.realpath(path)
    except OSError:
        return None


def expand(path: str) -> str:
    """Return the absolute path that a user means: `~` and variables replaced, as conda does it."""
    return os.path.abspath(os.path.expanduser(os.path.expandvars(path)))


def is_same_file(path: str, other: str) -> bool:
    """Tell whether two paths lead to one file or folder."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
