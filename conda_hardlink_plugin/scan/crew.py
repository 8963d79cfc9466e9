"""Processes for a scan to read with: started ahead, as that takes as long as finding the roots."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from .crew_member import MARKER, Prepare
from .pace import switches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import IO

_MOST_PROCESSES = 4
_DIRECTORIES_TO_TRY = 16
_FEW_PACKAGES = 250  # below, starting processes takes longer than what they save
_CODE = """\
import sys
sys.path.append(sys.argv[1])
from conda_hardlink_plugin.scan.crew_member import main
main()
"""
_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


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
            workers = stack.enter_context(start_crew(useful_processes(caches)))
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


def useful_processes(folders: Iterable[str]) -> int:
    """Return how many processes are to read: 1 where more would not be faster.

    As many as there are processors, up to four; twice as many where directories are still to be
    fetched from a disk, so that some compute while others wait.

    Args:
        folders: Package caches, and the folders of records of environments: each entry is about
            one package.

    """
    if getattr(sys, "frozen", False) or not sys.executable:  # no interpreter to be started
        return 1
    entries = [f"{folder}/{name}" for folder in folders for name in _names(folder)]
    processes = min(_processors(), _MOST_PROCESSES)
    if processes == 1 or len(entries) < _FEW_PACKAGES:
        return 1
    return processes * 2 if _have_to_be_fetched(entries) else processes


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # told of by whoever reads it
        return []


def _have_to_be_fetched(directories: Sequence[str]) -> bool:
    """Tell by a few of some directories whether listing one makes the kernel wait."""
    listed, before = 0, switches()
    for directory in directories[:: len(directories) // _DIRECTORIES_TO_TRY]:
        with suppress(OSError):  # a tarball or a record
            os.listdir(directory)
            listed += 1
    return switches() - before > listed / 2


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
