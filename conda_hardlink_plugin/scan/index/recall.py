"""What is remembered of units that are as they were: it is counted without being read again."""

from __future__ import annotations

import os
from array import array
from itertools import filterfalse
from typing import TYPE_CHECKING, NamedTuple

from ..inventory import Unit, UnitKind
from .page import Row

if TYPE_CHECKING:
    from ..collector import Collector
    from .lookup import Unchanged
    from .page import Page


class Remembered:
    """Units of an index that are as they were.

    Attributes:
        index: The index.
        recalled: Those that were counted from it: index into its units to the unit as it is now.

    """

    def __init__(self, unchanged: Unchanged) -> None:
        """Remember the units that are as they were."""
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
        """Count a unit that the tally has begun, if it is remembered; tell whether it was."""
        number = self._numbers.get(collector.found.units[unit])
        if number is None:
            return False
        try:
            inodes = [self._inodes_of(page) for page in self._pages[number]]
            texts = self._texts_of(number)
        except OSError:
            return False
        if not _are_known(inodes, collector):
            return False
        self._count(number, unit, inodes, collector)
        for path, target in zip(texts[::2], texts[1::2], strict=True):
            collector.add_symlink(path, target)
        self.recalled[number] = collector.found.units[unit]
        return True

    def _count(self, number: int, unit: int, inodes: list[_Inodes], collector: Collector) -> None:
        inventory = self.index.stored.inventory
        for page in inodes:
            collector.add_rows(unit, page.device, page.rows)
        for page in inodes:  # a page may name what another process has looked at for a later one
            collector.add_known(unit, page.device, page.linked)
        collector.links[collector.root] += sum(page.entries for page in self._pages[number])
        for device, device_number in enumerate(inventory.devices):
            sums = inventory.private.get((number, device))
            if sums is not None:
                collector.sums(unit, device_number).add(sums)
        if number in inventory.holding:
            collector.found.holding.add(unit)

    def _inodes_of(self, page: Page) -> _Inodes:
        """Read the inodes of a page.

        Raises:
            OSError: They cannot be read, or are damaged.

        """
        offset = page.offset + page.directories_bytes + page.names_bytes
        inodes = array("Q")
        length = page.offset + page.bytes - offset
        inodes.frombytes(self.index.read_checked(offset, length, page.checksum))
        begins = range(page.linked, len(inodes), page.rows or 1)
        columns = (inodes[begin : begin + page.rows] for begin in begins)
        rows = list(map(Row._make, zip(*columns, strict=True)))
        return _Inodes(page.device, rows, inodes[: page.linked])

    def _texts_of(self, number: int) -> list[str]:
        """Read the symbolic links of a unit, each one's path and then its text.

        Raises:
            OSError: They cannot be read, or are damaged.

        """
        if number not in self.index.stored.texts:
            return []
        return os.fsdecode(self.index.read_checked(*self.index.stored.texts[number])).split("\0")


class _Inodes(NamedTuple):
    """The inodes of a page."""

    device: int
    rows: list[Row]
    linked: array[int]


def _are_known(pages: list[_Inodes], collector: Collector) -> bool:
    """Tell whether all inodes were looked at somewhere: else it is not known what they are."""
    own: dict[int, set[int]] = {}
    for page in pages:
        numbers = (row.number for row in page.rows if not row.is_symlink)
        own.setdefault(page.device, set()).update(numbers)
    for page in pages:
        table = collector.listed.get(page.device)
        unknown = (
            page.linked if table is None else filterfalse(table.states.__contains__, page.linked)
        )
        if not own[page.device].issuperset(unknown):
            return False
    return True
