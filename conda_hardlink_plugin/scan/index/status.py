"""The status of the index, in a few figures."""

from __future__ import annotations

from dataclasses import dataclass

from ...filesystem import fs
from ..inventory import RootKind
from .file import index_path, open_index


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The status of an index.

    Attributes:
        path: Path of the index file.
        size_bytes: Disk usage; `None` if there is no file.
        usable: Whether the next report uses the index for everything that has not changed.
        taken_s: Time of the last exact check of the whole index, in seconds since the epoch. This
            and the following are `None` if the index is not usable.
        caches: Number of package caches.
        environments: Number of environments.
        links: Number of directory entries.

    """

    path: str
    size_bytes: int | None = None
    usable: bool = False
    taken_s: int | None = None
    caches: int | None = None
    environments: int | None = None
    links: int | None = None


def status_of(folder: str) -> IndexStatus:
    """Return the status of the index in a directory."""
    path = index_path(folder)
    try:
        size_bytes = fs.status(path).disk_bytes
    except OSError:
        return IndexStatus(path)
    with open_index(folder) as index:
        if index is None:
            return IndexStatus(path, size_bytes)
        kinds = [root.kind for root in index.stored.inventory.roots]
        return IndexStatus(
            path=path,
            size_bytes=size_bytes,
            usable=True,
            taken_s=index.taken_s,
            caches=kinds.count(RootKind.CACHE),
            environments=kinds.count(RootKind.ENVIRONMENT),
            links=sum(index.stored.inventory.links),
        )
