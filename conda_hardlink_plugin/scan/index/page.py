"""A page of the index: some directories of one unit, on one device.

A page contains the path of each directory below the root, and a digest of the values that change
whenever an entry is added or removed: device, inode, times (`mtime`, `ctime`, inode(7)) and size.
For the entries that a scan examined, it contains the names, and a digest of the values from which
every figure is computed: inode, link count, size and blocks. For the other entries, it contains the
numbers of their inodes, which were known already.
"""

from __future__ import annotations

import os
from array import array
from itertools import compress
from struct import Struct, error
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from ..inode_table import ROW

try:  # hashlib also loads OpenSSL, which takes 3.5 MB and 5 ms in each process
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...filesystem.protocol import DirectoryFacts, FileStatus

RACY_NS = 2_000_000_000  # changes within one tick of the filesystem's clock have the same time
NEXT = "\0"  # the names that follow are in the next directory
_WORD_BYTES = 8
_DIRECTORY = Struct("QQqqqq")  # all values but the times are unchanged
_FACTS_OF_DIRECTORY, _CTIME = 6, 3
_NAME = Struct("QQqq")
_FACTS_OF_NAME = 4
_PAGE = Struct("<9Q16s16sI?")
pack_name = _NAME.pack  # of `EntryFacts`


class Page(NamedTuple):
    """The location of a page in the index file, and the values to check it.

    At that location the file contains, in this order: the paths of the directories, the names of
    the examined entries, the inodes of the other entries, and the inodes with several links, column
    by column of `ROW`.

    Attributes:
        unit: Index of the unit.
        device: Device number of the directories.
        offset: Offset of the page.
        directories_bytes: Length of the paths.
        names_bytes: Length of the names.
        linked: Number of inodes of entries that were not examined.
        rows: Number of inodes with several links.
        directories: Number of directories.
        entries: Number of directory entries that the page describes.
        directories_digest: `digest_of` the facts about the directories.
        names_digest: `digest_of` the facts about the examined entries.
        checksum: CRC-32 of the inodes.
        settled: Whether no directory of the page changed after shortly before the scan began: a
            later change has another time, and what was read elsewhere is consistent with the page.

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
        """The length of the page."""
        inodes_bytes = (self.linked + self.rows * len(ROW)) * _WORD_BYTES
        return self.directories_bytes + self.names_bytes + inodes_bytes


class Draft:
    """A page whose directories are being read; `read_plain` fills in the attributes directly.

    Attributes:
        directories: Paths below the root, `.` for the root itself.
        directory_facts: `pack_directory` of each directory.
        names: For each directory `NEXT`, then the names of the examined entries.
        name_facts: `pack_name` of each examined entry.
        linked: Inodes of the entries that were not examined, one for each entry.
        symbolic: Inodes of symbolic links.

    """

    __slots__ = (
        "_began_ns", "directories", "directory_facts", "linked", "name_facts", "names", "symbolic",
    )  # fmt: skip

    def __init__(self, began_ns: int) -> None:
        """Begin an empty page.

        Args:
            began_ns: Start time of the scan, in nanoseconds since the epoch.

        """
        self.directories: list[str] = []
        self.directory_facts = bytearray()
        self.names: list[str] = []
        self.name_facts = bytearray()
        self.linked: list[int] = []
        self.symbolic: set[int] = set()
        self._began_ns = began_ns

    def begin_directory(self, path: str, status: FileStatus) -> None:
        """Add a directory, to which the entries that follow belong."""
        self.directories.append(path)
        self.directory_facts += pack_directory(status.directory_facts)
        self.names.append(NEXT)

    def add_name(self, name: str, status: FileStatus) -> None:
        """Add an entry that was examined."""
        self.names.append(name)
        self.name_facts += pack_name(*status.entry_facts)
        if status.is_symlink:
            self.symbolic.add(status.inode)

    def page(self, unit: int, device: int) -> tuple[Page, bytes]:
        """Return the page, with offset 0, and its content in the file."""
        rows = self._rows()
        # Not mtime, which users can set to any time, even in the future.
        newest_ns = max(array("q", self.directory_facts)[_CTIME::_FACTS_OF_DIRECTORY])
        return page_of_facts(
            self._began_ns,
            unit,
            device,
            len(self.directories),
            len(self.name_facts) // _NAME.size,
            len(self.linked),
            len(rows[0]),
            newest_ns,
            os.fsencode("\0".join(self.directories)),
            self.directory_facts,
            os.fsencode("/".join(self.names)),
            self.name_facts,
            b"".join(column.tobytes() for column in (array("Q", self.linked), *rows)),
        )

    def _rows(self) -> list[array[int]]:
        """Return the columns of the rows of the inodes with several links."""
        facts = array("Q", self.name_facts)
        number, link_count, size, allocated = range(_FACTS_OF_NAME)
        several = [count > 1 for count in facts[link_count::_FACTS_OF_NAME]]
        columns = [
            array("Q", compress(facts[column::_FACTS_OF_NAME], several))
            for column in (number, link_count, allocated, size)
        ]
        columns.append(array("Q", map(self.symbolic.__contains__, columns[0])))
        return columns


def page_of_facts(
    began_ns: int,
    unit: int,
    device: int,
    directories: int,
    examined: int,
    linked: int,
    rows: int,
    newest_ns: int,
    paths: bytes,
    directory_facts: bytes | bytearray,
    names: bytes,
    name_facts: bytes | bytearray,
    inodes: bytes,
) -> tuple[Page, bytes]:
    """Return a page, with offset 0, and its content in the file.

    Args:
        began_ns: Start time of the scan, in nanoseconds since the epoch.
        unit: Index of the unit.
        device: Device number of the directories.
        directories: Number of directories.
        examined: Number of entries that were examined.
        linked: Number of inodes of the other entries.
        rows: Number of inodes with several links that were examined.
        newest_ns: When a directory changed last, in nanoseconds since the epoch.
        paths: The paths of the directories.
        directory_facts: `pack_directory` of each.
        names: The names of the examined entries.
        name_facts: `pack_name` of each.
        inodes: The inodes of the other entries, then the columns of the rows.

    """
    page = Page(
        unit,
        device,
        0,
        len(paths),
        len(names),
        linked,
        rows,
        directories,
        directories + examined + linked,
        digest_of(directory_facts),
        digest_of(name_facts),
        crc32(inodes),
        newest_ns < began_ns - RACY_NS,
    )
    return page, paths + names + inodes


def pack_page(page: Page) -> bytes:
    """Pack a page for `unpack_pages`."""
    return _PAGE.pack(*page)


def unpack_pages(packed: bytes) -> Iterator[Page]:
    """Return consecutive packed pages.

    Raises:
        ValueError: The length is not that of whole pages.

    """
    if len(packed) % _PAGE.size:
        raise ValueError("a page of the index is truncated")
    return map(Page._make, _PAGE.iter_unpack(packed))


def names_by_directory(content: bytes) -> list[list[bytes]]:
    """Return the names of the examined entries on a page, directory by directory."""
    return [
        of_directory.strip(b"/").split(b"/") if len(of_directory) > 1 else []
        for of_directory in content.split(NEXT.encode())[1:]
    ]


def pack_directory(facts: DirectoryFacts) -> bytes:
    """Pack values of which some change whenever an entry is added, removed or renamed.

    They include the size of the directory, which a filesystem may change later.
    """
    try:
        return _DIRECTORY.pack(*facts)
    except error:  # a time outside the range of 8 bytes of nanoseconds: drop the higher bits
        device, inode, *times_ns, size, allocated = facts
        low_times_ns = ((time_ns + 2**63) % 2**64 - 2**63 for time_ns in times_ns)
        return _DIRECTORY.pack(device, inode, *low_times_ns, size, allocated)


def digest_of(facts: bytes | bytearray) -> bytes:
    """Return a digest of 16 bytes."""
    return blake2b(facts, digest_size=16).digest()
