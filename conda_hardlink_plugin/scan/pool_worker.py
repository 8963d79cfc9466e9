"""A process that reads a share of the roots: it does what it is told on stdin, answers on stdout.

Each request but `Learn` has one answer, and none is sent before the last one is answered. They are
named tuples, which take a seventh of the time of data classes to be made.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, NamedTuple

from .collector import Findings
from .crew_member import encoding_of_names, put
from .index.recorder import Recorder
from .listing import UntrustedDeviceError
from .walker import Walker

if TYPE_CHECKING:
    from array import array
    from typing import IO

    from .scan_roots import ScanRoots
    from .share import Share


class Begin(NamedTuple):
    """The first request: what to know before anything is read. Answered by `Progress`.

    Attributes:
        scan_roots: The roots.
        untrusted: Devices whose listings name other inode numbers than they hold.
        encoding: How names of files become text (`encoding_of_names`).
        record_to: What a `Recorder` is made with, if an index is being written.

    """

    scan_roots: ScanRoots
    untrusted: frozenset[int]
    encoding: tuple[str, str]
    record_to: tuple[str, int] | None


class OpenRoot(NamedTuple):
    """Begin to read a root. Answered by `Progress`, as are `TakeOver` and `GoOn`.

    Attributes:
        root: Its index.
        directories: After about how many to answer.

    """

    root: int
    directories: int


class TakeOver(NamedTuple):
    """Begin to read what another process parts with."""

    shares: list[Share]
    directories: int


class GoOn(NamedTuple):
    """Read on."""

    directories: int


class PartWith(NamedTuple):
    """Part with about half of what is still to be read. Answered by a list of `Share`."""


class TellMet(NamedTuple):
    """Tell which inodes were met. Answered by `Met`."""


class Met(NamedTuple):
    """The numbers of the inodes with several links, by device."""

    numbers: dict[int, array[int]]


class Learn(NamedTuple):
    """What each of the others has met, by device: it needs no `stat` any more. Not answered."""

    numbers: dict[int, list[array[int]]]


class Finish(NamedTuple):
    """Hand over what was found. Answered by `Findings`; the process ends."""


Request = Begin | OpenRoot | TakeOver | GoOn | PartWith | TellMet | Learn | Finish


class Progress(NamedTuple):
    """How far a process is.

    Attributes:
        links: Entries it has counted so far.
        idle: It has nothing to read any more.

    """

    links: int
    idle: bool


class Parted(NamedTuple):
    """What a process gives away; it does not read it."""

    shares: list[Share]


class Untrusted(NamedTuple):
    """A device's listings name other inode numbers than it holds: all is to be read anew."""

    device: int


class Failed(NamedTuple):
    """An error that is none of the files'; the process ends."""

    reason: str


Answer = Progress | Parted | Met | Findings | Untrusted | Failed


class Worker:
    """Reads what it is told to."""

    def __init__(self, begin: Begin) -> None:
        """Begin with nothing to read."""
        recorder = None if begin.record_to is None else Recorder(*begin.record_to)
        self._walk = Walker(begin.scan_roots, begin.untrusted, recorder=recorder)
        self._shares: list[Share] = []

    def answer(self, request: Request) -> Answer | None:
        """Do what is asked for."""
        walker = self._walk
        answer: Answer | None = None
        match request:
            case Begin(_, _, encoding, _):
                own = encoding_of_names()
                reason = f"its file names are in {own[0]}, and here in {encoding[0]}"
                answer = self._read(0) if own == encoding else Failed(reason)
            case OpenRoot(root, directories):
                walker.open_root(root)
                answer = self._read(directories)
            case TakeOver(shares, directories):
                self._shares += shares
                answer = self._read(directories)
            case GoOn(directories):
                answer = self._read(directories)
            case PartWith():
                answer = self._part_with()
            case TellMet():
                answer = Met(walker.collector.examined())
            case Learn(numbers):
                walker.collector.learn(numbers)
            case Finish():
                answer = walker.findings()
        return answer

    def _part_with(self) -> Parted:
        half = len(self._shares) // 2
        given, self._shares = self._shares[half:], self._shares[:half]
        return Parted(given + self._walk.part_with())

    def _read(self, directories: int) -> Progress:
        walker = self._walk
        end = walker.directories + directories
        walker.read(directories)
        while not walker.stack and self._shares and walker.directories < end:
            walker.take_over(self._shares.pop())
            walker.read(end - walker.directories)
        idle = not walker.stack and not self._shares
        return Progress(sum(walker.collector.links), idle)


def serve_scan(request: Begin, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests from the first one of a scan until the last one."""
    worker = Worker(request)
    while True:
        try:
            answer = worker.answer(request)
        except UntrustedDeviceError as error:
            answer = Untrusted(error.device)
        except Exception as error:  # noqa: BLE001  # told to whoever asked
            answer = Failed(f"{type(error).__name__}: {error}")
        if isinstance(answer, (Findings, Untrusted, Failed)):
            del worker  # it has half of the memory, and sending what it found needs some
            put(answer, answers)
            return
        if answer is not None:
            put(answer, answers)
        request = pickle.load(requests)  # noqa: S301  # from the process that started this one
