"""Units that are recalled: they are counted from the index, because they have not changed."""

from __future__ import annotations

import os
from array import array
from itertools import filterfalse
from typing import TYPE_CHECKING, NamedTuple

from ..inventory import Unit, UnitKind
from .file import read_checked
from .page import Row

if TYPE_CHECKING:
    from ..collector import Collector
    from .lookup import Unchanged
    from .page import Page


class Remembered:
    """The unchanged units of an index.

    Attributes:
        index: The index.
        recalled: The units that were counted from the index: their number in the index to the
            current unit.

    """

    def __init__(self, unchanged: Unchanged) -> None:
        """Prepare the unchanged units of an index."""
        self.index = index = unchanged.index
        self.recalled: dict[int, Unit] = {}
        stored = index.stored
        self._numbers = {
            Unit(unit.kind, unchanged.root_of[unit.root], unit.path): number
            for number in unchanged.units
            for unit in [stored.inventory.units[number]]
            if unit.kind is not UnitKind.OTHER
        }
        self._pages: dict[int, list[Page]] = {}
        for page in stored.pages:
            self._pages.setdefault(page.unit, []).append(page)

    def recall(self, unit: int, collector: Collector) -> bool:
        """Count a unit from the index if it is there and unchanged; return whether it was."""
        current = collector.found.units[unit]
        number = self._numbers.get(current)
        if number is None:
            return False
        try:
            pages = [self._inodes_of(page) for page in self._pages[number]]
            texts = self._texts_of(number)
        except OSError:
            return False
        if not _are_known(pages, collector):
            return False
        self._count(number, unit, pages, collector)
        for path, target in zip(texts[::2], texts[1::2], strict=True):
            collector.add_symlink(path, target)
        self.recalled[number] = current
        return True

    def _count(self, number: int, unit: int, pages: list[_Inodes], collector: Collector) -> None:
        inventory = self.index.stored.inventory
        for page in pages:
            collector.add_rows(unit, page.device, page.rows)
        for page in pages:  # an inode may be on a later page, if several processes wrote the pages
            collector.add_known(unit, page.device, page.linked)
        collector.links[collector.root] += sum(page.entries for page in self._pages[number])
        for index, device in enumerate(inventory.devices):
            if (number, index) in inventory.private:
                collector.sums(unit, device).add(inventory.private[number, index])
        if number in inventory.units_with_roots_inside:
            collector.found.units_with_roots_inside.add(unit)

    def _inodes_of(self, page: Page) -> _Inodes:
        """Read the inodes of a page.

        Raises:
            OSError: They cannot be read, or are damaged.

        """
        skipped = page.directories_bytes + page.names_bytes
        location = page.offset + skipped, page.bytes - skipped
        inodes = array("Q")
        inodes.frombytes(read_checked(self.index.handle, *location, page.checksum))
        begins = range(page.linked, len(inodes), page.rows or 1)
        columns = (inodes[begin : begin + page.rows] for begin in begins)
        rows = list(map(Row._make, zip(*columns, strict=True)))
        return _Inodes(page.device, rows, inodes[: page.linked])

    def _texts_of(self, number: int) -> list[str]:
        """Read the symbolic links of a unit: alternating paths and texts.

        Raises:
            OSError: They cannot be read, or are damaged.

        """
        extent = self.index.stored.texts.get(number)
        if extent is None:
            return []
        return os.fsdecode(read_checked(self.index.handle, *extent)).split("\0")


class _Inodes(NamedTuple):
    """The inodes of a page."""

    device: int
    rows: list[Row]
    linked: array[int]


def _are_known(pages: list[_Inodes], collector: Collector) -> bool:
    """Return whether every inode is on one of the pages, or was examined before."""
    known: dict[int, set[int]] = {}
    for page in pages:
        numbers = (row.number for row in page.rows if not row.is_symlink)
        known.setdefault(page.device, set()).update(numbers)
    for page in pages:
        table = collector.listed.get(page.device)
        states = {} if table is None else table.states
        if not known[page.device].issuperset(filterfalse(states.__contains__, page.linked)):
            return False
    return True
