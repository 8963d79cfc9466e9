"""Findings to inventory: what several processes have found, each of its part, put together."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import chain, compress, count, repeat
from operator import ne
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


def combine(
    parts: Sequence[Findings],
    scan_roots: ScanRoots,
    records: dict[int, frozenset[str]],
) -> Inventory:
    """Put together what was found of the parts of some roots.

    No entry may have been read for two parts. An inode may have been met in several.

    Args:
        parts: What was found, by one process or by several; then each was told once what the
            others had met, in the order given here (`InodeTable.learn`).
        scan_roots: The roots.
        records: For each environment the names of its records (`Inventory.records`).

    """
    return _Combination(parts, scan_roots).inventory(records)


@dataclass(frozen=True, slots=True)
class _StatesOfPart:
    """What the numbers of states mean in a part, and the units of the inventory that are its."""

    states: Mapping[int, State]
    units: Sequence[int]


class _Combination:
    def __init__(self, parts: Sequence[Findings], scan_roots: ScanRoots) -> None:
        self.parts = parts
        self.scan_roots = scan_roots
        self.units = sorted({unit for part in parts for unit in part.units}, key=_place_of_unit)
        index_of = {unit: index for index, unit in enumerate(self.units)}
        self.unit_maps = [[index_of[unit] for unit in part.units] for part in parts]
        self.identities = {
            root: identity for part in parts for root, identity in part.identities.items()
        }
        met = chain.from_iterable(part.listed for part in parts)
        of_roots = (self.identities[root][0] for root in sorted(self.identities))
        self.devices = tuple(dict.fromkeys([*of_roots, *sorted(met)]))
        self.multi_link_own: dict[tuple[bool, int], dict[int, State]] = {}
        self.groups: dict[InodeGroup, GroupSums] = {}

    def inventory(self, records: dict[int, frozenset[str]]) -> Inventory:
        scan_roots = self.scan_roots
        for is_symlink in (False, True):
            for index, device in enumerate(self.devices):
                self._add_groups(index, device, is_symlink=is_symlink)
        places = range(len(scan_roots.roots))
        device_of = {device: index for index, device in enumerate(self.devices)}
        nowhere = (None, 0)
        identities = [self.identities.get(root, nowhere) for root in places]
        return Inventory(
            roots=scan_roots.roots,
            root_devices=tuple(
                -1 if device is None else device_of[device] for device, _ in identities
            ),
            root_inodes=tuple(number for _, number in identities),
            links=tuple(map(sum, zip(*(part.links for part in self.parts), strict=True))),
            units=tuple(self.units),
            private=self._private(device_of),
            groups=self.groups,
            devices=self.devices,
            records=records,
            symlinks=tuple(link for root in places for link in self._symlinks(root)),
            holding=frozenset(
                units[unit]
                for part, units in zip(self.parts, self.unit_maps, strict=True)
                for unit in part.holding
            ),
            own_files=self._own_files(),
            problems=tuple(
                sorted(
                    (problem for part in self.parts for problem in part.problems),
                    key=lambda problem: (problem.root, problem.path),
                )
            ),
            aliases=scan_roots.aliases,
        )

    def _private(self, device_of: dict[int, int]) -> dict[tuple[int, int], PrivateSums]:
        private: dict[tuple[int, int], PrivateSums] = {}
        for part, units in zip(self.parts, self.unit_maps, strict=True):
            for (unit, device), sums in part.private.items():
                private.setdefault((units[unit], device_of[device]), PrivateSums()).add(sums)
        return private

    def _add_groups(self, device: int, device_number: int, *, is_symlink: bool) -> None:
        """Add the inodes of a device."""
        holders = [
            (rows, _StatesOfPart(part.states, units))
            for part, units in zip(self.parts, self.unit_maps, strict=True)
            if (rows := (part.symbolic if is_symlink else part.listed).get(device_number))
        ]
        parts = [part for _, part in holders]
        own = self.multi_link_own[is_symlink, device_number] = {}
        for inodes, columns in _blocks([rows for rows, _ in holders]):
            for places, state in self._add_alike(device, inodes, columns, parts):
                if self.scan_roots.detailed:
                    own.update(dict.fromkeys(inodes.numbers[places], state))

    def _add_alike(
        self,
        device: int,
        inodes: Inodes,
        columns: Sequence[array[int]],
        parts: Sequence[_StatesOfPart],
    ) -> list[tuple[slice, State]]:
        """Add inodes, those that follow each other and are alike in one go.

        Args:
            device: Index of their device.
            inodes: The inodes.
            columns: For each part the numbers of their states.
            parts: What these numbers mean.

        Returns:
            Which places in `inodes` are alike, and their state.

        """
        alike: dict[tuple[int, ...], tuple[State, GroupSums]] = {}
        found = []
        for places in _runs([inodes.link_counts, *columns]):
            key = (inodes.link_counts[places.start], *(column[places.start] for column in columns))
            if key not in alike:
                link_count, *numbers = key
                state = _together(numbers, parts)
                group = _group(state, link_count, device)
                alike[key] = state, self.groups.setdefault(group, GroupSums())
            state, sums = alike[key]
            alike_inodes = places.stop - places.start
            sums.inodes += alike_inodes
            sums.disk_bytes += sum(inodes.disk_bytes[places])
            sums.apparent_bytes += sum(inodes.apparent_bytes[places])
            sums.outside_links += max(key[0] - state.links_seen, 0) * alike_inodes
            found.append((places, state))
        return found

    def _symlinks(self, root: int) -> Iterator[EscapingSymlink]:
        """Yield the symbolic links of a root that may lead out of it."""
        leaving = _joined(part.leaving.get(root, {}) for part in self.parts)
        staying = _joined(part.staying.get(root, {}) for part in self.parts)
        links = leaving.keys() | staying.keys()
        for path, target in leaving.items():
            yield EscapingSymlink(root, path, target)
        for path, target in staying.items():
            if passes_link(path, target, links):
                yield EscapingSymlink(root, path, target)

    def _own_files(self) -> dict[int, list[OwnFile]]:
        own: dict[int, list[OwnFile]] = {}
        for part in self.parts:
            for root, noted in part.own_files.items():
                files = own.setdefault(root, [])
                files += [item.file for item in noted if self._is_exclusive(item, root)]
        return own

    def _is_exclusive(self, noted: NotedFile, root: int) -> bool:
        """Tell whether all links to a file that was noted in a root lie in it."""
        if noted.identity is None:
            return True
        device, number = noted.identity
        state = self.multi_link_own[noted.is_symlink, device][number]
        return state.roots == (root,) and state.links_seen >= noted.link_count


def _place_of_unit(unit: Unit) -> tuple[int, bool, str]:
    """Return by what units are ordered: root by root, each root's own unit first."""
    return unit.root, unit.kind not in _ROOT_UNITS, unit.path


def _runs(columns: Sequence[array[int]]) -> Iterator[slice]:
    """Yield the places at which all columns go on being the same."""
    rows, following = zip(*columns, strict=True), zip(*columns, strict=True)
    next(following, None)
    begin = 0
    for end in compress(count(1), map(ne, rows, following)):
        yield slice(begin, end)
        begin = end
    if columns[0]:
        yield slice(begin, len(columns[0]))


def _blocks(tables: Sequence[Rows]) -> Iterator[tuple[Inodes, list[array[int]]]]:
    """Yield the inodes that were met, each once, and the numbers of their states in each table.

    What one process had met before the others were told of it stands in their tables in the same
    order, unless two of them had met an inode: then all are looked for by number.
    """
    if len(tables) == 1:
        yield tables[0].inodes, [tables[0].states]
        return
    met_by_others = [sum(rows.met for rows in tables) - rows.met for rows in tables]
    in_order = [len(rows.told_states) for rows in tables] == met_by_others
    if in_order:
        for owner, rows in enumerate(tables):
            yield rows.inodes[: rows.met], list(_states_of_met(tables, owner))
    begins = [rows.met if in_order else 0 for rows in tables]
    inodes = unite([rows.inodes[begin:] for rows, begin in zip(tables, begins, strict=True)])
    columns = []
    for index, (rows, begin) in enumerate(zip(tables, begins, strict=True)):
        states = dict(zip(rows.inodes.numbers[begin:], rows.states[begin:], strict=True))
        if not in_order:
            states.update(zip(_told(tables, index), rows.told_states, strict=True))
        columns.append(array("I", map(states.get, inodes.numbers, repeat(0))))
    yield inodes, columns


def _states_of_met(tables: Sequence[Rows], owner: int) -> Iterator[array[int]]:
    """Yield the numbers of the states, in each table, of what one process had met by itself."""
    met = tables[owner].met
    for index, rows in enumerate(tables):
        if index == owner:
            yield rows.states[:met]
        else:
            begin = sum(other.met for place, other in enumerate(tables[:owner]) if place != index)
            yield rows.told_states[begin : begin + met]


def _told(tables: Sequence[Rows], index: int) -> list[int]:
    """Return the inodes that a process was told of and had not met, in that order."""
    own = frozenset(tables[index].inodes.numbers[: tables[index].met])
    others = (
        rows.inodes.numbers[: rows.met] for place, rows in enumerate(tables) if place != index
    )
    return list(
        dict.fromkeys(number for numbers in others for number in numbers if number not in own)
    )


def _together(numbers: Sequence[int], parts: Sequence[_StatesOfPart]) -> State:
    """Return where an inode was met in all parts, by the units of the inventory."""
    met = [(part.states[number], part.units) for number, part in zip(numbers, parts, strict=True)]
    return State(
        roots=tuple(sorted({root for state, _ in met for root in state.roots})),
        cache_units=frozenset(units[unit] for state, units in met for unit in state.cache_units),
        links_seen=sum(state.links_seen for state, _ in met),
    )


def _group(state: State, link_count: int, device: int) -> InodeGroup:
    return InodeGroup(
        roots=state.roots,
        cache_units=state.cache_units,
        device=device,
        complete=state.links_seen >= link_count,
        surplus=state.links_seen > link_count,
    )


def _joined(links: Iterator[dict[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for part in links:
        joined |= part
    return joined
