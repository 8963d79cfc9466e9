"""Reads roots in the processes of a `concurrent.futures.Executor`, on this machine or on others.

The directories at which something new may begin are read here, as `Reader` does. The jobs that it
would give to the threads of the native module become tasks. A task reads a bounded number of
directories and hands back the rest, so that an environment of a million files is spread as well.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..exceptions import HardlinksError
from ..filesystem import closing, fs
from ..filesystem.native import Event, EventKind, TaskFlag, events_of, sums_of
from .inventory import RootKind
from .listing import UntrustedDeviceError
from .part import (
    MAX_DIRECTORIES,
    PartTask,
    RootIdentity,
    Subtree,
    identity_of,
    pack_numbers,
    read_part,
)
from .reader import Notes, Reader
from .task_loop import TaskLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from concurrent.futures import Executor
    from types import ModuleType

    from ..filesystem.native import Task
    from .part import PartResult
    from .scan_roots import ScanRoots

_FIRST_DIRECTORIES = 200  # of a task while it is unknown how fast directories are read
_SECONDS_OF_TASK = 1.0
_SUBTREES_OF_TASK = 64
_MAX_SPLIT = 8  # tasks of what one left unread
_MAX_KNOWN_BYTES = 2_000_000  # in each task: sending more takes longer than examining it again
_NOTHING = pack_numbers(b"")
_Top = tuple[int, int] | Literal[False] | None


class _Part(NamedTuple):
    """A task.

    Attributes:
        task: What is read.
        root: Index of the root.
        indexes: For each directory, which job of the native module it stands for; -1 for none.

    """

    task: PartTask
    root: int
    indexes: list[int]


class ExecutorReader(Reader):
    """Reads roots in the processes of an executor."""

    def __init__(
        self,
        native: ModuleType,
        scan_roots: ScanRoots,
        untrusted: Collection[int],
        on_progress: Callable[[int], None] | None = None,
        *,
        executor: Executor,
    ) -> None:
        """Begin with nothing read; `executor` runs the tasks, the others are as in `Reader`."""
        super().__init__(native, scan_roots, untrusted, on_progress)
        self._loop = TaskLoop(executor)
        self._identities: dict[int, tuple[int, RootIdentity] | None] = {}
        self._known: dict[int, bytes] = {}
        self._flags: dict[int, int] = {}  # of each location
        self._directories_of_task = _FIRST_DIRECTORIES
        self._links = 0

    def _read_environments(self, indexes: Iterable[int], *, recalling: bool = True) -> list[int]:
        devices = {device for _, device in self.collector.found.private}
        packed = {device: pack_numbers(self._table.numbers(device)) for device in devices}
        self._known = {
            device: known for device, known in packed.items() if len(known) <= _MAX_KNOWN_BYTES
        }
        return super()._read_environments(indexes, recalling=recalling)

    def _run(self, tasks: Sequence[Task]) -> tuple[Sequence[_Top], Notes]:
        remote = {index for index, task in enumerate(tasks) if self._can_be_sent(task)}
        local = [index for index in range(len(tasks)) if index not in remote]
        tops: list[_Top] = [None] * len(tasks)
        found, notes = super()._run([tasks[index] for index in local])
        for index, top in zip(local, found, strict=True):
            tops[index] = top
        sums, events = list(notes.sums), list(notes.events)
        self._links = 0  # what was read before is counted by now
        self._loop.run(
            _read,
            self._parts(tasks, sorted(remote)),
            lambda part, result: self._take(part, result, tops, sums, events),
            lambda: self.report_progress(self._links),
            lambda part: self._is_gone(part, events),
        )
        return tops, Notes(notes.pages, sums, events)

    def _can_be_sent(self, task: Task) -> bool:
        """Return whether a directory is on the filesystem of its root."""
        _, flags, location, device, _, _ = task
        root = self._identity(self.collector.locations[location][0])
        is_there = flags & TaskFlag.ROOT or (root is not None and device == root[0])
        return bool(root is not None and is_there and root[0] not in self.untrusted)

    def _identity(self, root: int) -> tuple[int, RootIdentity] | None:
        """Return the device and the identity of a root; `None` if it cannot be opened."""
        if root not in self._identities:
            path = self.scan_roots.roots[root].path
            self._identities[root] = None
            try:
                with closing(fs.open_root(path)) as handle:
                    identity = identity_of(handle, path, self._native)
                    self._identities[root] = fs.status_of(handle).device, identity
            except OSError:
                pass  # whoever reads it here says so
        return self._identities[root]

    def _parts(self, tasks: Sequence[Task], indexes: Sequence[int]) -> Iterator[_Part]:
        """Yield the tasks for some jobs: each reads directories of one root."""
        of_root: dict[int, list[tuple[Subtree, int]]] = {}
        for index in indexes:
            _, flags, location, _, _, inside = tasks[index]
            self._flags[location] = flags & (TaskFlag.TEXTS | TaskFlag.FILES)
            subtree = Subtree(location, int(flags), inside)
            of_root.setdefault(self.collector.locations[location][0], []).append((subtree, index))
        for root, found in of_root.items():
            for begin in range(0, len(found), _SUBTREES_OF_TASK):
                some = found[begin : begin + _SUBTREES_OF_TASK]
                yield self._part(root, [one for one, _ in some], [index for _, index in some])

    def _part(self, root: int, subtrees: Sequence[Subtree], indexes: list[int]) -> _Part:
        found = self._identity(root)
        if found is None:  # not so: it was asked for before
            raise HardlinksError(f"{self.scan_roots.roots[root].path} cannot be identified.")
        device, identity = found
        is_cache = self.scan_roots.roots[root].kind is RootKind.CACHE
        task = PartTask(
            root=self.scan_roots.roots[root].path,
            identity=identity,
            device=device,
            subtrees=tuple(subtrees),
            special=frozenset(inode for on, inode in self._special if on == device),
            known=_NOTHING if is_cache else self._known.get(device, _NOTHING),
            max_directories=self._directories_of_task,
        )
        return _Part(task, root, indexes)

    def _take(
        self,
        part: _Part,
        result: PartResult,
        tops: list[_Top],
        sums: list[tuple[int, ...]],
        events: list[Event],
    ) -> list[_Part]:
        """Count what a task has read; return tasks for what it has left unread."""
        device = part.task.device
        if result.is_untrusted:
            raise UntrustedDeviceError(device)
        self._table.load(device, result.rows, result.states)
        for location, _, *rest in sums_of(result.sums):
            sums.append((location, device, *rest))
            self._links += rest[0]
        unread: list[Subtree] = []
        for event in events_of(result.events):
            if event.kind == EventKind.UNREAD:
                unread.append(self._unread(event))
            elif event.device == result.device or not event.device:
                events.append(event._replace(device=device))
            else:
                events.append(self._seen_here(event, part.root))
        if result.directories >= _FIRST_DIRECTORIES // 2:
            speed = result.directories / max(result.seconds, 1e-3)
            limit = max(_FIRST_DIRECTORIES, int(speed * _SECONDS_OF_TASK))
            self._directories_of_task = min(limit, MAX_DIRECTORIES)
        return [*self._split(part.root, unread), *self._not_begun(part, result, tops, events)]

    def _is_gone(self, part: _Part, events: list[Event]) -> bool:
        """Return whether the root of a task is gone here as well, or replaced; note what was lost.

        What was not begun is left to this process, which finds the same.
        """
        path = self.scan_roots.roots[part.root].path
        try:
            with closing(fs.open_root(path)) as handle:
                now = identity_of(handle, path, self._native)
        except OSError:
            now = None
        if now is not None and not now.differs_from(part.task.identity):
            return False
        for one, index in zip(part.task.subtrees, part.indexes, strict=True):
            if index < 0:
                inside = os.fsdecode(one.path)
                kind, error = EventKind.PROBLEM, errno.ENOENT
                events.append(Event(kind, one.location, error, 0, 0, 0, 0, 0, 0, 0, inside, ""))
        return True

    def _unread(self, event: Event) -> Subtree:
        path = os.fsencode(event.path)
        return Subtree(event.location, self._flags[event.location], path)

    def _seen_here(self, event: Event, root: int) -> Event:
        """Return an event about a directory of another filesystem, with its identity here."""
        path = f"{self.scan_roots.roots[root].path}/{event.path}"
        try:
            device, inode = fs.status(path).identity
        except OSError as error:
            return event._replace(kind=EventKind.PROBLEM, error=error.errno or 0)
        return event._replace(device=device, inode=inode)

    def _not_begun(
        self, part: _Part, result: PartResult, tops: list[_Top], events: list[Event]
    ) -> Iterator[_Part]:
        """Note which directories of a task were read; yield a task for the others."""
        subtrees: list[Subtree] = []
        indexes = []
        device = part.task.device
        for one, index, top in zip(part.task.subtrees, part.indexes, result.tops, strict=True):
            if top is False:
                subtrees.append(one)
                indexes.append(index)
            elif index >= 0:
                tops[index] = (device, part.task.identity.inode) if top else None
            elif top is None:
                path = os.fsdecode(one.path)
                left = Event(EventKind.LEFT, one.location, 0, 0, 0, 0, 0, 0, 0, 0, path, "")
                events.append(self._seen_here(left, part.root))
        if subtrees:
            yield self._part(part.root, subtrees, indexes)

    def _split(self, root: int, unread: Sequence[Subtree]) -> Iterator[_Part]:
        """Yield tasks for directories that were left unread."""
        size = max(1, -(-len(unread) // _MAX_SPLIT))
        for begin in range(0, len(unread), size):
            some = unread[begin : begin + size]
            yield self._part(root, some, [-1] * len(some))


def _read(part: _Part) -> PartResult:
    return read_part(part.task)
