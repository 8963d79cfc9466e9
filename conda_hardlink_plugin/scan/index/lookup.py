"""Finds the parts of the index that have not changed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .check import unchanged_pages
from .contents import indexed_roots
from .file import open_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..inventory import Inventory
    from ..scan_roots import ScanRoots
    from .file import IndexFile
    from .trailer import IndexTotals

_MAX_CHANGED = 1 / 3  # of the entries: reading more than that takes less time without the index


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The parts of an index that have not changed.

    Attributes:
        index: The index.
        units: Indexes of the unchanged units in the index.
        root_of: Index of a root in the index to its current index, for those that are still roots.
        is_all: Whether nothing has changed, there is no new root, and there were no problems.
        is_most: Whether only a small part must be read.
        quick: Whether only directories were checked.

    """

    index: IndexFile
    units: frozenset[int]
    root_of: dict[int, int]
    is_all: bool
    is_most: bool
    quick: bool


@contextmanager
def look_up(
    folder: str, *, quick: bool, totals_of: Callable[[Inventory], IndexTotals]
) -> Iterator[Lookup]:
    """Open the index in a directory.

    Args:
        folder: Directory of the index and of the next index.
        quick: Check only directories, as long as none has changed. After a change, links to any
            inode may have been added or removed, so every inode is checked.
        totals_of: Computes the totals that the next index contains.

    """
    began_ns = time.time_ns()
    with open_index(folder) as index:
        yield Lookup(folder, began_ns, index, quick, totals_of)


@dataclass(frozen=True, slots=True)
class Lookup:
    """An index, if there is one, and the directory of the next index.

    Attributes:
        folder: The directory.
        began_ns: Start time of the check, in nanoseconds since the epoch.
        index: The index, if there is one.
        quick: Whether to check only directories as long as none has changed.
        totals_of: Computes the totals that the next index contains.

    """

    folder: str
    began_ns: int
    index: IndexFile | None
    quick: bool
    totals_of: Callable[[Inventory], IndexTotals]

    def unchanged(
        self, scan_roots: ScanRoots, on_progress: Callable[[int], None] | None
    ) -> Unchanged | None:
        """Return the unchanged parts of the index; `None` if there is no index.

        Args:
            scan_roots: The roots.
            on_progress: Called now and then with the number of entries checked so far.

        """
        if self.index is None:
            return None
        stored, now = self.index.stored, indexed_roots(scan_roots)
        root_of = {then: now.index(root) for then, root in enumerate(stored.roots) if root in now}
        # A root that is wanted in detail is read in any case.
        usable = {then for then in root_of if stored.roots[then][1] not in scan_roots.detailed}
        units = stored.inventory.units
        wanted = {
            number
            for number, page in enumerate(stored.pages)
            if page.settled and page.unit not in stored.unread and units[page.unit].root in usable
        }
        is_whole = stored.is_whole and stored.roots == now and len(wanted) == len(stored.pages)
        quick = self.quick and is_whole
        unchanged = unchanged_pages(self.index, wanted, exact=not quick, on_progress=on_progress)
        if quick and unchanged != wanted:
            quick = False
            unchanged = unchanged_pages(self.index, unchanged, exact=True, on_progress=on_progress)
        changed = {page.unit for number, page in enumerate(stored.pages) if number not in unchanged}
        entries = sum(page.entries for page in stored.pages)
        to_read = sum(page.entries for page in stored.pages if page.unit in changed)
        new_roots = len(now) - len(root_of)  # each probably as large as the others
        changed_part = to_read / max(entries, 1) + new_roots / max(len(now), 1)
        return Unchanged(
            index=self.index,
            units=frozenset(page.unit for page in stored.pages if page.unit not in changed),
            root_of=root_of,
            is_all=is_whole and not changed,
            is_most=changed_part < _MAX_CHANGED,
            quick=quick,
        )
