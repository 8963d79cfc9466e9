"""Lists directories with several threads, where calls to the filesystem wait.

On a network filesystem each call is a round trip, during which nothing else happens unless other
threads make calls. Only listing is done in the threads: one thread counts what they list.
"""

from __future__ import annotations

import errno
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.thread_counts import threads_where_calls_wait
from .listing import Listing, UntrustedDeviceError, list_directory
from .open_directory import OpenDirectory

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .boundaries import BoundaryWalker
    from .inode_table import PythonInodeTable
    from .latency import Latency

_SECONDS_BETWEEN_PROGRESS = 0.1


def read_with_threads(
    walker: BoundaryWalker, table: PythonInodeTable, latency: Latency, end: int
) -> None:
    """Read directories below those on the stack of a walker, until `end` were read in all."""
    reading = _Reading(walker, table, latency, end)
    with ThreadPoolExecutor(threads_where_calls_wait()) as pool:
        try:
            while reading.submit(pool):
                walker.report_progress(0)
        finally:
            pool.shutdown(cancel_futures=True)
            reading.close_uncounted()


class _Reading:
    """Directories that are being listed.

    Attributes:
        waiting: What each thread lists: a name in a directory.

    """

    def __init__(
        self, walker: BoundaryWalker, table: PythonInodeTable, latency: Latency, end: int
    ) -> None:
        self.walker = walker
        self.table = table
        self.latency = latency
        self.end = end
        self.waiting: dict[Future[None], _Job] = {}
        self.uncounted: list[_Job] = []

    def submit(self, pool: ThreadPoolExecutor) -> bool:
        """Give the threads something to list, and count what they have listed.

        Returns whether there is more.
        """
        walker, most = self.walker, 2 * threads_where_calls_wait()
        while len(self.waiting) < most and walker.directories + len(self.waiting) < self.end:
            parent = next((top for top in reversed(walker.stack) if top.children), None)
            if parent is None:
                break
            parent.users += 1
            job = _Job(walker, self.table, parent, parent.children.pop())
            self.uncounted.append(job)
            try:
                self.waiting[pool.submit(job.run)] = job
            except RuntimeError:  # no more threads are allowed, and it may be unknown who runs this
                parent.children.append(job.name)
                self.stop()
        done, _ = wait(self.waiting, _SECONDS_BETWEEN_PROGRESS, return_when=FIRST_COMPLETED)
        for future in done:
            job = self.waiting.pop(future)
            future.result()
            self.count(job)
            job.parent.users -= 1
        while walker.stack and not walker.stack[-1].children and not walker.stack[-1].users:
            walker.stack.pop().close()
        return bool(self.waiting) or (bool(walker.stack) and walker.directories < self.end)

    def count(self, job: _Job) -> None:
        self.uncounted.remove(job)
        if job.lacks_descriptors:
            job.close()
            job.parent.children.append(job.name)
            self.stop()
        elif job.listing is None:
            self.walker.add_unopened(job.parent, job.name, job.error)
        else:
            _count_listing(self.walker, self.table, job.parent, job.name, job.listing)

    def stop(self) -> None:
        """Leave all other directories to be read without threads."""
        self.end = 0
        self.latency.forbid()

    def close_uncounted(self) -> None:
        for job in self.uncounted:
            job.close()


class _Job:
    """A directory to be listed by one thread.

    Attributes:
        listing: The listing; `None` if the directory could not be opened.
        error: Why it could not be opened.

    """

    def __init__(
        self, walker: BoundaryWalker, table: PythonInodeTable, parent: OpenDirectory, name: str
    ) -> None:
        self.walker = walker
        self.table = table
        self.parent = parent
        self.name = name
        self.listing: Listing | None = None
        self.error = OSError()

    def run(self) -> None:
        parent = self.parent
        try:
            handle = fs.open_directory(parent.relative + self.name, parent.handle)
        except OSError as error:
            self.error = error
            return
        device = parent.identity[0] if parent.plain else None
        try:
            status = fs.status_of(handle)
        except OSError as error:
            fs.close(handle)
            self.error = error
            return
        try:
            if status.device != device or status.inode in self.walker.special_inodes:
                self.listing = list_directory(handle, status)
            else:
                known = self.table.of_device(status.device).states
                has_subvolumes = self.walker.scan_roots.has_subvolumes
                self.listing = list_directory(handle, status, known, has_subvolumes=has_subvolumes)
        except BaseException:
            fs.close(handle)
            raise

    @property
    def lacks_descriptors(self) -> bool:
        """Whether the directory could not be listed because too many files are open."""
        problem = self.error if self.listing is None else self.listing.problem
        return problem is not None and problem.errno in (errno.EMFILE, errno.ENFILE)

    def close(self) -> None:
        if self.listing is not None:
            fs.close(self.listing.handle)


def _count_listing(
    walker: BoundaryWalker,
    table: PythonInodeTable,
    parent: OpenDirectory,
    name: str,
    listing: Listing,
) -> None:
    """Count a directory that was listed."""
    try:
        if listing.plain:
            directory = _count_plain(walker, table, parent, name, listing)
        else:
            directory = walker.read_with_stat(
                parent, name, parent.unit, listing.handle, listing.status, listing
            )
    except BaseException:
        fs.close(listing.handle)
        raise
    walker.enter(directory, listing.handle)


def _count_plain(
    walker: BoundaryWalker,
    table: PythonInodeTable,
    parent: OpenDirectory,
    name: str,
    listing: Listing,
) -> OpenDirectory:
    walker.directories += 1
    collector, unit, identity = walker.collector, parent.unit, listing.status.identity
    directory = OpenDirectory(
        parent, name, unit, parent.sums, identity, listing.children, plain=True
    )
    collector.add_directory(unit, listing.status)
    draft = walker.begin_directory(directory, listing.status)
    if listing.problem is not None:
        collector.add_problem(directory.path, listing.problem)
    states, step = table.of_device(identity[0]).states, table.step(collector.location_of(unit))
    for entry, number, found in listing.entries:
        if number in states:  # since it was listed, perhaps
            states[number] = step[states[number]]
            collector.links[collector.root] += 1
            if draft is not None:
                draft.linked.append(number)
        elif isinstance(found, OSError):
            collector.add_problem(f"{directory.path}/{entry}", found)
        elif found is not None and found.is_directory:  # since it was listed
            listing.children.append(entry)
        elif found is not None:
            if found.identity != (identity[0], number):
                raise UntrustedDeviceError(identity[0])
            collector.add_file(unit, directory.path, entry, listing.handle, found)
            if draft is not None:
                draft.add_name(entry, found)
    return directory
