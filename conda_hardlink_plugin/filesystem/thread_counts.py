"""How many threads read."""

from __future__ import annotations

from . import fs

_MOST_PROCESSORS = 16
_MOST_OF_PYTHON, _MOST_OF_NATIVE = 16, 32  # where calls wait
_DESCRIPTORS_OF_THREAD = 8  # that the process may have; few of them are open at a time


def threads_where_calls_wait() -> int:
    """Return the number of threads with which Python reads where calls wait."""
    return _allowed(_MOST_OF_PYTHON)


def native_threads() -> tuple[int, int]:
    """Return the threads of a job of the native reader: at first, and once calls wait."""
    threads = min(fs.processors(), _MOST_PROCESSORS)
    return threads, max(threads, _allowed(_MOST_OF_NATIVE))


def _allowed(most: int) -> int:
    descriptors = fs.most_open_directories()
    return min(most, max(descriptors // _DESCRIPTORS_OF_THREAD, 1)) if descriptors else most
