"""Findings to inventory: combines what one or several processes found in their parts."""

from __future__ import annotations

from array import array
from itertools import chain, compress, count, repeat
from operator import attrgetter, ne
from typing import TYPE_CHECKING

from ..filesystem.symlink_text import passes_link
from .inode_table import State, unite
from .inventory import EscapingSymlink, GroupSums, InodeGroup, Inventory, PrivateSums, UnitKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .collector import Findings, NotedFile
    from .inode_table import Inodes, Rows
    from .inventory import OwnFile, Unit
    from .scan_roots import ScanRoots

_ROOT_UNITS = (UnitKind.ENVIRONMENT, UnitKind.OTHER)
_Part = tuple["Mapping[int, State]", "Sequence[int]"]  # states, and unit indexes in the inventory


def combine(
    parts: Sequence[Findings], scan_roots: ScanRoots, records: dict[int, frozenset[str]]
) -> Inventory:
    """Combine the findings in the parts of some roots.

    Each entry was read for one part only. An inode may have links in several parts.

    Args:
        parts: The findings of one process, or of several that each learned once what the others
            had examined, in the order given here (`InodeTable.learn`).
        scan_roots: The roots.
        records: For each environment the names of its records (`Inventory.records`).

    """
    units = sorted({unit for part in parts for unit in part.units}, key=_unit_order)
    index_of = {unit: index for index, unit in enumerate(units)}
    unit_maps = [[index_of[unit] for unit in part.units] for part in parts]
    found = {root: identity for part in parts for root, identity in part.identities.items()}
    identities = [found.get(root, (None, 0)) for root in range(len(scan_roots.roots))]
    of_roots = [device for device, _ in identities if device is not None]
    listed = sorted(chain.from_iterable(part.listed for part in parts))
    devices = tuple(dict.fromkeys([*of_roots, *listed]))
    device_of: dict[int | None, int] = {device: index for index, device in enumerate(devices)}
    private: dict[tuple[int, int], PrivateSums] = {}
    units_with_roots_inside: set[int] = set()
    for part, unit_map in zip(parts, unit_maps, strict=True):
        for (unit, device), sums in part.private.items():
            private.setdefault((unit_map[unit], device_of[device]), PrivateSums()).add(sums)
        units_with_roots_inside.update(unit_map[unit] for unit in part.units_with_roots_inside)
    grouping = _Grouping(parts, unit_maps, keeps_states=bool(scan_roots.detailed))
    for is_symlink in (False, True):
        for index, device in enumerate(devices):
            grouping.add(index, device, is_symlink=is_symlink)
    own_files: dict[int, list[OwnFile]] = {}
    for part in parts:
        for root, noted in part.own_files.items():
            own = [item.file for item in noted if grouping.is_exclusive(item, root)]
            own_files.setdefault(root, []).extend(own)
    problems = [problem for part in parts for problem in part.problems]
    return Inventory(
        roots=scan_roots.roots,
        root_devices=tuple(device_of.get(device, -1) for device, _ in identities),
        root_inodes=tuple(number for _, number in identities),
        links=tuple(map(sum, zip(*(part.links for part in parts), strict=True))),
        units=tuple(units),
        private=private,
        groups=grouping.groups,
        devices=devices,
        records=records,
        symlinks=tuple(link for root in range(len(identities)) for link in _symlinks(parts, root)),
        units_with_roots_inside=frozenset(units_with_roots_inside),
        own_files=own_files,
        problems=tuple(sorted(problems, key=attrgetter("root", "path"))),
        aliases=scan_roots.aliases,
    )


class _Grouping:
    """Inodes with several links, in groups."""

    def __init__(
        self, parts: Sequence[Findings], unit_maps: Sequence[Sequence[int]], *, keeps_states: bool
    ) -> None:
        self._parts = parts
        self._unit_maps = unit_maps
        self._keeps_states = keeps_states
        self._states: dict[tuple[bool, int], dict[int, State]] = {}
        self.groups: dict[InodeGroup, GroupSums] = {}

    def add(self, device: int, device_number: int, *, is_symlink: bool) -> None:
        """Add the inodes of a device, those that are adjacent and alike in one step."""
        holders = [
            (rows, (part.states, units))
            for part, units in zip(self._parts, self._unit_maps, strict=True)
            if (rows := (part.symbolic if is_symlink else part.listed).get(device_number))
        ]
        parts = [part for _, part in holders]
        own = self._states[is_symlink, device_number] = {}
        for inodes, columns in _blocks([rows for rows, _ in holders]):
            alike: dict[tuple[int, ...], tuple[State, GroupSums]] = {}
            for run in _runs([inodes.link_counts, *columns]):
                key = (inodes.link_counts[run.start], *(column[run.start] for column in columns))
                if key not in alike:
                    alike[key] = self._group(device, key, parts)
                state, sums = alike[key]
                run_inodes = run.stop - run.start
                sums.inodes += run_inodes
                sums.disk_bytes += sum(inodes.disk_bytes[run])
                sums.apparent_bytes += sum(inodes.apparent_bytes[run])
                sums.outside_links += max(key[0] - state.links_seen, 0) * run_inodes
                if self._keeps_states:
                    own.update(dict.fromkeys(inodes.numbers[run], state))

    def _group(
        self, device: int, key: tuple[int, ...], parts: Sequence[_Part]
    ) -> tuple[State, GroupSums]:
        """Return the combined state of inodes, and the sums of their group.

        Args:
            device: Index of the device.
            key: Their link count, then their state number in each part.
            parts: The states and units of each part.

        """
        link_count, *numbers = key
        found = [
            (part[number], units) for number, (part, units) in zip(numbers, parts, strict=True)
        ]
        state = State(
            roots=tuple(sorted({root for state, _ in found for root in state.roots})),
            cache_units=frozenset(units[i] for state, units in found for i in state.cache_units),
            links_seen=sum(state.links_seen for state, _ in found),
        )
        group = InodeGroup(
            roots=state.roots,
            cache_units=state.cache_units,
            device=device,
            complete=state.links_seen >= link_count,
            surplus=state.links_seen > link_count,
        )
        return state, self.groups.setdefault(group, GroupSums())

    def is_exclusive(self, noted: NotedFile, root: int) -> bool:
        """Return whether all links to a file that was noted in a root are in that root."""
        if noted.identity is None:
            return True
        device, number = noted.identity
        state = self._states[noted.file.is_symlink, device][number]
        return state.roots == (root,) and state.links_seen >= noted.link_count


def _symlinks(parts: Sequence[Findings], root: int) -> Iterator[EscapingSymlink]:
    """Yield the symbolic links of a root that may lead out of it."""
    leaving = _merge(part.leaving.get(root, {}) for part in parts)
    staying = _merge(part.staying.get(root, {}) for part in parts)
    links = leaving.keys() | staying.keys()
    for path, target in leaving.items():
        yield EscapingSymlink(root, path, target)
    for path, target in staying.items():
        if passes_link(path, target, links):
            yield EscapingSymlink(root, path, target)


def _merge(links: Iterator[dict[str, str]]) -> dict[str, str]:
    return dict(chain.from_iterable(some.items() for some in links))


def _unit_order(unit: Unit) -> tuple[int, bool, str]:
    """Return the sort key of units: root by root, the unit of the root itself first."""
    return unit.root, unit.kind not in _ROOT_UNITS, unit.path


def _runs(columns: Sequence[array[int]]) -> Iterator[slice]:
    """Yield the runs of rows in which no column changes."""
    rows, following = zip(*columns, strict=True), zip(*columns, strict=True)
    next(following, None)
    begin = 0
    for end in compress(count(1), map(ne, rows, following)):
        yield slice(begin, end)
        begin = end
    if columns[0]:
        yield slice(begin, len(columns[0]))


def _blocks(tables: Sequence[Rows]) -> Iterator[tuple[Inodes, list[array[int]]]]:
    """Yield blocks of inodes, each inode once, with their state numbers in each table.

    The inodes that a process examined before the others learned them have the same order in all
    tables, unless two processes examined the same inode: all are then matched by number.
    """
    if len(tables) == 1:
        yield tables[0].inodes, [tables[0].states]
        return
    own_first_total = sum(rows.own_first for rows in tables)
    in_order = all(len(rows.learned_states) == own_first_total - rows.own_first for rows in tables)
    if in_order:
        for owner, rows in enumerate(tables):
            yield rows.inodes[: rows.own_first], list(_states_of_first(tables, owner))
    begins = [rows.own_first if in_order else 0 for rows in tables]
    inodes = unite([rows.inodes[begin:] for rows, begin in zip(tables, begins, strict=True)])
    columns = []
    for index, (rows, begin) in enumerate(zip(tables, begins, strict=True)):
        states = dict(zip(rows.inodes.numbers[begin:], rows.states[begin:], strict=True))
        if not in_order:
            states.update(zip(_learned(tables, index), rows.learned_states, strict=True))
        columns.append(array("I", map(states.get, inodes.numbers, repeat(0))))
    yield inodes, columns


def _states_of_first(tables: Sequence[Rows], owner: int) -> Iterator[array[int]]:
    """Yield the state numbers, in each table, of what one process examined before `learn`."""
    own_first = tables[owner].own_first
    for index, rows in enumerate(tables):
        if index == owner:
            yield rows.states[:own_first]
        else:
            others = (other.own_first for i, other in enumerate(tables[:owner]) if i != index)
            begin = sum(others)
            yield rows.learned_states[begin : begin + own_first]


def _learned(tables: Sequence[Rows], index: int) -> list[int]:
    """Return the inodes that a process learned and had not examined, in that order."""
    own = frozenset(tables[index].inodes.numbers[: tables[index].own_first])
    others = (rows.inodes.numbers[: rows.own_first] for i, rows in enumerate(tables) if i != index)
    learned = dict.fromkeys(chain.from_iterable(others))
    return [number for number in learned if number not in own]
