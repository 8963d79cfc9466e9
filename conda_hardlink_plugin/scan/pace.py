"""Whether calls to the filesystem wait, and what to do then: have many of them wait at once.

On a local disk whose directories are in memory threads only hinder each other. On a network
filesystem each call is a round trip, during which nothing else happens unless threads make others.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from .listing import Listing
    from .open_directory import OpenDirectory
    from .walker import Walker

_THREADS = 16
_WAITS_RATIO = 8  # of time to computing: less is a disk, where more processes are better
_LOOKED_AT_NS = 2_000_000  # less tells nothing
_DIRECTORIES_TO_TRY = 10
_DIRECTORIES_AT_ONCE = 200
_ROUNDS_WITH_THREADS = 20  # before it is tried without them
_SECONDS_BETWEEN_PROGRESS = 0.1


class Pace:
    """Tells whether calls wait, from what the last ones without threads took.

    Attributes:
        waits: They do: most of the time is spent waiting, and not for the processor.
        directories: After how many to look again.

    """

    def __init__(self) -> None:
        """Begin without threads."""
        self.waits = False
        self.directories = _DIRECTORIES_TO_TRY
        self._rounds = 0
        self._forbidden = False
        self.begin(0)

    def look(self, directories: int) -> None:
        """Judge the time since the last look.

        Args:
            directories: How many were read in all.

        """
        if self.waits:
            self._rounds -= 1
            if not self._rounds:
                self.waits, self.directories = False, _DIRECTORIES_TO_TRY
            self.begin(directories)
            return
        time_ns = time.monotonic_ns() - self._time_ns
        if time_ns < _LOOKED_AT_NS:
            return
        computing_ns = time.thread_time_ns() - self._computing_ns
        # Who waits for the processor is switched out, too, but does not ask for it.
        asked = switches() - self._switches
        self.waits = (
            not self._forbidden
            and time_ns > _WAITS_RATIO * computing_ns
            and asked >= directories - self._directories
        )
        self.directories, self._rounds = _DIRECTORIES_AT_ONCE, _ROUNDS_WITH_THREADS
        self.begin(directories)

    def forbid(self) -> None:
        """Have no threads any more: there are too few descriptors for them."""
        self.waits, self._forbidden = False, True

    def begin(self, directories: int) -> None:
        """Judge the time from now on.

        Args:
            directories: How many were read in all.

        """
        self._directories = directories
        self._time_ns = time.monotonic_ns()
        self._computing_ns = time.thread_time_ns()
        self._switches = switches()


def switches() -> int:
    """Return how often this thread, or where that is not told this process, gave way by itself."""
    import resource  # noqa: PLC0415  # not on Windows

    return resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)).ru_nvcsw


def read_with_threads(walker: Walker, end: int) -> None:
    """Read directories below those on the stack of a walk with several threads.

    Args:
        walker: What is read, and what counts it.
        end: When so many directories were read in all, no more is begun.

    """
    _Threads(walker, end).run()


class _Threads:
    """Threads list directories; they count one at a time, and each has an end."""

    def __init__(self, walker: Walker, end: int) -> None:
        import threading  # noqa: PLC0415  # only where calls wait

        self.walker = walker
        self.end = end
        self.changed = threading.Condition()
        self.busy = 0
        self.idle = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        from threading import Thread  # noqa: PLC0415  # only where calls wait

        threads: list[threading.Thread] = []
        try:
            with suppress(RuntimeError):  # no more are allowed: those that there are will do
                for _ in range(threads_allowed()):
                    thread = Thread(target=self.work)
                    thread.start()
                    threads.append(thread)
            if not threads:
                self.work()
            with self.changed:
                while self.busy or self.next_place():
                    self.walker.report_progress(0)
                    self.changed.wait(_SECONDS_BETWEEN_PROGRESS)
                self.walker.report_progress(0)
        except BaseException as error:
            self.failure = error
            raise
        finally:
            with self.changed:
                self.end = 0
                self.changed.notify_all()
            for thread in threads:
                thread.join()
        if self.failure is not None:
            raise self.failure

    def next_place(self) -> OpenDirectory | None:
        """Return the deepest directory in which others are still to be read."""
        if self.failure is not None or self.walker.directories + self.busy >= self.end:
            return None
        return next((place for place in reversed(self.walker.stack) if place.children), None)

    def work(self) -> None:
        """Read one directory after another until there is none."""
        while True:
            with self.changed:
                place = self.next_place()
                while place is None:
                    if not self.busy:
                        self.changed.notify_all()
                        return
                    self.idle += 1
                    self.changed.wait()
                    self.idle -= 1
                    place = self.next_place()
                name = place.children.pop()
                place.users += 1
                self.busy += 1
            try:
                listing = self.walker.list_below(place, name)
                with self.changed:
                    if _lacks_descriptors(listing):
                        self.read_later(place, name, listing)
                    else:
                        self.walker.count_listing(place, name, listing)
            except BaseException as error:  # noqa: BLE001  # raised by `run`
                self.failure = error
            with self.changed:
                place.users -= 1
                self.drop_read()
                self.busy -= 1
                if self.idle:
                    self.changed.notify_all()

    def read_later(self, place: OpenDirectory, name: str, listing: Listing | OSError) -> None:
        """Leave a directory, and all others, to be read without threads."""
        if not isinstance(listing, OSError):
            os.close(listing.handle)
        place.children.append(name)
        self.end = 0
        self.walker.pace.forbid()

    def drop_read(self) -> None:
        """Close the directories of which nothing is needed any more."""
        stack = self.walker.stack
        while stack and not stack[-1].children and not stack[-1].users:
            stack.pop().close()


def threads_allowed() -> int:
    """Return how many threads there may be; each has two descriptors open."""
    allowed = os.sysconf("SC_OPEN_MAX")  # negative where there is no limit
    return min(_THREADS, max(allowed // 8, 1)) if allowed > 0 else _THREADS


def _lacks_descriptors(listing: Listing | OSError) -> bool:
    """Tell whether a directory could not be listed because too many are open."""
    problem = listing if isinstance(listing, OSError) else listing.problem
    return problem is not None and problem.errno in (errno.EMFILE, errno.ENFILE)
