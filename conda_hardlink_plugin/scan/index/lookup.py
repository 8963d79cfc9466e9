"""What of an index is as it was: asked page by page, by several processes.

Asking begins before it is known which roots there are: finding them takes a while.
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
    from .page import Page
    from .trailer import Totals

_FEWEST_PAGES = 32  # of one request
_MOST_ROOTS = 50  # likewise: whoever answers has each open
_MOST_CHANGED = 1 / 3  # of the entries: more are read sooner by several processes


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What of an index is as it was.

    Attributes:
        index: The index.
        units: Indexes of its units.
        root_of: Index of a root there to its index now, for those that are still roots.
        is_all: There is nothing else, and there was nothing that could not be counted.
        is_most: What is to be read is little beside it.
        quick: Only directories were looked at.

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
    totals_of: Callable[[Inventory], Totals],
    crew: Sequence[Worker] = (),
) -> Iterator[Lookup]:
    """Open the index in a folder, and begin to look what of it is as it was.

    Args:
        folder: Where the index is, and where the next one is to be.
        quick: Look at directories only, if nothing was changed. Else links to any inode may have
            come or gone with what was changed, and each inode is looked at.
        totals_of: Computes the totals that the next index keeps.
        crew: Processes to look with. They have nothing else to do until `Lookup.unchanged`.

    """
    began_ns = time.time_ns()
    with open_index(folder) as index:
        question = None
        with suppress(WorkerError):  # told of by the scan, which needs it too
            if index is None:
                prepare(crew)
            else:
                question = _Question(index, quick, crew)
        yield Lookup(folder, began_ns, question, totals_of)


@dataclass(frozen=True, slots=True)
class Lookup:
    """An index, if there is one, and the place where the next one is to be.

    Attributes:
        folder: That place.
        began_ns: When it was begun to look what of it is as it was, in nanoseconds since the epoch.
        question: What was asked, if there is an index.
        totals_of: Computes the totals that the next index keeps.

    """

    folder: str
    began_ns: int
    question: _Question | None
    totals_of: Callable[[Inventory], Totals]

    def unchanged(
        self, scan_roots: ScanRoots, on_progress: Callable[[int], None] | None
    ) -> Unchanged | None:
        """Return what of the index is as it was; `None` if there is no index.

        Args:
            scan_roots: The roots.
            on_progress: Called now and then with the number of entries looked at so far.

        Raises:
            WorkerError: A process failed, or was killed.

        """
        return None if self.question is None else self.question.answer(scan_roots, on_progress)


class _Question:
    """Which pages are as they were."""

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
        self.waiting: list[int] = []
        self.busy: list[Worker] = []
        self.unchanged: set[int] = set()
        self.entries = 0
        self.begin(self.pages)

    def begin(self, numbers: Iterable[int]) -> None:
        """Have the first of some pages checked."""
        self.unchanged = set()
        self.entries = 0
        self.waiting = list(numbers)
        self.busy = list(self.crew[: len(self.waiting)])
        for worker in self.busy:
            worker.tell(self.next_request())

    def answer(self, scan_roots: ScanRoots, on_progress: Callable[[int], None] | None) -> Unchanged:
        self.on_progress = on_progress
        stored, now = self.index.stored, indexed_roots(scan_roots)
        root_of = {then: now.index(root) for then, root in enumerate(stored.roots) if root in now}
        wanted = {
            number
            for number, page in self.pages.items()
            for root in [stored.inventory.units[page.unit].root]
            # What is wanted in detail is read in any case.
            if root in root_of and stored.roots[root][1] not in scan_roots.detailed
        }
        self.waiting = [number for number in self.waiting if number in wanted]
        self.finish()
        is_whole = stored.is_whole and stored.roots == now and len(wanted) == len(stored.pages)
        if self.quick and not (is_whole and self.unchanged >= wanted):
            self.quick = False
            self.begin(self.unchanged & wanted)
            self.finish()
        unchanged = self.unchanged & wanted
        changed = {page.unit for number, page in enumerate(stored.pages) if number not in unchanged}
        return Unchanged(
            index=self.index,
            units=frozenset(page.unit for page in stored.pages if page.unit not in changed),
            root_of=root_of,
            is_all=is_whole and not changed,
            is_most=_is_most(stored.pages, changed, len(now) - len(root_of), len(now)),
            quick=self.quick,
        )

    def next_request(self) -> Check:
        """Ask for the more the more are waiting, so that all end at once."""
        some = max(_FEWEST_PAGES, len(self.waiting) // (2 * max(len(self.crew), 1)))
        stored = self.index.stored
        pages: list[tuple[int, int, tuple[Any, ...]]] = []
        asked: set[int] = set()
        while self.waiting and len(pages) < some:
            page = self.pages[self.waiting[-1]]
            root = stored.inventory.units[page.unit].root
            if len(asked | {root}) > _MOST_ROOTS:
                break
            asked.add(root)
            pages.append((root, self.waiting.pop(), tuple(page)))
        roots = [path for _, path, _ in stored.roots]
        return Check(self.index.path, roots, pages, not self.quick)

    def finish(self) -> None:
        """Have the rest checked.

        Raises:
            WorkerError: A process failed, or was killed.

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
        """Take in an answer.

        Raises:
            WorkerError: It is none.

        """
        if not isinstance(answer, Checked):
            raise WorkerError(f"it answered {answer!r}")
        self.unchanged.update(answer.unchanged)
        self.entries += answer.entries
        if self.on_progress is not None:
            self.on_progress(self.entries)


def _is_most(pages: Sequence[Page], changed: set[int], new_roots: int, roots: int) -> bool:
    """Tell whether little is to be read; a new root is taken for as large as the others."""
    entries = sum(page.entries for page in pages)
    to_read = sum(page.entries for page in pages if page.unit in changed)
    return to_read / max(entries, 1) + new_roots / max(roots, 1) < _MOST_CHANGED
