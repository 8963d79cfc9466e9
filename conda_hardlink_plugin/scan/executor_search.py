"""Searches folders for environments in the processes of an executor."""

from __future__ import annotations

import errno
import os
from itertools import chain
from typing import TYPE_CHECKING

from ..filesystem import closing, fs
from ..filesystem.native import EventKind, events_of, native_module_for_executor
from .part import PartTask, Subtree, identity_of, pack_numbers, read_part
from .search import FoundBelow
from .task_loop import TaskLoop

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Executor

    from .part import PartResult, RootIdentity

_FIRST_DIRECTORIES, _MAX_DIRECTORIES = 200, 5_000  # of a task
# The last one is that of a folder whose parent is gone.
_GONE_NUMBERS = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EBADF})
_MAX_SPLIT = 8  # tasks of what one left unread


def find_with(executor: Executor, folder: str) -> FoundBelow:
    """Find every environment below a folder, as `search.find_below` does.

    Args:
        executor: Searches in its processes.
        folder: The folder.

    Raises:
        HardlinksError: There is no native reader, or a process has failed.

    """
    native = native_module_for_executor()
    found = FoundBelow()
    loop = TaskLoop(executor)
    waiting = [folder]
    while waiting:
        top = waiting.pop()
        try:
            with closing(fs.open_root(top)) as handle:
                identity = identity_of(handle, top, native)
        except OSError as error:
            found.unsearched[top] = error
            continue
        search = _Search(top, identity, found)
        loop.run(
            read_part, search.tasks([Subtree(0, 0, b"")]), search.take, lambda: None, search.is_gone
        )
        waiting += search.elsewhere
    return found


class _Search:
    """The search below one folder.

    Attributes:
        elsewhere: Symbolic links to folders of environments.

    """

    def __init__(self, top: str, identity: RootIdentity, found: FoundBelow) -> None:
        self.top = top
        self.identity = identity
        self.found = found
        self.elsewhere: list[str] = []
        self.max_directories = _FIRST_DIRECTORIES

    def is_gone(self, _: PartTask) -> bool:
        return not os.path.isdir(self.top)

    def tasks(self, subtrees: list[Subtree]) -> Iterator[PartTask]:
        size = max(1, -(-len(subtrees) // _MAX_SPLIT))
        for begin in range(0, len(subtrees), size):
            yield PartTask(
                root=self.top,
                identity=self.identity,
                device=0,
                subtrees=tuple(subtrees[begin : begin + size]),
                special=frozenset(),
                known=pack_numbers(b""),
                max_directories=self.max_directories,
                searches=True,
            )

    def take(self, task: PartTask, result: PartResult) -> Iterable[PartTask]:
        prefix = self.top if self.top.endswith("/") else f"{self.top}/"
        unread = []
        for event in events_of(result.events):
            path = prefix + event.path if event.path else self.top
            match event.kind:
                case EventKind.UNREAD:
                    unread.append(Subtree(0, 0, os.fsencode(event.path)))
                case EventKind.ENVIRONMENT:
                    self.found.prefixes.append(path)
                case EventKind.LEFT:
                    self.elsewhere.append(path)
                case _ if event.error in _GONE_NUMBERS:
                    continue
                case _:
                    error = OSError(event.error, os.strerror(event.error))
                    self.found.unsearched[path] = error
        not_begun = [
            one for one, top in zip(task.subtrees, result.tops, strict=True) if top is False
        ]
        self.max_directories = min(2 * self.max_directories, _MAX_DIRECTORIES)
        return chain(self.tasks(unread), self.tasks(not_begun))
