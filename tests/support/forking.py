"""Functions that run in child processes."""

from __future__ import annotations

import encodings.ascii  # noqa: F401  # imported lazily; another user may be unable to read it
import hashlib  # noqa: F401
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


def children() -> list[int]:
    """Return the processes that this one has started, except the servers that fork conda."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [pid for pid in map(int, file.read().split()) if not _is_server(pid)]


def _is_server(pid: int) -> bool:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"warm_server.py" in file.read()


class Forked:
    """A function in a child process; created by `forked`."""

    def __init__(self, function: Callable[[], object]) -> None:
        """Start the process."""
        readable, writable = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(readable)
                with open(writable, "wb") as pipe:
                    pickle.dump(function(), pipe)
                os._exit(0)
            except BaseException:  # noqa: BLE001  # the test must not continue in the child
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(writable)
        self._pipe = open(readable, "rb")  # noqa: SIM115  # closed with the process

    def result(self) -> object:
        """Wait for the end of the process; return the result of the function."""
        content = self._pipe.read()
        status = self._wait()
        assert status == 0, "the child failed"
        return pickle.loads(content)

    def ends_within(self, seconds: float) -> bool:
        """Return whether the function returns or fails within some seconds."""
        return bool(select.select([self._pipe], [], [], seconds)[0])

    def kill(self) -> None:
        """Kill the process, as `kill -9` does."""
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
    """Run a function in a child process, which is killed at the end of the `with` block."""
    process = Forked(function)
    try:
        yield process
    finally:
        process.kill()


def allow_descriptors(more: int) -> None:
    """Allow this process to open this many more descriptors."""
    taken = [int(descriptor) for descriptor in os.listdir("/proc/self/fd")]
    limit = next(n for n in itertools.count() if n - sum(one < n for one in taken) == more)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def in_child(function: Callable[[], object], *, user: int | None = None) -> object:
    """Run a function in a child process, optionally as another user; return its result.

    A process that is not root ignores `user`.
    """

    def run() -> object:
        if user is not None and os.getuid() == 0:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        return function()

    with forked(run) as process:
        return process.result()
