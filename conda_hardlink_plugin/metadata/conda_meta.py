"""Readers of conda's records: tolerant of any content, bounded in time and memory.

A file that makes no sense is returned as a `PathProblem`, never raised as an exception.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..filesystem.problems import PathProblem, reason_of
from .bounded_reader import read_json_object

if TYPE_CHECKING:
    from collections.abc import Sequence


class FileRole(Enum):
    """What conda does with a file of a package when it links the package."""

    LINKABLE = "linkable"
    PREFIX_REWRITTEN = "prefix rewritten"
    NO_LINK = "no_link"
    SYMLINK = "symlink"
    BYTECODE = "bytecode"
    ENTRY_POINT = "entry point"


@dataclass(frozen=True, slots=True)
class Record:
    """A package that conda lists in an environment: `conda-meta/NAME-VERSION-BUILD.json`.

    Attributes:
        dist: `NAME-VERSION-BUILD`, from the name of the file.
        files: Path in the prefix to the role of that file.
        hard_link_requested: conda requested hard links (`link.type` is 1). It does not show
            whether conda made them.
        soft_link_requested: conda requested symbolic links (`link.type` is 2), likewise.

    """

    dist: str
    files: dict[str, FileRole]
    hard_link_requested: bool
    soft_link_requested: bool = False


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file of an installed package that conda meant to link, with the hash of its content.

    Attributes:
        path: Relative to the prefix.
        source: Path of the file in the package.
        sha256: Hash of its content as it was installed.
        extracted: Absolute path of the package in its cache; empty if unknown.

    """

    path: str
    source: str
    sha256: str
    extracted: str


_ROLE_OF_PATH_TYPE = {
    "softlink": FileRole.SYMLINK,
    "pyc_file": FileRole.BYTECODE,
    "unix_python_entry_point": FileRole.ENTRY_POINT,
    "windows_python_entry_point_script": FileRole.ENTRY_POINT,
    "windows_python_entry_point_exe": FileRole.ENTRY_POINT,
}  # conda.models.enums.PathType
HARD_LINK_REQUESTED = 1  # conda.models.enums.LinkType, like the next
SOFT_LINK_REQUESTED = 2


def list_records(prefix: str) -> frozenset[str] | PathProblem:
    """Return the names of the records in an environment's `conda-meta`."""
    folder = os.path.join(prefix, "conda-meta")
    try:
        names = os.listdir(folder)
    except OSError as error:
        return PathProblem(folder, reason_of(error))
    return frozenset(name for name in names if name.endswith(".json"))


def is_frozen(prefix: str) -> bool:
    """Return whether an environment is protected from changes (CEP 22: `conda-meta/frozen`)."""
    return os.path.isfile(os.path.join(prefix, "conda-meta", "frozen"))


def read_record(path: str) -> Record | PathProblem:
    """Read one record of `conda-meta`."""
    found = _read_files(path)
    if isinstance(found, PathProblem):
        return found
    content, names = found
    files = dict.fromkeys(names, FileRole.LINKABLE)
    details = _details(content) or []
    paths = [detail.get("_path") for detail in details]
    for index, detail in zip(files_of_paths(names, paths), details, strict=True):
        if index is not None:
            files[names[index]] = role_of_path(detail)
    link = content.get("link")
    link_type = link.get("type") if isinstance(link, dict) else None
    dist = os.path.basename(path).removesuffix(".json")
    return Record(dist, files, link_type == HARD_LINK_REQUESTED, link_type == SOFT_LINK_REQUESTED)


def read_hashed_files(path: str) -> list[HashedFile] | PathProblem:
    """Return the files whose hash a record of `conda-meta` has."""
    found = _read_files(path)
    if isinstance(found, PathProblem):
        return found
    content, names = found
    details = _details(content)
    if details is None:
        return PathProblem(path, "its paths_data is malformed")
    indexes = files_of_paths(names, [detail.get("_path") for detail in details])
    if None in indexes:
        return PathProblem(path, "its paths_data has paths that are not among its files")
    extracted = _text(content.get("extracted_package_dir"))
    files = []
    for index, detail in zip(indexes, details, strict=True):
        name = names[index or 0]
        source = _text(detail.get("_path"))
        sha256 = _text(detail.get("sha256_in_prefix") or detail.get("sha256"))
        if source and sha256 and detail.get("path_type") == "hardlink":
            files.append(HashedFile(name, source, sha256, extracted))
    return files


def files_of_paths(names: Sequence[str], paths: Sequence[object]) -> list[int | None]:
    """Return for each path of `paths_data` its index in `files`; `None` where it has none there.

    `files` has the paths in the prefix. `paths_data` lists the same files in the same order; for a
    noarch package it has their paths in the package (seen in conda 24.7 and 26.8). After a
    `SafetyError`, conda leaves out paths (`conda.core.path_actions`, `LinkPathAction.verify`).

    Args:
        names: `files`.
        paths: The `_path` of each entry of `paths_data`, which may be anything.

    """
    if len(names) == len(paths):
        return list(range(len(names)))
    found: list[int | None] = []
    after = 0
    for path in paths:
        index = next((at for at in range(after, len(names)) if _is_path_of(path, names[at])), None)
        found.append(index)
        after = after if index is None else index + 1
    return found


def _is_path_of(path: object, name: str) -> bool:
    """Return whether a path in a package is that of a file in the prefix."""
    if not isinstance(path, str):
        return False
    if path.startswith("site-packages/"):  # of a noarch package
        return name == path or name.endswith(f"/{path}")
    if path.startswith("python-scripts/"):
        return name in (path, f"bin/{path.partition('/')[2]}")
    return name == path


def role_of_path(detail: dict[str, Any]) -> FileRole:
    """Return the role of a file from its entry in `paths_data`."""
    role = _ROLE_OF_PATH_TYPE.get(_text(detail.get("path_type")))
    if role is not None:
        return role
    if detail.get("prefix_placeholder"):
        return FileRole.PREFIX_REWRITTEN
    return FileRole.NO_LINK if detail.get("no_link") else FileRole.LINKABLE


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_files(path: str) -> tuple[dict[str, Any], list[str]] | PathProblem:
    """Read a record of `conda-meta`, and return it with its list of files."""
    content = read_json_object(path)
    if isinstance(content, PathProblem):
        return content
    names = content.get("files")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return PathProblem(path, "it has no list of files")
    return content, names


def _details(content: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the entries of `paths_data`; `None` if they are malformed."""
    paths_data = content.get("paths_data", {})
    paths = paths_data.get("paths", []) if isinstance(paths_data, dict) else None
    is_list = isinstance(paths, list) and all(isinstance(item, dict) for item in paths)
    return paths if is_list else None
