"""Walks through the roots: every directory below them is read once, and counted in a tally.

The kernel tells the inode number of an entry when it lists the directory (`d_ino`), so an inode
already met on the same device needs no `stat`: with caches first, most entries of an environment
cost nothing more. `stat` results are checked against those numbers on the way; a device whose
numbers do not hold (overlayfs with `xino=off`) is to be read again with a `stat` for every entry.
"""

from __future__ import annotations

import contextlib
import os
import stat
from operator import itemgetter
from typing import TYPE_CHECKING

from .inventory import UnitKind
from .kinds import kind_of_directory, kind_of_file
from .listing import Listing, UntrustedDeviceError, list_all, list_plain
from .pace import Pace, read_with_threads
from .place import OPEN_CHILD, OPEN_ROOT, Place, open_directories_allowed
from .share import Share, reopen
from .tally import BLOCK_BYTES, GONE, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .ground import Ground

_LINKS_PER_PROGRESS = 5000
_WORTH_SHARING = 2  # directories
_LONGEST_WAY = 64  # who takes over opens each directory on the way


class Walk:
    """Reads roots, or parts of them that somebody else has begun, into a tally.

    Attributes:
        tally: What was found so far.
        stack: The open directories whose own directories are still to be read, one in another.
        directories: How many were read so far.

    """

    def __init__(
        self,
        ground: Ground,
        untrusted: Collection[int],
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        """Begin with nothing read.

        Args:
            ground: The roots.
            untrusted: Devices whose listings name other inode numbers than they hold.
            on_progress: Called now and then with the number of entries read so far.

        """
        self.ground = ground
        self.untrusted = untrusted
        self.on_progress = on_progress
        self.tally = Tally(ground.roots, ground.inside)
        self.stack: list[Place] = []
        self.links_told = 0
        self.max_open = open_directories_allowed()
        self.apart = {number for _, number in (*ground.identities, *ground.careful)}
        self.visited: set[tuple[int, int]] | None = set() if ground.may_meet_twice else None
        self.directories = 0
        self.pace = Pace()

    def close(self) -> None:
        """Close what is open; what was not read remains unread."""
        for place in self.stack:
            place.close()
        self.stack.clear()

    def open_root(self, index: int) -> None:
        """Read a root itself; what is below it is read by `read`."""
        tally, root = self.tally, self.ground.roots[index]
        unit = tally.begin_root(index, detailed=root.path in self.ground.detailed)
        try:
            if root.path in self.ground.unknown:
                raise self.ground.unknown[root.path]
            descriptor = os.open(root.path, OPEN_ROOT)
        except OSError as error:
            tally.add_problem(root.path, error)
            with contextlib.suppress(OSError):
                tally.add_directory(unit, os.stat(root.path))
            return
        try:
            status = os.fstat(descriptor)
            tally.note_root(status)
            top = self._read_apart(None, root.path, unit, descriptor, status)
        except OSError as error:
            os.close(descriptor)
            tally.add_problem(root.path, error)
            return
        except BaseException:
            os.close(descriptor)
            raise
        self._enter(self.stack, top, descriptor)

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
                self._read_below(self.stack, part)
            self.pace.look(self.directories)

    def part_with(self) -> list[Share]:
        """Hand over about half of what is still to be read of the current root.

        Nothing of a root that is read in detail: an inode in it is told by its first place.
        """
        if (
            self.tally.keeps_own
            or sum(len(place.children) for place in self.stack) < _WORTH_SHARING
        ):
            return []
        shares = []
        for place in self.stack:
            way = place.way
            if len(way) > _LONGEST_WAY:
                break
            given, place.children = place.children[::2], place.children[1::2]
            if given:
                unit = self.tally.unit_of(place.unit)
                shares.append(Share(self.tally.root, unit, way, place.identity, given))
        return shares

    def take_over(self, share: Share) -> None:
        """Open the directory of a share; what is below it is read by `read`."""
        tally, root = self.tally, self.ground.roots[share.root]
        unit = tally.begin_root(share.root, detailed=False)
        if share.unit != tally.unit_of(unit):
            unit = tally.add_unit(share.unit.kind, share.unit.path)
        try:
            descriptor = reopen(share, root.path)
        except OSError as error:
            tally.add_problem("/".join([root.path, *share.way]), error)
            return
        device = share.identity[0]
        trusted = device not in self.untrusted and share.identity not in self.ground.careful
        plain = trusted and not tally.is_outside_packages(unit)
        sums = tally.sums(unit, device)
        place = Place(None, root.path, unit, sums, share.identity, [], plain=plain)
        for name in share.way:
            place = Place(place, name, unit, sums, share.identity, [], plain=plain)
        place.children = share.children
        self._enter(self.stack, place, descriptor)

    def _enter(self, stack: list[Place], place: Place, descriptor: int) -> None:
        """Put a directory that was listed on the stack if it has directories, else close it."""
        if not place.children:
            os.close(descriptor)
            return
        place.descriptor = descriptor
        if len(stack) >= self.max_open and place.parent and place.parent.may_lend_descriptor():
            place.borrow_descriptor(place.parent)
        stack.append(place)

    def list_below(self, parent: Place, name: str) -> Listing | OSError:
        """List a directory, and look at what is in it as far as that has to be; count nothing.

        Several threads may do so at once.
        """
        try:
            descriptor = os.open(parent.relative + name, OPEN_CHILD, dir_fd=parent.descriptor)
        except OSError as error:
            return error
        device = parent.identity[0] if parent.plain else None
        try:
            status = os.fstat(descriptor)
            plain = status.st_dev == device and status.st_ino not in self.apart
            if not plain:
                return list_all(descriptor, status)
            known = self.tally.listed[status.st_dev].states
            return list_plain(descriptor, status, known, has_subvolumes=self.ground.has_subvolumes)
        except BaseException:
            os.close(descriptor)
            raise

    def count_listing(self, parent: Place, name: str, listing: Listing | OSError) -> None:
        """Count what `list_below` found; one thread at a time may do so."""
        if isinstance(listing, OSError):
            self._add_unopened(parent, name, listing)
            return
        try:
            place = self._count_listed(parent, name, listing)
        except BaseException:
            os.close(listing.descriptor)
            raise
        self._enter(self.stack, place, listing.descriptor)

    def _count_listed(self, parent: Place, name: str, listing: Listing) -> Place:
        tally, unit, status = self.tally, parent.unit, listing.status
        if not listing.plain:
            return self._read_apart(parent, name, unit, listing.descriptor, status, listing)
        self.directories += 1
        identity = (status.st_dev, status.st_ino)
        place = Place(parent, name, unit, parent.sums, identity, listing.children, plain=True)
        tally.add_directory(unit, status)
        if listing.problem is not None:
            tally.add_problem(place.path, listing.problem)
        states, step = tally.listed[status.st_dev].states, tally.step_in(unit)
        for entry_name, number, found in listing.entries:
            if number in states:
                states[number] = step[states[number]]
                tally.links[tally.root] += 1
            elif isinstance(found, OSError):
                tally.add_problem(f"{place.path}/{entry_name}", found)
            elif found is not None:
                if (found.st_dev, found.st_ino) != (status.st_dev, number):
                    raise UntrustedDeviceError(status.st_dev)
                tally.add_file(unit, place.path, entry_name, listing.descriptor, found)
        return place

    def _read_below(  # noqa: C901, PLR0912, PLR0915  # inline: a call for each entry costs more
        self, stack: list[Place], end: int
    ) -> None:
        """Read the directories below those on the stack, as far as they are of one unit.

        It stops when so many directories as `end` were read in all.

        What stands here is done for each entry of every environment: it is the cost of a scan.
        Where a listing's numbers may not be taken as they are, `_read_apart` does it slowly.
        """
        tally, apart = self.tally, self.apart
        unit, sums = stack[-1].unit, stack[-1].sums
        table = tally.listed[stack[-1].identity[0]]
        states, step = table.states, tally.step_in(unit)
        first_state = step[0]
        state_of = states.get
        add_disk_bytes, add_apparent_bytes, add_link_count = (
            table.disk_bytes.append, table.apparent_bytes.append, table.link_counts.append
        )  # fmt: skip
        keeps_own, subvolumes = tally.keeps_own, self.ground.has_subvolumes
        limit = end - self.directories
        blocks = size = inodes = directory_blocks = directory_size = directories = linked = 0
        try:
            while stack and stack[-1].sums is sums and directories < limit:
                parent = stack[-1]
                if not parent.children:
                    stack.pop().close()
                    continue
                if self.on_progress is not None:
                    self.tell_progress(directories + inodes + linked)
                device = parent.identity[0] if parent.plain else None
                name = parent.children.pop()
                try:
                    descriptor = os.open(
                        parent.relative + name, OPEN_CHILD, dir_fd=parent.descriptor
                    )
                except OSError as error:
                    self._add_unopened(parent, name, error)
                    continue
                children: list[str] = []
                try:
                    status = os.fstat(descriptor)
                    if status.st_dev != device or status.st_ino in apart:
                        place = self._read_apart(parent, name, unit, descriptor, status)
                        self._enter(stack, place, descriptor)
                        continue
                    inode = status.st_ino
                    directory_blocks += status.st_blocks
                    directory_size += status.st_size
                    directories += 1
                    with os.scandir(descriptor) as entries:
                        for entry in entries:
                            number = entry.inode()
                            state = state_of(number)
                            if state is not None and not (
                                subvolumes and entry.is_dir(follow_symlinks=False)
                            ):
                                states[number] = step[state]
                                linked += 1
                                continue
                            try:
                                if entry.is_dir(follow_symlinks=False):
                                    children.append(entry.name)
                                    continue
                                status = entry.stat(follow_symlinks=False)
                            except OSError as error:
                                tally.add_problem(f"{parent.path}/{name}/{entry.name}", error)
                                continue
                            if status.st_ino != number or status.st_dev != device:
                                raise UntrustedDeviceError(parent.identity[0])  # noqa: TRY301
                            if keeps_own or entry.is_symlink():
                                path = f"{parent.path}/{name}"
                                tally.add_file(unit, path, entry.name, descriptor, status)
                            elif status.st_nlink > 1:
                                states[number] = first_state
                                add_disk_bytes(status.st_blocks * BLOCK_BYTES)
                                add_apparent_bytes(status.st_size)
                                add_link_count(status.st_nlink)
                                linked += 1
                            else:
                                blocks += status.st_blocks
                                size += status.st_size
                                inodes += 1
                except OSError as error:
                    tally.add_problem(f"{parent.path}/{name}", error)
                except BaseException:
                    os.close(descriptor)
                    raise
                if children:
                    identity = (parent.identity[0], inode)
                    place = Place(parent, name, unit, sums, identity, children, plain=True)
                    self._enter(stack, place, descriptor)
                else:
                    os.close(descriptor)
        finally:
            self.directories += directories
            tally.links[tally.root] += inodes + linked + directories
            sums.disk_bytes += (blocks + directory_blocks) * BLOCK_BYTES
            sums.apparent_bytes += size + directory_size
            sums.inodes += inodes + directories
            sums.directory_disk_bytes += directory_blocks * BLOCK_BYTES
            sums.directory_apparent_bytes += directory_size

    def _read_apart(
        self,
        parent: Place | None,
        name: str,
        unit: int,
        descriptor: int,
        status: os.stat_result,
        listing: Listing | None = None,
    ) -> Place:
        """Count a directory that begins something new: a root, a package, a device, a mount."""
        self.directories += 1
        tally, device = self.tally, status.st_dev
        identity = (device, status.st_ino)
        path = name if parent is None else f"{parent.path}/{name}"
        searching = tally.is_outside_packages(unit)
        counted_elsewhere = self._is_counted_elsewhere(identity, path, is_root=parent is None)
        if searching and parent is not None and not counted_elsewhere:
            kind = kind_of_directory(parent, name, descriptor)
            if kind is not UnitKind.OTHER:
                unit = tally.add_unit(kind, path)
                searching = False
        trusted = device not in self.untrusted and identity not in self.ground.careful
        plain = trusted and not searching and self.visited is None
        place = Place(parent, name, unit, tally.sums(unit, device), identity, [], plain=plain)
        if counted_elsewhere:
            if parent is not None and identity in self.ground.identities:
                tally.note_holding(unit)
            return place
        tally.add_directory(unit, status)
        if listing is None:
            listing = list_all(descriptor, status)
        if listing.problem is not None:
            tally.add_problem(path, listing.problem)
        self._count_all(listing, place, searching, device if trusted else None)
        return place

    def _is_counted_elsewhere(self, identity: tuple[int, int], path: str, *, is_root: bool) -> bool:
        """Tell whether a directory is another root, or was met before through another mount."""
        if not is_root and identity in self.ground.identities:
            return True
        if self.visited is None:
            return False
        if identity in self.visited:
            self.tally.add_repeated(path)
            return True
        self.visited.add(identity)
        return False

    def _add_unopened(self, parent: Place, name: str, error: OSError) -> None:
        """Count a directory that cannot be opened as far as its parent lets it be seen."""
        tally = self.tally
        path = f"{parent.path}/{name}"
        if isinstance(error, GONE):
            tally.add_problem(path, error)
            return
        try:
            relative = parent.relative + name
            status = os.stat(relative, dir_fd=parent.descriptor, follow_symlinks=False)
        except OSError as stat_error:
            tally.add_problem(path, stat_error)
            return
        if not stat.S_ISDIR(status.st_mode):
            tally.add_problem(path, FileNotFoundError(error.errno, "replaced while scanning"))
        elif (status.st_dev, status.st_ino) in self.ground.identities:
            tally.note_holding(parent.unit)
        else:
            tally.add_problem(path, error)
            tally.add_directory(parent.unit, status)

    def _count_all(
        self, listing: Listing, place: Place, searching: bool, check_device: int | None
    ) -> None:
        """Count the entries of a directory that were all looked at; note the directories in it.

        Args:
            listing: The entries.
            place: The directory; its `children` are filled in.
            searching: Whether a tarball or the like gets a unit of its own here.
            check_device: If given, the numbers of the listing are checked against `stat`.

        """
        tally, directory = self.tally, place.path
        for name, number, status in sorted(listing.entries, key=itemgetter(0)):
            if status is None or isinstance(status, OSError):
                if status is not None:
                    tally.add_problem(f"{directory}/{name}", status)
                continue
            if stat.S_ISDIR(status.st_mode):
                place.children.append(name)
                continue
            if check_device is not None and (status.st_dev, status.st_ino) != (
                check_device,
                number,
            ):
                raise UntrustedDeviceError(check_device)
            unit = place.unit
            kind = kind_of_file(place, name) if searching else UnitKind.OTHER
            if kind is not UnitKind.OTHER:
                unit = tally.add_unit(kind, f"{directory}/{name}")
            mounts = self.ground.mounted_files[status.st_dev, status.st_ino]
            tally.add_file(unit, directory, name, listing.descriptor, status, mounts=mounts)

    def tell_progress(self, links_uncounted: int) -> None:
        """Tell how many entries were read, if there are many more than when it was told last."""
        links = sum(self.tally.links) + links_uncounted
        if self.on_progress is not None and links >= self.links_told + _LINKS_PER_PROGRESS:
            self.links_told = links
            self.on_progress(links)
