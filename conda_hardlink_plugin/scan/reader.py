"""The reader: reads every directory below the roots with the threads of the native module.

It equals `Walker`. The directories at which something new may begin are read in Python, those that
are plain in the module: all packages of a cache, or all environments, in one job.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..filesystem import fs
from ..filesystem.native import (
    NO_PARENT,
    EventKind,
    Settings,
    TaskFlag,
    count_trees,
    events_of,
    sums_of,
)
from ..filesystem.thread_counts import native_threads
from .boundaries import BoundaryWalker
from .cache_entries import may_be_package
from .collector import NotedFile
from .inventory import OwnFile, PrivateSums, RootKind, Unit, UnitKind
from .listing import UntrustedDeviceError
from .native_table import NativeInodeTable
from .open_directory import OpenDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from types import ModuleType

    from ..filesystem.native import Event, Task
    from ..filesystem.protocol import Handle, Identity
    from .index.page import Page
    from .index.recall import Remembered
    from .index.recorder import Recorder
    from .scan_roots import ScanRoots

_MAX_PENDING = 64  # directories whose subdirectories are read together; each is open


class Notes(NamedTuple):
    """What a job found, besides inodes with several links.

    Attributes:
        pages: Pages for the index, with locations as units.
        sums: Location, device, and what `Sums` in native/job.h has.
        events: What the job met.

    """

    pages: Iterable[Page]
    sums: Iterable[tuple[int, ...]]
    events: Iterable[Event]


class Reader(BoundaryWalker):
    """Reads roots with the native module."""

    def __init__(
        self,
        native: ModuleType,
        scan_roots: ScanRoots,
        untrusted: Collection[int],
        on_progress: Callable[[int], None] | None = None,
        *,
        recorder: Recorder | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        """Begin with nothing read; the arguments are those of `BoundaryWalker`."""
        self._table = NativeInodeTable(native.Table())
        super().__init__(
            scan_roots,
            untrusted,
            on_progress,
            table=self._table,
            recorder=recorder,
            remembered=remembered,
        )
        self._native = native
        self._pending: list[OpenDirectory] = []
        self._left: list[tuple[int, str, Identity]] = []  # unit, path below the root
        self._searched: set[Identity] = set()  # directories whose packages were read
        self._unit_of: dict[int, int] = {}  # of each location
        self._special = list(scan_roots.identities | scan_roots.careful)

    def close(self) -> None:
        """Close everything that is open; directories that were not read remain unread."""
        for directory in self._pending:
            directory.close()
        self._pending.clear()
        super().close()

    def read_roots(self) -> None:
        """Read all roots, caches first."""
        environments = []
        for index, root in enumerate(self.scan_roots.roots):
            if root.kind is RootKind.CACHE:
                self.open_root(index)
                self.read_below()
            else:
                environments.append(index)
        again = self._recall_environments(self._read_environments(environments))
        self._read_environments(again, recalling=False)

    def enter(self, directory: OpenDirectory, handle: Handle) -> None:
        """Have the subdirectories of a plain directory read by the module."""
        if not (directory.plain and directory.children):
            super().enter(directory, handle)
            return
        directory.handle = handle
        self._pending.append(directory)

    def read_below(self) -> None:
        """Read the directories below the current root."""
        most = max(min(_MAX_PENDING, self.max_open), 1)
        while self.stack or self._pending or self._left:
            if not self.stack and len(self._pending) < most and self._left:
                self._read_left(*self._left.pop())
            while self.stack and len(self._pending) < most:
                directory = self.stack[-1]
                if not directory.children:
                    self.stack.pop().close()
                elif self._may_hold_packages(directory):
                    self._read_packages(directory)
                else:
                    self.read_child(directory, directory.children.pop())
            if self.stack or not self._left or len(self._pending) >= most:
                self._read_pending()

    def _may_hold_packages(self, directory: OpenDirectory) -> bool:
        """Return whether the packages in a directory are still to be read in one job."""
        return (
            self.collector.is_outside_packages(directory.unit)
            and self.visited is None
            and directory.identity not in self._searched
        )

    def _read_packages(self, directory: OpenDirectory) -> None:
        """Read the packages in a directory in one job; its other subdirectories remain."""
        self._searched.add(directory.identity)
        names, directory.children = directory.children, []
        path, collector = directory.path, self.collector
        others, packages, tasks = [], [], []
        for name in names:
            if not may_be_package(directory, name):
                others.append(name)
            elif not (self._remembered and self._recall_package(f"{path}/{name}")):
                location = collector.add_location(collector.root, None)
                packages.append((location, name))
                tasks.append(self._task(directory, name, location, TaskFlag.PACKAGE))
        results, notes = self._run(tasks)
        for (location, name), result in zip(packages, results, strict=True):
            if not result:
                others.append(name)
            else:
                unit = collector.add_unit(UnitKind.PACKAGE, f"{path}/{name}", location)
                self._unit_of[location] = unit
        directory.children = others
        self._count_notes(notes)

    def _recall_package(self, path: str) -> bool:
        unit = Unit(UnitKind.PACKAGE, self.collector.root, path)
        return bool(self._remembered and self._remembered.recall(unit, self.collector))

    def _read_environments(self, indexes: Iterable[int], *, recalling: bool = True) -> list[int]:
        """Read environments in one job; return those that may be recalled."""
        roots, opened, recalled = self.scan_roots.roots, [], []
        for index in indexes:
            path = roots[index].path
            unit = self._begin(index)
            if path in self.scan_roots.unknown or self._is_careful(path):
                self.open_root(index)
                self.read_below()
            elif recalling and self._remembers(self.collector.found.units[unit]):
                recalled.append(index)
            else:
                opened.append(index)
        tasks = []
        for index in opened:
            location = self._location(self._begin(index))
            flags = TaskFlag.ROOT | TaskFlag.TEXTS
            if self.collector.keeps_own:
                flags |= TaskFlag.FILES
            tasks.append((NO_PARENT, flags, location, 0, os.fsencode(roots[index].path), b""))
        results, notes = self._run(tasks)
        left = []
        for index, result in zip(opened, results, strict=True):
            if not result:
                left.append(index)
            else:
                self.collector.found.identities[index] = result
        self._count_notes(notes)
        self.read_below()
        for index in left:
            self.open_root(index)
            self.read_below()
        return recalled

    def _is_careful(self, path: str) -> bool:
        """Return whether every entry of a root is examined."""
        careful = self.scan_roots.careful
        try:
            return bool(careful) and fs.status(path, follow_symlinks=True).identity in careful
        except OSError:
            return True

    def _remembers(self, unit: Unit) -> bool:
        return self._remembered is not None and self._remembered.has(unit)

    def _recall_environments(self, indexes: Iterable[int]) -> list[int]:
        """Recall environments from the index; return those that must be read."""
        to_read = []
        for index in indexes:
            unit = self._begin(index)
            path = self.scan_roots.roots[index].path
            try:
                identity = fs.status(path, follow_symlinks=True).identity
            except OSError:
                to_read.append(index)
                continue
            found = self.collector.found
            if self._remembered and self._remembered.recall(
                found.units[unit], self.collector, unit
            ):
                found.identities[index] = identity
            else:
                to_read.append(index)
        return to_read

    def _begin(self, index: int) -> int:
        """Make a root the current one; return its own unit."""
        path = self.scan_roots.roots[index].path
        return self.collector.begin_root(index, detailed=path in self.scan_roots.detailed)

    def _location(self, unit: int) -> int:
        location = self.collector.location_of(unit)
        self._unit_of[location] = unit
        return location

    def _read_pending(self) -> None:
        """Read the subdirectories of plain directories in one job."""
        directories, self._pending = self._pending, []
        try:
            tasks = []
            for directory in directories:
                location = self._location(directory.unit)
                root = self.collector.found.units[directory.unit].root
                self._begin(root)
                flags = TaskFlag(0) if self.collector.in_cache else TaskFlag.TEXTS
                if self.collector.keeps_own:
                    flags |= TaskFlag.FILES
                tasks += [
                    self._task(directory, name, location, flags) for name in directory.children
                ]
            results, notes = self._run(tasks)
            self._count_notes(notes)
            left = iter(results)
            for directory in directories:
                self._begin(self.collector.found.units[directory.unit].root)
                for name in directory.children:
                    if not next(left):
                        self.read_child(directory, name)
        finally:
            for directory in directories:
                directory.close()

    def _task(self, directory: OpenDirectory, name: str, location: int, flags: TaskFlag) -> Task:
        inside = directory.inside
        if inside is None:  # deeper than a path can reach
            inside = f"{'/'.join(directory.path_parts()[1:])}/"
        encoded = os.fsencode(directory.relative + name), os.fsencode(inside + name)
        return directory.handle, flags, location, directory.identity[0], *encoded

    def _run(
        self, tasks: Sequence[Task]
    ) -> tuple[Sequence[tuple[int, int] | Literal[False] | None], Notes]:
        """Run a job to its end.

        Returns:
            For each task the identity of its directory, or `None` if it is to be read in Python;
            what is to be counted once the locations of the tasks have units.

        """
        if not tasks:
            return [], Notes((), (), ())
        settings = Settings(*native_threads(), self.max_open, self.is_recording)
        pages: list[Page] = []
        found = count_trees(
            self._native,
            self._table.native,
            tasks,
            settings=settings,
            special=self._special,
            untrusted=list(self.untrusted),
            on_progress=self.report_progress,
            on_page=lambda *facts: pages.append(self.write_page(*facts)),
        )
        if found.untrusted is not None:
            raise UntrustedDeviceError(found.untrusted)
        if found.is_too_deep:
            self.stop_recording()
        return found.tops, Notes(pages, sums_of(found.sums), events_of(found.events))

    def _count_notes(self, notes: Notes) -> None:
        """Count what a job found."""
        collector = self.collector
        for location, device, links, inodes, *sizes in notes.sums:
            unit = self._unit_of[location]
            disk_bytes, apparent_bytes, *of_directories = sizes
            sums = PrivateSums(disk_bytes, apparent_bytes, inodes, *of_directories)
            collector.sums(unit, device).add(sums)
            collector.links[collector.found.units[unit].root] += links
        for page in notes.pages:
            self.add_page(page._replace(unit=self._unit_of[page.unit]))
        for event in notes.events:
            self._note(event)

    def _note(self, event: Event) -> None:
        collector, unit = self.collector, self._unit_of[event.location]
        found, inside = collector.found, event.path
        root = found.units[unit].root
        top = self.scan_roots.roots[root].path
        path = f"{top}/{inside}" if inside else top
        identity = event.device, event.inode
        self._begin(root)
        match event.kind:
            case EventKind.TEXT:
                collector.add_symlink(path, event.text)
            case EventKind.FILE:
                file = OwnFile(inside, event.disk_bytes, event.size_bytes, bool(event.is_symlink))
                several = identity if event.link_count > 1 else None
                found.own_files[root].append(NotedFile(file, several, event.link_count))
            case EventKind.LEFT | EventKind.UNOPENED if identity in self.scan_roots.identities:
                found.units_with_roots_inside.add(unit)
            case EventKind.LEFT:
                self._left.append((unit, inside, identity))
            case _:
                reason = "replaced while scanning" if event.replaced else os.strerror(event.error)
                kind = FileNotFoundError if event.replaced else OSError
                collector.add_problem(path, kind(event.error, reason))
                if event.kind == EventKind.UNOPENED:
                    sizes = event.disk_bytes, event.size_bytes
                    collector.sums(unit, event.device).add(PrivateSums(*sizes, 1, *sizes))
                    collector.links[root] += 1

    def _read_left(self, unit: int, inside: str, identity: Identity) -> None:
        """Read a directory at which something new begins; no symbolic link is followed."""
        collector = self.collector
        root = collector.found.units[unit].root
        self._begin(root)
        top, names = self.scan_roots.roots[root].path, inside.split("/")
        handle = None
        try:
            handle = fs.open_root(top)
            sums = collector.sums(unit, identity[0])
            parent = OpenDirectory(None, top, unit, sums, identity, [], plain=False)
            for name in names[:-1]:
                parent = OpenDirectory(parent, name, unit, sums, identity, [], plain=False)
            for name in names:
                above, handle = handle, fs.open_directory(name, handle)
                fs.close(above)
            status = fs.status_of(handle)
            if status.identity != identity:
                raise FileNotFoundError(errno.ENOENT, "replaced while scanning")  # noqa: TRY301
            directory = self.read_with_stat(parent, names[-1], unit, handle, status)
        except BaseException as error:
            if handle is not None:
                fs.close(handle)
            if not isinstance(error, OSError):
                raise
            collector.add_problem(f"{top}/{inside}", error)
        else:
            self.enter(directory, handle)
