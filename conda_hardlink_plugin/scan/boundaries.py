"""Reads the directories at which something new may begin: a root, a unit, a device or a mount.

All others are `plain`: they belong to the unit and the device of the directory above, and their
listings show the inode numbers of their entries. The walkers that build on this read those faster.
"""

from __future__ import annotations

import contextlib
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ..filesystem import fs
from ..filesystem.problems import GONE
from .cache_entries import kind_of_directory, kind_of_file
from .collector import Collector
from .inventory import Problem, ProblemKind, UnitKind
from .listing import Listing, UntrustedDeviceError, list_directory
from .open_directory import OpenDirectory, open_directories_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..filesystem.protocol import FileStatus, Handle, Identity
    from .index.page import Draft, Page
    from .index.recall import Remembered
    from .index.recorder import Recorder
    from .inode_table import InodeTable
    from .scan_roots import ScanRoots

_LINKS_PER_PROGRESS = 5000


class BoundaryWalker:
    """Reads roots as far as something new may begin in them.

    Attributes:
        collector: The counts so far.
        stack: The open directories whose subdirectories are still to be read, each inside the one
            before it.
        directories: Number of directories read so far.

    """

    def __init__(
        self,
        scan_roots: ScanRoots,
        untrusted: Collection[int],
        on_progress: Callable[[int], None] | None = None,
        *,
        table: InodeTable,
        recorder: Recorder | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        """Begin with nothing read.

        Args:
            scan_roots: The roots.
            untrusted: Devices whose listings are not trusted.
            on_progress: Called now and then with the number of entries read so far.
            table: An empty inode table.
            recorder: Writes what is read to the index.
            remembered: The units that need not be read again.

        """
        self.scan_roots = scan_roots
        self.untrusted = untrusted
        self.on_progress = on_progress
        self.collector = Collector(scan_roots.roots, scan_roots.inside, table)
        self.stack: list[OpenDirectory] = []
        self.links_reported = 0
        self.max_open = open_directories_allowed()
        special = scan_roots.identities | scan_roots.careful
        self.special_inodes = {number for _, number in special}
        self.visited: set[Identity] | None = set() if scan_roots.may_repeat else None
        self.directories = 0
        self._recorder = recorder
        self._remembered = remembered

    def close(self) -> None:
        """Close everything that is open; directories that were not read remain unread."""
        for directory in self.stack:
            directory.close()
        self.stack.clear()
        if self._recorder is not None:
            self._recorder.close()

    def open_root(self, index: int) -> None:
        """Read a root itself; `read` reads the directories below it."""
        collector, root = self.collector, self.scan_roots.roots[index]
        unit = collector.begin_root(index, detailed=root.path in self.scan_roots.detailed)
        try:
            if root.path in self.scan_roots.unknown:
                raise self.scan_roots.unknown[root.path]
            handle = fs.open_root(root.path)
        except OSError as error:
            collector.add_problem(root.path, error)
            with contextlib.suppress(OSError):
                collector.add_directory(unit, fs.status(root.path, follow_symlinks=True))
            return
        try:
            status = fs.status_of(handle)
            collector.found.identities[index] = status.identity
            top = self.read_with_stat(None, root.path, unit, handle, status)
        except BaseException as error:
            fs.close(handle)
            if not isinstance(error, OSError):
                raise
            collector.add_problem(root.path, error)
        else:
            self.enter(top, handle)

    def enter(self, directory: OpenDirectory, handle: Handle) -> None:
        """Push a directory that was listed on the stack; close it if it has no subdirectories."""
        if not directory.children:
            fs.close(handle)
            return
        directory.handle = handle
        if len(self.stack) >= self.max_open:
            directory.borrow_handle()
        self.stack.append(directory)

    def read_child(self, parent: OpenDirectory, name: str) -> None:
        """Read a directory that is not plain, or may not be."""
        try:
            handle = fs.open_directory(parent.relative + name, parent.handle)
        except OSError as error:
            self.add_unopened(parent, name, error)
            return
        try:
            status = fs.status_of(handle)
        except OSError as error:
            fs.close(handle)
            self.add_unopened(parent, name, error)
            return
        try:
            directory = self.read_with_stat(parent, name, parent.unit, handle, status)
        except BaseException:
            fs.close(handle)
            raise
        self.enter(directory, handle)

    def read_with_stat(
        self,
        parent: OpenDirectory | None,
        name: str,
        unit: int,
        handle: Handle,
        status: FileStatus,
        listing: Listing | None = None,
    ) -> OpenDirectory:
        """Count a directory that may begin something new: a root, a package, a device, a mount.

        Args:
            parent: The directory that contains it; `None` for a root.
            name: Its name; the path of a root.
            unit: The unit around it.
            handle: The open directory.
            status: Its status.
            listing: Its listing, if it was listed already, with every entry examined.

        """
        self.directories += 1
        collector, device, identity = self.collector, status.device, status.identity
        path = name if parent is None else f"{parent.path}/{name}"
        searching = collector.is_outside_packages(unit)
        counted_elsewhere = self._is_counted_elsewhere(identity, path, is_root=parent is None)
        if searching and parent is not None and not counted_elsewhere:
            kind = kind_of_directory(parent, name, handle)
            if kind is not UnitKind.OTHER:
                unit = collector.add_unit(kind, path)
                searching = False
        trusted = self._is_trusted(identity)
        plain = trusted and not searching and self.visited is None
        directory = OpenDirectory(
            parent, name, unit, collector.sums(unit, device), identity, [], plain=plain
        )
        if counted_elsewhere:
            if parent is not None and identity in self.scan_roots.identities:
                collector.found.units_with_roots_inside.add(unit)
            return directory
        begins_unit = parent is None or unit != parent.unit
        if not (
            begins_unit
            and self._remembered
            and self._remembered.recall(collector.found.units[unit], collector, unit)
        ):
            listing = listing or list_directory(handle, status)
            self._count(directory, listing, device if trusted else None, searching=searching)
        return directory

    @property
    def is_recording(self) -> bool:
        """Whether pages are written for the index."""
        return self._recorder is not None

    def write_page(self, *facts: Any) -> Page:
        """Write a page of the native module; return it, with a location as its unit."""
        assert self._recorder is not None  # noqa: S101
        return self._recorder.write_facts(*facts)

    def add_page(self, page: Page) -> None:
        """Add a page that was written."""
        if self._recorder is not None:
            self._recorder.add(page)

    def pages(self) -> bytes | None:
        """Return the pages that were written for the index; `None` if some are missing."""
        return None if self._recorder is None else self._recorder.pages()

    def draft(self, unit: int, device: int) -> Draft | None:
        """Return the draft for the next few directories of a unit; `None` without an index."""
        return None if self._recorder is None else self._recorder.draft(unit, device)

    def begin_directory(self, directory: OpenDirectory, status: FileStatus) -> Draft | None:
        """Begin to note a directory for the index; return the draft, `None` without an index."""
        if directory.inside is None:
            self.stop_recording()
            return None
        draft = self.draft(directory.unit, status.device)
        if draft is not None:
            draft.begin_directory(directory.inside[:-1] or ".", status)
        return draft

    def stop_recording(self) -> None:
        """Write no index, because a directory is deeper than a path can reach."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None

    def _is_trusted(self, identity: Identity) -> bool:
        """Return whether the listing of a directory shows the inode numbers of its entries."""
        return identity[0] not in self.untrusted and identity not in self.scan_roots.careful

    def _is_counted_elsewhere(self, identity: Identity, path: str, *, is_root: bool) -> bool:
        """Return whether a directory is another root, or was reached before through a mount."""
        if not is_root and identity in self.scan_roots.identities:
            return True
        if self.visited is None:
            return False
        if identity in self.visited:
            reason = "already counted, through another mount"
            problem = Problem(ProblemKind.REPEATED, self.collector.root, path, reason)
            self.collector.found.problems.append(problem)
            return True
        self.visited.add(identity)
        return False

    def add_unopened(self, parent: OpenDirectory, name: str, error: OSError) -> None:
        """Count the directory itself if it cannot be opened."""
        collector = self.collector
        path = f"{parent.path}/{name}"
        if isinstance(error, GONE):
            collector.add_problem(path, error)
            return
        try:
            status = fs.status_at(parent.relative + name, parent.handle)
        except OSError as stat_error:
            collector.add_problem(path, stat_error)
            return
        if not status.is_directory:
            collector.add_problem(path, FileNotFoundError(error.errno, "replaced while scanning"))
        elif status.identity in self.scan_roots.identities:
            collector.found.units_with_roots_inside.add(parent.unit)
        else:
            collector.add_problem(path, error)
            collector.add_directory(parent.unit, status)

    def _count(
        self, directory: OpenDirectory, listing: Listing, device: int | None, *, searching: bool
    ) -> None:
        """Count a directory and its entries, and note its subdirectories.

        Args:
            directory: The directory; `_count` fills in its `children`.
            listing: Its entries, all examined.
            device: The device whose inode numbers the listing must show; `None` to trust nothing.
            searching: Whether tarballs and similar files become units here.

        """
        collector, path, handle = self.collector, directory.path, listing.handle
        collector.add_directory(directory.unit, listing.status)
        draft = self.begin_directory(directory, listing.status)
        if listing.problem is not None:
            collector.add_problem(path, listing.problem)
        directory.children += sorted(listing.children)
        for name, number, found in sorted(listing.entries, key=itemgetter(0)):
            if isinstance(found, OSError):
                collector.add_problem(f"{path}/{name}", found)
            elif found is None or found.is_directory:  # since it was listed
                directory.children.append(name)
            else:
                if device is not None and found.identity != (device, number):
                    raise UntrustedDeviceError(device)
                unit = self._unit_of_file(directory, path, name) if searching else directory.unit
                mounts = self.scan_roots.mounted_files[found.identity]
                collector.add_file(unit, path, name, handle, found, mounts=mounts)
                if draft is not None:
                    draft.add_name(name, found)

    def _unit_of_file(self, directory: OpenDirectory, directory_path: str, name: str) -> int:
        """Return the unit of a file in a cache: one of its own, or that of the directory."""
        kind = kind_of_file(directory, name)
        if kind is UnitKind.OTHER:
            return directory.unit
        return self.collector.add_unit(kind, f"{directory_path}/{name}")

    def report_progress(self, links_uncounted: int) -> None:
        """Report the number of entries read, if it has grown enough since the last report."""
        links = sum(self.collector.links) + links_uncounted
        if self.on_progress is not None and links >= self.links_reported + _LINKS_PER_PROGRESS:
            self.links_reported = links
            self.on_progress(links)
