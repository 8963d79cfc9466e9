"""Show progress during a long operation: one line on stderr, only on a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.status import Status

_DELAY_NS = 500_000_000


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """Yield a callback that shows a number; `None` if progress is not shown.

    The line appears after half a second and is removed at the end.

    Args:
        what: The counted things, such as `files read`.
        quiet: Whether to show nothing even on a terminal.

    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    started_ns = time.monotonic_ns()
    status: Status | None = None

    def update(number: int) -> None:
        nonlocal status
        if status is None:
            if time.monotonic_ns() - started_ns < _DELAY_NS:
                return
            from rich.console import Console

            status = Console(stderr=True).status("")
            status.start()
        status.update(f"{number:,} {what}")

    try:
        yield update
    finally:
        if status is not None:
            status.stop()
