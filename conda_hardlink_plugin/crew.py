"""Processes for a scan to read with: started ahead, as that takes as long as finding the roots."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from .crew_member import MARKER, Prepare

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

_MOST_PROCESSES = 4
_FEW_PACKAGES = 250  # below, starting processes takes longer than what they save
_CODE = """\
import sys
sys.path.append(sys.argv[1])
from conda_hardlink_plugin.crew_member import main
main()
"""
_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class WorkerError(Exception):
    """A process did not do what it was told; what it found is lost."""


class Worker:
    """A process that does what `crew_member` says.

    Attributes:
        answers: Where its answers come from.
        links: Entries it has counted, as far as it has told.

    """

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        """Note by which pipes it is spoken to."""
        self._requests = requests
        self.answers = answers
        self.links = 0

    def tell(self, request: object) -> None:
        """Send a request."""
        try:
            pickle.dump(request, self._requests, pickle.HIGHEST_PROTOCOL)
            self._requests.flush()
        except OSError as error:
            raise WorkerError(f"it ended early: {error}") from error

    def hear(self) -> object:
        """Wait for the answer to the last request."""
        try:
            marker = self.answers.read(len(MARKER))
            if marker and marker != MARKER:
                raise WorkerError("it says something of its own")
            answer: object = pickle.load(self.answers)  # noqa: S301  # from our own process
        except (OSError, EOFError, pickle.UnpicklingError, MemoryError) as error:
            raise WorkerError("it ended early") from error
        return answer


@contextmanager
def crew_for(caches: Iterable[str], *, ready: bool = True) -> Iterator[list[Worker]]:
    """Start processes if there is enough in some package caches; stop them at the end.

    Raises no error: where none can be started, there are none.

    Args:
        caches: Package caches.
        ready: They import what they need to read.

    """
    with ExitStack() as stack:
        workers: list[Worker] = []
        with suppress(WorkerError):
            workers = stack.enter_context(start_crew(useful_processes(map(count_entries, caches))))
            if ready:
                prepare(workers)
        yield workers


def prepare(workers: Iterable[Worker]) -> None:
    """Have processes import what they need to read.

    Raises:
        WorkerError: One has ended.

    """
    for worker in workers:
        worker.tell(Prepare())


@contextmanager
def start_crew(processes: int) -> Iterator[list[Worker]]:
    """Start processes; stop them at the end.

    Args:
        processes: How many; for 1 none is started.

    Raises:
        WorkerError: One cannot be started.

    """
    with ExitStack() as stack:
        number = processes if processes > 1 else 0
        yield [stack.enter_context(_started()) for _ in range(number)]


def useful_processes(packages: Iterable[int]) -> int:
    """Return how many processes are to read: 1 where more would not be faster.

    Args:
        packages: About how many packages there are, in each of some folders.

    """
    if getattr(sys, "frozen", False) or not sys.executable:  # no interpreter to be started
        return 1
    if sum(packages) < _FEW_PACKAGES:
        return 1
    return min(_processors(), _MOST_PROCESSES)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_entries(folder: str) -> int:
    """Return how many entries a folder has, 0 where it cannot be listed."""
    try:
        return len(os.listdir(folder))
    except OSError:  # told of by whoever reads it
        return 0


@contextmanager
def _started() -> Iterator[Worker]:
    command = [sys.executable, "-I", "-S", *_options(), "-c", _CODE, _HOME]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere)  # noqa: S603  # ourselves
    except OSError as error:
        raise WorkerError(f"it could not be started: {error}") from error
    requests, answers = process.stdin, process.stdout
    try:
        if requests is not None and answers is not None:  # always, as both were asked for
            yield Worker(requests, answers)
    finally:
        process.kill()
        for stream in (requests, answers):
            with suppress(OSError):  # of what could not be sent any more
                if stream is not None:
                    stream.close()
        process.wait()


def _options() -> list[str]:
    """Return what an isolated interpreter would not take from the variables of this one."""
    options = ["-X", f"utf8={sys.flags.utf8_mode}"]  # names of files are to be the same text
    if sys.dont_write_bytecode:
        options.append("-B")
    if sys.pycache_prefix is not None:
        options += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    return options
