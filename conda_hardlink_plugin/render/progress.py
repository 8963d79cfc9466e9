"""What is shown while something takes long: one line on stderr, only on a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_QUIET_AT_FIRST_NS = 500_000_000


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """Give a callback that shows how far it is; `None` where nothing is to be shown.

    Args:
        what: What is counted, as `files read`.
        quiet: Show nothing, also on a terminal.

    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    shown = _Progress(what)
    try:
        yield shown.update
    finally:
        shown.stop()


class _Progress:
    """A spinner that appears only when it takes long enough to wonder."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.started_ns = time.monotonic_ns()
        self.stop: Callable[[], None] = lambda: None
        self.status: Callable[[str], None] | None = None

    def update(self, number: int) -> None:
        if self.status is None:
            if time.monotonic_ns() - self.started_ns < _QUIET_AT_FIRST_NS:
                return
            from rich.console import Console

            status = Console(stderr=True).status("")
            status.start()
            self.stop = status.stop
            self.status = status.update
        self.status(f"{number:,} {self.what}")
