"""Finds the parts of the index that have not changed: checks its pages with several processes.

The check begins before the roots are known, because finding them takes a while.
"""

from __future__ import annotations

import selectors
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..crew import WorkerError, prepare
from ..crew_member import Check
from .check import Checked, check
from .contents import indexed_roots
from .file import open_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..crew import Worker
    from ..inventory import Inventory
    from ..scan_roots import ScanRoots
    from .file import IndexFile
    from .trailer import IndexTotals

_MIN_PAGES = 32  # of one request
_MAX_ROOTS = 50  # of one request: a worker opens each of them
_MAX_CHANGED = 1 / 3  # of the entries: several processes read more than that faster


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
    folder: str,
    *,
    quick: bool,
    totals_of: Callable[[Inventory], IndexTotals],
    crew: Sequence[Worker] = (),
) -> Iterator[Lookup]:
    """Open the index in a directory, and begin to check it.

    Args:
        folder: Directory of the index and of the next index.
        quick: Check only directories, as long as none has changed. After a change, links to any
            inode may have been added or removed, so every inode is checked.
        totals_of: Computes the totals that the next index contains.
        crew: Worker processes for the check. They must be idle until `Lookup.unchanged`.

    """
    began_ns = time.time_ns()
    with open_index(folder) as index:
        question = None
        with suppress(WorkerError):  # the scan needs the workers too, and reports the error
            if index is None:
                prepare(crew)
            else:
                question = _Question(index, quick, crew)
        yield Lookup(folder, began_ns, question, totals_of)


@dataclass(frozen=True, slots=True)
class Lookup:
    """An index, if there is one, and the directory of the next index.

    Attributes:
        folder: The directory.
        began_ns: Start time of the check, in nanoseconds since the epoch.
        question: The check that was begun, if there is an index.
        totals_of: Computes the totals that the next index contains.

    """

    folder: str
    began_ns: int
    question: _Question | None
    totals_of: Callable[[Inventory], IndexTotals]

    def unchanged(
        self, scan_roots: ScanRoots, on_progress: Callable[[int], None] | None
    ) -> Unchanged | None:
        """Return the unchanged parts of the index; `None` if there is no index.

        Args:
            scan_roots: The roots.
            on_progress: Called now and then with the number of entries checked so far.

        Raises:
            WorkerError: A worker process failed.

        """
        return None if self.question is None else self.question.answer(scan_roots, on_progress)


class _Question:
    """The question which pages are unchanged, until it is answered."""

    def __init__(self, index: IndexFile, quick: bool, crew: Sequence[Worker]) -> None:
        self.index = index
        self.crew = crew
        self.on_progress: Callable[[int], None] | None = None
        self.pages = {
            number: page
            for number, page in enumerate(index.stored.pages)
            if page.settled and page.unit not in index.stored.unread
        }
        self.quick = quick and index.stored.is_whole and len(self.pages) == len(index.stored.pages)
        self.begin(self.pages)

    def begin(self, numbers: Iterable[int]) -> None:
        """Send the first requests to check some pages."""
        self.unchanged: set[int] = set()
        self.entries = 0
        self.waiting = list(numbers)
        self.busy = list(self.crew[: len(self.waiting)])
        for worker in self.busy:
            worker.tell(self.next_request())

    def answer(self, scan_roots: ScanRoots, on_progress: Callable[[int], None] | None) -> Unchanged:
        self.on_progress = on_progress
        stored, now = self.index.stored, indexed_roots(scan_roots)
        root_of = {then: now.index(root) for then, root in enumerate(stored.roots) if root in now}
        # A root that is wanted in detail is read in any case.
        usable = {then for then in root_of if stored.roots[then][1] not in scan_roots.detailed}
        units = stored.inventory.units
        wanted = {number for number, page in self.pages.items() if units[page.unit].root in usable}
        self.waiting = [number for number in self.waiting if number in wanted]
        self.finish()
        is_whole = stored.is_whole and stored.roots == now and len(wanted) == len(stored.pages)
        if self.quick and not (is_whole and self.unchanged >= wanted):
            self.quick = False
            self.begin(self.unchanged & wanted)
            self.finish()
        unchanged = self.unchanged & wanted
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
            quick=self.quick,
        )

    def next_request(self) -> Check:
        """Return the next request, smaller towards the end, so that all workers end together."""
        size = max(_MIN_PAGES, len(self.waiting) // (2 * max(len(self.crew), 1)))
        stored = self.index.stored
        pages: list[tuple[int, int, tuple[Any, ...]]] = []
        roots: set[int] = set()
        while self.waiting and len(pages) < size:
            page = self.pages[self.waiting[-1]]
            root = stored.inventory.units[page.unit].root
            roots.add(root)
            if len(roots) > _MAX_ROOTS:
                break
            pages.append((root, self.waiting.pop(), tuple(page)))
        return Check(self.index.path, [path for _, path, _ in stored.roots], pages, not self.quick)

    def finish(self) -> None:
        """Check the remaining pages.

        Raises:
            WorkerError: A worker process failed.

        """
        while self.waiting and not self.busy:
            self.take(check(self.next_request()))
        with selectors.DefaultSelector() as selector:
            for worker in self.busy:
                selector.register(worker.answers, selectors.EVENT_READ, worker)
            while selector.get_map():
                for key, _ in selector.select():
                    worker = key.data
                    self.take(worker.hear())
                    if self.waiting:
                        worker.tell(self.next_request())
                    else:
                        selector.unregister(worker.answers)

    def take(self, answer: object) -> None:
        """Add the answer to a request.

        Raises:
            WorkerError: The worker process sent something else.

        """
        if not isinstance(answer, Checked):
            raise WorkerError(f"it answered {answer!r}")
        self.unchanged.update(answer.unchanged)
        self.entries += answer.entries
        if self.on_progress is not None:
            self.on_progress(self.entries)
