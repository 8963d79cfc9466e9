"""Counts the system calls of a process, and lets the n-th one fail, or stops the process there."""

from __future__ import annotations

import builtins
import os
import signal
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = Callable[[], Any]
    Act = Callable[[Call], Any]

CHANGING = (
    *("rename", "replace", "unlink", "remove", "rmdir", "mkdir", "link", "symlink", "mkfifo"),
    *("mknod", "chmod", "fchmod", "chown", "lchown", "fchown", "truncate", "ftruncate", "utime"),
)
LOOKING = ("scandir", "listdir", "stat", "lstat", "fstat", "readlink", "dup", "access")
_WRITES = os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Steps:
    """Counts calls, and replaces one of them by an act.

    Attributes:
        names: The names of the functions called so far.

    """

    def __init__(self, number: int, act: Act, *, from_then_on: bool = False) -> None:
        """Choose the call to replace.

        Args:
            number: The number of the call, from 1; 0 for none.
            act: Called instead, with the call as its argument.
            from_then_on: Replace every later call, too.

        """
        self.names: list[str] = []
        self._number = number
        self._act = act
        self._from_then_on = from_then_on
        self._paused = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count calls for a while: they are not those of the clean."""
        self._paused = True
        yield
        self._paused = False

    @property
    def reached(self) -> bool:
        """Whether the chosen call was made."""
        return 0 < self._number <= len(self.names)

    def take(self, name: str, call: Call) -> Any:
        """Make a call, or the act instead."""
        if self._paused:
            return call()
        self.names.append(name)
        at = len(self.names)
        if at == self._number or (self._from_then_on and self.reached):
            return self._act(call)
        return call()


def kill_before(call: Call) -> None:
    """Kill this process before the call, as a power failure does."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_after(call: Call) -> None:
    """Kill this process after the call."""
    try:
        call()
    finally:
        os.kill(os.getpid(), signal.SIGKILL)


def interrupt_before(call: Call) -> None:
    """Press Ctrl-C before the call."""
    raise KeyboardInterrupt


def interrupt_after(call: Call) -> None:
    """Press Ctrl-C during the call: Python raises the exception after it."""
    _lose_result_of(call)
    raise KeyboardInterrupt


def fail(number: int) -> Act:
    """Return an act that fails with an errno instead of the call."""

    def failing(call: Call) -> None:
        raise OSError(number, os.strerror(number))

    return failing


def fail_after(number: int) -> Act:
    """Return an act that makes the call and then fails all the same, as over a network."""

    def failing(call: Call) -> None:
        _lose_result_of(call)
        raise OSError(number, os.strerror(number))

    return failing


def _lose_result_of(call: Call) -> None:
    """Make a call whose result is lost."""
    with suppress(OSError):
        returned = call()
        if isinstance(returned, int):  # a descriptor
            os.close(returned)


@contextmanager
def at_change(number: int, act: Act) -> Iterator[Steps]:
    """Replace the n-th call in this process that changes something on disk."""
    steps = Steps(number, act)
    with ExitStack() as stack:
        for name in CHANGING:
            stack.enter_context(patch.object(os, name, _counted(steps, name, getattr(os, name))))
        opened = _counted_open(steps, lambda flags: bool(flags & _WRITES))
        stack.enter_context(patch.object(os, "open", opened))
        yield steps


@contextmanager
def at_look(number: int, act: Act, *, from_then_on: bool = False) -> Iterator[Steps]:
    """Replace the n-th call in this process that reads something from disk."""
    steps = Steps(number, act, from_then_on=from_then_on)
    with ExitStack() as stack:
        for name in LOOKING:
            real = getattr(os, name)
            if name == "scandir":
                real = _scandir(steps, real)
            stack.enter_context(patch.object(os, name, _counted(steps, name, real)))
        opened = _counted_open(steps, lambda flags: not flags & _WRITES)
        stack.enter_context(patch.object(os, "open", opened))
        stack.enter_context(
            patch.object(builtins, "open", _counted(steps, "builtins.open", builtins.open))
        )
        yield steps


def _counted(steps: Steps, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*args: Any, **options: Any) -> Any:
        return steps.take(name, lambda: real(*args, **options))

    return counted


def _counted_open(steps: Steps, counts: Callable[[int], bool]) -> Callable[..., Any]:
    real = os.open

    def opened(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if not counts(flags):
            return real(path, flags, *args, **options)
        return steps.take("open", lambda: real(path, flags, *args, **options))

    return opened


def _scandir(steps: Steps, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `scandir` that counts each entry read, and each status read from an entry."""

    @contextmanager
    def entries(directory: Any) -> Iterator[Iterator[_Entry]]:
        with real(directory) as listing:
            yield listed(listing)

    def listed(listing: Iterator[os.DirEntry[str]]) -> Iterator[_Entry]:
        while True:
            entry = steps.take("readdir", lambda: next(listing, None))
            if entry is None:
                return
            yield _Entry(steps, entry)

    return entries


class _Entry:
    """An entry of a directory that counts each read of its status."""

    def __init__(self, steps: Steps, entry: os.DirEntry[str]) -> None:
        self._steps = steps
        self._entry = entry
        self.name = entry.name
        self.path = entry.path
        self.inode = entry.inode
        self.is_symlink = entry.is_symlink

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._entry.is_dir(follow_symlinks=follow_symlinks)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return self._steps.take(
            "entry.stat", lambda: self._entry.stat(follow_symlinks=follow_symlinks)
        )
