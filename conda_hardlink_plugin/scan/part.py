"""A part of a scan that any process may read, on this machine or another: a task and its result.

Nothing in a task or a result depends on the machine: device numbers differ from one to the next, so
a task names its filesystem by a number of the coordinator, and a directory by its path below a root
that the reading machine identifies first.
"""

from __future__ import annotations

import os
import platform
import time
import zlib
from array import array
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, chain
from operator import sub
from typing import TYPE_CHECKING, Literal

from .. import __version__
from ..filesystem import closing, fs
from ..filesystem.native import Settings, count_trees, native_module, search_trees
from ..filesystem.problems import reason_of
from ..filesystem.thread_counts import native_threads
from .open_directory import open_directories_allowed
from .search import pseudo_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from ..filesystem.native import Task
    from ..filesystem.protocol import Handle

MAX_DIRECTORIES = 20_000  # of a task
_WAITS_RATIO = 4  # of time to computing
_GONE = -1  # the handle of a directory that cannot be opened


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """What makes a directory the same one on another machine.

    Every XFS begins at inode 128 and every btrfs subvolume at 256, so the inode alone says nothing.
    The time of the last change is not a part of it: any installation changes it.

    Attributes:
        inode: Inode number.
        filesystem: Type of its filesystem, `""` if unknown.
        birth_ns: When it was created, in nanoseconds since the epoch; `None` if unknown.

    """

    inode: int
    filesystem: str
    birth_ns: int | None

    def differs_from(self, other: RootIdentity) -> bool:
        """Return whether two directories are certainly not the same."""
        return self.inode != other.inode or any(
            mine != theirs
            for mine, theirs in (
                (self.filesystem, other.filesystem),
                (self.birth_ns, other.birth_ns),
            )
            if mine and theirs
        )


@dataclass(frozen=True, slots=True)
class Subtree:
    """A directory with all that is below it.

    Attributes:
        location: Its location in the inode table.
        flags: `TaskFlag`.
        path: Its path below the root; empty for the root itself.

    """

    location: int
    flags: int
    path: bytes


@dataclass(frozen=True, slots=True)
class PartTask:
    """What one process reads.

    Attributes:
        root: Path of a root.
        identity: Identity of the root.
        device: The coordinator's number of the filesystem of all of the directories.
        subtrees: What to read.
        special: Inodes of directories that are left to the coordinator.
        known: Packed inodes with several links that were examined elsewhere (`pack_numbers`).
        max_directories: Number of directories after which the rest is left unread.
        searches: Whether environments are searched for, and nothing is counted.
        version: Version of this package.

    """

    root: str
    identity: RootIdentity
    device: int
    subtrees: tuple[Subtree, ...]
    special: frozenset[int]
    known: bytes
    max_directories: int
    searches: bool = False
    version: str = __version__


@dataclass(frozen=True, slots=True)
class PartResult:
    """What one process found, with the numbers of the coordinator.

    Attributes:
        node: Name of the machine.
        device: Its own number of the filesystem.
        refusal: Why nothing was read, as a sentence; otherwise empty.
        tops: For each directory of the task, in order: whether it was read, left (`None`), or not
            begun (`False`).
        sums: Packed sums.
        events: Packed events, among them the directories that were left unread.
        rows: Packed inodes with several links, and the locations of each state.
        is_untrusted: Whether listings show other inode numbers than those of the files.
        directories: Number of directories that were read.
        seconds: How long that took.

    """

    node: str
    refusal: str = ""
    device: int = 0
    tops: list[bool | None] = field(default_factory=list)
    sums: bytes = b""
    events: bytes = b""
    rows: bytes = b""
    states: list[bytes] = field(default_factory=list)
    is_untrusted: bool = False
    directories: int = 0
    seconds: float = 0


def read_part(task: PartTask) -> PartResult:
    """Read a part; a refusal says what is wrong with this machine."""
    node = platform.node() or "a machine without a name"
    if task.version != __version__:
        return PartResult(
            node, f"{node} has version {__version__} of conda-hardlink-plugin, not {task.version}."
        )
    native = native_module()
    if native is None:
        return PartResult(node, f"{node} has no native reader: install the compiled package there.")
    try:
        root = fs.open_root(task.root)
    except OSError as error:
        return PartResult(node, f"{node} cannot read {task.root}: {reason_of(error)}.")
    with closing(root):
        if identity_of(root, task.root, native).differs_from(task.identity):
            return PartResult(node, f"{node} sees another directory at {task.root}.")
        return _read(native, task, root, node)


def identity_of(handle: Handle, path: str, native: ModuleType) -> RootIdentity:
    """Return the identity of an open root."""
    filesystem = fs.read_mounts().filesystem(os.path.realpath(path))
    return RootIdentity(fs.status_of(handle).inode, filesystem, native.birth_ns(handle))


def _read(native: ModuleType, task: PartTask, root: Handle, node: str) -> PartResult:
    clock = _Clock()
    device = fs.status_of(root).device
    table = native.Table()
    table.learn(device, unpack_numbers(task.known))
    settings = Settings(
        *_threads(), open_directories_allowed(), max_directories=task.max_directories
    )
    with ExitStack() as stack:
        tasks = list(_tasks(task.subtrees, root, device, stack))
        if task.searches:
            skipped = [os.fsencode(path) for path in pseudo_below(task.root)]
            tops, events = search_trees(native, tasks, skipped, settings)
            clock.stop()
            return PartResult(node, tops=list(map(_as_read, tops)), events=events)
        found = count_trees(
            native,
            table,
            tasks,
            settings=settings,
            special=[(device, inode) for inode in task.special],
            untrusted=(),
        )
    _, rows, states = table.rows()
    return PartResult(
        node,
        device=device,
        tops=list(map(_as_read, found.tops)),
        sums=found.sums,
        events=found.events,
        rows=rows,
        states=states,
        is_untrusted=found.untrusted is not None,
        directories=found.directories,
        seconds=clock.stop(),
    )


class _Clock:
    """Measures a task, and whether it mostly waited for the filesystem.

    The next task of this process begins with as many threads as this one came to.
    """

    waits = False

    def __init__(self) -> None:
        self._time_s, self._computing_s = time.monotonic(), time.process_time()

    def stop(self) -> float:
        """Return the seconds since the beginning."""
        passed_s = time.monotonic() - self._time_s
        computed_s = time.process_time() - self._computing_s
        type(self).waits = _WAITS_RATIO * computed_s < passed_s * native_threads()[0]
        return passed_s


def _threads() -> tuple[int, int]:
    threads, waiting = native_threads()
    return (waiting if _Clock.waits else threads), waiting


def _tasks(
    subtrees: Iterable[Subtree], root: Handle, device: int, stack: ExitStack
) -> Iterator[Task]:
    """Yield the jobs of the native reader; a directory that is gone becomes one that is left."""
    opened: dict[bytes, Handle] = {}
    for subtree in subtrees:
        of_subtree = subtree.flags, subtree.location, device
        parent, name = os.path.split(subtree.path)
        if not subtree.path:
            yield root, *of_subtree, b".", b""
            continue
        if parent not in opened:
            try:
                opened[parent] = _open_below(root, parent)
            except OSError:
                opened[parent] = _GONE
            else:
                stack.callback(fs.close, opened[parent])
        yield opened[parent], *of_subtree, name, subtree.path


def _as_read(top: tuple[int, int] | Literal[False] | None) -> bool | None:
    return None if top is None else bool(top)


def _open_below(root: Handle, path: bytes) -> Handle:
    """Open a directory below a root, name by name; no symbolic link is followed."""
    handle = fs.duplicate(root)
    for name in filter(None, path.split(b"/")):
        above = handle
        try:
            handle = fs.open_directory(name, above)
        finally:
            fs.close(above)
    return handle


def pack_numbers(numbers: bytes) -> bytes:
    """Pack inode numbers, in words of 8 bytes, as the differences between them."""
    ordered = array("Q", sorted(array("Q", numbers)))
    differences = array("Q", map(sub, ordered, chain((0,), ordered)))
    return zlib.compress(differences.tobytes(), 1)


@lru_cache(maxsize=4)  # the tasks after the caches have the same numbers
def unpack_numbers(packed: bytes) -> bytes:
    """Unpack `pack_numbers`."""
    return array("Q", accumulate(array("Q", zlib.decompress(packed)))).tobytes()
