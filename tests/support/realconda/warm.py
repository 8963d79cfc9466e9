"""Running an installation's conda without importing conda for each command anew.

Most of the time of a short conda command goes into importing conda. `run` has the installation's
own python do that once, in a server (`warm_server.py`) that forks a child for each command.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import socket
import subprocess
from collections import OrderedDict
from typing import TYPE_CHECKING

from tests.support.realconda import warm_server
from tests.support.realconda.finder import other_conda_origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_IDLE = 4  # servers; each has some 60 MiB of its own
_LONGEST_REQUEST = 100_000
# conda reads these in each command; all others have to be those the server was started with.
_READ_ANEW = ("CONDA_", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "OWN_HOMES", "XDG_")


class _Switch:
    """Whether commands may be forked, in the process that has said so."""

    process: int | None = None


def enable() -> None:
    """Have this process fork commands from now on, unless the interpreter has its own conda.

    What importing another conda than the bundled one does is not known.
    """
    if other_conda_origin() is None:
        _Switch.process = os.getpid()


def disable() -> None:
    """End all servers."""
    _Switch.process = None
    while _idle:
        _idle.popitem()[1].close()


def can_run(environ: Mapping[str, str], started_with: Mapping[str, str]) -> bool:
    """Tell whether a command with these variables may be forked."""
    if _Switch.process != os.getpid():  # a fork of the process that has the servers
        return False
    names = {*environ, *started_with}
    return all(
        environ.get(name) == started_with.get(name)
        for name in names
        if not name.startswith(_READ_ANEW)
    )


def run(
    python: str,
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    started_with: Mapping[str, str],
    directory: str,
) -> tuple[int, str, str]:
    """Run a command of an interpreter; return its exit code and what it prints.

    Args:
        python: The interpreter.
        command: A script and its arguments, or ``-c``, code and arguments.
        environ: The variables of the process.
        started_with: The variables of the server, if there is none yet.
        directory: The folder of the process.
    """
    key = (python, tuple(sorted(started_with.items())))
    server = _idle.pop(key, None) or _Server(python, started_with)
    answer = server.run(
        command=tuple(command), environ=dict(environ), directory=directory, umask=_umask()
    )
    if key in _idle:  # two commands ran at once
        server.close()
    else:
        _idle[key] = server
    if len(_idle) > _MOST_IDLE:
        _idle.popitem(last=False)[1].close()
    return answer


class _Server:
    """A process that has imported conda; it ends when nobody has its socket open any more."""

    def __init__(self, python: str, environ: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [python, warm_server.__file__, str(theirs.fileno())],
                cwd="/",
                env=environ,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        answer = self._control.recv(_LONGEST_REQUEST)
        if answer != b"ready":
            self.close()
            raise RuntimeError(f"{python} cannot import conda:\n{answer.decode()}")

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._process.wait()

    def run(self, **request: object) -> tuple[int, str, str]:
        """Run one command."""
        with open(os.devnull, "rb") as stdin:
            stdout, its_stdout = os.pipe()
            stderr, its_stderr = os.pipe()
            socket.send_fds(
                self._control, [pickle.dumps(request)], [stdin.fileno(), its_stdout, its_stderr]
            )
        os.close(its_stdout)
        os.close(its_stderr)
        child = self._answer()
        try:
            printed, complained = _read_all(stdout, stderr)
            return self._answer(), printed, complained
        except BaseException:  # Ctrl-C, a timeout: as subprocess.run does
            os.kill(child, signal.SIGKILL)
            self.close()
            raise

    def _answer(self) -> int:
        answer = self._control.recv(100)
        if not answer:
            raise RuntimeError("the server of conda commands has ended")
        return int(answer)


_idle: OrderedDict[tuple[object, ...], _Server] = OrderedDict()


def _read_all(*descriptors: int) -> list[str]:
    """Return what comes out of some pipes, read until nobody writes to them any more."""
    found: dict[int, list[bytes]] = {descriptor: [] for descriptor in descriptors}
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                chunk = os.read(key.fd, 1 << 16)
                found[key.fd].append(chunk)
                if not chunk:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    texts = (b"".join(chunks).decode() for chunks in found.values())
    return [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]


def _umask() -> int:
    """Return the umask without setting it meanwhile, which other threads would get too."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        (line,) = (line for line in file if line.startswith("Umask:"))
    return int(line.split()[1], 8)
