"""Walks through the roots: every directory below them is read once, and counted in a tally.

The kernel tells the inode number of an entry when it lists the directory (`d_ino`), so an inode
already met on the same device needs no `stat`: with caches first, most entries of an environment
cost nothing more. `stat` results are checked against those numbers on the way; a device whose
numbers do not hold (overlayfs with `xino=off`) is to be read again with a `stat` for every entry.
"""

from __future__ import annotations

import contextlib
from operator import itemgetter
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.problems import GONE
from .cache_entries import kind_of_directory, kind_of_file
from .collector import Collector, Findings
from .inventory import UnitKind
from .listing import Listing, UntrustedDeviceError, list_all, list_plain
from .open_directory import OpenDirectory, open_directories_allowed
from .pace import Pace, read_with_threads
from .plain import read_plain
from .share import Share, reopen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..filesystem.protocol import FileStatus, Handle
    from .index.page import Draft
    from .index.recall import Remembered
    from .index.recorder import Recorder
    from .scan_roots import ScanRoots

_LINKS_PER_PROGRESS = 5000
_WORTH_SHARING = 2  # directories
_MAX_PATH_PARTS = 64  # who takes over opens each directory on the way


class Walker:
    """Reads roots, or parts of them that somebody else has begun, into a tally.

    Attributes:
        collector: What was found so far.
        stack: The open directories whose own directories are still to be read, one in another.
        directories: How many were read so far.

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
            untrusted: Devices whose listings name other inode numbers than they hold.
            on_progress: Called now and then with the number of entries read so far.
            recorder: Notes what is read for the index.
            remembered: What need not be read again.

        """
        self.scan_roots = scan_roots
        self.untrusted = untrusted
        self.on_progress = on_progress
        self.collector = Collector(scan_roots.roots, scan_roots.inside)
        self.stack: list[OpenDirectory] = []
        self.links_told = 0
        self.max_open = open_directories_allowed()
        self.special_inodes = {
            number for _, number in (*scan_roots.identities, *scan_roots.careful)
        }
        self.visited: set[tuple[int, int]] | None = set() if scan_roots.may_meet_twice else None
        self.directories = 0
        self.pace = Pace()
        self._recorder = recorder
        self._remembered = remembered

    def close(self) -> None:
        """Close what is open; what was not read remains unread."""
        for place in self.stack:
            place.close()
        self.stack.clear()
        if self._recorder is not None:
            self._recorder.close()

    def open_root(self, index: int) -> None:
        """Read a root itself; what is below it is read by `read`."""
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
            collector.note_root(status)
            top = self.read_apart(None, root.path, unit, handle, status)
        except OSError as error:
            fs.close(handle)
            collector.add_problem(root.path, error)
            return
        except BaseException:
            fs.close(handle)
            raise
        self.enter(top, handle)

    def read(self, directories: int) -> None:
        """Read directories below the current root; stop after about so many."""
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
        """Hand over about half of what is still to be read of the current root.

        Nothing of a root that is read in detail: an inode in it is told by its first place.
        """
        if (
            self.collector.keeps_own
            or sum(len(place.children) for place in self.stack) < _WORTH_SHARING
        ):
            return []
        shares = []
        for place in self.stack:
            path_parts = place.path_parts
            if len(path_parts) > _MAX_PATH_PARTS:
                break
            given, place.children = place.children[::2], place.children[1::2]
            if given:
                unit = self.collector.unit_of(place.unit)
                shares.append(Share(self.collector.root, unit, path_parts, place.identity, given))
        return shares

    def take_over(self, share: Share) -> None:
        """Open the directory of a share; what is below it is read by `read`."""
        collector, root = self.collector, self.scan_roots.roots[share.root]
        unit = collector.begin_root(share.root, detailed=False)
        if share.unit != collector.unit_of(unit):
            unit = collector.add_unit(share.unit.kind, share.unit.path)
        try:
            handle = reopen(share, root.path)
        except OSError as error:
            collector.add_problem("/".join([root.path, *share.path_parts]), error)
            return
        device = share.identity[0]
        trusted = device not in self.untrusted and share.identity not in self.scan_roots.careful
        plain = trusted and not collector.is_outside_packages(unit)
        sums = collector.sums(unit, device)
        place = OpenDirectory(None, root.path, unit, sums, share.identity, [], plain=plain)
        for name in share.path_parts:
            place = OpenDirectory(place, name, unit, sums, share.identity, [], plain=plain)
        place.children = share.children
        self.enter(place, handle)

    def enter(self, place: OpenDirectory, handle: Handle) -> None:
        """Put a directory that was listed on the stack if it has directories, else close it."""
        if not place.children:
            fs.close(handle)
            return
        place.handle = handle
        is_full = len(self.stack) >= self.max_open
        if is_full and place.parent and place.parent.may_lend_handle():
            place.borrow_handle(place.parent)
        self.stack.append(place)

    def list_below(self, parent: OpenDirectory, name: str) -> Listing | OSError:
        """List a directory, and look at what is in it as far as that has to be; count nothing.

        Several threads may do so at once.
        """
        try:
            handle = fs.open_directory(parent.relative + name, parent.handle)
        except OSError as error:
            return error
        device = parent.identity[0] if parent.plain else None
        try:
            status = fs.status_of(handle)
            plain = status.device == device and status.inode not in self.special_inodes
            if not plain:
                return list_all(handle, status)
            known = self.collector.listed[status.device].states
            return list_plain(handle, status, known, has_subvolumes=self.scan_roots.has_subvolumes)
        except BaseException:
            fs.close(handle)
            raise

    def count_listing(self, parent: OpenDirectory, name: str, listing: Listing | OSError) -> None:
        """Count what `list_below` found; one thread at a time may do so."""
        if isinstance(listing, OSError):
            self.add_unopened(parent, name, listing)
            return
        try:
            place = self._count_listed(parent, name, listing)
        except BaseException:
            fs.close(listing.handle)
            raise
        self.enter(place, listing.handle)

    def _count_listed(self, parent: OpenDirectory, name: str, listing: Listing) -> OpenDirectory:
        collector, unit, status = self.collector, parent.unit, listing.status
        if not listing.plain:
            return self.read_apart(parent, name, unit, listing.handle, status, listing)
        self.directories += 1
        identity = status.identity
        place = OpenDirectory(
            parent, name, unit, parent.sums, identity, listing.children, plain=True
        )
        collector.add_directory(unit, status)
        draft = self._begin_directory(place, status)
        if listing.problem is not None:
            collector.add_problem(place.path, listing.problem)
        states, step = collector.listed[status.device].states, collector.step_in(unit)
        for entry_name, number, found in listing.entries:
            if number in states:
                states[number] = step[states[number]]
                collector.links[collector.root] += 1
                if draft is not None:
                    draft.linked.append(number)
            elif isinstance(found, OSError):
                collector.add_problem(f"{place.path}/{entry_name}", found)
            elif found is not None:
                if found.identity != (status.device, number):
                    raise UntrustedDeviceError(status.device)
                collector.add_file(unit, place.path, entry_name, listing.handle, found)
                if draft is not None:
                    draft.add_name(entry_name, found)
        return place

    def read_apart(
        self,
        parent: OpenDirectory | None,
        name: str,
        unit: int,
        handle: Handle,
        status: FileStatus,
        listing: Listing | None = None,
    ) -> OpenDirectory:
        """Count a directory that begins something new: a root, a package, a device, a mount."""
        self.directories += 1
        collector, device = self.collector, status.device
        identity = status.identity
        path = name if parent is None else f"{parent.path}/{name}"
        searching = collector.is_outside_packages(unit)
        counted_elsewhere = self._is_counted_elsewhere(identity, path, is_root=parent is None)
        if searching and parent is not None and not counted_elsewhere:
            kind = kind_of_directory(parent, name, handle)
            if kind is not UnitKind.OTHER:
                unit = collector.add_unit(kind, path)
                searching = False
        trusted = device not in self.untrusted and identity not in self.scan_roots.careful
        plain = trusted and not searching and self.visited is None
        place = OpenDirectory(
            parent, name, unit, collector.sums(unit, device), identity, [], plain=plain
        )
        if counted_elsewhere:
            if parent is not None and identity in self.scan_roots.identities:
                collector.note_holding(unit)
            return place
        begins_unit = parent is None or unit != parent.unit
        if (
            begins_unit
            and self._remembered is not None
            and self._remembered.recall(unit, collector)
        ):
            return place
        collector.add_directory(unit, status)
        draft = self._begin_directory(place, status)
        if listing is None:
            listing = list_all(handle, status)
        if listing.problem is not None:
            collector.add_problem(path, listing.problem)
        self._count_all(listing, place, searching, device if trusted else None, draft)
        return place

    def findings(self) -> Findings:
        """Return what was found; nothing may be read afterwards."""
        pages = None if self._recorder is None else self._recorder.pages()
        return self.collector.findings(pages)

    def draft(self, unit: int, device: int) -> Draft | None:
        """Return where a few directories of a unit are to be noted for the index."""
        return None if self._recorder is None else self._recorder.draft(unit, device)

    def _begin_directory(self, place: OpenDirectory, status: FileStatus) -> Draft | None:
        """Begin to note a directory for the index, if there is to be one."""
        if place.inside is None:
            self.give_up_noting()
        draft = self.draft(place.unit, status.device)
        if draft is not None and place.inside is not None:
            draft.begin_directory(place.inside[:-1] or ".", status)
        return draft

    def give_up_noting(self) -> None:
        """Have no index: there is a directory to which no path leads."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None

    def _is_counted_elsewhere(self, identity: tuple[int, int], path: str, *, is_root: bool) -> bool:
        """Tell whether a directory is another root, or was met before through another mount."""
        if not is_root and identity in self.scan_roots.identities:
            return True
        if self.visited is None:
            return False
        if identity in self.visited:
            self.collector.add_repeated(path)
            return True
        self.visited.add(identity)
        return False

    def add_unopened(self, parent: OpenDirectory, name: str, error: OSError) -> None:
        """Count a directory that cannot be opened as far as its parent lets it be seen."""
        collector = self.collector
        path = f"{parent.path}/{name}"
        if isinstance(error, GONE):
            collector.add_problem(path, error)
            return
        try:
            relative = parent.relative + name
            status = fs.status_at(relative, parent.handle)
        except OSError as stat_error:
            collector.add_problem(path, stat_error)
            return
        if not status.is_directory:
            collector.add_problem(path, FileNotFoundError(error.errno, "replaced while scanning"))
        elif status.identity in self.scan_roots.identities:
            collector.note_holding(parent.unit)
        else:
            collector.add_problem(path, error)
            collector.add_directory(parent.unit, status)

    def _count_all(
        self,
        listing: Listing,
        place: OpenDirectory,
        searching: bool,
        check_device: int | None,
        draft: Draft | None,
    ) -> None:
        """Count the entries of a directory that were all looked at; note the directories in it.

        Args:
            listing: The entries.
            place: The directory; its `children` are filled in.
            searching: Whether a tarball or the like gets a unit of its own here.
            check_device: If given, the numbers of the listing are checked against `stat`.
            draft: Where what is in it is noted.

        """
        collector, directory = self.collector, place.path
        for name, number, status in sorted(listing.entries, key=itemgetter(0)):
            if status is None or isinstance(status, OSError):
                if status is not None:
                    collector.add_problem(f"{directory}/{name}", status)
                continue
            if status.is_directory:
                place.children.append(name)
                continue
            if check_device is not None and status.identity != (check_device, number):
                raise UntrustedDeviceError(check_device)
            unit = place.unit
            kind = kind_of_file(place, name) if searching else UnitKind.OTHER
            if kind is not UnitKind.OTHER:
                unit = collector.add_unit(kind, f"{directory}/{name}")
            mounts = self.scan_roots.mounted_files[status.identity]
            collector.add_file(unit, directory, name, listing.handle, status, mounts=mounts)
            if draft is not None:
                draft.add_name(name, status)

    def tell_progress(self, links_uncounted: int) -> None:
        """Tell how many entries were read, if there are many more than when it was told last."""
        links = sum(self.collector.links) + links_uncounted
        if self.on_progress is not None and links >= self.links_told + _LINKS_PER_PROGRESS:
            self.links_told = links
            self.on_progress(links)
