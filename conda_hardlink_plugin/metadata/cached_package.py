"""Reads what the `info` folder of an extracted package says about it, of one or of many."""

from __future__ import annotations

import os
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any

from ..filesystem import fs
from ..filesystem.native import native_module, read_packages
from ..filesystem.problems import PathProblem, reason_of
from .bounded_reader import json_object_of, read_json_object
from .quarantine_names import home_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TIMES = Struct("2q")
_MAX_READ = 1_000  # packages whose records are in memory at the same time


@dataclass(frozen=True, slots=True)
class CachedPackage:
    """The metadata in the `info` folder of an extracted package.

    Attributes:
        name: Name of the package; empty if missing.
        version: Its version; empty if missing.
        build_number: The number of its build.
        url: The URL that it was downloaded from; empty if missing.
        linked_ns: `ctime_ns` of `info/index.json`. conda links and unlinks that file each time it
            is about to hard-link the package (`conda.gateways.disk.link`). Removing an environment
            does not change it.
        finished_ns: `ctime_ns` of the file that is written when extraction is finished:
            `info/repodata_record.json` by conda and mamba, `<package>.lock` beside the package by
            rattler. `None` if neither exists: extraction is not finished.

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


def read_cached_packages(paths: Sequence[str]) -> Iterator[CachedPackage | PathProblem]:
    """Yield `read_cached_package` of each path; the native reader reads them with threads."""
    native = native_module()
    if native is None:
        yield from map(read_cached_package, paths)
        return
    for begin in range(0, len(paths), _MAX_READ):
        some = paths[begin : begin + _MAX_READ]
        for path, found in zip(some, read_packages(native, some), strict=True):
            if found is None:  # something about it is unusual
                yield read_cached_package(path)
                continue
            times, content = found
            linked_ns, finished_ns = _TIMES.unpack(times)
            record = json_object_of(content, os.path.join(path, "info", "repodata_record.json"))
            yield _package(record, linked_ns, finished_ns)


def read_cached_package(path: str) -> CachedPackage | PathProblem:
    """Read the metadata of an extracted package in a cache.

    Args:
        path: Absolute path of the package's directory.

    """
    info = os.path.join(path, "info")
    index, record = os.path.join(info, "index.json"), os.path.join(info, "repodata_record.json")
    try:
        if not fs.status(info).is_directory:
            return PathProblem(info, "not a folder")
        linked_ns = fs.status(index).ctime_ns
        source, finished_ns = record, _ctime_ns(record)
        if finished_ns is None:
            source, finished_ns = index, _ctime_ns(f"{home_of(path)}.lock")
    except (OSError, ValueError) as error:
        return PathProblem(path, reason_of(error))
    return _package(read_json_object(source), linked_ns, finished_ns)


def _package(
    content: dict[str, Any] | PathProblem, linked_ns: int, finished_ns: int | None
) -> CachedPackage | PathProblem:
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
    """Return the `ctime_ns` of a file; `None` if it is missing."""
    try:
        return fs.status(path).ctime_ns
    except FileNotFoundError:
        return None
