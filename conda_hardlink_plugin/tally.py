"""What a scan has found so far, entry by entry."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .inventory import (
    EscapingSymlink,
    GroupSums,
    InodeGroup,
    Inventory,
    OwnFile,
    PrivateSums,
    Problem,
    ProblemKind,
    Root,
    RootKind,
    Unit,
    UnitKind,
)
from .links import InodeTable, State, States, Step
from .mounts import is_within, real_path

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .mounts import MountTable

BLOCK_BYTES = 512  # the unit of st_blocks, stat(3type)
GONE = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class _NotedFile:
    """A file met first in the root that is read in detail, and where its inode is counted.

    `table` is `None` for an inode with a single link.
    """

    file: OwnFile
    table: InodeTable | None
    number: int
    link_count: int


class Tally:
    """Counts entries root by root, and hands over the inventory in the end.

    Attributes:
        roots: The roots; `begin_root` makes one of them the current one.
        root: Index of the current root.
        in_cache: The current root is a package cache.
        links: Entries counted in each root.
        listed: For each device, the inodes with several links that the listing of a directory may
            be trusted to name. Symbolic links are not among them, so that each of their places is
            looked at: from one they may lead out of their tree, and from another not.
        keeps_own: The current root's own files are kept one by one.

    """

    def __init__(self, roots: Sequence[Root], mounts: MountTable) -> None:
        """Begin with nothing found."""
        self.roots = roots
        self._mounts = mounts
        self.root = 0
        self.in_cache = False
        self.links = [0] * len(roots)
        self.listed: dict[int, InodeTable] = {}
        self.keeps_own = False
        self._states = States()
        self._step = (-1, Step(self._states, 0, None))
        self._symbolic: dict[int, InodeTable] = {}
        self._root_devices = [-1] * len(roots)
        self._root_inodes = [0] * len(roots)
        self._units: list[Unit] = []
        self._private: dict[tuple[int, int], PrivateSums] = {}
        self._devices: dict[int, int] = {}
        self._records: dict[int, frozenset[str]] = {}
        self._symlinks: list[EscapingSymlink] = []
        self._holding: set[int] = set()
        self._own_files: dict[int, list[_NotedFile]] = {}
        self._problems: list[Problem] = []
        self._inside: list[str] = []
        self._staying: dict[str, str] = {}
        self._leaving: set[str] = set()
        self._real_paths = [real_path(root.path) for root in roots]

    def inventory(self, aliases: dict[str, str]) -> Inventory:
        """Return what was found; nothing may be counted afterwards."""
        return Inventory(
            roots=tuple(self.roots),
            root_devices=tuple(self._root_devices),
            root_inodes=tuple(self._root_inodes),
            links=tuple(self.links),
            units=tuple(self._units),
            private=self._private,
            groups=self._groups(),
            devices=tuple(self._devices),
            records=self._records,
            symlinks=tuple(self._symlinks),
            holding=frozenset(self._holding),
            own_files={root: self._exclusive(root) for root in self._own_files},
            problems=tuple(self._problems),
            aliases=aliases,
        )

    def begin_root(self, root: int, *, detailed: bool) -> int:
        """Make a root the current one; return the unit for what is not a unit of its own in it.

        `end_root` is called when everything in it was counted.
        """
        self.root = root
        self.in_cache = self.roots[root].kind is RootKind.CACHE
        self.keeps_own = detailed
        self._inside = [] if self.in_cache else self._places_inside(root)
        if detailed:
            self._own_files[root] = []
        kind = UnitKind.OTHER if self.in_cache else UnitKind.ENVIRONMENT
        return self.add_unit(kind, self.roots[root].path)

    def end_root(self) -> None:
        """Keep the symbolic links of the current root that may lead out of it."""
        links = self._staying.keys() | self._leaving
        for path, target in self._staying.items():
            if passes_link(path, target, links):
                self._symlinks.append(EscapingSymlink(self.root, path, target))
        self._staying.clear()
        self._leaving.clear()

    def note_holding(self, unit: int) -> None:
        """Note that another root lies in a unit."""
        self._holding.add(unit)

    def note_root(self, status: os.stat_result) -> None:
        """Note what the current root is, from its `stat`."""
        self._root_devices[self.root] = self.device_index(status.st_dev)
        self._root_inodes[self.root] = status.st_ino

    def note_records(self, names: Collection[str]) -> None:
        """Note the names of the files in the current environment's `conda-meta`."""
        self._records[self.root] = frozenset(name for name in names if name.endswith(".json"))

    def _places_inside(self, root: int) -> list[str]:
        """Return where other roots are seen inside a root, by the path by which it is scanned."""
        real = self._real_paths[root]
        if real is None:
            return []
        return [
            self.roots[root].path + seen[len(real) :]
            for other, path in enumerate(self._real_paths)
            if path is not None and other != root
            for seen in (path, *(view for view, _ in self._mounts.views(path)))
            if seen != real and is_within(seen, real)
        ]

    def _leads_inside(self, directory: str, target: str) -> bool:
        """Tell whether a symbolic link leads into a root inside the current one, by its text."""
        return bool(self._inside) and any(
            is_within(os.path.normpath(f"{directory}/{target}"), place) for place in self._inside
        )

    def add_file(
        self,
        unit: int,
        directory: str,
        name: str,
        descriptor: int,
        status: os.stat_result,
        *,
        mounts: int = 0,
    ) -> None:
        """Count one entry that is not a directory.

        Args:
            unit: What it belongs to.
            directory: Absolute path of its directory.
            name: Its name there.
            descriptor: Opens the directory.
            status: Its `lstat`.
            mounts: How often the file is mounted over another one: each mount is one more place
                where it is found, as a link is.

        """
        self.links[self.root] += 1
        is_symlink = stat.S_ISLNK(status.st_mode)
        if is_symlink and not self.in_cache:
            self._note_symlink(directory, name, descriptor)
        table = None
        link_count = status.st_nlink + mounts
        if link_count == 1:
            sums = self.sums(unit, status.st_dev)
            sums.disk_bytes += status.st_blocks * BLOCK_BYTES
            sums.apparent_bytes += status.st_size
            sums.inodes += 1
        else:
            table = self._table_of(status, is_symlink=is_symlink)
            if not self._add_multilink(table, unit, status, link_count):
                return
        if self.keeps_own:
            relative = f"{directory}/{name}"[len(self.roots[self.root].path) + 1 :]
            disk_bytes = status.st_blocks * BLOCK_BYTES
            file = OwnFile(relative, disk_bytes, status.st_size, is_symlink)
            noted = _NotedFile(file, table, status.st_ino, link_count)
            self._own_files[self.root].append(noted)

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

    def step_in(self, unit: int) -> Step:
        """Return the step from an inode's state to the one after another link to it in a unit."""
        if self._step[0] != unit:  # one at a time: a cache has thousands of units
            step = Step(self._states, self.root, unit if self.in_cache else None)
            self._step = (unit, step)
        return self._step[1]

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
            self.listed[device] = InodeTable()
            self._symbolic[device] = InodeTable()
        return index

    def _table_of(self, status: os.stat_result, *, is_symlink: bool) -> InodeTable:
        """Return the table that an inode with several links is in, or is to be put in."""
        self.device_index(status.st_dev)
        return (self._symbolic if is_symlink else self.listed)[status.st_dev]

    def _add_multilink(
        self, table: InodeTable, unit: int, status: os.stat_result, link_count: int
    ) -> bool:
        """Count one link to an inode that has several; tell whether it is the first one met."""
        number, step = status.st_ino, self.step_in(unit)
        state = table.states.get(number)
        if state is not None:
            table.states[number] = step[state]
            return False
        table.states[number] = step[0]
        table.disk_bytes.append(status.st_blocks * BLOCK_BYTES)
        table.apparent_bytes.append(status.st_size)
        table.link_counts.append(link_count)
        return True

    def _groups(self) -> dict[InodeGroup, GroupSums]:
        groups: dict[InodeGroup, GroupSums] = {}
        for tables in (self.listed, self._symbolic):
            for device, table in tables.items():
                self._add_groups(groups, self._devices[device], table)
        return groups

    def _add_groups(
        self, groups: dict[InodeGroup, GroupSums], device: int, table: InodeTable
    ) -> None:
        """Sum up a table by what its inodes have alike."""
        alike: dict[tuple[int, int], GroupSums] = {}
        columns = zip(
            table.states.values(),
            table.link_counts,
            table.disk_bytes,
            table.apparent_bytes,
            strict=True,
        )
        for number, link_count, disk_bytes, apparent_bytes in columns:
            sums = alike.get((number, link_count))
            if sums is None:
                group = _group(self._states[number], link_count, device)
                sums = alike[number, link_count] = groups.setdefault(group, GroupSums())
            sums.inodes += 1
            sums.disk_bytes += disk_bytes
            sums.apparent_bytes += apparent_bytes
            sums.outside_links += max(link_count - self._states[number].links_seen, 0)

    def _exclusive(self, root: int) -> list[OwnFile]:
        """Return the files noted in a root whose links all lie in it."""
        return [
            noted.file
            for noted in self._own_files[root]
            if noted.table is None
            or self._is_exclusive(noted.table.states[noted.number], noted.link_count, root)
        ]

    def _is_exclusive(self, number: int, link_count: int, root: int) -> bool:
        state = self._states[number]
        return state.roots == (root,) and state.links_seen >= link_count

    def _note_symlink(self, directory: str, name: str, descriptor: int) -> None:
        """Note a symbolic link of an environment."""
        path = f"{directory}/{name}"
        try:
            target = os.readlink(name, dir_fd=descriptor)
        except OSError as error:
            self.add_problem(path, error)
            return
        inside = directory[len(self.roots[self.root].path) + 1 :]
        if escapes(target, inside) or self._leads_inside(directory, target):
            self._leaving.add(path)
            self._symlinks.append(EscapingSymlink(self.root, path, target))
        else:
            self._staying[path] = target


def _group(state: State, link_count: int, device: int) -> InodeGroup:
    return InodeGroup(
        roots=state.roots,
        cache_units=state.cache_units,
        device=device,
        complete=state.links_seen >= link_count,
        surplus=state.links_seen > link_count,
    )


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


def passes_link(path: str, target: str, links: Collection[str]) -> bool:
    """Tell whether a symbolic link goes on from another one on its way, which may lead anywhere.

    One that ends at another one does not: that is looked at itself.

    Args:
        path: Absolute path of the link.
        target: What `readlink` gives; it does not lead out of the tree by its text.
        links: Absolute paths of all symbolic links of the tree.

    """
    current = os.path.dirname(path)
    for name in target.split("/"):
        if name in ("", "."):
            continue
        if current in links:
            return True
        current = os.path.dirname(current) if name == ".." else f"{current}/{name}"
    return False
