"""Several processes that read the roots together, and what they have found.

Caches are read first, by all of them; then each is told which inodes the others met, so that it
need not look at them again in the environments. Whoever has nothing to read any more gets half of
what another one has still before it.
"""

from __future__ import annotations

import os
import pickle
import selectors
import subprocess
import sys
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from .inventory import RootKind
from .links import unite
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
from .tally import Findings
from .walk import UntrustedDeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import IO

    from .ground import Ground
    from .inventory import Root
    from .links import Inodes
    from .pool_worker import Answer, Request

_MOST_PROCESSES = 4
_FEW_PACKAGES = 250  # below, starting processes takes longer than what they save
_DIRECTORIES_AT_ONCE = 400
_DIRECTORIES_WHILE_OTHERS_WAIT = 1
_WORKER_CODE = """\
import sys
sys.path.insert(0, sys.argv[1])
from conda_hardlink_plugin.pool_worker import main
main()
"""
_CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

Expected = TypeVar("Expected")


class WorkerError(Exception):
    """A process of the pool did not do what it was told; what it found is lost."""


def useful_processes(ground: Ground) -> int:
    """Return how many processes are to read the roots: 1 where more would not be faster.

    One, too, where a directory may be reached by two ways: who came first is known in one place.
    """
    if ground.may_meet_twice or getattr(sys, "frozen", False):  # no interpreter to be started
        return 1
    processors = _processors()
    if processors == 1 or _packages(ground.roots) < _FEW_PACKAGES:
        return 1
    return min(processors, _MOST_PROCESSES)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _packages(roots: Iterable[Root]) -> int:
    """Return about how many packages are cached and installed."""
    found = 0
    for root in roots:
        inside = "" if root.kind is RootKind.CACHE else "/conda-meta"
        with suppress(OSError):  # told of by whoever reads it
            found += len(os.listdir(root.path + inside))
    return found


def read_together(
    ground: Ground,
    untrusted: Collection[int],
    processes: int,
    on_progress: Callable[[int], None] | None,
) -> tuple[dict[int, Inodes], list[Findings]]:
    """Read all roots with several processes.

    Args:
        ground: The roots.
        untrusted: Devices whose listings name other inode numbers than they hold.
        processes: How many to start.
        on_progress: Called now and then with the number of entries read so far.

    Returns:
        The inodes of which all were told on the way, by device, and what each has found.

    Raises:
        UntrustedDeviceError: One more device is not to be trusted.
        WorkerError: One could not be started, or failed, or was killed.

    """
    with ExitStack() as stack:
        workers = [stack.enter_context(_Worker.started()) for _ in range(processes)]
        return _Pool(ground, workers, on_progress).run(frozenset(untrusted))


class _Worker:
    """One process; leaving its context stops it.

    Attributes:
        links: Entries it has counted.
        answers: Where its answers are read.

    """

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self.links = 0
        self.requests = requests
        self.answers = answers

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[_Worker]:
        """Start a process, and stop it at the end."""
        command = [sys.executable, "-I", "-S", "-c", _WORKER_CODE, _CHECKOUT]
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere)  # noqa: S603  # ourselves
        except OSError as error:
            raise WorkerError(f"it could not be started: {error}") from error
        requests, answers = process.stdin, process.stdout
        try:
            if requests is not None and answers is not None:  # always, as both were asked for
                yield cls(requests, answers)
        finally:
            process.kill()
            with suppress(OSError):  # of what could not be sent any more
                process.communicate()

    def tell(self, request: Request) -> None:
        """Send a request."""
        try:
            pickle.dump(request, self.requests, pickle.HIGHEST_PROTOCOL)
            self.requests.flush()
        except OSError as error:
            raise WorkerError(f"it ended early: {error}") from error

    def hear(self, expected: type[Expected]) -> Expected:
        """Wait for the answer to the last request."""
        try:
            answer: Answer = pickle.load(self.answers)  # noqa: S301  # from our own process
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise WorkerError("it ended early") from error
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
        ground: Ground,
        workers: Sequence[_Worker],
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self.ground = ground
        self.workers = workers
        self.on_progress = on_progress
        self.idle: list[_Worker] = []

    def run(self, untrusted: frozenset[int]) -> tuple[dict[int, Inodes], list[Findings]]:
        begin = Begin(self.ground, untrusted)
        for worker in self.workers:
            worker.tell(begin)
        for worker in self.workers:
            worker.hear(Progress)
        self.idle = list(self.workers)
        roots = enumerate(self.ground.roots)
        caches = {index for index, root in roots if root.kind is RootKind.CACHE}
        self.read(sorted(caches))
        together = self.share_what_was_met()
        self.read(index for index in range(len(self.ground.roots)) if index not in caches)
        for worker in self.workers:
            worker.tell(Finish())
        return together, [worker.hear(Findings) for worker in self.workers]

    def share_what_was_met(self) -> dict[int, Inodes]:
        """Write down the inodes that were met, and tell all processes of them."""
        for worker in self.workers:
            worker.tell(TellMet())
        met = [worker.hear(Met).inodes for worker in self.workers]
        devices = dict.fromkeys(device for inodes in met for device in inodes)
        together = {
            device: unite([inodes.pop(device) for inodes in met if device in inodes])
            for device in devices
        }
        numbers = {device: inodes.numbers for device, inodes in together.items()}
        for worker in self.workers:
            worker.tell(Learn(numbers))
        return together

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
        self, worker: _Worker, waiting: Collection[int], selector: selectors.BaseSelector
    ) -> None:
        """Hear how far one is, and what it is to do next."""
        progress = worker.hear(Progress)
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
            shares = worker.hear(Parted).shares
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
