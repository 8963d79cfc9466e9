"""A page of the index: what is remembered of some directories of one unit, on one device.

Directories are remembered by their path below the root and by what changes whenever an entry comes
or goes: device, inode, times of change (`mtime`, `ctime`, inode(7)) and size. Entries that a scan
looked at are remembered by name and by all that a figure is made of: inode, link count, size and
blocks. Entries that needed no look are numbers of inodes that were met before.
"""

from __future__ import annotations

import os
from array import array
from itertools import compress
from struct import Struct, error
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

try:  # hashlib has it from there, and loads OpenSSL besides: 3.5 MB and 5 ms in each process
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...filesystem.protocol import DirectoryFacts, FileStatus

RACY_NS = 2_000_000_000  # a directory may change again within one tick of the filesystem's clock
NEXT = "\0"  # what comes is in the next directory
_WORD_BYTES = 8
_DIRECTORY = Struct("QQqqqq")  # all but the times are as the kernel has them
_FACTS_OF_DIRECTORY, _CTIME = 6, 3
_NAME = Struct("QQqq")
_FACTS_OF_NAME = 4
_PAGE = Struct("<9Q16s16sI?")
pack_name = _NAME.pack  # of `EntryFacts`


class Row(NamedTuple):
    """An inode with several links that was looked at.

    Attributes:
        number: Its inode number.
        link_count: Directory entries that name it.
        disk_bytes: Allocated bytes.
        apparent_bytes: Length.
        is_symlink: 1 if it is a symbolic link, else 0.

    """

    number: int
    link_count: int
    disk_bytes: int
    apparent_bytes: int
    is_symlink: int


class Page(NamedTuple):
    """Where a page lies in the file of the index, and how it is checked.

    The file has, one after the other, the paths of the directories, the names of the entries that
    were looked at, the inodes of those that were not, and the inodes with several links, column by
    column of `Row`.

    Attributes:
        unit: Index of the unit.
        device: Number of the device of its directories.
        offset: Where it begins.
        directories_bytes: How long the paths are.
        names_bytes: How long the names are.
        linked: How many inodes there are of entries that were not looked at.
        rows: How many inodes with several links there are.
        directories: How many directories there are.
        entries: How many entries of directories it tells of.
        directories_digest: Of the facts of the directories, `digest_of`.
        names_digest: Of the facts of the entries that were looked at.
        checksum: Of the inodes.
        settled: No directory of it was changed since shortly before the scan began: a later change
            bears another time, and what was read elsewhere fits to it.

    """

    unit: int
    device: int
    offset: int
    directories_bytes: int
    names_bytes: int
    linked: int
    rows: int
    directories: int
    entries: int
    directories_digest: bytes
    names_digest: bytes
    checksum: int
    settled: bool

    @property
    def bytes(self) -> int:
        """How long it is."""
        inodes_bytes = (self.linked + self.rows * len(Row._fields)) * _WORD_BYTES
        return self.directories_bytes + self.names_bytes + inodes_bytes


class Draft:
    """A page while its directories are read; whoever reads most of them fills it in himself.

    Attributes:
        directories: Paths below the root, `.` for the root itself.
        directory_facts: `pack_directory` of each.
        names: For each directory `NEXT`, then the entries that were looked at.
        name_facts: `pack_name` of those entries.
        linked: Inodes of the entries that were not looked at, one for each entry.
        symbolic: Inodes of symbolic links.

    """

    __slots__ = (
        "_began_ns", "directories", "directory_facts", "linked", "name_facts", "names", "symbolic",
    )  # fmt: skip

    def __init__(self, began_ns: int) -> None:
        """Begin empty.

        Args:
            began_ns: When the scan began, in nanoseconds since the epoch.

        """
        self.directories: list[str] = []
        self.directory_facts = bytearray()
        self.names: list[str] = []
        self.name_facts = bytearray()
        self.linked: list[int] = []
        self.symbolic: set[int] = set()
        self._began_ns = began_ns

    def begin_directory(self, path: str, status: FileStatus) -> None:
        """Note a directory; what is noted from now on is in it."""
        self.directories.append(path)
        self.directory_facts += pack_directory(status.directory_facts)
        self.names.append(NEXT)

    def add_name(self, name: str, status: FileStatus) -> None:
        """Note an entry that was looked at."""
        self.names.append(name)
        self.name_facts += pack_name(*status.entry_facts)
        if status.is_symlink:
            self.symbolic.add(status.inode)

    def page(self, unit: int, device: int, offset: int) -> tuple[Page, bytes]:
        """Return the page, and what is to be written for it at an offset."""
        directories = os.fsencode("\0".join(self.directories))
        names = os.fsencode("/".join(self.names))
        rows = self._rows()
        inodes = b"".join(column.tobytes() for column in (array("Q", self.linked), *rows))
        looked_at = len(self.name_facts) // _NAME.size
        # Not mtime, which anybody can set, also to a day to come.
        newest_ns = max(array("q", self.directory_facts)[_CTIME::_FACTS_OF_DIRECTORY])
        page = Page(
            unit,
            device,
            offset,
            len(directories),
            len(names),
            len(self.linked),
            len(rows[0]),
            len(self.directories),
            len(self.directories) + looked_at + len(self.linked),
            digest_of(self.directory_facts),
            digest_of(self.name_facts),
            crc32(inodes),
            newest_ns < self._began_ns - RACY_NS,
        )
        return page, directories + names + inodes

    def _rows(self) -> list[array[int]]:
        """Return the columns of the rows of the inodes with several links."""
        facts = array("Q", self.name_facts)
        numbers, link_counts, sizes, allocated = (
            facts[place::_FACTS_OF_NAME] for place in range(_FACTS_OF_NAME)
        )
        several = [count > 1 for count in link_counts]
        columns = [
            array("Q", compress(column, several))
            for column in (numbers, link_counts, allocated, sizes)
        ]
        columns.append(array("Q", map(self.symbolic.__contains__, columns[0])))
        return columns


def pack_page(page: Page) -> bytes:
    """Return what `unpack_pages` makes a page of."""
    return _PAGE.pack(*page)


def unpack_pages(packed: bytes) -> Iterator[Page]:
    """Return pages that were packed, one after the other.

    Raises:
        ValueError: That is something else.

    """
    if len(packed) % _PAGE.size:
        raise ValueError("a page is not whole")
    return map(Page._make, _PAGE.iter_unpack(packed))


def names_by_directory(content: bytes) -> list[list[bytes]]:
    """Return the entries that were looked at, directory by directory, as a page has them."""
    return [
        of_directory.strip(b"/").split(b"/") if len(of_directory) > 1 else []
        for of_directory in content.split(NEXT.encode())[1:]
    ]


def pack_directory(facts: DirectoryFacts) -> bytes:
    """Return what differs after any entry of a directory has come, gone or been renamed.

    It includes the directory's own size, which a filesystem may still change afterwards.
    """
    try:
        return _DIRECTORY.pack(*facts)
    except error:  # a time that is further away than 8 bytes of nanoseconds reach
        device, inode, mtime_ns, ctime_ns, *sizes = facts
        times_ns = (_within_8_bytes(mtime_ns), _within_8_bytes(ctime_ns))
        return _DIRECTORY.pack(device, inode, *times_ns, *sizes)


def digest_of(facts: bytes | bytearray) -> bytes:
    """Return 16 bytes that are others for other facts."""
    return blake2b(facts, digest_size=16).digest()


def _within_8_bytes(time_ns: int) -> int:
    return (time_ns + 2**63) % 2**64 - 2**63
