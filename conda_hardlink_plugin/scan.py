"""Roots to inventory: every directory below the roots is read once.

The kernel tells the inode number of an entry when it lists the directory (`d_ino`), so an inode
already met on the same device needs no `stat`: with caches first, most entries of an environment
cost nothing more. `stat` results are checked against those numbers on the way; a device whose
numbers do not hold (overlayfs with `xino=off`) is read again with a `stat` for every entry.
"""

from __future__ import annotations

import contextlib
import gc
import os
import stat
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from .inventory import Root, RootKind, UnitKind
from .kinds import kind_of_directory, kind_of_file
from .mounts import SUBVOLUME_FILESYSTEMS, MountTable, read_mount_table, real_path
from .place import Place
from .tally import BLOCK_BYTES, GONE, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from .inventory import Inventory

SUPPORTED = os.scandir in os.supports_fd and os.open in os.supports_dir_fd

_OPEN_ROOT = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN_CHILD = _OPEN_ROOT | getattr(os, "O_NOFOLLOW", 0)
_LINKS_PER_PROGRESS = 5000
_MAX_OPEN_DIRECTORIES = 200


class UntrustedDeviceError(Exception):
    """The inode numbers in directory listings of a device are not those of its files.

    Attributes:
        device: The `st_dev` of the directories on it.

    """

    def __init__(self, device: int) -> None:
        """Name the device by its `st_dev`."""
        super().__init__(f"device {device} lists other inode numbers than it holds")
        self.device = device


def scan(
    roots: Iterable[Root],
    *,
    detailed: Collection[str] = (),
    mounts: MountTable | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Inventory:
    """Read every directory below the roots and return what is there.

    Nothing is written and nothing is followed out of a root. A root that lies inside another one
    is counted for itself alone; one that is the same directory as an earlier one is an alias.

    Args:
        roots: Package caches and prefixes. Caches are read first, whatever their place.
        detailed: Paths of roots whose own files are to be kept one by one (`own_files`).
        mounts: The mounts of this process; read from the system when not given.
        on_progress: Called now and then with the number of entries read so far.

    Returns:
        The inventory. What could not be read is in its `problems`.

    """
    mounts = read_mount_table() if mounts is None else mounts
    ordered = sorted(dict.fromkeys(roots), key=lambda root: root.kind is not RootKind.CACHE)
    untrusted: set[int] = set()
    collecting = gc.isenabled()
    gc.disable()
    try:
        while True:
            try:
                return _Walk(ordered, detailed, mounts, untrusted, on_progress).run()
            except UntrustedDeviceError as error:  # noqa: PERF203  # once a device
                untrusted.add(error.device)
    finally:
        if collecting:
            gc.enable()


class _Walk:
    """One pass over the roots."""

    def __init__(
        self,
        roots: Sequence[Root],
        detailed: Collection[str],
        mounts: MountTable,
        untrusted: Collection[int],
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self.detailed = detailed
        self.untrusted = untrusted
        self.on_progress = on_progress
        self.links_told = 0
        self.max_open = _open_directories_allowed()
        self.aliases: dict[str, str] = {}
        self.root_identities: dict[tuple[int, int], str] = {}
        self.unknown: dict[str, OSError] = {}
        self.tally = Tally([root for root in roots if self._is_new(root)], mounts)
        mounted_files = [
            mount.mount_point for mount in mounts.mounts if not os.path.isdir(mount.mount_point)
        ]
        # The listing of a directory in which a mount covers a file names the covered inode.
        self.careful = set(_identities(os.path.dirname(path) for path in mounted_files))
        self.mounted_files = Counter(_identities(mounted_files))
        self.apart = {number for _, number in (*self.root_identities, *self.careful)}
        self.subvolumes = _may_have_subvolumes(self.tally.roots, mounts)
        self.visited: set[tuple[int, int]] | None = None
        if not mounts.known or self._may_meet_twice(mounts):
            self.visited = set()

    def run(self) -> Inventory:
        for index, root in enumerate(self.tally.roots):
            self._read_root(index, root)
        return self.tally.inventory(self.aliases)

    def _is_new(self, root: Root) -> bool:
        """Tell whether a root is not the same directory as an earlier one.

        One of which that cannot be told is not read: it could be counted twice.
        """
        try:
            status = os.stat(root.path)
        except OSError as error:
            if not isinstance(error, GONE):
                self.unknown[root.path] = error
            return True
        identity = (status.st_dev, status.st_ino)
        known = self.root_identities.get(identity)
        if known is None:
            self.root_identities[identity] = root.path
        elif known != root.path:
            self.aliases[root.path] = known
        return known is None

    def _may_meet_twice(self, mounts: MountTable) -> bool:
        """Tell whether a mount inside a root may show a directory that is also elsewhere."""
        paths = [real_path(root.path) for root in self.tally.roots]
        return None in paths or any(
            _identity(mount_point) not in self.root_identities
            for path in paths
            for mount_point in mounts.below(path or "/")
        )

    def _read_root(self, index: int, root: Root) -> None:
        tally = self.tally
        unit = tally.begin_root(index, detailed=root.path in self.detailed)
        try:
            if root.path in self.unknown:
                raise self.unknown[root.path]
            descriptor = os.open(root.path, _OPEN_ROOT)
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
        stack: list[Place] = []
        self._enter(stack, top, descriptor)
        try:
            while stack:
                self._read_below(stack)
        finally:
            for place in stack:
                place.close()
        tally.end_root()
        if not tally.in_cache:
            try:
                tally.note_records(os.listdir(f"{root.path}/conda-meta"))
            except OSError:  # without records it counts as not looked at
                if not os.path.lexists(root.path):  # it was removed meanwhile
                    tally.note_records(())

    def _enter(self, stack: list[Place], place: Place, descriptor: int) -> None:
        """Put a directory that was listed on the stack if it has directories, else close it."""
        if not place.children:
            os.close(descriptor)
            return
        place.descriptor = descriptor
        if len(stack) >= self.max_open and stack[-1].may_lend_descriptor():
            place.borrow_descriptor(stack[-1])
        stack.append(place)

    def _read_below(  # noqa: C901, PLR0912, PLR0915  # inline: a call for each entry costs more
        self, stack: list[Place]
    ) -> None:
        """Read the directories below those on the stack, as far as they are of one unit.

        What stands here is done for each entry of every environment: it is the cost of a scan.
        Where a listing's numbers may not be taken as they are, `_read_apart` does it slowly.
        """
        tally, apart = self.tally, self.apart
        unit, sums = stack[-1].unit, stack[-1].sums
        table = tally.listed[stack[-1].device]
        states, step = table.states, tally.step_in(unit)
        first_state = step[0]
        state_of = states.get
        add_disk_bytes, add_apparent_bytes, add_link_count = (
            table.disk_bytes.append, table.apparent_bytes.append, table.link_counts.append
        )  # fmt: skip
        keeps_own, subvolumes = tally.keeps_own, self.subvolumes
        blocks = size = inodes = directory_blocks = directory_size = directories = linked = 0
        try:
            while stack and stack[-1].sums is sums:
                parent = stack[-1]
                if not parent.children:
                    stack.pop().close()
                    continue
                if self.on_progress is not None:
                    self._tell_progress(directories + inodes + linked)
                device = parent.device if parent.plain else None
                name = parent.children.pop()
                try:
                    descriptor = os.open(
                        parent.relative + name, _OPEN_CHILD, dir_fd=parent.descriptor
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
                                raise UntrustedDeviceError(parent.device)  # noqa: TRY301
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
                    place = Place(parent, name, unit, sums, parent.device, children, plain=True)
                    self._enter(stack, place, descriptor)
                else:
                    os.close(descriptor)
        finally:
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
    ) -> Place:
        """Count a directory that begins something new: a root, a package, a device, a mount."""
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
        trusted = device not in self.untrusted and identity not in self.careful
        plain = trusted and not searching and self.visited is None
        place = Place(parent, name, unit, tally.sums(unit, device), device, [], plain=plain)
        if counted_elsewhere:
            if parent is not None and identity in self.root_identities:
                tally.note_holding(unit)
            return place
        tally.add_directory(unit, status)
        try:
            self._list_with_stat(descriptor, place, searching, device if trusted else None)
        except OSError as error:
            tally.add_problem(path, error)
        return place

    def _is_counted_elsewhere(self, identity: tuple[int, int], path: str, *, is_root: bool) -> bool:
        """Tell whether a directory is another root, or was met before through another mount."""
        if not is_root and identity in self.root_identities:
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
        elif (status.st_dev, status.st_ino) in self.root_identities:
            tally.note_holding(parent.unit)
        else:
            tally.add_problem(path, error)
            tally.add_directory(parent.unit, status)

    def _list_with_stat(
        self, descriptor: int, place: Place, searching: bool, check_device: int | None
    ) -> None:
        """Count the entries of a directory with a `stat` for each; note the directories in it.

        Args:
            descriptor: Opens the directory.
            place: The directory; its `children` are filled in.
            searching: Whether a tarball or the like gets a unit of its own here.
            check_device: If given, the numbers of the listing are checked against `stat`.

        """
        tally, directory = self.tally, place.path
        with os.scandir(descriptor) as entries:
            for entry in sorted(entries, key=attrgetter("name")):
                name = entry.name
                try:
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                except OSError as error:
                    tally.add_problem(f"{directory}/{name}", error)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    place.children.append(name)
                    continue
                if check_device is not None and (
                    status.st_dev != check_device or status.st_ino != entry.inode()
                ):
                    raise UntrustedDeviceError(check_device)
                unit = place.unit
                kind = kind_of_file(place, name) if searching else UnitKind.OTHER
                if kind is not UnitKind.OTHER:
                    unit = tally.add_unit(kind, f"{directory}/{name}")
                mounts = self.mounted_files[status.st_dev, status.st_ino]
                tally.add_file(unit, directory, name, descriptor, status, mounts=mounts)

    def _tell_progress(self, links_uncounted: int) -> None:
        links = sum(self.tally.links) + links_uncounted
        if self.on_progress is not None and links >= self.links_told + _LINKS_PER_PROGRESS:
            self.links_told = links
            self.on_progress(links)


def _open_directories_allowed() -> int:
    """Return how many directories may be kept open: a part of what the process is allowed."""
    allowed = os.sysconf("SC_OPEN_MAX")  # negative where there is no limit
    return min(_MAX_OPEN_DIRECTORIES, allowed // 4) if allowed > 0 else _MAX_OPEN_DIRECTORIES


def _may_have_subvolumes(roots: Iterable[Root], mounts: MountTable) -> bool:
    """Tell whether a directory may be listed with the inode number of some file beside it."""
    paths = {real_path(root.path) for root in roots}
    filesystems = {mounts.filesystem(path) for path in paths if path is not None}
    return not mounts.known or None in paths or not filesystems.isdisjoint(SUBVOLUME_FILESYSTEMS)


def _identities(paths: Iterable[str]) -> list[tuple[int, int]]:
    """Return the identity of each of the paths that lead somewhere."""
    return [identity for path in paths if (identity := _identity(path))]


def _identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of what the path leads to, `None` if it leads nowhere."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
