"""Several processes that read the roots together, and what they have found.

Caches are read first, by all of them; then each is told which inodes the others met, so that it
need not look at them again in the environments. Whoever has nothing to read any more gets half of
what another one has still before it.
"""

from __future__ import annotations

import selectors
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from .collector import Findings
from .crew import WorkerError
from .crew_member import encoding_of_names
from .inventory import RootKind
from .listing import UntrustedDeviceError
from .pool_worker import (
    Begin,
    Failed,
    Finish,
    GoOn,
    Learn,
    Met,
    OpenRoot,
    Parted,
    PartWith,
    Progress,
    TakeOver,
    TellMet,
    Untrusted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from .crew import Worker
    from .scan_roots import ScanRoots

_DIRECTORIES_AT_ONCE = 400
_DIRECTORIES_WHILE_OTHERS_WAIT = 1

Expected = TypeVar("Expected")


def read_together(
    workers: Sequence[Worker],
    scan_roots: ScanRoots,
    untrusted: Collection[int],
    on_progress: Callable[[int], None] | None,
    record_to: tuple[str, int] | None = None,
) -> list[Findings]:
    """Read all roots with several processes.

    Args:
        workers: The processes; they have done nothing yet.
        scan_roots: The roots.
        untrusted: Devices whose listings name other inode numbers than they hold.
        on_progress: Called now and then with the number of entries read so far.
        record_to: What a `Recorder` is made with, if an index is being written.

    Returns:
        What each of them found, in the order of the processes.

    Raises:
        UntrustedDeviceError: One more device is not to be trusted.
        WorkerError: One failed, or was killed.

    """
    return _Pool(scan_roots, workers, on_progress).run(frozenset(untrusted), record_to)


def _hear(worker: Worker, expected: type[Expected]) -> Expected:
    """Wait for the answer to the last request to a process."""
    answer = worker.hear()
    match answer:
        case Untrusted(device):
            raise UntrustedDeviceError(device)
        case Failed(reason):
            raise WorkerError(reason)
        case _ if isinstance(answer, expected):
            return answer
    raise WorkerError(f"it answered {answer!r}")


class _Pool:
    def __init__(
        self,
        scan_roots: ScanRoots,
        workers: Sequence[Worker],
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self.scan_roots = scan_roots
        self.workers = workers
        self.on_progress = on_progress
        self.idle: list[Worker] = []

    def run(self, untrusted: frozenset[int], record_to: tuple[str, int] | None) -> list[Findings]:
        begin = Begin(self.scan_roots, untrusted, encoding_of_names(), record_to)
        for worker in self.workers:
            worker.tell(begin)
        for worker in self.workers:
            _hear(worker, Progress)
        self.idle = list(self.workers)
        roots = enumerate(self.scan_roots.roots)
        caches = {index for index, root in roots if root.kind is RootKind.CACHE}
        self.read(sorted(caches))
        self.share_what_was_met()
        self.read(index for index in range(len(self.scan_roots.roots)) if index not in caches)
        for worker in self.workers:
            worker.tell(Finish())
        return [_hear(worker, Findings) for worker in self.workers]

    def share_what_was_met(self) -> None:
        """Tell each process which inodes the others have met, in the order of the processes."""
        for worker in self.workers:
            worker.tell(TellMet())
        met = [_hear(worker, Met).numbers for worker in self.workers]
        devices = {device for numbers in met for device in numbers}
        for worker, own in zip(self.workers, met, strict=True):
            others = [numbers for numbers in met if numbers is not own]
            worker.tell(
                Learn(
                    {
                        device: [numbers[device] for numbers in others if device in numbers]
                        for device in devices
                    }
                )
            )

    def read(self, roots: Iterable[int]) -> None:
        """Have some roots read to their end."""
        waiting = deque(roots)
        with selectors.DefaultSelector() as selector:
            while True:
                while self.idle and waiting:
                    worker = self.idle.pop()
                    root = waiting.popleft()
                    worker.tell(OpenRoot(root, self.directories(waiting)))
                    selector.register(worker.answers, selectors.EVENT_READ, worker)
                if not selector.get_map():
                    return
                for key, _ in selector.select():
                    self.attend(key.data, waiting, selector)

    def attend(
        self, worker: Worker, waiting: Collection[int], selector: selectors.BaseSelector
    ) -> None:
        """Hear how far one is, and what it is to do next."""
        progress = _hear(worker, Progress)
        worker.links = progress.links
        if self.on_progress is not None:
            self.on_progress(sum(worker.links for worker in self.workers))
        if progress.idle:
            selector.unregister(worker.answers)
            self.idle.append(worker)
            return
        directories = _DIRECTORIES_AT_ONCE
        if self.idle and not waiting:
            worker.tell(PartWith())
            shares = _hear(worker, Parted).shares
            if shares:
                other = self.idle.pop()
                directories = self.directories(waiting)
                other.tell(TakeOver(shares, directories))
                selector.register(other.answers, selectors.EVENT_READ, other)
        worker.tell(GoOn(directories))

    def directories(self, waiting: Collection[int]) -> int:
        """After how many directories to look again who has nothing to do."""
        others_wait = self.idle and not waiting
        return _DIRECTORIES_WHILE_OTHERS_WAIT if others_wait else _DIRECTORIES_AT_ONCE
