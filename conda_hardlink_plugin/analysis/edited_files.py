"""Files that were edited in place though other environments have them: one inode, many places."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..filesystem.problems import PathProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A file whose content is not what its package has.

    Attributes:
        dist: `NAME-VERSION-BUILD` of the package.
        path: Relative to the prefix.
        sha256: What the package has.
        extracted: Absolute path of the package in its cache; empty if unknown.
        source: Path of the file in the package.
        shared_with: Prefixes of other environments that have the same inode at the same path.

    """

    dist: str
    path: str
    sha256: str
    extracted: str
    source: str
    shared_with: tuple[str, ...]


def find_edited(prefix: str, others: Iterable[str]) -> Iterator[EditedFile | PathProblem]:
    """Yield the files of an environment that were edited in place and are shared.

    Only what has several links is read; a file that is private is nobody else's.

    Args:
        prefix: Of the environment.
        others: Prefixes of the other environments.

    """
    folder = os.path.join(prefix, "conda-meta")
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except OSError as error:
        yield PathProblem(folder, (error.strerror or str(error)).lower())
        return
    elsewhere = [other for other in others if not _same(other, prefix)]
    for name in names:
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                record = json.load(file)
            yield from _edited_of(prefix, name.removesuffix(".json"), record, elsewhere)
        except (
            OSError,
            ValueError,
            TypeError,
            AttributeError,
            LookupError,
            RecursionError,
        ) as bad:
            yield PathProblem(path, f"{type(bad).__name__}: {bad}")


def sha256_of(path: str) -> str:
    """Return the sha256 of a file's content.

    Raises:
        OSError: It cannot be read.

    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _edited_of(
    prefix: str, dist: str, record: dict[str, Any], others: Iterable[str]
) -> Iterator[EditedFile | PathProblem]:
    """Yield the edited files of one package.

    `files` has the paths in the prefix and `paths_data` those in the package, in the same order.
    """
    details = record.get("paths_data", {}).get("paths", [])
    names = record.get("files", [])
    if len(details) != len(names):
        return
    for name, detail in zip(names, details, strict=True):
        wanted = detail.get("sha256_in_prefix") or detail.get("sha256")
        path = os.path.join(prefix, name)
        if not wanted or detail.get("path_type") != "hardlink":
            continue
        try:
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink == 1:
                continue
            if sha256_of(path) == wanted:
                continue
        except FileNotFoundError:
            continue
        except OSError as error:
            yield PathProblem(path, (error.strerror or str(error)).lower())
            continue
        shared = tuple(other for other in others if _same(os.path.join(other, name), path))
        extracted = record.get("extracted_package_dir") or ""
        yield EditedFile(dist, name, wanted, extracted, detail["_path"], shared)


def _same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
