"""The walker: reads every directory below the roots once, and counts its entries.

The kernel returns the inode number of an entry with the directory listing (`d_ino`, readdir(3)), so
an inode that was seen before on the same device needs no `stat`: with caches read first, most
entries of an environment cost nothing more. Each `stat` result is checked against the listing. If
the numbers of a device do not match (overlayfs with `xino=off`), it must be read again with a
`stat` for every entry.
"""

from __future__ import annotations

import contextlib
from operator import itemgetter
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.problems import GONE
from .cache_entries import kind_of_directory, kind_of_file
from .collector import Collector, Findings
from .inventory import Problem, ProblemKind, UnitKind
from .listing import Listing, UntrustedDeviceError, list_directory
from .open_directory import OpenDirectory, open_directories_allowed
from .pace import Pace, read_with_threads
from .plain import read_plain
from .share import Share, reopen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..filesystem.protocol import FileStatus, Handle, Identity
    from .index.page import Draft
    from .index.recall import Remembered
    from .index.recorder import Recorder
    from .scan_roots import ScanRoots

_LINKS_PER_PROGRESS = 5000
_WORTH_SHARING = 2  # directories
_MAX_PATH_PARTS = 64  # the receiver of a share opens each directory on the way


class Walker:
    """Reads roots, or parts of roots that another process has begun.

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
        recorder: Recorder | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        """Begin with nothing read.

        Args:
            scan_roots: The roots.
            untrusted: Devices whose listings are not trusted.
            on_progress: Called now and then with the number of entries read so far.
            recorder: Writes what is read to the index.
            remembered: The units that need not be read again.

        """
        self.scan_roots = scan_roots
        self.untrusted = untrusted
        self.on_progress = on_progress
        self.collector = Collector(scan_roots.roots, scan_roots.inside)
        self.stack: list[OpenDirectory] = []
        self.links_reported = 0
        self.max_open = open_directories_allowed()
        special = scan_roots.identities | scan_roots.careful
        self.special_inodes = {number for _, number in special}
        self.visited: set[Identity] | None = set() if scan_roots.may_repeat else None
        self.directories = 0
        self.pace = Pace()
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

    def read(self, directories: int) -> None:
        """Read about this many directories below the current root."""
        end = self.directories + directories
        self.pace.begin(self.directories)
        while self.stack and self.directories < end:
            if not self.stack[-1].children:
                self.stack.pop().close()
                continue
            part = min(end, self.directories + self.pace.directories)
            if self.pace.waits:
                read_with_threads(self, part)
            else:
                read_plain(self, part)
            self.pace.look(self.directories)

    def part_with(self) -> list[Share]:
        """Return about half of the unread directories of the current root, to be read elsewhere.

        A root that is read in detail is not shared: an inode in it is named by its first link.
        """
        unread = sum(len(directory.children) for directory in self.stack)
        if self.collector.keeps_own or unread < _WORTH_SHARING:
            return []
        shares = []
        for directory in self.stack:
            parts = tuple(directory.path_parts()[1:])
            if len(parts) > _MAX_PATH_PARTS:
                break
            given, directory.children = directory.children[::2], directory.children[1::2]
            if given:
                unit = self.collector.found.units[directory.unit]
                shares.append(Share(self.collector.root, unit, parts, directory.identity, given))
        return shares

    def take_over(self, share: Share) -> None:
        """Open the directory of a share; `read` reads the directories below it."""
        collector, root = self.collector, self.scan_roots.roots[share.root]
        unit = collector.begin_root(share.root, detailed=False)
        if share.unit != collector.found.units[unit]:
            unit = collector.add_unit(share.unit.kind, share.unit.path)
        try:
            handle = reopen(share, root.path)
        except OSError as error:
            collector.add_problem("/".join([root.path, *share.path_parts]), error)
            return
        identity = share.identity
        plain = self._is_trusted(identity) and not collector.is_outside_packages(unit)
        sums = collector.sums(unit, identity[0])
        directory = OpenDirectory(None, root.path, unit, sums, identity, [], plain=plain)
        for name in share.path_parts:
            directory = OpenDirectory(directory, name, unit, sums, identity, [], plain=plain)
        directory.children = share.children
        self.enter(directory, handle)

    def enter(self, directory: OpenDirectory, handle: Handle) -> None:
        """Push a directory that was listed on the stack; close it if it has no subdirectories."""
        if not directory.children:
            fs.close(handle)
            return
        directory.handle = handle
        if len(self.stack) >= self.max_open:
            directory.borrow_handle()
        self.stack.append(directory)

    def list_below(self, parent: OpenDirectory, name: str) -> Listing | OSError:
        """List a directory, and examine its entries as far as necessary; count nothing.

        Several threads may call this at the same time.
        """
        try:
            handle = fs.open_directory(parent.relative + name, parent.handle)
        except OSError as error:
            return error
        device = parent.identity[0] if parent.plain else None
        try:
            status = fs.status_of(handle)
            if status.device != device or status.inode in self.special_inodes:
                return list_directory(handle, status)
            known = self.collector.listed[status.device].states
            return list_directory(
                handle, status, known, has_subvolumes=self.scan_roots.has_subvolumes
            )
        except BaseException:
            fs.close(handle)
            raise

    def count_listing(self, parent: OpenDirectory, name: str, listing: Listing | OSError) -> None:
        """Count the result of `list_below`; one thread at a time may call this."""
        if isinstance(listing, OSError):
            self.add_unopened(parent, name, listing)
            return
        unit, status, handle = parent.unit, listing.status, listing.handle
        try:
            if listing.plain:
                self.directories += 1
                directory = OpenDirectory(
                    parent, name, unit, parent.sums, status.identity, listing.children, plain=True
                )
                self._count(directory, listing, status.device, searching=False)
            else:
                directory = self.read_with_stat(parent, name, unit, handle, status, listing)
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
            listing: Its listing, if it was listed already.

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
        if not (begins_unit and self._remembered and self._remembered.recall(unit, collector)):
            listing = listing or list_directory(handle, status)
            self._count(directory, listing, device if trusted else None, searching=searching)
        return directory

    def findings(self) -> Findings:
        """Return everything that was found; nothing may be read afterwards."""
        pages = None if self._recorder is None else self._recorder.pages()
        return self.collector.findings(pages)

    def draft(self, unit: int, device: int) -> Draft | None:
        """Return the draft for the next few directories of a unit; `None` without an index."""
        return None if self._recorder is None else self._recorder.draft(unit, device)

    def _begin_directory(self, directory: OpenDirectory, status: FileStatus) -> Draft | None:
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
        """Count what is visible of a directory that cannot be opened."""
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
            directory: The directory; `_count` fills in its `children` if the listing is not plain.
            listing: Its entries.
            device: The device whose inode numbers the listing must show; `None` to trust nothing.
            searching: Whether tarballs and similar files become units here.

        """
        collector, path, handle = self.collector, directory.path, listing.handle
        status, unit = listing.status, directory.unit
        collector.add_directory(unit, status)
        draft = self._begin_directory(directory, status)
        if listing.problem is not None:
            collector.add_problem(path, listing.problem)
        states, step = collector.listed[status.device].states, collector.step_in(unit)
        entries = listing.entries if listing.plain else sorted(listing.entries, key=itemgetter(0))
        for name, number, found in entries:
            if found is None or (listing.plain and number in states):
                states[number] = step[states[number]]
                collector.links[collector.root] += 1
                if draft is not None:
                    draft.linked.append(number)
            elif isinstance(found, OSError):
                collector.add_problem(f"{path}/{name}", found)
            elif found.is_directory and not listing.plain:
                directory.children.append(name)
            else:
                if device is not None and found.identity != (device, number):
                    raise UntrustedDeviceError(device)
                owner = self._unit_of_file(directory, path, name) if searching else unit
                mounts = self.scan_roots.mounted_files[found.identity]
                collector.add_file(owner, path, name, handle, found, mounts=mounts)
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
