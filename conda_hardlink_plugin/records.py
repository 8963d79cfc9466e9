"""Readers of what conda wrote down: tolerant of anything, bounded in time and memory.

A file that cannot be made sense of comes back as `PathProblem`, never as an exception.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .quarantined import home_of

MAX_RECORD_BYTES = 64 * 1024 * 1024
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class PathProblem:
    """A path that could not be read, looked at or made sense of.

    Attributes:
        path: Absolute path.
        reason: Why, as a phrase.

    """

    path: str
    reason: str


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
        linked_ns: `st_ctime_ns` of `info/index.json`: conda links and unlinks that file whenever it
            is about to hard-link the package (`conda.gateways.disk.link`), removing an
            environment does not touch it.
        finished_ns: `st_ctime_ns` of what is written when extraction is finished:
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
_HARD_LINK, _SOFT_LINK = 1, 2  # conda.models.enums.LinkType


def read_record(path: str) -> Record | PathProblem:
    """Read one record of `conda-meta`.

    The paths in `files` are those in the prefix; `paths_data` lists the same files in the same
    order, but for noarch packages by their path in the package (seen in conda 24.7 and 26.8).
    """
    content = _read_json_object(path)
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
    return Record(dist, files, link_type == _HARD_LINK, link_type == _SOFT_LINK)


def read_cached_package(path: str) -> CachedPackage | PathProblem:
    """Read what an extracted package in a cache says of itself.

    Args:
        path: Absolute path of the package's directory.

    """
    info = os.path.join(path, "info")
    index, record = os.path.join(info, "index.json"), os.path.join(info, "repodata_record.json")
    try:
        if not stat.S_ISDIR(os.lstat(info).st_mode):
            return PathProblem(info, "it is no folder")
        linked_ns = os.lstat(index).st_ctime_ns
        finished_ns = _ctime_ns(record)
        source = index if finished_ns is None else record
        if finished_ns is None:
            finished_ns = _ctime_ns(f"{home_of(path)}.lock")
    except (OSError, ValueError) as error:
        return PathProblem(path, _reason(error))
    content = _read_json_object(source)
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


def read_environments_txt(path: str) -> list[str] | PathProblem:
    """Return the lines of `environments.txt` that list a prefix; none if there is no such file.

    As they stand: the name of a folder may end in a space.
    """
    if _is_missing(path):
        return []
    content = _read_bytes(path)
    if isinstance(content, PathProblem):
        return content
    lines = content.splitlines()
    return [os.fsdecode(line) for line in lines if line.strip() and not line.startswith(b"#")]


def read_urls_txt(path: str) -> list[str] | PathProblem:
    """Return the URLs in a cache's `urls.txt`, which conda and mamba add to; none if there is none.

    Where something else stands in front of a URL, as older condas wrote, only the URL is taken.
    """
    if _is_missing(path):
        return []
    content = _read_bytes(path)
    if isinstance(content, PathProblem):
        return content
    lines = (os.fsdecode(line).split() for line in content.splitlines())
    return [words[-1] for words in lines if words]


def read_pip_files(prefix: str) -> tuple[set[str], list[PathProblem]]:
    """Return the files that `RECORD` files below site-packages list (PEP 376), as prefix paths.

    Conda's own Python packages have a `RECORD` too: whoever asks what pip installed takes the
    files that conda's records name away.
    """
    files: set[str] = set()
    problems: list[PathProblem] = []
    for site_packages in _site_packages(prefix):
        folder = os.path.join(prefix, site_packages)
        try:
            names = os.listdir(folder)
        except OSError as error:
            problems.append(PathProblem(folder, _reason(error)))
            continue
        for name in names:
            if not name.endswith(".dist-info"):
                continue
            record = os.path.join(folder, name, "RECORD")
            if not os.path.lexists(record):
                continue
            paths = _read_pip_record(record, site_packages)
            if isinstance(paths, PathProblem):
                problems.append(paths)
            else:
                files |= paths
    return files, problems


def _read_pip_record(path: str, site_packages: str) -> set[str] | PathProblem:
    content = _read_bytes(path)
    if isinstance(content, PathProblem):
        return content
    try:
        rows = list(csv.reader(io.StringIO(os.fsdecode(content), newline="")))
    except csv.Error as error:
        return PathProblem(path, str(error))
    return {
        os.path.normpath(os.path.join(site_packages, row[0]))
        for row in rows
        if row and not os.path.isabs(row[0])
    }


def _site_packages(prefix: str) -> list[str]:
    found = ["Lib/site-packages"] if os.path.isdir(f"{prefix}/Lib/site-packages") else []
    try:
        names = os.listdir(os.path.join(prefix, "lib"))
    except OSError:
        return found
    for name in names:
        path = f"lib/{name}/site-packages"
        real = not os.path.islink(f"{prefix}/lib/{name}")
        if name.startswith(("python", "pypy")) and real and os.path.isdir(f"{prefix}/{path}"):
            found.append(path)
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_missing(path: str) -> bool:
    """Tell whether nothing is there for sure; what may not be looked at may well be there."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _ctime_ns(path: str) -> int | None:
    """Return the `st_ctime_ns` of a file, `None` where there is none."""
    try:
        return os.lstat(path).st_ctime_ns
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


def _read_json_object(path: str) -> dict[str, Any] | PathProblem:
    content = _read_bytes(path)
    if isinstance(content, PathProblem):
        return content
    try:
        decoded = json.loads(content)
    except (ValueError, RecursionError) as error:
        return PathProblem(path, f"it is no JSON ({error})")
    return decoded if isinstance(decoded, dict) else PathProblem(path, "it is no JSON object")


def _read_bytes(path: str) -> bytes | PathProblem:
    """Read a regular file of bounded size; a FIFO is refused without waiting for its writer."""
    try:
        descriptor = os.open(path, _OPEN)
    except (OSError, ValueError) as error:
        return PathProblem(path, _reason(error))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return PathProblem(path, "it is no regular file")
        if status.st_size > MAX_RECORD_BYTES:
            return PathProblem(path, f"it is larger than {MAX_RECORD_BYTES} bytes")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_RECORD_BYTES)
    except OSError as error:
        return PathProblem(path, _reason(error))
    finally:
        os.close(descriptor)


def _reason(error: OSError | ValueError) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error)).lower()
