"""What a process does that was started to help: it answers requests on stdin, on stdout.

Little is imported here: while that is done nothing is read.
"""

from __future__ import annotations

import contextlib
import gc
import pickle
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

MARKER = b"hardlink"  # a wrapper around the interpreter may print something first


class Check(NamedTuple):
    """Tell which pages of an index are as they were. Answered by `index.check.Checked`.

    Attributes:
        path: The file of the index.
        roots: Paths of roots.
        pages: For each page the place of its root in `roots`, its number, and its fields: plain
            tuples, as they are sent in a third of the time.
        exact: Look at each entry that was looked at when the page was written, too.

    """

    path: str
    roots: Sequence[str]
    pages: Sequence[tuple[int, int, tuple[Any, ...]]]
    exact: bool


class Prepare(NamedTuple):
    """Import what is needed to read. Not answered."""


def put(answer: object, answers: IO[bytes]) -> None:
    """Write an answer as `crew.Worker.hear` reads it."""
    answers.write(MARKER)
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def encoding_of_names() -> tuple[str, str]:
    """Return in which encoding this process has the names of files, and what it does of others."""
    return sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until the last one, or until whoever asks is gone."""
    while True:
        request = pickle.load(requests)  # noqa: S301  # from the process that started this one
        if isinstance(request, Check):
            from .index.check import check  # noqa: PLC0415  # a scan needs nothing of it

            put(check(request), answers)
            continue
        from .pool_worker import serve_scan  # noqa: PLC0415  # a check needs nothing of it

        if isinstance(request, Prepare):
            continue
        serve_scan(request, requests, answers)
        return


def main() -> None:
    """Serve the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is stopped by whoever started it
    gc.disable()
    with contextlib.suppress(EOFError, BrokenPipeError):  # whoever asks is gone
        serve(sys.stdin.buffer, sys.stdout.buffer)
