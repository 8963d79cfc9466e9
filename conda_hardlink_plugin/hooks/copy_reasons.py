"""Why conda copies packages into an environment instead of linking them."""

from __future__ import annotations

import os

from ..filesystem import fs
from ..filesystem.mounts import OVERLAYS


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
    """Tell whether a package is visibly in a lower layer of an overlay.

    Without `xino`, its files have a different device from their folder (overlayfs, "Inode
    properties").
    """
    try:
        file = fs.status(os.path.join(package, "info", "index.json"))
        folder = fs.status(os.path.join(package, "info"))
    except OSError:
        return False
    filesystem = fs.read_mounts().filesystem(os.path.realpath(package))
    return filesystem in OVERLAYS and file.device != folder.device


def _is_protected(path: str) -> bool:
    """Tell whether the system forbids this user to link the files at a path."""
    is_own = fs.status(path, follow_symlinks=True).owner == fs.current_user()
    if fs.is_administrator() or is_own or os.access(path, os.W_OK):
        return False
    return fs.hard_links_are_protected()


def _device(path: str) -> int:
    return fs.status(path, follow_symlinks=True).device


def _existing(path: str) -> str:
    """Return the innermost existing folder of a path, `""` if none exists."""
    while path and path != "/" and not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
