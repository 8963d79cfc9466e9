"""Whether calls to the filesystem wait, so that several threads should make them.

On a local disk whose directories are in memory, threads only hinder each other.
"""

from __future__ import annotations

import time

from ..filesystem import fs

_WAITS_RATIO = 8  # of time to computing
_MIN_TIME_NS = 2_000_000  # less says nothing
_DIRECTORIES_TO_TRY = 10
_DIRECTORIES_AT_ONCE = 200
_ROUNDS_WITH_THREADS = 20  # before it is tried without them


class Latency:
    """Judges by the time that the last calls without threads took.

    Attributes:
        waits: Whether most of the time is spent waiting, and not for the processor.
        directories: Number of directories after which to look again.

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
            directories: Number of directories read so far.

        """
        if self.waits:
            self._rounds -= 1
            if not self._rounds:
                self.waits, self.directories = False, _DIRECTORIES_TO_TRY
            self.begin(directories)
            return
        time_ns = time.monotonic_ns() - self._time_ns
        if time_ns < _MIN_TIME_NS:
            return
        computing_ns = time.thread_time_ns() - self._computing_ns
        # A thread that waits for the processor is switched out as well, but not by its own choice.
        asked = fs.voluntary_switches() - self._switches
        self.waits = (
            not self._forbidden
            and time_ns > _WAITS_RATIO * computing_ns
            and asked >= directories - self._directories
        )
        self.directories, self._rounds = _DIRECTORIES_AT_ONCE, _ROUNDS_WITH_THREADS
        self.begin(directories)

    def forbid(self) -> None:
        """Use no threads from now on, because there are too few descriptors or threads."""
        self.waits, self._forbidden = False, True

    def begin(self, directories: int) -> None:
        """Judge the time from now on.

        Args:
            directories: Number of directories read so far.

        """
        self._directories = directories
        self._time_ns = time.monotonic_ns()
        self._computing_ns = time.thread_time_ns()
        self._switches = fs.voluntary_switches()
