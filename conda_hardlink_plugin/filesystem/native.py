"""Finds the native reader: the compiled module `_native`, which an installation may lack.

The variable `HARDLINKS_READER` chooses: `python` never uses the module, `native` insists on it.
"""

from __future__ import annotations

import logging
import os
from enum import IntEnum, IntFlag
from functools import cache
from importlib import import_module
from struct import Struct
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..exceptions import HardlinksError
from .thread_counts import native_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType
    from typing import Protocol

    Task = tuple[int, int, int, int, bytes, bytes]
    """Parent handle, flags, location, device, name, path below the root (native/job.h)."""

    PathFacts = tuple[int, int, int, int, int, int]
    """An error number, or 0 and device, inode, mode, link count and allocated bytes.

    A tuple, as there is one for every file.
    """

    class Table(Protocol):
        """The inode table (native/table.h)."""

        def add(
            self,
            device: int,
            inode: int,
            link_count: int,
            disk_bytes: int,
            size_bytes: int,
            is_symlink: bool,
            location: int,
            /,
        ) -> bool:
            """Count one link to an examined inode; return whether it is the first link."""

        def recall(self, pages: Sequence[tuple[int, int, int, bytes]], location: int, /) -> bool:
            """Count the links on pages of the index, unless one leads to an unknown inode."""

        def groups(self) -> tuple[bytes, bytes, dict[int, bytes]]:
            """Return devices, groups, and the locations of each state."""

        def learn(self, device: int, inodes: bytes, /) -> None:
            """Make inodes known that were examined elsewhere."""

        def numbers(self, device: int, /) -> bytes:
            """Return the inodes of a device but symbolic links."""

        def rows(self) -> tuple[bytes, bytes, list[bytes]]:
            """Return devices, rows, and the locations of each state, for `load`."""

        def load(self, devices: bytes, rows: bytes, states: list[bytes], /) -> None:
            """Count the links in another table; the devices may have other numbers."""

        def state(self, device: int, inode: int, /) -> int:
            """Return the state of an inode; 0 if it is unknown."""


ABI = 3  # of `_native.c`
_LOG = logging.getLogger("conda.hardlinks")
_VARIABLE = "HARDLINKS_READER"
_EVENT = Struct("IIiI4Q4I")
_SUMS = Struct("8Q")
_GROUP = Struct("4I4Q")
_PATH_FACTS = Struct("6Q")


_PATHS_OF_TASK = 512
NO_PARENT = -1  # of a task whose name is a path
_COUNT, _SEARCH, _CHECK, _PACKAGES, _PATHS = range(5)  # JobKind, native/job.h


class TaskFlag(IntFlag):
    """Flags of a task (native/job.h)."""

    ROOT = 1
    PACKAGE = 2
    TEXTS = 4
    FILES = 8


class EventKind(IntEnum):
    """Kinds of events (native/job.h)."""

    PROBLEM = 1
    UNOPENED = 2
    LEFT = 3
    TEXT = 4
    FILE = 5
    ENVIRONMENT = 6
    UNREAD = 7


class LinksSeen(IntEnum):
    """The links seen to the inodes of a group, compared with their link count (native/table.h)."""

    FEWER = 0
    ALL = 1
    MORE = 2


class Event(NamedTuple):
    """Something that a job met at a path (Event, native/job.h).

    Attributes:
        kind: What it met.
        location: Location of the task.
        error: Number of the system's error.
        link_count: Link count.
        device: Device number.
        inode: Inode number.
        disk_bytes: Allocated bytes.
        size_bytes: Apparent size.
        is_symlink: 1 for a symbolic link.
        replaced: 1 if a directory was replaced by something else since it was listed.
        path: Path below the root of the task.
        text: Text of a symbolic link.

    """

    kind: int
    location: int
    error: int
    link_count: int
    device: int
    inode: int
    disk_bytes: int
    size_bytes: int
    is_symlink: int
    replaced: int
    path: str
    text: str


def sums_of(packed: bytes) -> Iterator[tuple[int, ...]]:
    """Yield the sums that a job returned (Sums, native/job.h)."""
    return _SUMS.iter_unpack(packed)


def groups_of(packed: bytes) -> Iterator[tuple[int, ...]]:
    """Yield the groups of an inode table (Group, native/table.h)."""
    return _GROUP.iter_unpack(packed)


def events_of(packed: bytes) -> Iterator[Event]:
    """Yield the events that a job returned."""
    at = 0
    while at < len(packed):
        *facts, path_bytes, text_bytes, replaced = _EVENT.unpack_from(packed, at)
        begin = at + _EVENT.size
        end = begin + path_bytes
        at = end + text_bytes
        path, text = os.fsdecode(packed[begin:end]), os.fsdecode(packed[end:at])
        yield Event._make((*facts, replaced, path, text))


def native_module() -> ModuleType | None:
    """Return the native reader; `None` if it is not there, or not wanted.

    Raises:
        HardlinksError: It is wanted, and not there.

    """
    wanted = os.environ.get(_VARIABLE, "")
    if wanted not in ("", "native", "python"):
        raise HardlinksError(f"{_VARIABLE}={wanted}: give native or python, or unset it.")
    if wanted == "python":
        return None
    try:
        native = import_module("._native", __package__)
    except ImportError as error:
        if wanted:
            raise HardlinksError(
                f"{_VARIABLE}=native: {error}. Install a compiled package."
            ) from error
        return None
    if native.ABI == ABI:
        return native
    sentence = f"The native reader is version {native.ABI}, not {ABI}"
    if wanted:
        raise HardlinksError(f"{_VARIABLE}=native: {sentence}. Install a compiled package.")
    _log_once(f"{sentence}: it is not used.")
    return None


@cache
def _log_once(sentence: str) -> None:
    _LOG.warning(sentence)


def native_module_for_executor() -> ModuleType:
    """Return the native reader, without which there is nothing to do for an executor.

    Raises:
        HardlinksError: It is not there, or not wanted.

    """
    native = native_module()
    if native is None:
        raise HardlinksError(
            "Only the native reader reads with the processes of an executor, and it is not there:"
            " install the compiled package of conda-hardlink-plugin."
        )
    return native


class Settings(NamedTuple):
    """How a job reads (native/job.h).

    Attributes:
        threads: Number of threads.
        threads_waiting: Number of threads where calls wait.
        max_open: Number of directories that are kept open.
        record: Whether to make pages for the index; of a check, whether to examine entries.
        max_directories: Number of directories after which the rest is left unread; 0 for none.

    """

    threads: int
    threads_waiting: int
    max_open: int
    record: bool = False
    max_directories: int = 0


class Counted(NamedTuple):
    """What a job counted.

    Attributes:
        tops: For each task device and inode of its directory; `None` if it is left to the caller,
            `False` if it was not begun.
        sums: Packed sums of inodes with a single link (Sums).
        events: Packed events.
        directories: Number of directories that were read.
        is_too_deep: Whether a directory is deeper than a path can reach.
        untrusted: A device whose listings show other inode numbers than those of its files; the
            rest is not complete then.

    """

    tops: list[tuple[int, int] | Literal[False] | None]
    sums: bytes
    events: bytes
    directories: int
    is_too_deep: bool
    untrusted: int | None


def count_trees(
    native: ModuleType,
    table: Table,
    tasks: Sequence[Task],
    *,
    settings: Settings,
    special: Sequence[tuple[int, int]],
    untrusted: Sequence[int],
    on_progress: Callable[[int], None] | None = None,
    on_page: Callable[..., None] | None = None,
) -> Counted:
    """Count the entries of trees in an inode table.

    Args:
        native: The module.
        table: The table.
        tasks: The trees.
        settings: How to read.
        special: Device and inode of directories that are left to the caller.
        untrusted: Devices whose listings are not trusted.
        on_progress: Called now and then with the number of entries read so far.
        on_page: If pages are made, called with the facts of each page (`index.page.page_of_facts`).

    """
    found = native.read(
        _COUNT, table, tasks, settings, special, untrusted, (), on_progress, on_page or _no_page
    )
    return Counted(*found)


def check_pages(
    native: ModuleType, tasks: Sequence[Task], *, exact: bool
) -> list[tuple[bytes, bytes] | None]:
    """Return the facts about the directories and the entries of pages; `None` if one is gone."""
    settings = Settings(*native_threads(), 0, exact)
    facts: list[tuple[bytes, bytes] | None]
    facts, *_ = native.read(_CHECK, None, tasks, settings, (), (), (), None, _no_page)
    return facts


def read_packages(native: ModuleType, paths: Sequence[str]) -> list[tuple[bytes, bytes] | None]:
    """Read the records of extracted packages.

    Returns:
        For each package the packed `ctime_ns` of `info/index.json` and `info/repodata_record.json`,
        and the content of the latter; `None` if it does not have them as regular files.

    """
    tasks = [(NO_PARENT, 0, 0, 0, os.fsencode(path), b"") for path in paths]
    settings = Settings(*native_threads(), 0)
    found: list[tuple[bytes, bytes] | None]
    found, *_ = native.read(_PACKAGES, None, tasks, settings, (), (), (), None, _no_page)
    return found


def look_at_paths(native: ModuleType, folder: int, paths: Sequence[str]) -> Iterator[PathFacts]:
    """Yield the facts about each path below an open folder."""
    tasks = [
        (folder, 0, 0, 0, os.fsencode("\0".join(paths[begin : begin + _PATHS_OF_TASK])), b"")
        for begin in range(0, len(paths), _PATHS_OF_TASK)
    ]
    found: list[tuple[bytes, bytes]]
    settings = Settings(*native_threads(), 0)
    found, *_ = native.read(_PATHS, None, tasks, settings, (), (), (), None, _no_page)
    for _, packed in found:
        yield from _PATH_FACTS.iter_unpack(packed)


def search_trees(
    native: ModuleType, tasks: Sequence[Task], skipped: Sequence[bytes], settings: Settings
) -> tuple[list[tuple[int, int] | Literal[False] | None], bytes]:
    """Search trees for environments.

    Args:
        native: The module.
        tasks: The trees.
        skipped: Paths, below the roots of the trees, that are not opened.
        settings: How to read.

    Returns:
        As in `Counted.tops`, and packed events.

    """
    tops, _, events, *_ = native.read(
        _SEARCH, None, tasks, settings, (), (), skipped, None, _no_page
    )
    return tops, events


def _no_page(*_: object) -> None:
    raise AssertionError("this job makes no pages")
