"""Whether conda can link from a cache into an environment, and what stands in the way."""

from __future__ import annotations

import os

from ..filesystem.mounts import OVERLAYS, read_mount_table

_PROTECTED = "/proc/sys/fs/protected_hardlinks"  # proc_sys_fs(5)


def why_copied(prefix: str, extracted: str) -> str:
    """Return as a phrase why the files of a package in a cache are copied into an environment.

    Args:
        prefix: Absolute path of the environment, which need not be there yet.
        extracted: Absolute path of the package, or of its cache; empty if unknown.

    """
    target, source = _existing(prefix), _existing(extracted)
    if not target or not source:
        return ""
    return _obstacle(target, source) or "the filesystem refused to link them"


def will_copy(prefix: str, package: str) -> str:
    """Return as a phrase why a package will be copied into an environment, `""` if it will not.

    Args:
        prefix: Absolute path of the environment, which need not be there yet.
        package: Absolute path of the package, or of the cache that it will be in.

    """
    target, source = _existing(prefix), _existing(package)
    return _obstacle(target, source) if target and source else ""


def free_bytes(prefix: str) -> int | None:
    """Return the free space where an environment is or will be; `None` if that cannot be told."""
    try:
        status = os.statvfs(_existing(prefix))
    except (OSError, AttributeError):
        return None
    return status.f_bavail * status.f_frsize


def _obstacle(target: str, source: str) -> str:
    if os.stat(target).st_dev != os.stat(source).st_dev:
        return f"{target} and {source} are on different filesystems"
    if _is_protected(source):
        return f"{source} belongs to another user, whose files may not be linked"
    if _is_in_lower_layer(source):
        return f"{source} is in a lower layer of an overlay, from where it is copied up"
    return ""


def _is_in_lower_layer(package: str) -> bool:
    """Tell whether a package is in a lower layer of an overlay, as far as that shows.

    Without `xino` its files have another device than their folder (overlayfs, "Inode properties").
    """
    try:
        file = os.lstat(os.path.join(package, "info", "index.json"))
        folder = os.lstat(os.path.join(package, "info"))
    except OSError:
        return False
    filesystem = read_mount_table().filesystem(os.path.realpath(package))
    return filesystem in OVERLAYS and file.st_dev != folder.st_dev


def _is_protected(path: str) -> bool:
    """Tell whether the system forbids this user to link files that lie there."""
    if os.geteuid() == 0 or os.stat(path).st_uid == os.geteuid() or os.access(path, os.W_OK):
        return False
    try:
        with open(_PROTECTED, encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def _existing(path: str) -> str:
    """Return the innermost folder of a path that is there, `""` of none."""
    while path and path != "/" and not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
