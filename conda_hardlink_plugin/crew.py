"""Processes for a scan to read with: started ahead, as that takes as long as finding the roots."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

_MOST_PROCESSES = 4
_FEW_PACKAGES = 250  # below, starting processes takes longer than what they save
_CODE = """\
import sys
sys.path.append(sys.argv[1])
from conda_hardlink_plugin.pool_worker import main
main()
"""
_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class WorkerError(Exception):
    """A process did not do what it was told; what it found is lost."""


class Worker:
    """A process that does what `pool_worker` says.

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
            answer: object = pickle.load(self.answers)  # noqa: S301  # from our own process
        except Exception as error:  # pickle raises anything where it is cut off, or is none
            raise WorkerError("it ended early") from error
        return answer


@contextmanager
def crew_for(caches: Iterable[str]) -> Iterator[list[Worker]]:
    """Start processes if there is enough in some package caches; stop them at the end.

    Raises no error: where none can be started, there are none.
    """
    with ExitStack() as stack:
        workers: list[Worker] = []
        with suppress(WorkerError):
            workers = stack.enter_context(start_crew(useful_processes(map(_entries, caches))))
        yield workers


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
    if getattr(sys, "frozen", False):  # there is no interpreter to be started
        return 1
    if sum(packages) < _FEW_PACKAGES:
        return 1
    return min(_processors(), _MOST_PROCESSES)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _entries(folder: str) -> int:
    try:
        return len(os.listdir(folder))
    except OSError:  # told of by whoever reads it
        return 0


@contextmanager
def _started() -> Iterator[Worker]:
    command = [sys.executable, "-I", "-S", "-c", _CODE, _HOME]
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
        with suppress(OSError):  # of what could not be sent any more
            process.communicate()
