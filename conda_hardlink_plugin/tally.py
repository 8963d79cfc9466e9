"""What a scan has found so far, entry by entry."""

from __future__ import annotations

import os
import stat
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

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

BLOCK_BYTES = 512  # the unit of st_blocks, stat(3type)
GONE = (FileNotFoundError, NotADirectoryError)


class Tally:
    """Counts entries root by root, and hands over the inventory in the end.

    Attributes:
        roots: The roots; `begin_root` makes one of them the current one.
        root: Index of the current root.
        in_cache: The current root is a package cache.
        links: Entries counted in each root.
        table: The inodes with several links.
        presence: The current root's presence string.
        listed: For each device, inode number to row: what the listing of a directory may be
            trusted to name. Symbolic links that lead out of their tree are not in it, so that
            each of their places is looked at.
        keeps_own: The current root's own files are kept one by one.

    """

    def __init__(self, roots: Sequence[Root]) -> None:
        """Begin with nothing found."""
        self.roots = roots
        self.root = 0
        self.in_cache = False
        self.links = [0] * len(roots)
        self.table = MultiLinkTable()
        self.presence = bytearray()
        self.listed: dict[int, dict[int, int]] = {}
        self.keeps_own = False
        self._escaping_rows: dict[tuple[int, int], int] = {}
        self._root_devices = [-1] * len(roots)
        self._units: list[Unit] = []
        self._private: dict[tuple[int, int], PrivateSums] = {}
        self._devices: dict[int, int] = {}
        self._records: dict[int, frozenset[str]] = {}
        self._symlinks: list[EscapingSymlink] = []
        self._own_files: dict[int, list[OwnFile]] = {}
        self._problems: list[Problem] = []

    def inventory(self, aliases: dict[str, str]) -> Inventory:
        """Return what was found; nothing may be counted afterwards."""
        rows = len(self.table)
        for presence in self.table.presence:
            presence.extend(bytes(rows - len(presence)))
        return Inventory(
            roots=tuple(self.roots),
            root_devices=tuple(self._root_devices),
            links=tuple(self.links),
            units=tuple(self._units),
            private=self._private,
            multilink=self.table,
            devices=tuple(self._devices),
            records=self._records,
            symlinks=tuple(self._symlinks),
            own_files=self._own_files,
            problems=tuple(self._problems),
            aliases=aliases,
        )

    def begin_root(self, root: int, *, detailed: bool) -> int:
        """Make a root the current one; return the unit for what is not a unit of its own in it."""
        self.root = root
        self.in_cache = self.roots[root].kind is RootKind.CACHE
        self.presence = bytearray(len(self.table))
        self.table.presence.append(self.presence)
        self.keeps_own = detailed
        if detailed:
            self._own_files[root] = []
        kind = UnitKind.OTHER if self.in_cache else UnitKind.ENVIRONMENT
        return self.add_unit(kind, self.roots[root].path)

    def note_root_device(self, device: int) -> None:
        """Note the `st_dev` of the current root."""
        self._root_devices[self.root] = self.device_index(device)

    def note_records(self, names: Collection[str]) -> None:
        """Note the names of the files in the current environment's `conda-meta`."""
        self._records[self.root] = frozenset(name for name in names if name.endswith(".json"))

    def add_file(
        self, unit: int, directory: str, name: str, descriptor: int, status: os.stat_result
    ) -> None:
        """Count one entry that is not a directory.

        Args:
            unit: What it belongs to.
            directory: Absolute path of its directory.
            name: Its name there.
            descriptor: Opens the directory.
            status: Its `lstat`.

        """
        self.links[self.root] += 1
        escaping = False
        if stat.S_ISLNK(status.st_mode) and (status.st_nlink > 1 or not self.in_cache):
            escaping = self._note_symlink(unit, directory, name, descriptor)
        row = -1
        if status.st_nlink == 1:
            sums = self.sums(unit, status.st_dev)
            sums.disk_bytes += status.st_blocks * BLOCK_BYTES
            sums.apparent_bytes += status.st_size
            sums.inodes += 1
        elif (known := self._row_of(status)) is None:
            row = self._add_row(status, unit, listed=not escaping)
        else:
            self.table.links_seen[known] += 1
            self.presence[known] = 1
            if self.in_cache:
                self.note_cache_unit(known, unit)
            return
        if self.keeps_own:
            relative = f"{directory}/{name}"[len(self.roots[self.root].path) + 1 :]
            disk_bytes = status.st_blocks * BLOCK_BYTES
            file = OwnFile(relative, disk_bytes, status.st_size, row)
            self._own_files[self.root].append(file)

    def add_directory(self, unit: int, status: os.stat_result) -> None:
        """Count a directory itself, from its `stat`."""
        sums = self.sums(unit, status.st_dev)
        disk_bytes = status.st_blocks * BLOCK_BYTES
        sums.disk_bytes += disk_bytes
        sums.apparent_bytes += status.st_size
        sums.inodes += 1
        sums.directory_disk_bytes += disk_bytes
        sums.directory_apparent_bytes += status.st_size
        self.links[self.root] += 1

    def add_unit(self, kind: UnitKind, path: str) -> int:
        """Add a unit to the current root; return its index."""
        self._units.append(Unit(kind, self.root, path))
        return len(self._units) - 1

    def is_outside_packages(self, unit: int) -> bool:
        """Tell whether the unit is the part of a cache in which packages are still looked for."""
        return self._units[unit].kind is UnitKind.OTHER

    def add_problem(self, path: str, error: OSError) -> None:
        """Note a path that could not be counted: gone by now, or unreadable."""
        kind = ProblemKind.VANISHED if isinstance(error, GONE) else ProblemKind.UNREADABLE
        reason = error.strerror or str(error)
        self._problems.append(Problem(kind, self.root, path, reason))

    def add_repeated(self, path: str) -> None:
        """Note a directory that was reached before, through another mount."""
        reason = "seen before, through another mount"
        self._problems.append(Problem(ProblemKind.REPEATED, self.root, path, reason))

    def sums(self, unit: int, device: int) -> PrivateSums:
        """Return where the single-link inodes of a unit on a device are added up."""
        key = (unit, self.device_index(device))
        sums = self._private.get(key)
        if sums is None:
            sums = self._private[key] = PrivateSums()
        return sums

    def device_index(self, device: int) -> int:
        """Return the index of a device by its `st_dev`, a new one if it was not met before."""
        index = self._devices.get(device)
        if index is None:
            index = self._devices[device] = len(self._devices)
            self.listed[device] = {}
        return index

    def complete_rows(self, unit: int, device: int) -> None:
        """Fill in the columns that all rows added since the last call have alike."""
        table = self.table
        missing = len(table.links_seen) - len(table.cache_unit)
        if missing:
            table.cache_unit.extend([unit if self.in_cache else -1] * missing)
            table.device.extend([self._devices[device]] * missing)

    def note_cache_unit(self, row: int, unit: int) -> None:
        """Note that a unit of the current cache has a link to a row met before."""
        first = self.table.cache_unit[row]
        if first != unit:
            self.table.more_cache_units.setdefault(row, {first}).add(unit)

    def _row_of(self, status: os.stat_result) -> int | None:
        """Return the row of an inode with several links, `None` if it was not met before."""
        device, number = status.st_dev, status.st_ino
        self.device_index(device)
        row = self.listed[device].get(number)
        return self._escaping_rows.get((device, number)) if row is None else row

    def _add_row(self, status: os.stat_result, unit: int, *, listed: bool) -> int:
        """Add an inode with several links, met for the first time; return its row."""
        table, device = self.table, status.st_dev
        row = len(table.links_seen)
        if listed:
            self.listed[device][status.st_ino] = row
        else:
            self._escaping_rows[device, status.st_ino] = row
        table.links_seen.append(1)
        table.disk_bytes.append(status.st_blocks * BLOCK_BYTES)
        table.apparent_bytes.append(status.st_size)
        table.link_count.append(status.st_nlink)
        self.presence.append(1)
        self.complete_rows(unit, device)
        return row

    def _note_symlink(self, unit: int, directory: str, name: str, descriptor: int) -> bool:
        """Note a symbolic link that leads out of its tree; tell whether it does."""
        try:
            target = os.readlink(name, dir_fd=descriptor)
        except OSError as error:
            self.add_problem(f"{directory}/{name}", error)
            return True
        tree = self._units[unit].path if self.in_cache else self.roots[self.root].path
        if not escapes(target, directory[len(tree) + 1 :]):
            return False
        if not self.in_cache:
            path = f"{directory}/{name}"
            self._symlinks.append(EscapingSymlink(self.root, path, target))
        return True


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
