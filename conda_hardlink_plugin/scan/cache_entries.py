"""What the entries of a package cache are, by their names and what lies in them."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..metadata.quarantine_names import QUARANTINE, QuarantineEntry, Stage
from .inventory import PARTIAL_SUFFIXES, TARBALL_SUFFIXES, UnitKind

if TYPE_CHECKING:
    from ..filesystem.protocol import Handle
    from .open_directory import OpenDirectory

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_UNFINISHED = "."  # rattler extracts to such a name and renames
# conda.gateways.disk.delete, conda.base.constants; mamba's util.cpp
_TRASH = re.compile(r".*\.(c~|trash|(conda|mamba)_trash(_\d+)?)", re.DOTALL)


def kind_of_directory(parent: OpenDirectory, name: str, handle: Handle) -> UnitKind:
    """Return what a directory in a cache, outside packages, is."""
    if _is_quarantine(parent):
        entry = QuarantineEntry.of_name(name)
        if entry is not None:
            moving = entry.stage is Stage.MOVING and not _TRASH.fullmatch(entry.relative)
            is_package = moving and _is_package(handle)
            return UnitKind.PACKAGE if is_package else UnitKind.QUARANTINED
    if _TRASH.fullmatch(name):
        return UnitKind.TRASH
    is_package = not name.startswith(_UNFINISHED) and _is_package(handle)
    return UnitKind.PACKAGE if is_package else UnitKind.OTHER


def kind_of_file(place: OpenDirectory, name: str) -> UnitKind:
    """Return what a file in a directory of a cache, outside packages, is."""
    if _is_quarantine(place) and QuarantineEntry.of_name(name) is not None:
        return UnitKind.QUARANTINED
    if name.endswith((*TARBALL_SUFFIXES, *PARTIAL_SUFFIXES)):
        return UnitKind.TARBALL
    return UnitKind.TRASH if _TRASH.fullmatch(name) else UnitKind.OTHER


def _is_quarantine(place: OpenDirectory) -> bool:
    """Tell whether a directory is the quarantine of its cache."""
    return place.name == QUARANTINE and place.parent is not None and place.parent.parent is None


def _is_package(handle: Handle) -> bool:
    """Tell whether the open directory is an extracted package (has `info/index.json`).

    Where that cannot be told it is taken for one, so that nothing in it is judged by itself.
    """
    try:
        status = fs.status_at("info/index.json", handle)
    except OSError as error:
        return error.errno not in _NOT_THERE
    return status.is_regular
