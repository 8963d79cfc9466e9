"""Units that are recalled: they are counted from the index, because they have not changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..inode_table import PageInodes
from ..inventory import Unit, UnitKind
from .file import read_checked

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

    def has(self, unit: Unit) -> bool:
        """Return whether a unit is in the index and unchanged."""
        return unit in self._numbers

    def recall(self, current: Unit, collector: Collector, unit: int | None = None) -> bool:
        """Count a unit of the current root from the index; return whether it was counted.

        Args:
            current: The unit.
            collector: Counts it.
            unit: Its index; it is added if it has none yet.

        """
        number = self._numbers.get(current)
        if number is None:
            return False
        try:
            pages = [self._inodes_of(page) for page in self._pages[number]]
            texts = self._texts_of(number)
        except OSError:
            return False
        if unit is None:
            location = collector.add_location(current.root, None)
        else:
            location = collector.location_of(unit)
        if not collector.table.recall(pages, location):
            return False
        if unit is None:
            unit = collector.add_unit(current.kind, current.path, location)
        self._count(number, unit, collector)
        for path, target in zip(texts[::2], texts[1::2], strict=True):
            collector.add_symlink(path, target)
        self.recalled[number] = current
        return True

    def _count(self, number: int, unit: int, collector: Collector) -> None:
        inventory = self.index.stored.inventory
        collector.links[collector.root] += sum(page.entries for page in self._pages[number])
        for index, device in enumerate(inventory.devices):
            if (number, index) in inventory.private:
                collector.sums(unit, device).add(inventory.private[number, index])
        if number in inventory.units_with_roots_inside:
            collector.found.units_with_roots_inside.add(unit)

    def _inodes_of(self, page: Page) -> PageInodes:
        """Read the inodes of a page.

        Raises:
            OSError: They cannot be read, or are damaged.

        """
        skipped = page.directories_bytes + page.names_bytes
        location = page.offset + skipped, page.bytes - skipped
        inodes = read_checked(self.index.handle, *location, page.checksum)
        return PageInodes(page.device, page.linked, page.rows, inodes)

    def _texts_of(self, number: int) -> list[str]:
        """Read the symbolic links of a unit: alternating paths and texts.

        Raises:
            OSError: They cannot be read, or are damaged.

        """
        extent = self.index.stored.texts.get(number)
        if extent is None:
            return []
        return os.fsdecode(read_checked(self.index.handle, *extent)).split("\0")
