"""Kinds of the entries in a package cache, by their names and contents."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..metadata.quarantine_names import QUARANTINE, QuarantineEntry, Stage
from .inventory import ARCHIVE_SUFFIXES, PARTIAL_SUFFIXES, UnitKind

if TYPE_CHECKING:
    from ..filesystem.protocol import Handle
    from .open_directory import OpenDirectory

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_UNFINISHED = "."  # rattler extracts to a hidden directory and renames it
# conda.gateways.disk.delete, conda.base.constants; util.cpp of mamba
_TRASH = re.compile(r".*\.(c~|trash|(conda|mamba)_trash(_\d+)?)", re.DOTALL)


def kind_of_directory(parent: OpenDirectory, name: str, handle: Handle) -> UnitKind:
    """Return the kind of a directory in the part of a cache outside packages.

    Args:
        parent: The directory that contains it.
        name: Its name.
        handle: The open directory itself.

    """
    entry = QuarantineEntry.of_name(name) if _is_quarantine(parent) else None
    if entry is not None:
        moving = entry.stage is Stage.MOVING and not _TRASH.fullmatch(entry.relative)
        return UnitKind.PACKAGE if moving and _is_package(handle) else UnitKind.QUARANTINED
    if _TRASH.fullmatch(name):
        return UnitKind.TRASH
    is_package = not name.startswith(_UNFINISHED) and _is_package(handle)
    return UnitKind.PACKAGE if is_package else UnitKind.OTHER


def may_be_package(parent: OpenDirectory, name: str) -> bool:
    """Return whether a directory outside packages is a package if it has `info/index.json`."""
    is_hidden = name.startswith(_UNFINISHED) or _TRASH.fullmatch(name)
    return not (is_hidden or _is_quarantine(parent))


def kind_of_file(parent: OpenDirectory, name: str) -> UnitKind:
    """Return the kind of a file in the part of a cache outside packages."""
    if _is_quarantine(parent) and QuarantineEntry.of_name(name) is not None:
        return UnitKind.QUARANTINED
    if name.endswith((*ARCHIVE_SUFFIXES, *PARTIAL_SUFFIXES)):
        return UnitKind.ARCHIVE
    return UnitKind.TRASH if _TRASH.fullmatch(name) else UnitKind.OTHER


def _is_quarantine(directory: OpenDirectory) -> bool:
    """Return whether a directory is the quarantine of its cache."""
    parent = directory.parent
    return directory.name == QUARANTINE and parent is not None and parent.parent is None


def _is_package(handle: Handle) -> bool:
    """Return whether an open directory is an extracted package: it has `info/index.json`.

    If that cannot be determined, the directory counts as a package, so that nothing in it is
    treated as a unit of its own.
    """
    try:
        return fs.status_at("info/index.json", handle).is_regular
    except OSError as error:
        return error.errno not in _NOT_THERE
