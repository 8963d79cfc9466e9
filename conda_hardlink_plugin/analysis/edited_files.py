"""Files that were edited in place and that other environments share: one inode, many paths."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.paths import is_same_file
from ..filesystem.problems import PathProblem, reason_of
from ..metadata.conda_meta import list_records, read_hashed_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ..metadata.conda_meta import HashedFile

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A file whose content differs from its package.

    Attributes:
        dist: `NAME-VERSION-BUILD` of the package.
        path: Relative to the prefix.
        sha256: Hash of its content in the package.
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
    """Yield the shared files of an environment that were edited in place, and unreadable paths.

    Only files with several links are read; an edit of a private file affects no other environment.

    Args:
        prefix: Prefix of the environment.
        others: Prefixes of the other environments; the environment itself is ignored.

    """
    names = list_records(prefix)
    if isinstance(names, PathProblem):
        yield names
        return
    elsewhere = [other for other in others if not is_same_file(other, prefix)]
    for name in sorted(names):
        files = read_hashed_files(os.path.join(prefix, "conda-meta", name))
        if isinstance(files, PathProblem):
            yield files
        else:
            yield from _edited_in_package(prefix, name.removesuffix(".json"), files, elsewhere)


def sha256_of(path: str) -> str:
    """Return the sha256 of a file's content, in hexadecimal digits.

    Raises:
        OSError: The file cannot be read.

    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _edited_in_package(
    prefix: str, dist: str, files: Iterable[HashedFile], others: Collection[str]
) -> Iterator[EditedFile | PathProblem]:
    for file in files:
        path = os.path.join(prefix, file.path)
        try:
            status = fs.status(path)
            is_shared = status.is_regular and status.link_count > 1
            if not is_shared or sha256_of(path) == file.sha256:
                continue
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            yield PathProblem(path, reason_of(error))
            continue
        shared = tuple(
            other for other in others if is_same_file(os.path.join(other, file.path), path)
        )
        yield EditedFile(dist, file.path, file.sha256, file.extracted, file.source, shared)
