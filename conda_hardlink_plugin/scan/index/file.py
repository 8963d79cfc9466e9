"""The file of the index: whose it is, whether it is whole, and how another takes its place.

Pages come first, then their table as JSON, then a trailer that says where the table is. It is
written beside the last one and renamed over it, so whoever has one open keeps it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

from ... import __version__
from ...filesystem import fs
from ...filesystem.protocol import Access, Handle
from ..crew_member import encoding_of_names
from .contents import Extent, Stored, from_json
from .trailer import (
    INDEX_NAME,
    Totals,
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
    """An index that is open.

    Attributes:
        path: Where it is.
        handle: Opens it.
        taken_s: When all that is in it was looked at for the last time, in seconds since the epoch:
            the time of the file.
        stored: Its contents.

    """

    path: str
    handle: int
    taken_s: int
    stored: Stored

    def read(self, offset: int, length: int) -> bytes:
        """Return a part of the file.

        Raises:
            OSError: It cannot be read, or is shorter.

        """
        return read_at(self.handle, offset, length)

    def read_checked(self, *extent: int) -> bytes:
        """Return a part of the file that `NewIndex.append_checked` wrote.

        Raises:
            OSError: It cannot be read, or is damaged.

        """
        return _read_checked(self.handle, *extent)

    def confirm(self, began_ns: int) -> None:
        """Note when it was begun to look at all that is in it, and all was found as it says."""
        with suppress(OSError):
            os.utime(self.handle, ns=(began_ns, began_ns))


@contextmanager
def open_index(folder: str) -> Iterator[IndexFile | None]:
    """Open the index in a folder; `None` where there is none that can be taken for what it says."""
    path = index_path(folder)
    try:
        handle = fs.open_file(path, Access.READ)
    except OSError:
        yield None
        return
    try:
        yield _read(path, handle)
    finally:
        fs.close(handle)


def _read(path: str, handle: int) -> IndexFile | None:
    try:
        status = fs.status_of(handle)
        trailer = read_trailer(handle, status.size_bytes) if is_own_file(status) else None
        if trailer is None:
            return None
        data = json.loads(_read_checked(handle, trailer.offset, trailer.length, trailer.checksum))
        of_version, encoding = data.pop("version"), tuple(data.pop("encoding"))
        if (of_version, encoding) != (__version__, encoding_of_names()):
            return None
        stored = from_json(data, partial(_read_checked, handle))
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return IndexFile(path, handle, status.mtime_ns // 1_000_000_000, stored)


def _read_checked(handle: int, offset: int, length: int, checksum: int) -> bytes:
    content = read_at(handle, offset, length)
    if crc32(content) != checksum:
        raise OSError(errno.EIO, "the index is damaged")
    return content


def index_path(folder: str) -> str:
    """Return the path of the index in a folder."""
    return os.path.join(folder, INDEX_NAME)


class NewIndex:
    """An index that is being written.

    Attributes:
        path: The file: whatever is to be in it is written at its end.
        totals_of: Computes the totals that it keeps.

    """

    def __init__(
        self,
        folder: int,
        folder_path: str,
        began_ns: int,
        totals_of: Callable[[Inventory], Totals],
    ) -> None:
        """Make the file.

        Args:
            folder: Opens the folder.
            folder_path: Its path.
            began_ns: When it was begun to look at what will be in it.
            totals_of: Computes the totals that it keeps.

        Raises:
            OSError: It cannot be made.

        """
        self._folder = folder
        self._began_ns = began_ns
        self.totals_of = totals_of
        self._name = f"{INDEX_NAME}-{os.getpid()}-{time.time_ns()}"
        self.path = os.path.join(folder_path, self._name)
        self._handle = fs.open_file(self._name, Access.CREATE_APPENDING, parent=folder)
        with suppress(OSError):  # a filesystem may have no locks; then nobody tidies up
            fs.lock_file(self._handle)

    @property
    def recording(self) -> tuple[str, int]:
        """What a `Recorder` is made with."""
        return self.path, self._began_ns

    def append(self, content: bytes) -> int:
        """Write something; return where it begins.

        Raises:
            OSError: It could not be written.

        """
        if os.write(self._handle, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.lseek(self._handle, 0, os.SEEK_CUR) - len(content)

    def append_checked(self, content: bytes) -> Extent:
        """Write something that is to be checked when it is read; return where it is.

        Raises:
            OSError: It could not be written.

        """
        return self.append(content), len(content), crc32(content)

    def commit(self, table: Iterable[tuple[str, object]], totals: Totals) -> None:
        """Write the table, and take the place of the last index.

        Args:
            table: What `stored.from_json` reads, name by name.
            totals: What was found in all.

        Raises:
            OSError: It could not be written.

        """
        whose = {"version": __version__, "encoding": encoding_of_names()}
        members = (f'"{name}": {json.dumps(value)}' for name, value in chain(whose.items(), table))
        packed = f"{{{', '.join(members)}}}".encode("ascii")
        self.append(pack_trailer(Trailer(*self.append_checked(packed), totals)))
        os.utime(self._handle, ns=(self._began_ns, self._began_ns))
        fs.rename(self._name, self._folder, INDEX_NAME, self._folder)

    def close(self) -> None:
        """Close the file; it is removed if it did not become the index."""
        with suppress(OSError):
            fs.unlink(self._name, self._folder)
        fs.close(self._handle)


@contextmanager
def new_index(
    folder: str, began_ns: int, totals_of: Callable[[Inventory], Totals]
) -> Iterator[NewIndex | None]:
    """Begin an index in a folder, which is made; `None` where that cannot be.

    Args:
        folder: Where it is to be.
        began_ns: When it was begun to look at what will be in it, in nanoseconds since the epoch.
        totals_of: Computes the totals that it keeps.

    """
    with suppress(OSError):
        if os.path.isabs(folder) and _is_ours(folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        handle = fs.open_own_directory(folder)
    except OSError:  # no home is known, or it cannot be written
        yield None
        return
    try:
        new = None
        with suppress(OSError):
            if fs.status_of(handle).owner == fs.current_user():
                _tidy_up(handle)
                new = NewIndex(handle, folder, began_ns, totals_of)
        try:
            yield new
        finally:
            if new is not None:
                new.close()
    finally:
        fs.close(handle)


def clear_index(folder: str) -> None:
    """Remove the index in a folder, and what processes that were killed have left of others.

    Raises:
        OSError: It cannot be removed.

    """
    try:
        handle = fs.open_own_directory(folder)
    except FileNotFoundError:
        return
    try:
        _tidy_up(handle)
        with suppress(FileNotFoundError):
            fs.unlink(INDEX_NAME, handle)
    finally:
        fs.close(handle)


def _is_ours(folder: str) -> bool:
    """Tell whether the first folder there is on the way to one belongs to this user.

    What an administrator makes in the home of a user is in that user's way.
    """
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return fs.status(folder, follow_symlinks=True).owner == fs.current_user()


def _tidy_up(folder: Handle) -> None:
    """Remove what processes that were killed have left."""
    for name in filter(_NEW_NAME.fullmatch, fs.list_names(folder)):
        with suppress(OSError):
            handle = fs.open_file(name, Access.CHANGE, parent=folder)
            try:
                fs.lock_file(handle)
                fs.unlink(name, folder)
            finally:
                fs.close(handle)
