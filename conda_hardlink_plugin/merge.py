"""Findings to inventory: what several processes have found, each of its part, put together."""

from __future__ import annotations

from itertools import chain, compress, repeat
from typing import TYPE_CHECKING

from .inventory import (
    EscapingSymlink,
    GroupSums,
    InodeGroup,
    Inventory,
    PrivateSums,
    UnitKind,
)
from .link_text import passes_link
from .links import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .ground import Ground
    from .inventory import OwnFile, Unit
    from .links import Rows
    from .tally import Findings, NotedFile

_ROOT_UNITS = (UnitKind.ENVIRONMENT, UnitKind.OTHER)


def merge(
    parts: Sequence[Findings], ground: Ground, records: dict[int, frozenset[str]]
) -> Inventory:
    """Put together what was found of the parts of some roots.

    No entry may have been read for two parts. An inode may have been met in several.

    Args:
        parts: What was found, by one process or by several.
        ground: The roots.
        records: For each environment the names of its records (`Inventory.records`).

    """
    return _Merge(parts, ground).inventory(records)


class _Merge:
    def __init__(self, parts: Sequence[Findings], ground: Ground) -> None:
        self.parts = parts
        self.ground = ground
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
        ground = self.ground
        for is_symlink in (False, True):
            for index, device in enumerate(self.devices):
                self._add_groups(index, device, is_symlink=is_symlink)
        places = range(len(ground.roots))
        device_of = {device: index for index, device in enumerate(self.devices)}
        nowhere = (None, 0)
        identities = [self.identities.get(root, nowhere) for root in places]
        return Inventory(
            roots=ground.roots,
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
            aliases=ground.aliases,
        )

    def _private(self, device_of: dict[int, int]) -> dict[tuple[int, int], PrivateSums]:
        private: dict[tuple[int, int], PrivateSums] = {}
        for part, units in zip(self.parts, self.unit_maps, strict=True):
            for (unit, device), sums in part.private.items():
                private.setdefault((units[unit], device_of[device]), PrivateSums()).add(sums)
        return private

    def _add_groups(self, device: int, st_dev: int, *, is_symlink: bool) -> None:
        """Sum up the inodes of a device by what they have alike."""
        holders = [
            (rows, part.states, units)
            for part, units in zip(self.parts, self.unit_maps, strict=True)
            if (rows := (part.symbolic if is_symlink else part.listed).get(st_dev))
        ]
        counted = _counted([rows for rows, _, _ in holders])
        columns = [_states_of(counted, rows) for rows, _, _ in holders]
        merged: dict[tuple[int, ...], State] = {}
        alike: dict[tuple[tuple[int, ...], int], tuple[State, GroupSums]] = {}
        combinations = list(zip(*columns, strict=True))
        for combination, (link_count, disk_bytes, apparent_bytes) in zip(
            combinations, counted.values(), strict=True
        ):
            found = alike.get((combination, link_count))
            if found is None:
                state = merged.get(combination)
                if state is None:
                    met = zip(combination, holders, strict=True)
                    state = merged[combination] = _together(
                        [(states[number], units) for number, (_, states, units) in met]
                    )
                group = _group(state, link_count, device)
                found = state, self.groups.setdefault(group, GroupSums())
                alike[combination, link_count] = found
            state, sums = found
            sums.inodes += 1
            sums.disk_bytes += disk_bytes
            sums.apparent_bytes += apparent_bytes
            sums.outside_links += max(link_count - state.links_seen, 0)
        if self.ground.detailed:
            states = map(merged.__getitem__, combinations)
            self.multi_link_own[is_symlink, st_dev] = dict(zip(counted, states, strict=True))

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


def _counted(tables: Sequence[Rows]) -> dict[int, tuple[int, int, int]]:
    """Return link count, disk and apparent bytes of each inode; of two counts the higher one.

    A count that grew meanwhile, or that includes mounts, must not make an inode exclusive.
    """
    counted: dict[int, tuple[int, int, int]] = {}
    for rows in tables:
        figures = zip(rows.link_counts, rows.disk_bytes, rows.apparent_bytes, strict=True)
        new = dict(
            zip(
                compress(rows.numbers, rows.link_counts),
                compress(figures, rows.link_counts),
                strict=True,
            )
        )
        for number in counted.keys() & new.keys():
            new[number] = max(new[number], counted[number])
        counted |= new
    return counted


def _states_of(counted: dict[int, tuple[int, int, int]], rows: Rows) -> Iterator[int]:
    """Return the number of the state in which each inode was met, 0 where it was not."""
    states = dict(zip(rows.numbers, rows.states, strict=True))
    return map(states.get, counted, repeat(0))


def _together(met: Sequence[tuple[State, Sequence[int]]]) -> State:
    """Return where an inode was met in all parts, by the units of the inventory."""
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
