"""Why an environment has bytes of its own: one cause for each exclusive inode."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from ..metadata.conda_meta import FileRole, Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ..scan.inventory import OwnFile
    from .usage import Measure


class Cause(Enum):
    """Why bytes are the environment's own.

    Attributes:
        PREFIX_REWRITTEN: conda wrote the prefix into the file.
        BYTECODE: Compiled for this environment, by conda or by Python at run time.
        CONDA_OWN: Entry points, menus, and `conda-meta`.
        COPIED: The record says linkable and the package is in a cache, yet the inode is its own.
        NOT_IN_CACHE: The record says linkable, but no cache has the package any more.
        SYMLINKS: Symbolic links, which conda creates in each environment: those in a package, and
            those into a cache in place of its files.
        NO_LINK: The package forbids linking the file, or has an absolute symbolic link there, whose
            target conda copies.
        PIP: Listed in a `RECORD` by pip or a similar installer, and in no conda package.
        UNOWNED: No record lists it.
        DIRECTORIES: The folders themselves.

    """

    PREFIX_REWRITTEN = "prefix_rewritten"
    BYTECODE = "bytecode"
    CONDA_OWN = "entry_points_and_records"
    COPIED = "copied"
    NOT_IN_CACHE = "not_in_cache"
    SYMLINKS = "symlinks"
    NO_LINK = "no_link"
    PIP = "pip"
    UNOWNED = "unowned"
    DIRECTORIES = "directories"


_CAUSE_OF_ROLE = {
    FileRole.PREFIX_REWRITTEN: Cause.PREFIX_REWRITTEN,
    FileRole.NO_LINK: Cause.NO_LINK,
    FileRole.BYTECODE: Cause.BYTECODE,
    FileRole.ENTRY_POINT: Cause.CONDA_OWN,
}


@dataclass(slots=True)
class PrivateBytes:
    """The bytes that are an environment's own, by cause and by package.

    Attributes:
        by_cause: Every cause, even with 0 bytes; they add up to the exclusive usage.
        by_package: `NAME-VERSION-BUILD` of a conda package to the exclusive bytes of its files.
        copied: Packages with a file that could have been linked from the cache and was not.

    """

    by_cause: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(Cause, 0))
    by_package: dict[str, int] = field(default_factory=dict)
    copied: set[str] = field(default_factory=set)


def split_private_bytes(
    own_files: Iterable[OwnFile],
    *,
    directory_bytes: int,
    measure: Measure,
    records: Iterable[Record],
    cached: Collection[str],
    pip_files: Collection[str],
) -> PrivateBytes:
    """Assign a cause to every exclusive inode of an environment, and a package if it has one.

    Args:
        own_files: The files that only the environment holds, each inode once, from the scan.
        directory_bytes: Bytes of its directories.
        measure: The bytes to count for an inode.
        records: Records of the installed packages; files in unreadable records count as unowned.
        cached: `NAME-VERSION-BUILD` of the packages that are in a cache.
        pip_files: Paths that a `RECORD` lists.

    """
    owner: dict[str, tuple[Record, FileRole]] = {
        path: (record, role) for record in records for path, role in record.files.items()
    }
    private = PrivateBytes()
    private.by_cause[Cause.DIRECTORIES] = directory_bytes
    for file in own_files:
        amount = measure.of(file)
        owned = owner.get(file.path)
        if owned is None:
            cause = _cause_of_unrecorded(file.path, pip_files)
        else:
            record, role = owned
            cause = cause_of_recorded(
                role,
                is_symlink=file.is_symlink,
                hard_link_requested=record.hard_link_requested,
                in_cache=record.dist in cached,
            )
            if cause is Cause.COPIED:
                private.copied.add(record.dist)
            private.by_package[record.dist] = private.by_package.get(record.dist, 0) + amount
        private.by_cause[cause] += amount
    return private


def cause_of_recorded(
    recorded_role: FileRole, *, is_symlink: bool, hard_link_requested: bool, in_cache: bool
) -> Cause:
    """Return why a file of a conda package is the environment's own.

    Args:
        recorded_role: Its role by the record, which can differ from the disk. conda records
            all files of a softlinked package as symbolic links, yet copies its executables. In any
            package it records an absolute symbolic link as one, yet copies its target
            (`conda.gateways.disk.create.copy`).
        is_symlink: The file on disk is a symbolic link.
        hard_link_requested: conda requested hard links for the package.
        in_cache: The package is in a cache.

    """
    if is_symlink:
        return Cause.SYMLINKS
    if recorded_role is FileRole.SYMLINK:
        recorded_role = FileRole.NO_LINK if hard_link_requested else FileRole.LINKABLE
    if recorded_role is FileRole.LINKABLE:
        return Cause.COPIED if in_cache else Cause.NOT_IN_CACHE
    return _CAUSE_OF_ROLE[recorded_role]


def _cause_of_unrecorded(path: str, pip_files: Collection[str]) -> Cause:
    if path.startswith(("conda-meta/", "Menu/")):
        return Cause.CONDA_OWN
    if path in pip_files:
        return Cause.PIP
    if path.endswith((".pyc", ".pyo")):
        return Cause.BYTECODE
    return Cause.UNOWNED
