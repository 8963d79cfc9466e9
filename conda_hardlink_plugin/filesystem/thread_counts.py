"""How many threads read."""

from __future__ import annotations

from . import fs

_MOST = 16


def threads_where_calls_wait() -> int:
    """Return the number of threads to use where calls wait; each has two descriptors open."""
    allowed = fs.most_open_directories()
    return min(_MOST, max(allowed // 8, 1)) if allowed else _MOST


def native_threads() -> tuple[int, int]:
    """Return the threads of a job of the native reader: at first, and once calls wait."""
    threads = min(fs.processors(), _MOST)
    return threads, max(threads, threads_where_calls_wait())
