"""What an index is, in a few figures."""

from __future__ import annotations

from dataclasses import dataclass

from ...filesystem import fs
from ..inventory import RootKind
from .file import index_path, open_index


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What there is where the index is to be.

    Attributes:
        path: Where that is.
        size_bytes: Its disk usage; `None` if there is nothing.
        usable: The next report will take it for what it says, as far as nothing has changed.
        taken_s: When all that is in it was looked at for the last time, in seconds since the epoch;
            `None` if it is not usable, as are the following.
        caches: How many package caches it tells of.
        environments: How many environments.
        links: How many directory entries.

    """

    path: str
    size_bytes: int | None = None
    usable: bool = False
    taken_s: int | None = None
    caches: int | None = None
    environments: int | None = None
    links: int | None = None


def status_of(folder: str) -> IndexStatus:
    """Say what is in a folder for the index."""
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
