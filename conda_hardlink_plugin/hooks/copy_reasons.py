"""Why conda copies packages into an environment instead of linking them."""

from __future__ import annotations

import os

from ..filesystem import fs
from ..filesystem.problems import GONE


def why_copied(prefix: str, extracted: str) -> str:
    """Return as a phrase why the files of a package in a cache are copied into an environment.

    Args:
        prefix: Absolute path of the environment, which need not exist yet.
        extracted: Absolute path of the package, or of its cache; empty if unknown.

    """
    target, source = _existing(prefix), _existing(extracted)
    if not target or not source:
        return ""
    return _obstacle(target, source) or "the filesystem refused to link them"


def will_copy(prefix: str, package: str) -> str:
    """Return as a phrase why a package will be copied into an environment, `""` if it will not.

    Args:
        prefix: Absolute path of the environment, which need not exist yet.
        package: Absolute path of the package, or of the cache that it will be in.

    """
    target, source = _existing(prefix), _existing(package)
    return _obstacle(target, source) if target and source else ""


def free_bytes(prefix: str) -> int | None:
    """Return the free space for an environment; `None` if it is unknown."""
    try:
        return fs.free_bytes(_existing(prefix))
    except OSError:
        return None


def _obstacle(target: str, source: str) -> str:
    if _device(target) != _device(source):
        return f"{target} and {source} are on different filesystems"
    if _is_protected(source):
        return (
            f"{source} belongs to another user, and `fs.protected_hardlinks` forbids linking its"
            " files"
        )
    if _is_in_lower_layer(source):
        return f"{source} is in a lower layer of an overlay, from where it is copied up"
    return ""


def _is_in_lower_layer(package: str) -> bool:
    """Tell whether a package is in an overlay and, as far as can be seen, not in its upper layer.

    Inodes do not tell that: a file that was copied up keeps the device and number that it had
    (overlayfs, "Inode properties").
    """
    path = os.path.join(os.path.realpath(package), "info", "index.json")
    upper = fs.read_mounts().path_in_upper_layer(path)
    if not upper or not os.path.lexists(path):
        return False
    try:
        fs.status(upper)
    except GONE:
        return True
    except OSError:
        return False
    return False


def _is_protected(path: str) -> bool:
    """Tell whether the system forbids this user to link the files of a package, or of a cache.

    It looks at the owner and the permissions of the file that is linked, not at those of its folder
    (proc_sys_fs(5)). conda tries it with `info/index.json`.
    """
    probe = os.path.join(path, "info", "index.json")
    path = probe if os.path.lexists(probe) else path
    is_own = fs.status(path, follow_symlinks=True).owner == fs.current_user()
    if fs.is_administrator() or is_own or os.access(path, os.R_OK | os.W_OK):
        return False
    return fs.hard_links_are_protected()


def _device(path: str) -> int:
    return fs.status(path, follow_symlinks=True).device


def _existing(path: str) -> str:
    """Return the innermost existing folder of a path, `""` if none exists."""
    while path and path != "/" and not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
