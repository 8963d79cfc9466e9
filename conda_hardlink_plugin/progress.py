"""What is shown while a long scan runs: one line on stderr, only on a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_QUIET_AT_FIRST_NS = 500_000_000


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """Give a callback that shows how many entries were read; `None` where nothing is to be shown.

    Args:
        quiet: Show nothing, also on a terminal.

    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    shown = _Progress()
    try:
        yield shown.update
    finally:
        shown.stop()


class _Progress:
    """A spinner that appears only when the scan takes long enough to wonder."""

    def __init__(self) -> None:
        self.started_ns = time.monotonic_ns()
        self.stop: Callable[[], None] = lambda: None
        self.status: Callable[[str], None] | None = None

    def update(self, entries: int) -> None:
        if self.status is None:
            if time.monotonic_ns() - self.started_ns < _QUIET_AT_FIRST_NS:
                return
            from rich.console import Console

            status = Console(stderr=True).status("")
            status.start()
            self.stop = status.stop
            self.status = status.update
        self.status(f"{entries:,} files and folders read")
