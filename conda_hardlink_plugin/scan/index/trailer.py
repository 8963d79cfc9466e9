"""The trailer of an index file: the location of the table, and totals that need no table."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from ...filesystem import closing, fs
from ...filesystem.protocol import Access, FileStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

INDEX_NAME = "report.index"
_MAGIC = b"hardlinks index\n"
_VERSION = 2
_FIELDS = struct.Struct("<QQIQQIIII")
_END = struct.Struct("<II16s")  # checksum of the fields, version, magic
TRAILER_BYTES = _FIELDS.size + _END.size


class IndexTotals(NamedTuple):
    """The totals of a report.

    Attributes:
        on_disk_bytes: Unique usage of all caches and environments.
        as_copies_bytes: Sum of the usage of each cache and environment by itself.
        caches: Number of package caches.
        environments: Number of environments.
        incomplete: 1 if something could not be read, else 0.
        caches_checksum: `checksum_of` the paths of the caches.

    """

    on_disk_bytes: int
    as_copies_bytes: int
    caches: int
    environments: int
    incomplete: int
    caches_checksum: int


class Trailer(NamedTuple):
    """The trailer of an index file.

    Attributes:
        offset: Offset of the table.
        length: Length of the table in bytes.
        checksum: CRC-32 of the table.
        totals: The totals.

    """

    offset: int
    length: int
    checksum: int
    totals: IndexTotals


def checksum_of(caches: Iterable[str]) -> int:
    """Return a number that distinguishes the totals of different installations."""
    return crc32(os.fsencode("\0".join(sorted(caches))))


def pack_trailer(trailer: Trailer) -> bytes:
    """Pack a trailer for `read_trailer`."""
    offset, length, checksum, totals = trailer
    fields = _FIELDS.pack(offset, length, checksum, *totals)
    return fields + _END.pack(crc32(fields), _VERSION, _MAGIC)


def read_trailer(handle: int, size: int) -> Trailer | None:
    """Read the trailer of a file; `None` if the file is not a complete index.

    Args:
        handle: The open file.
        size: Length of the file in bytes.

    Raises:
        OSError: The file cannot be read.

    """
    if size < TRAILER_BYTES:
        return None
    packed = read_at(handle, size - TRAILER_BYTES, TRAILER_BYTES)
    fields = packed[: _FIELDS.size]
    if _END.unpack(packed[_FIELDS.size :]) != (crc32(fields), _VERSION, _MAGIC):
        return None
    offset, length, checksum, *totals = _FIELDS.unpack(fields)
    if offset + length + TRAILER_BYTES != size:
        return None
    return Trailer(offset, length, checksum, IndexTotals(*totals))


def index_folder() -> str:
    """Return the directory of this user's index, inside the cache directory of conda."""
    from ...metadata.leases import lease_folder  # noqa: PLC0415  # only this function needs it

    return os.path.dirname(lease_folder())


def read_totals(folder: str) -> tuple[IndexTotals, float] | None:
    """Return the totals of the index in a directory, and their time in seconds since the epoch.

    Returns `None` if there is no usable index. Takes less than a millisecond.
    """
    try:
        with closing(fs.open_file(os.path.join(folder, INDEX_NAME), Access.READ)) as handle:
            status = fs.status_of(handle)
            trailer = read_trailer(handle, status.size_bytes) if is_own_file(status) else None
    except OSError:
        return None
    return None if trailer is None else (trailer.totals, status.mtime_ns / 1_000_000_000)


def is_own_file(status: FileStatus) -> bool:
    """Return whether this is a regular file that this user owns."""
    return status.is_regular and status.owner == fs.current_user()


def read_at(handle: int, offset: int, length: int) -> bytes:
    """Return a part of a file.

    Raises:
        OSError: The file cannot be read, or is too short.

    """
    content = os.pread(handle, length, offset)
    if len(content) != length:
        raise OSError(errno.EIO, "the index is truncated")
    return content
