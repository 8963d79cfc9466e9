"""The table of inodes with several links: where each was seen, in a few bytes per inode.

The inodes of one package nearly always have links in the same environments. So the table stores,
for each inode, the number of a state that many inodes share: the roots and cache units in which
links were seen, and how many.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from itertools import chain, compress, filterfalse, islice, pairwise, repeat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NO_UNIT = -1
_NARROW = "BHI"  # type codes of arrays; the next wider one is `Q`


class State(NamedTuple):
    """Where links to an inode were seen so far.

    Attributes:
        roots: Indexes of the roots, in ascending order.
        cache_units: Units of caches.
        links_seen: Number of directory entries.

    """

    roots: tuple[int, ...]
    cache_units: frozenset[int]
    links_seen: int


class States:
    """The numbered states of inodes; number 0 means that no link was seen.

    A state is stored as the previous state plus the location of one more link, which takes a few
    bytes for each environment that has the inode.
    """

    def __init__(self) -> None:
        """Begin with state 0."""
        self._previous = array("I", [0])
        self._roots = array("I", [0])
        self._cache_units = array("i", [_NO_UNIT])

    def __getitem__(self, number: int) -> State:
        """Return the state with a number."""
        roots, cache_units, links_seen = set(), set(), 0
        while number:
            roots.add(self._roots[number])
            cache_units.add(self._cache_units[number])
            links_seen += 1
            number = self._previous[number]
        return State(tuple(sorted(roots)), frozenset(cache_units - {_NO_UNIT}), links_seen)

    def after(self, number: int, root: int, cache_unit: int | None) -> int:
        """Add the state after one more link; return its number."""
        self._previous.append(number)
        self._roots.append(root)
        self._cache_units.append(_NO_UNIT if cache_unit is None else cache_unit)
        return len(self._previous) - 1


class Step(dict[int, int]):
    """Maps the state of an inode to its state after one more link in a fixed root and unit."""

    def __init__(self, states: States, root: int, cache_unit: int | None) -> None:
        """Fix the root and, in a cache, the unit."""
        super().__init__()
        self._states = states
        self._location = (root, cache_unit)

    def __missing__(self, number: int) -> int:
        """Add the next state when it is first needed."""
        after = self[number] = self._states.after(number, *self._location)
        return after


@dataclass(frozen=True, slots=True)
class Inodes:
    """Inodes with several links on one device, in arrays of the same order.

    The arrays are as narrow as their values allow, because processes send them to each other.

    Attributes:
        numbers: Inode numbers, each once.
        link_counts: Link counts.
        disk_bytes: Allocated bytes.
        apparent_bytes: Apparent sizes.

    """

    numbers: array[int]
    link_counts: array[int]
    disk_bytes: array[int]
    apparent_bytes: array[int]

    def columns(self) -> tuple[array[int], ...]:
        """Return the arrays in the order of the fields."""
        return self.numbers, self.link_counts, self.disk_bytes, self.apparent_bytes

    def __getitem__(self, rows: slice) -> Inodes:
        """Return the inodes in some rows."""
        if rows.indices(len(self.numbers)) == (0, len(self.numbers), 1):
            return self  # a copy would double the memory
        return Inodes(*(column[rows] for column in self.columns()))


@dataclass(frozen=True, slots=True)
class Rows:
    """The inode table of one device, as one process hands it over.

    Attributes:
        inodes: The inodes that the process examined itself.
        states: Their state numbers.
        own_first: Number of inodes that it had examined before it learned those of the others.
        learned_states: State numbers of the learned inodes, in the order in which they were
            learned, without those that the process had examined itself; 0 if it saw no link.

    """

    inodes: Inodes
    states: array[int]
    own_first: int
    learned_states: array[int]


class InodeTable:
    """The inodes with several links of one device.

    Attributes:
        states: Inode number to state number. First come the inodes examined before `learn`, then
            the learned inodes, then those examined afterwards.
        disk_bytes: Allocated bytes of the examined inodes.
        apparent_bytes: Apparent sizes of the examined inodes.
        link_counts: Link counts of the examined inodes, when they were examined.

    """

    def __init__(self) -> None:
        """Begin empty."""
        self.states: dict[int, int] = {}
        self.disk_bytes = array("Q")
        self.apparent_bytes = array("Q")
        self.link_counts = array("I")
        self._own_first = self._learned = 0

    def add(
        self, number: int, link_count: int, disk_bytes: int, apparent_bytes: int, step: Step
    ) -> bool:
        """Count one link to an examined inode; return whether it is the first link."""
        state = self.states.get(number)
        if state is not None:
            self.states[number] = step[state]
            return False
        self.states[number] = step[0]
        self.disk_bytes.append(disk_bytes)
        self.apparent_bytes.append(apparent_bytes)
        self.link_counts.append(link_count)
        return True

    def learn(self, numbers: Iterable[int]) -> None:
        """Add, once, the inodes that other processes examined, which makes them known here."""
        states = self.states
        self._own_first = len(states)
        states.update(zip(filterfalse(states.__contains__, numbers), repeat(0)))
        self._learned = len(states) - self._own_first

    def numbers(self) -> array[int]:
        """Return the numbers of the inodes that this process examined."""
        first, after = self._own_first, self._own_first + self._learned
        own = chain(islice(self.states, first), islice(self.states, after, None))
        return _narrow(array("Q", own))

    def rows(self) -> Rows:
        """Return the table in the form that is handed over."""
        first, after = self._own_first, self._own_first + self._learned
        states = _narrow(array("I", self.states.values()))
        columns = (self.link_counts, self.disk_bytes, self.apparent_bytes)
        return Rows(
            inodes=Inodes(self.numbers(), *map(_narrow, columns)),
            states=states[:first] + states[after:],
            own_first=first,
            learned_states=states[first:after],
        )


def _narrow(values: array[int]) -> array[int]:
    """Return an array as narrow as its values allow, with the lowest bytes of each."""
    bits = max(values, default=0).bit_length()
    for code in _NARROW:
        width = array(code).itemsize
        if bits <= 8 * width < 8 * values.itemsize:
            step = values.itemsize // width
            lowest = 0 if sys.byteorder == "little" else step - 1
            words = memoryview(values).cast("B").cast(code)  # type: ignore[call-overload]  # typeshed wants a literal
            return array(code, words[lowest::step].tobytes())
    return values


def unite(tables: Sequence[Inodes]) -> Inodes:
    """Return the inodes of one device that several processes examined, each once.

    If two link counts differ, the higher one is used: an inode whose count grew during the scan, or
    whose count includes mounts, must not become exclusive.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    united = Inodes(
        array("Q", first.numbers),
        array("I", first.link_counts),
        array("Q", first.disk_bytes),
        array("Q", first.apparent_bytes),
    )
    seen: set[int] = set()
    for previous, table in pairwise(tables):
        seen.update(previous.numbers)
        again = seen.intersection(table.numbers)
        is_new: Iterable[int] = repeat(1)
        if again:
            counts = dict(zip(table.numbers, table.link_counts, strict=True))
            for row, number in enumerate(united.numbers):
                if number in again:
                    united.link_counts[row] = max(counts[number], united.link_counts[row])
            is_new = bytes(number not in again for number in table.numbers)
        for column, more in zip(united.columns(), table.columns(), strict=True):
            column.extend(compress(more, is_new))
    return united
