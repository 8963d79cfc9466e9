"""The end of the file of an index: where its table is, and the totals, to be had without that."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from ...filesystem import fs
from ...filesystem.protocol import Access, FileStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

INDEX_NAME = "report.index"
_MAGIC = b"hardlinks index\n"
_VERSION = 2
_FIELDS = struct.Struct("<QQIQQIIII")
_END = struct.Struct("<II16s")  # checksum of the fields, version, magic
TRAILER_BYTES = _FIELDS.size + _END.size


class Totals(NamedTuple):
    """What a report has found in all.

    Attributes:
        on_disk_bytes: Unique usage of all caches and environments.
        as_copies_bytes: Each alone, added up.
        caches: How many package caches there were.
        environments: How many environments.
        incomplete: 1 if something could not be read, else 0.
        which_caches: `checksum_of` the paths of the caches.

    """

    on_disk_bytes: int
    as_copies_bytes: int
    caches: int
    environments: int
    incomplete: int
    which_caches: int


class Trailer(NamedTuple):
    """The end of an index.

    Attributes:
        offset: Where the table begins.
        length: How long it is.
        checksum: Of the table.
        totals: What was found in all.

    """

    offset: int
    length: int
    checksum: int
    totals: Totals


def checksum_of(caches: Iterable[str]) -> int:
    """Return a number by which totals of one installation are told from those of another."""
    return crc32(os.fsencode("\0".join(sorted(caches))))


def pack_trailer(trailer: Trailer) -> bytes:
    """Return what `read_trailer` reads."""
    offset, length, checksum, totals = trailer
    fields = _FIELDS.pack(offset, length, checksum, *totals)
    return fields + _END.pack(crc32(fields), _VERSION, _MAGIC)


def read_trailer(handle: int, size: int) -> Trailer | None:
    """Read the end of a file; `None` if it is not the end of an index.

    Args:
        handle: Opens the file.
        size: How long it is.

    Raises:
        OSError: It cannot be read.

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
    return Trailer(offset, length, checksum, Totals(*totals))


def index_folder() -> str:
    """Return where the index of this user is: in the cache folder that conda has for a user."""
    from ...metadata.leases import lease_folder  # noqa: PLC0415  # those that only look need nothing of it

    return os.path.dirname(lease_folder())


def read_totals(folder: str) -> tuple[Totals, float] | None:
    """Return the totals of the index in a folder, and when they were taken.

    That is in seconds since the epoch. `None` if there is no index that can be taken for what it
    says. This costs less than a millisecond.
    """
    try:
        handle = fs.open_file(os.path.join(folder, INDEX_NAME), Access.READ)
    except OSError:
        return None
    try:
        status = fs.status_of(handle)
        if not is_own_file(status):
            return None
        trailer = read_trailer(handle, status.size_bytes)
    except OSError:
        return None
    finally:
        fs.close(handle)
    return None if trailer is None else (trailer.totals, status.mtime_ns / 1_000_000_000)


def is_own_file(status: FileStatus) -> bool:
    """Tell whether this is a file of this user."""
    return status.is_regular and status.owner == fs.current_user()


def read_at(handle: int, offset: int, length: int) -> bytes:
    """Return a part of a file.

    Raises:
        OSError: It cannot be read, or is shorter.

    """
    content = os.pread(handle, length, offset)
    if len(content) != length:
        raise OSError(errno.EIO, "the index is shorter than it says")
    return content
