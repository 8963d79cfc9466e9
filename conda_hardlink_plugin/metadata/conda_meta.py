"""Readers of what conda wrote down: tolerant of anything, bounded in time and memory.

A file that cannot be made sense of comes back as `PathProblem`, never as an exception.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from ..filesystem import fs
from ..filesystem.problems import PathProblem, reason_of
from .bounded_reader import read_json_object
from .quarantine_names import home_of


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
    """A package that conda says is in an environment: `conda-meta/NAME-VERSION-BUILD.json`.

    Attributes:
        dist: `NAME-VERSION-BUILD`, from the name of the file.
        files: Path in the prefix to what conda does with such a file.
        hard_link_asked_for: conda asked for hard links (`link.type` is 1). It says nothing about
            what came of it.
        soft_link_asked_for: conda asked for symbolic links (`link.type` is 2), the same.

    """

    dist: str
    files: dict[str, FileRole]
    hard_link_asked_for: bool
    soft_link_asked_for: bool = False


@dataclass(frozen=True, slots=True)
class CachedPackage:
    """What an extracted package says of itself in its `info`.

    Attributes:
        name: Name of the package; empty where it says none.
        version: Its version, the same.
        build_number: The number of its build.
        url: Where it was fetched from; empty where that is not written down.
        linked_ns: `ctime_ns` of `info/index.json`: conda links and unlinks that file whenever it
            is about to hard-link the package (`conda.gateways.disk.link`), removing an
            environment does not touch it.
        finished_ns: `ctime_ns` of what is written when extraction is finished:
            `info/repodata_record.json` by conda and mamba, `<package>.lock` beside it by rattler.
            `None` where there is neither: not finished.

    """

    name: str
    version: str
    build_number: int
    url: str
    linked_ns: int
    finished_ns: int | None

    @property
    def last_use_ns(self) -> int:
        """When it was last extracted or about to be hard-linked."""
        return max(self.linked_ns, self.finished_ns or 0)


_ROLE_OF_PATH_TYPE = {
    "hardlink": FileRole.LINKABLE,
    "softlink": FileRole.SYMLINK,
    "pyc_file": FileRole.BYTECODE,
    "unix_python_entry_point": FileRole.ENTRY_POINT,
    "windows_python_entry_point_script": FileRole.ENTRY_POINT,
    "windows_python_entry_point_exe": FileRole.ENTRY_POINT,
}  # conda.models.enums.PathType
HARD_LINK_REQUESTED = 1  # conda.models.enums.LinkType, as is the next
SOFT_LINK_REQUESTED = 2


def read_record(path: str) -> Record | PathProblem:
    """Read one record of `conda-meta`.

    The paths in `files` are those in the prefix; `paths_data` lists the same files in the same
    order, but for noarch packages by their path in the package (seen in conda 24.7 and 26.8).
    """
    content = read_json_object(path)
    if isinstance(content, PathProblem):
        return content
    names = content.get("files")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return PathProblem(path, "it has no list of files")
    files = dict.fromkeys(names, FileRole.LINKABLE)
    details = _details(content)
    aligned = len(details) == len(names)
    for place, detail in enumerate(details):
        name = names[place] if aligned else detail.get("_path")
        if isinstance(name, str) and name in files:
            files[name] = role_of_path(detail)
    link = content.get("link")
    link_type = link.get("type") if isinstance(link, dict) else None
    dist = os.path.basename(path).removesuffix(".json")
    return Record(dist, files, link_type == HARD_LINK_REQUESTED, link_type == SOFT_LINK_REQUESTED)


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file of an installed package that conda meant to link, with the hash of its content.

    Attributes:
        path: Relative to the prefix.
        source: Path of the file in the package.
        sha256: Of its content as it was installed.

    """

    path: str
    source: str
    sha256: str


@dataclass(frozen=True, slots=True)
class HashedFiles:
    """The files of an installed package whose hash its record has.

    Attributes:
        files: Those files.
        extracted: Absolute path of the package in its cache; empty if unknown.

    """

    files: tuple[HashedFile, ...]
    extracted: str


def list_records(prefix: str) -> frozenset[str] | PathProblem:
    """Return the names of the records in an environment's `conda-meta`."""
    folder = os.path.join(prefix, "conda-meta")
    try:
        names = os.listdir(folder)
    except OSError as error:
        return PathProblem(folder, reason_of(error))
    return frozenset(name for name in names if name.endswith(".json"))


def read_hashed_files(path: str) -> HashedFiles | PathProblem:
    """Read from one record of `conda-meta` what content the files of the package have.

    `files` has the paths in the prefix and `paths_data` those in the package, in the same order.
    """
    content = read_json_object(path)
    if isinstance(content, PathProblem):
        return content
    details, names = _details(content), content.get("files")
    if not isinstance(names, list) or len(details) != len(names):
        return HashedFiles((), "")
    files = []
    for name, detail in zip(names, details, strict=True):
        sha256 = detail.get("sha256_in_prefix") or detail.get("sha256")
        texts = [text for text in (name, detail.get("_path"), sha256) if isinstance(text, str)]
        if detail.get("path_type") == "hardlink" and len(texts) == len(fields(HashedFile)):
            files.append(HashedFile(*texts))
    return HashedFiles(tuple(files), _text(content.get("extracted_package_dir")))


def read_cached_package(path: str) -> CachedPackage | PathProblem:
    """Read what an extracted package in a cache says of itself.

    Args:
        path: Absolute path of the package's directory.

    """
    info = os.path.join(path, "info")
    index, record = os.path.join(info, "index.json"), os.path.join(info, "repodata_record.json")
    try:
        if not fs.status(info).is_directory:
            return PathProblem(info, "it is no folder")
        linked_ns = fs.status(index).ctime_ns
        finished_ns = _ctime_ns(record)
        source = index if finished_ns is None else record
        if finished_ns is None:
            finished_ns = _ctime_ns(f"{home_of(path)}.lock")
    except (OSError, ValueError) as error:
        return PathProblem(path, reason_of(error))
    content = read_json_object(source)
    if isinstance(content, PathProblem):
        return content
    build_number = content.get("build_number")
    return CachedPackage(
        name=_text(content.get("name")),
        version=_text(content.get("version")),
        build_number=build_number if isinstance(build_number, int) else 0,
        url=_text(content.get("url")),
        linked_ns=linked_ns,
        finished_ns=finished_ns,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _ctime_ns(path: str) -> int | None:
    """Return the `ctime_ns` of a file, `None` where there is none."""
    try:
        return fs.status(path).ctime_ns
    except FileNotFoundError:
        return None


def _details(content: dict[str, Any]) -> list[dict[str, Any]]:
    paths_data = content.get("paths_data")
    paths = paths_data.get("paths") if isinstance(paths_data, dict) else None
    if not isinstance(paths, list) or not all(isinstance(item, dict) for item in paths):
        return []
    return paths


def role_of_path(detail: dict[str, Any]) -> FileRole:
    """Return what conda did with a file, from its entry in `paths_data`."""
    path_type = detail.get("path_type")
    role = _ROLE_OF_PATH_TYPE.get(path_type) if isinstance(path_type, str) else None
    if role in (None, FileRole.LINKABLE):
        if detail.get("prefix_placeholder"):
            return FileRole.PREFIX_REWRITTEN
        if detail.get("no_link"):
            return FileRole.NO_LINK
    return role or FileRole.LINKABLE
