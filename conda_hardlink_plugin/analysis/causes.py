"""Why an environment has bytes of its own: each of its exclusive inodes gets one cause."""

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
        BYTECODE: Compiled for this environment, by conda or by Python when it ran.
        CONDA_OWN: Entry points, menus and `conda-meta`.
        COPIED: The record says linkable and the package is in a cache, yet the inode is its own.
        NOT_IN_CACHE: The record says linkable, but no cache has the package any more.
        SYMLINKS: Symbolic links, which conda makes anew in each environment: those of a package,
            and those into a cache that stand for its files.
        NO_LINK: The package forbids to link the file, or has an absolute symbolic link there: conda
            copies what that leads to.
        PIP: Listed in a `RECORD` that pip or the like wrote, and of no conda package.
        UNOWNED: Nobody says where it comes from.
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


@dataclass(slots=True)
class PrivateBytes:
    """The bytes that are an environment's own, split up.

    Attributes:
        by_cause: Every cause, also with 0; they add up to the exclusive usage.
        by_package: `NAME-VERSION-BUILD` of a conda package to the exclusive bytes of its files.
        copied: The packages with a file that could have been linked from the cache and was not.

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
    """Give every exclusive inode of an environment a cause and, if it has one, a package.

    Args:
        own_files: The files that the environment alone holds, each inode once, from the scan.
        directory_bytes: What its directories hold.
        measure: What is counted for an inode.
        records: What conda says is installed; unreadable records are left out, their files are
            unowned then.
        cached: `NAME-VERSION-BUILD` of the packages that are in a cache.
        pip_files: Paths that a `RECORD` lists.

    """
    owner: dict[str, tuple[Record, FileRole]] = {
        path: (record, role) for record in records for path, role in record.files.items()
    }
    private = PrivateBytes()
    private.by_cause[Cause.DIRECTORIES] = directory_bytes
    for file in own_files:
        amount = measure.of_file(file)
        owned = owner.get(file.path)
        if owned is None:
            cause = _cause_of_unrecorded(file.path, pip_files)
        else:
            record, role = owned
            role = role_on_disk(
                role,
                is_symlink=file.is_symlink,
                hard_link_asked_for=record.hard_link_asked_for,
            )
            cause = cause_of_recorded(role, in_cache=record.dist in cached)
            if cause is Cause.COPIED:
                private.copied.add(record.dist)
            private.by_package[record.dist] = private.by_package.get(record.dist, 0) + amount
        private.by_cause[cause] += amount
    return private


def role_on_disk(role: FileRole, *, is_symlink: bool, hard_link_asked_for: bool) -> FileRole:
    """Correct the role that a record gives a file by what the file is.

    All of a softlinked package is recorded as symbolic links, yet conda copies its executables. In
    any package an absolute symbolic link is recorded as one, and what it leads to is copied
    (`conda.gateways.disk.create.copy`).
    """
    if is_symlink:
        return FileRole.SYMLINK
    if role is FileRole.SYMLINK and not is_symlink:
        return FileRole.NO_LINK if hard_link_asked_for else FileRole.LINKABLE
    return role


def cause_of_recorded(role: FileRole, *, in_cache: bool) -> Cause:
    """Return why a file that conda did so with is the environment's own."""
    match role:
        case FileRole.PREFIX_REWRITTEN:
            return Cause.PREFIX_REWRITTEN
        case FileRole.BYTECODE:
            return Cause.BYTECODE
        case FileRole.ENTRY_POINT:
            return Cause.CONDA_OWN
        case FileRole.SYMLINK:
            return Cause.SYMLINKS
        case FileRole.NO_LINK:
            return Cause.NO_LINK
        case FileRole.LINKABLE:
            return Cause.COPIED if in_cache else Cause.NOT_IN_CACHE


def _cause_of_unrecorded(path: str, pip_files: Collection[str]) -> Cause:
    if path.startswith(("conda-meta/", "Menu/")):
        return Cause.CONDA_OWN
    if path in pip_files:
        return Cause.PIP
    if path.endswith((".pyc", ".pyo")):
        return Cause.BYTECODE
    return Cause.UNOWNED
