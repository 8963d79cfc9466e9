"""Functions in processes of their own."""

from __future__ import annotations

import hashlib  # noqa: F401  # what a scan imports as it goes: another user may not read it here
import itertools
import os
import pickle
import resource
import select
import signal
import threading  # noqa: F401
import traceback
import urllib.parse  # noqa: F401
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Forked:
    """A function in a process of its own; `forked` makes one."""

    def __init__(self, function: Callable[[], object]) -> None:
        """Start it."""
        readable, writable = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(readable)
                with open(writable, "wb") as pipe:
                    pickle.dump(function(), pipe)
                os._exit(0)
            except BaseException:  # noqa: BLE001  # nothing of the test may go on in the child
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(writable)
        self._pipe = open(readable, "rb")  # noqa: SIM115  # closed with the process

    def result(self) -> object:
        """Wait for its end; return what it returned."""
        content = self._pipe.read()
        status = self._wait()
        assert status == 0, "the child failed"
        return pickle.loads(content)

    def ends_within(self, seconds: float) -> bool:
        """Tell whether it has returned something, or failed, by then."""
        return bool(select.select([self._pipe], [], [], seconds)[0])

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        self._pipe.close()
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return status


@contextmanager
def forked(function: Callable[[], object]) -> Iterator[Forked]:
    """Run a function in a process of its own, and end it if it is still there in the end."""
    process = Forked(function)
    try:
        yield process
    finally:
        process.kill()


def allow_descriptors(more: int) -> None:
    """Let this process have so many descriptors more than it has."""
    taken = [int(descriptor) for descriptor in os.listdir("/proc/self/fd")]
    limit = next(n for n in itertools.count() if n - sum(one < n for one in taken) == more)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def in_child(function: Callable[[], object], *, user: int | None = None) -> object:
    """Run a function in a process of its own, as another user if asked, and return its result.

    A process that is not root runs it as the user it is.
    """

    def run() -> object:
        if user is not None and os.getuid() == 0:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        return function()

    with forked(run) as process:
        return process.result()
