"""The index file: how it is validated, read, written and replaced.

The file contains the pages, then the table as JSON, then a trailer with the location of the table.
A new index is written next to the previous one and renamed over it, so that a process that has the
previous index open can keep using it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

from ... import __version__
from ...filesystem import closing, fs
from ...filesystem.protocol import Access, Handle
from .contents import Extent, Stored, from_json
from .trailer import (
    INDEX_NAME,
    IndexTotals,
    Trailer,
    is_own_file,
    pack_trailer,
    read_at,
    read_trailer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..inventory import Inventory

_NEW_NAME = re.compile(r"report\.index-\d+-\d+")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """An open index.

    Attributes:
        path: Path of the file.
        handle: The open file.
        taken_s: Time of the last exact check of the whole index, in seconds since the epoch: the
            modification time of the file.
        stored: Contents of the index.

    """

    path: str
    handle: int
    taken_s: int
    stored: Stored

    def confirm(self, began_ns: int) -> None:
        """Store the start time of an exact check that found the whole index unchanged."""
        with suppress(OSError):
            os.utime(self.handle, ns=(began_ns, began_ns))


@contextmanager
def open_index(folder: str) -> Iterator[IndexFile | None]:
    """Open the index in a directory; yields `None` if there is no usable index."""
    path = index_path(folder)
    try:
        handle = fs.open_file(path, Access.READ)
    except OSError:
        yield None
        return
    with closing(handle):
        yield _read(path, handle)


def encoding_of_names() -> tuple[str, str]:
    """Return the encoding of file names in this process, and what it does with other bytes."""
    return sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def _read(path: str, handle: int) -> IndexFile | None:
    try:
        status = fs.status_of(handle)
        trailer = read_trailer(handle, status.size_bytes) if is_own_file(status) else None
        if trailer is None:
            return None
        data = json.loads(read_checked(handle, trailer.offset, trailer.length, trailer.checksum))
        writer = data.pop("version"), tuple(data.pop("encoding"))
        if writer != (__version__, encoding_of_names()):
            return None
        stored = from_json(data, partial(read_checked, handle))
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return IndexFile(path, handle, status.mtime_ns // 1_000_000_000, stored)


def read_checked(handle: int, offset: int, length: int, checksum: int) -> bytes:
    """Return a part of the file that `NewIndex.append_checked` wrote.

    Raises:
        OSError: The part cannot be read, or is damaged.

    """
    content = read_at(handle, offset, length)
    if crc32(content) != checksum:
        raise OSError(errno.EIO, "the index is damaged")
    return content


def index_path(folder: str) -> str:
    """Return the path of the index in a directory."""
    return os.path.join(folder, INDEX_NAME)


class NewIndex:
    """An index that is being written.

    Attributes:
        path: Path of the file; everything is appended to it.
        totals_of: Computes the totals that the index contains.

    """

    def __init__(
        self,
        folder: int,
        folder_path: str,
        began_ns: int,
        totals_of: Callable[[Inventory], IndexTotals],
    ) -> None:
        """Create the file.

        Args:
            folder: The open directory of the index.
            folder_path: Path of the directory.
            began_ns: Start time of the scan, in nanoseconds since the epoch.
            totals_of: Computes the totals that the index contains.

        Raises:
            OSError: The file cannot be created.

        """
        self._folder = folder
        self._began_ns = began_ns
        self.totals_of = totals_of
        self._name = f"{INDEX_NAME}-{os.getpid()}-{time.time_ns()}"
        self.path = os.path.join(folder_path, self._name)
        self._handle = fs.open_file(self._name, Access.CREATE_APPENDING, parent=folder)
        with suppress(OSError):  # without locks, no other process removes it
            fs.lock_file(self._handle)

    @property
    def recording(self) -> tuple[str, int]:
        """The arguments of a `Recorder`."""
        return self.path, self._began_ns

    def append(self, content: bytes) -> int:
        """Append content; return its offset.

        Raises:
            OSError: The content could not be written.

        """
        if os.write(self._handle, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.lseek(self._handle, 0, os.SEEK_CUR) - len(content)

    def append_checked(self, content: bytes) -> Extent:
        """Append content for `read_checked`; return its extent.

        Raises:
            OSError: The content could not be written.

        """
        return self.append(content), len(content), crc32(content)

    def commit(self, table: Iterable[tuple[str, object]], totals: IndexTotals) -> None:
        """Write the table, and replace the previous index.

        Args:
            table: The names and values of `contents.to_json`.
            totals: The totals.

        Raises:
            OSError: The index could not be written.

        """
        writer = {"version": __version__, "encoding": encoding_of_names()}
        members = (f'"{name}": {json.dumps(value)}' for name, value in chain(writer.items(), table))
        packed = f"{{{', '.join(members)}}}".encode("ascii")
        self.append(pack_trailer(Trailer(*self.append_checked(packed), totals)))
        os.utime(self._handle, ns=(self._began_ns, self._began_ns))
        fs.rename(self._name, self._folder, INDEX_NAME, self._folder)

    def close(self) -> None:
        """Close the file, and remove it unless it has become the index."""
        with suppress(OSError):
            fs.unlink(self._name, self._folder)
        fs.close(self._handle)


@contextmanager
def new_index(
    folder: str, began_ns: int, totals_of: Callable[[Inventory], IndexTotals]
) -> Iterator[NewIndex | None]:
    """Begin an index in a directory; yields `None` if that is impossible.

    Args:
        folder: The directory, which is created if necessary.
        began_ns: Start time of the scan, in nanoseconds since the epoch.
        totals_of: Computes the totals that the index contains.

    """
    with suppress(OSError):
        if os.path.isabs(folder) and _is_in_own_directory(folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        handle = fs.open_own_directory(folder)
    except OSError:  # the home is unknown or not writable
        yield None
        return
    with ExitStack() as stack:
        stack.enter_context(closing(handle))
        new = None
        with suppress(OSError):
            if fs.status_of(handle).owner == fs.current_user():
                _remove_leftovers(handle)
                new = NewIndex(handle, folder, began_ns, totals_of)
                stack.callback(new.close)
        yield new


def clear_index(folder: str) -> None:
    """Remove the index in a directory, and unfinished indexes of processes that were killed.

    Raises:
        OSError: The index cannot be removed.

    """
    with suppress(FileNotFoundError), closing(fs.open_own_directory(folder)) as handle:
        _remove_leftovers(handle)
        fs.unlink(INDEX_NAME, handle)


def _is_in_own_directory(folder: str) -> bool:
    """Return whether this user owns the innermost existing directory on the way to a path.

    A directory that an administrator creates in the home of a user would be unusable for that user.
    """
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return fs.status(folder, follow_symlinks=True).owner == fs.current_user()


def _remove_leftovers(folder: Handle) -> None:
    """Remove unfinished indexes of processes that were killed: nothing locks them any more."""
    for name in filter(_NEW_NAME.fullmatch, fs.list_names(folder)):
        with (
            suppress(OSError),
            closing(fs.open_file(name, Access.CHANGE, parent=folder)) as handle,
        ):
            fs.lock_file(handle)
            fs.unlink(name, folder)
