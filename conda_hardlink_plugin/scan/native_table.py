"""The inode table of the native reader."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from ..filesystem.native import LinksSeen, groups_of
from .inode_table import LocatedInodes
from .inventory import GroupSums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..filesystem.native import Table
    from ..filesystem.protocol import FileStatus
    from .inode_table import PageInodes


class NativeInodeTable:
    """An `InodeTable` in the native reader.

    Attributes:
        native: The table itself.

    """

    def __init__(self, native: Table) -> None:
        """Take an empty table."""
        self.native = native
        self._locations: dict[int, tuple[int, ...]] | None = None

    def add(self, status: FileStatus, link_count: int, location: int) -> bool:
        """Count one link, as `InodeTable` says."""
        sizes = status.disk_bytes, status.size_bytes
        facts = (status.device, status.inode, link_count, *sizes, status.is_symlink)
        return self.native.add(*facts, location)

    def recall(self, pages: Sequence[PageInodes], location: int) -> bool:
        """Count pages of the index, as `InodeTable` says."""
        return self.native.recall(pages, location)

    def numbers(self, device: int) -> bytes:
        """Return the inodes of a device but symbolic links, in words of 8 bytes."""
        return self.native.numbers(device)

    def load(self, device: int, rows: bytes, states: list[bytes]) -> None:
        """Count the links in the table of a part, all on one device."""
        self.native.load(array("Q", [device]).tobytes(), rows, states)

    def locations(self, device: int, inode: int) -> tuple[int, ...]:
        """Return locations, as `InodeTable` says; only after `groups`."""
        state = self.native.state(device, inode)
        return () if self._locations is None else self._locations.get(state, ())

    def groups(self) -> Iterator[LocatedInodes]:
        """Yield groups, as `InodeTable` says."""
        packed_devices, packed, packed_locations = self.native.groups()
        devices = array("Q", packed_devices)
        self._locations = {
            state: tuple(array("I", found)) for state, found in packed_locations.items()
        }
        for device, state, seen, _, *sums in groups_of(packed):
            yield LocatedInodes(
                devices[device],
                self._locations[state],
                complete=seen != LinksSeen.FEWER,
                surplus=seen == LinksSeen.MORE,
                sums=GroupSums(*sums),
            )
