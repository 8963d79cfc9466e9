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
from operator import attrgetter
from typing import TYPE_CHECKING

from .inventory import (
    EscapingSymlink,
    Inventory,
    MultiLinkTable,
    OwnFile,
    PrivateSums,
    Problem,
    ProblemKind,
    Root,
    RootKind,
    Unit,
    UnitKind,
)
from .mounts import MountTable, read_mount_table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

TARBALL_SUFFIXES = (".conda", ".tar.bz2")
BLOCK_BYTES = 512
SUPPORTED = os.scandir in os.supports_fd and os.open in os.supports_dir_fd

_OPEN_ROOT = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN_CHILD = _OPEN_ROOT | getattr(os, "O_NOFOLLOW", 0)
_LINKS_PER_PROGRESS = 5000
_MAX_OPEN_DIRECTORIES = 200
_GONE = (FileNotFoundError, NotADirectoryError)


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
    ordered = sorted(roots, key=lambda root: root.kind is not RootKind.CACHE)
    untrusted: set[int] = set()
    collecting = gc.isenabled()
    gc.disable()
    try:
        while True:
            try:
                return _Scan(ordered, detailed, mounts, untrusted, on_progress).run()
            except UntrustedDeviceError as error:
                untrusted.add(error.device)
    finally:
        if collecting:
            gc.enable()


class _Place:
    """A directory whose own directories are still to be read.

    Attributes:
        descriptor: Opens the directory itself while `relative` is empty. So deep down that keeping
            every level open would exhaust the descriptors it is borrowed from an ancestor, below
            which `relative` leads here.
        unit: The unit that its content belongs to.
        device: Its `st_dev`.
        sums: Where its single-link inodes are added up.
        plain: Its entries' inode numbers are trusted, and it does not belong to the part of a
            cache in which packages are still looked for.
        children: Names of the directories in it that are still to be read.

    """

    __slots__ = (
        "children", "descriptor", "device", "name", "parent", "plain", "relative", "sums", "unit",
    )  # fmt: skip

    def __init__(self, parent: _Place | None, name: str, unit: int) -> None:
        self.parent = parent
        self.name = name
        self.unit = unit
        self.descriptor = -1
        self.relative = ""
        self.device = -1
        self.sums = PrivateSums()
        self.plain = False
        self.children: list[str] = []

    @property
    def path(self) -> str:
        names = []
        place: _Place | None = self
        while place is not None:
            names.append(place.name)
            place = place.parent
        return "/".join(reversed(names))

    def child(self, name: str, descriptor: int, children: list[str]) -> _Place:
        place = _Place(self, name, self.unit)
        place.descriptor, place.device, place.sums = descriptor, self.device, self.sums
        place.plain, place.children = self.plain, children
        return place

    def borrow_descriptor(self) -> None:
        assert self.parent is not None
        os.close(self.descriptor)
        self.descriptor = self.parent.descriptor
        self.relative = f"{self.parent.relative}{self.name}/"

    def close(self) -> None:
        if not self.relative:
            os.close(self.descriptor)


class _Scan:
    """One pass over the roots. Holds what is known so far; `run` returns it as an inventory."""

    def __init__(
        self,
        roots: Sequence[Root],
        detailed: Collection[str],
        mounts: MountTable,
        untrusted: Collection[int],
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self.detailed = detailed
        self.mounts = mounts
        self.untrusted = untrusted
        self.on_progress = on_progress
        self.problems: list[Problem] = []
        self.aliases: dict[str, str] = {}
        self.roots: list[Root] = []
        self.root_identities: dict[tuple[int, int], int] = {}
        for root in roots:
            self._add_root(root)
        self.root_devices = [-1] * len(self.roots)
        self.links = [0] * len(self.roots)
        self.units: list[Unit] = []
        self.private: dict[tuple[int, int], PrivateSums] = {}
        self.table = MultiLinkTable()
        self.devices: list[int] = []
        self.device_indexes: dict[int, int] = {}
        # By device: inode number to row. `listed` holds what a directory listing may be trusted
        # to name; symbolic links that lead elsewhere are only in `others`, so that each of their
        # places is looked at.
        self.listed: dict[int, dict[int, int]] = {}
        self.others: dict[tuple[int, int], int] = {}
        self.records: dict[int, frozenset[str]] = {}
        self.symlinks: list[EscapingSymlink] = []
        self.own_files: dict[int, list[OwnFile]] = {}
        self.careful_directories = self._directories_with_mounted_files()
        self.apart = {
            number for _, number in (*self.root_identities, *self.careful_directories)
        }
        below_roots = any(mounts.below(os.path.realpath(root.path)) for root in self.roots)
        self.visited: set[tuple[int, int]] | None = (
            set() if below_roots or not mounts.known else None
        )
        self.links_told = 0
        self.root = 0
        self.in_cache = False
        self.presence = bytearray()
        self.own: list[OwnFile] | None = None

    def run(self) -> Inventory:
        for index in range(len(self.roots)):
            self._scan_root(index)
        rows = len(self.table)
        for presence in self.table.presence:
            presence.extend(bytes(rows - len(presence)))
        return Inventory(
            roots=tuple(self.roots),
            root_devices=tuple(self.root_devices),
            links=tuple(self.links),
            units=tuple(self.units),
            private=self.private,
            multilink=self.table,
            devices=tuple(self.devices),
            records=self.records,
            symlinks=tuple(self.symlinks),
            own_files=self.own_files,
            problems=tuple(self.problems),
            aliases=self.aliases,
        )

    def _add_root(self, root: Root) -> None:
        try:
            status = os.stat(root.path)
        except OSError:
            self.roots.append(root)
            return
        identity = (status.st_dev, status.st_ino)
        known = self.root_identities.setdefault(identity, len(self.roots))
        if known == len(self.roots):
            self.roots.append(root)
        elif self.roots[known].path != root.path:
            self.aliases[root.path] = self.roots[known].path

    def _directories_with_mounted_files(self) -> set[tuple[int, int]]:
        """Return the identity of each directory in which a mount covers a file.

        The listing of such a directory names the covered inode, which is not what is seen there.
        """
        found = set()
        for mount in self.mounts.mounts:
            try:
                if not stat.S_ISDIR(os.lstat(mount.mount_point).st_mode):
                    status = os.stat(os.path.dirname(mount.mount_point))
                    found.add((status.st_dev, status.st_ino))
            except OSError:
                continue
        return found

    def _scan_root(self, index: int) -> None:
        root = self.roots[index]
        self.root = index
        self.in_cache = root.kind is RootKind.CACHE
        self.presence = bytearray(len(self.table))
        self.table.presence.append(self.presence)
        unit = self._add_unit(
            UnitKind.OTHER if self.in_cache else UnitKind.ENVIRONMENT, root.path
        )
        self.own = self.own_files.setdefault(index, []) if root.path in self.detailed else None
        top = _Place(None, root.path, unit)
        try:
            top.descriptor = os.open(root.path, _OPEN_ROOT)
        except OSError as error:
            self._problem(root.path, error)
            with contextlib.suppress(OSError):
                self._add_directory(unit, os.stat(root.path))
            return
        stack = [top]
        try:
            status = os.fstat(top.descriptor)
            self.root_devices[index] = self._device_index(status.st_dev)
            self._read_apart(top, top.descriptor, status)
            self._walk(stack)
        finally:
            for place in stack:
                place.close()
        if not self.in_cache:
            self._note_records(root.path)

    def _walk(self, stack: list[_Place]) -> None:
        """Read every directory below those on the stack, innermost first."""
        while stack:
            place = self._read_children(stack[-1])
            if place is None:
                stack.pop().close()
                continue
            if len(stack) >= _MAX_OPEN_DIRECTORIES:
                place.borrow_descriptor()
            stack.append(place)

    def _read_children(self, parent: _Place) -> _Place | None:
        """Read the directories in one, until one of them has directories of its own: return that.

        What stands here is done for each entry of every environment: it is the cost of a scan.
        Where a listing's numbers may not be taken as they are, `_read_apart` does it slowly.
        """
        if self.on_progress is not None:
            self._tell_progress()
        device = parent.device if parent.plain else None
        row_of = self.listed[parent.device].get
        presence, links_seen = self.presence, self.table.links_seen
        names, apart, unit, in_cache = parent.children, self.apart, parent.unit, self.in_cache
        keep_own = self.own is not None
        blocks = size = inodes = directory_blocks = directory_size = directories = linked = 0
        children: list[str] = []
        try:
            while names:
                name = names.pop()
                try:
                    descriptor = os.open(
                        parent.relative + name, _OPEN_CHILD, dir_fd=parent.descriptor
                    )
                except OSError as error:
                    self._add_unopened(parent, name, error)
                    continue
                try:
                    status = os.fstat(descriptor)
                    if status.st_dev != device or status.st_ino in apart:
                        place = _Place(parent, name, unit)
                        self._read_apart(place, descriptor, status)
                        if place.children:
                            place.descriptor = descriptor
                            return place
                        os.close(descriptor)
                        continue
                    directory_blocks += status.st_blocks
                    directory_size += status.st_size
                    directories += 1
                    with os.scandir(descriptor) as entries:
                        for entry in entries:
                            number = entry.inode()
                            row = row_of(number)
                            if row is not None:
                                links_seen[row] += 1
                                presence[row] = 1
                                linked += 1
                                if in_cache:
                                    self._note_cache_unit(row, unit)
                                continue
                            try:
                                if entry.is_dir(follow_symlinks=False):
                                    children.append(entry.name)
                                    continue
                                status = entry.stat(follow_symlinks=False)
                            except OSError as error:
                                self._problem(f"{parent.path}/{name}/{entry.name}", error)
                                continue
                            if status.st_ino != number or status.st_dev != device:
                                raise UntrustedDeviceError(device)
                            if keep_own or entry.is_symlink():
                                place = _Place(parent, name, unit)
                                self._add_file(descriptor, place, entry.name, status)
                            elif status.st_nlink > 1:
                                self._add_row(status, unit, listed=True)
                                linked += 1
                            else:
                                blocks += status.st_blocks
                                size += status.st_size
                                inodes += 1
                except OSError as error:
                    self._problem(f"{parent.path}/{name}", error)
                except BaseException:
                    os.close(descriptor)
                    raise
                if children:
                    return parent.child(name, descriptor, children)
                os.close(descriptor)
        finally:
            self.links[self.root] += inodes + linked + directories
            sums = parent.sums
            sums.disk_bytes += (blocks + directory_blocks) * BLOCK_BYTES
            sums.apparent_bytes += size + directory_size
            sums.inodes += inodes + directories
            sums.directory_disk_bytes += directory_blocks * BLOCK_BYTES
            sums.directory_apparent_bytes += directory_size
        return None

    def _read_apart(self, place: _Place, descriptor: int, status: os.stat_result) -> None:
        """Count a directory that begins something new: a root, a package, a device, a mount."""
        parent, device = place.parent, status.st_dev
        identity = (device, status.st_ino)
        if parent is not None and identity in self.root_identities:
            return
        if self.visited is not None:
            if identity in self.visited:
                self.problems.append(
                    Problem(ProblemKind.REPEATED, self.root, place.path, "seen before, by a mount")
                )
                return
            self.visited.add(identity)
        searching = self.in_cache and self.units[place.unit].kind is UnitKind.OTHER
        if searching and parent is not None and _is_package(descriptor):
            place.unit = self._add_unit(UnitKind.PACKAGE, place.path)
            searching = False
        self._device_index(device)
        place.device = device
        place.sums = self._sums(place.unit, device)
        trusted = device not in self.untrusted and identity not in self.careful_directories
        place.plain = trusted and not searching and self.visited is None
        self._add_directory(place.unit, status)
        try:
            self._list_with_stat(descriptor, place, searching, device if trusted else None)
        except OSError as error:
            self._problem(place.path, error)

    def _add_unopened(self, parent: _Place, name: str, error: OSError) -> None:
        """Count a directory that cannot be opened as far as its parent lets it be seen."""
        path = f"{parent.path}/{name}"
        if isinstance(error, _GONE):
            self._problem(path, error)
            return
        try:
            relative = parent.relative + name
            status = os.stat(relative, dir_fd=parent.descriptor, follow_symlinks=False)
        except OSError as stat_error:
            self._problem(path, stat_error)
            return
        if not stat.S_ISDIR(status.st_mode):
            self._problem(path, FileNotFoundError(error.errno, "replaced while scanning"))
        elif (status.st_dev, status.st_ino) not in self.root_identities:
            self._problem(path, error)
            self._add_directory(parent.unit, status)

    def _list_with_stat(
        self, descriptor: int, place: _Place, searching: bool, check_device: int | None
    ) -> None:
        """Count the entries of a directory with a `stat` for each; note the directories in it.

        Args:
            descriptor: Opens the directory.
            place: The directory; its `children` are filled in.
            searching: Whether a tarball here gets a unit of its own.
            check_device: If given, the numbers of the listing are checked against `stat`.

        """
        with os.scandir(descriptor) as entries:
            for entry in sorted(entries, key=attrgetter("name")):
                name = entry.name
                try:
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                except OSError as error:
                    self._problem(f"{place.path}/{name}", error)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    place.children.append(name)
                    continue
                if check_device is not None and (
                    status.st_dev != check_device or status.st_ino != entry.inode()
                ):
                    raise UntrustedDeviceError(check_device)
                owner = place
                if searching and name.endswith(TARBALL_SUFFIXES):
                    tarball = self._add_unit(UnitKind.TARBALL, f"{place.path}/{name}")
                    owner = _Place(place.parent, place.name, tarball)
                self._add_file(descriptor, owner, name, status)

    def _add_file(
        self, descriptor: int, place: _Place, name: str, status: os.stat_result
    ) -> None:
        """Count one entry that is not a directory, from its `stat`."""
        self.links[self.root] += 1
        escaping = False
        if stat.S_ISLNK(status.st_mode) and (status.st_nlink > 1 or not self.in_cache):
            escaping = self._note_symlink(descriptor, place, name)
        if status.st_nlink == 1:
            sums = self._sums(place.unit, status.st_dev)
            sums.disk_bytes += status.st_blocks * BLOCK_BYTES
            sums.apparent_bytes += status.st_size
            sums.inodes += 1
            row = -1
        elif (known := self._row_of(status)) is None:
            row = self._add_row(status, place.unit, listed=not escaping)
        else:
            self.table.links_seen[known] += 1
            self.presence[known] = 1
            if self.in_cache:
                self._note_cache_unit(known, place.unit)
            return
        if self.own is not None:
            relative = f"{place.path}/{name}"[len(self.roots[self.root].path) + 1 :]
            blocks = status.st_blocks * BLOCK_BYTES
            self.own.append(OwnFile(relative, blocks, status.st_size, row))

    def _row_of(self, status: os.stat_result) -> int | None:
        """Return the row of an inode with several links, `None` if it was not met before."""
        device, number = status.st_dev, status.st_ino
        self._device_index(device)
        row = self.listed[device].get(number)
        return self.others.get((device, number)) if row is None else row

    def _add_row(self, status: os.stat_result, unit: int, *, listed: bool) -> int:
        """Add an inode with several links, met for the first time; return its row."""
        table, device = self.table, status.st_dev
        row = len(table.links_seen)
        if listed:
            self.listed[device][status.st_ino] = row
        else:
            self.others[device, status.st_ino] = row
        table.links_seen.append(1)
        table.disk_bytes.append(status.st_blocks * BLOCK_BYTES)
        table.apparent_bytes.append(status.st_size)
        table.link_count.append(status.st_nlink)
        table.cache_unit.append(unit if self.in_cache else -1)
        table.device.append(self.device_indexes[device])
        self.presence.append(1)
        return row

    def _note_cache_unit(self, row: int, unit: int) -> None:
        first = self.table.cache_unit[row]
        if first != unit:
            self.table.more_cache_units.setdefault(row, {first}).add(unit)

    def _note_symlink(self, descriptor: int, place: _Place, name: str) -> bool:
        """Note a symbolic link that leads out of its tree; tell whether it does."""
        try:
            target = os.readlink(name, dir_fd=descriptor)
        except OSError as error:
            self._problem(f"{place.path}/{name}", error)
            return True
        tree = self.units[place.unit].path if self.in_cache else self.roots[self.root].path
        if not escapes(target, place.path[len(tree) + 1 :]):
            return False
        if not self.in_cache:
            path = f"{place.path}/{name}"
            self.symlinks.append(EscapingSymlink(self.root, path, target))
        return True

    def _note_records(self, prefix: str) -> None:
        names: list[str] = []
        with contextlib.suppress(OSError):  # noted by the walk
            names = os.listdir(f"{prefix}/conda-meta")
        self.records[self.root] = frozenset(name for name in names if name.endswith(".json"))

    def _add_directory(self, unit: int, status: os.stat_result) -> PrivateSums:
        sums = self._sums(unit, status.st_dev)
        disk_bytes = status.st_blocks * BLOCK_BYTES
        sums.disk_bytes += disk_bytes
        sums.apparent_bytes += status.st_size
        sums.inodes += 1
        sums.directory_disk_bytes += disk_bytes
        sums.directory_apparent_bytes += status.st_size
        self.links[self.root] += 1
        return sums

    def _add_unit(self, kind: UnitKind, path: str) -> int:
        self.units.append(Unit(kind, self.root, path))
        return len(self.units) - 1

    def _sums(self, unit: int, device: int) -> PrivateSums:
        key = (unit, self._device_index(device))
        sums = self.private.get(key)
        if sums is None:
            sums = self.private[key] = PrivateSums()
        return sums

    def _device_index(self, device: int) -> int:
        index = self.device_indexes.get(device)
        if index is None:
            index = self.device_indexes[device] = len(self.devices)
            self.devices.append(device)
            self.listed[device] = {}
        return index

    def _tell_progress(self) -> None:
        links = sum(self.links)
        if self.on_progress is not None and links >= self.links_told + _LINKS_PER_PROGRESS:
            self.links_told = links
            self.on_progress(links)

    def _problem(self, path: str, error: OSError) -> None:
        kind = ProblemKind.VANISHED if isinstance(error, _GONE) else ProblemKind.UNREADABLE
        reason = error.strerror or str(error)
        self.problems.append(Problem(kind, self.root, path, reason))


def escapes(target: str, directory: str) -> bool:
    """Tell whether a symbolic link's text leads out of its tree, judged by its text alone.

    Args:
        target: What `readlink` gives.
        directory: Where the link lies, relative to the top of the tree; `""` for the top itself.

    """
    if target.startswith("/"):
        return True
    depth = directory.count("/") + 1 if directory else 0
    for component in target.split("/"):
        if component == "..":
            depth -= 1
            if depth < 0:
                return True
        elif component not in ("", "."):
            depth += 1
    return False


def _is_package(descriptor: int) -> bool:
    """Tell whether the open directory is an extracted package (has `info/index.json`)."""
    try:
        status = os.stat("info/index.json", dir_fd=descriptor, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode)
