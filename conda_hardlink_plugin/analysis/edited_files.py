"""Files that were edited in place though other environments have them: one inode, many paths."""

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

    from ..metadata.conda_meta import HashedFiles

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A file whose content differs from its package.

    Attributes:
        dist: `NAME-VERSION-BUILD` of the package.
        path: Relative to the prefix.
        sha256: Of its content in the package.
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

    Only files with several links are read; a private file concerns nobody else.

    Args:
        prefix: Of the environment.
        others: Prefixes of the other environments.

    """
    names = list_records(prefix)
    if isinstance(names, PathProblem):
        yield names
        return
    elsewhere = [other for other in others if not is_same_file(other, prefix)]
    for name in sorted(names):
        record = read_hashed_files(os.path.join(prefix, "conda-meta", name))
        if isinstance(record, PathProblem):
            yield record
        else:
            yield from _edited_of(prefix, name.removesuffix(".json"), record, elsewhere)


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
    prefix: str, dist: str, record: HashedFiles, others: Collection[str]
) -> Iterator[EditedFile | PathProblem]:
    """Yield the edited files of one package."""
    for file in record.files:
        path = os.path.join(prefix, file.path)
        try:
            status = fs.status(path)
            if not status.is_regular or status.link_count == 1:
                continue
            if sha256_of(path) == file.sha256:
                continue
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            yield PathProblem(path, reason_of(error))
            continue
        shared = tuple(
            other for other in others if is_same_file(os.path.join(other, file.path), path)
        )
        yield EditedFile(dist, file.path, file.sha256, record.extracted, file.source, shared)
