"""The inodes with several links: where each of them was met, in a few bytes an inode.

Inodes of one package nearly always lie in the same environments, so an inode is remembered by the
number of a state, which many share: in which roots and cache units it was met, and how often.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass, field
from itertools import chain, compress, filterfalse, islice, pairwise, repeat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_NO_UNIT = -1
_NARROW = "BHI"  # codes of arrays; an array of the next width is `Q`


class State(NamedTuple):
    """Where an inode was met so far.

    Attributes:
        roots: Indexes of the roots, ascending.
        cache_units: Units of caches.
        links_seen: Directory entries found.

    """

    roots: tuple[int, ...]
    cache_units: frozenset[int]
    links_seen: int


class States:
    """The states that inodes are in, numbered; number 0 is that of an inode that was not met.

    Each is kept as the one before it and where one more link was met: however many environments
    have an inode, that takes a few bytes for each of them.
    """

    def __init__(self) -> None:
        """Begin with the state of an inode that was not met."""
        self._before = array("I", [0])
        self._roots = array("I", [0])
        self._cache_units = array("i", [_NO_UNIT])

    def __getitem__(self, number: int) -> State:
        """Return the state of a number."""
        roots, cache_units, links_seen = set(), set(), 0
        while number:
            roots.add(self._roots[number])
            cache_units.add(self._cache_units[number])
            links_seen += 1
            number = self._before[number]
        return State(tuple(sorted(roots)), frozenset(cache_units - {_NO_UNIT}), links_seen)

    def after(self, number: int, root: int, cache_unit: int | None) -> int:
        """Return the number of a new state: the one after one more link in a place."""
        self._before.append(number)
        self._roots.append(root)
        self._cache_units.append(_NO_UNIT if cache_unit is None else cache_unit)
        return len(self._before) - 1


class Step(dict[int, int]):
    """From the state of an inode to the state after one more link to it was met in one place."""

    def __init__(self, states: States, root: int, cache_unit: int | None) -> None:
        """Step in a root; in a cache also in a unit."""
        super().__init__()
        self._states = states
        self._place = (root, cache_unit)

    def __missing__(self, number: int) -> int:
        """Find the next state the first time it is asked for."""
        after = self[number] = self._states.after(number, *self._place)
        return after


@dataclass(frozen=True, slots=True)
class Inodes:
    """Inodes with several links of one device; the arrays have the same order.

    They are as narrow as their values allow, as they are sent from process to process.

    Attributes:
        numbers: Inode numbers, each once.
        link_counts: Link counts.
        disk_bytes: Allocated bytes.
        apparent_bytes: Length.

    """

    numbers: array[int] = field(default_factory=lambda: array("Q"))
    link_counts: array[int] = field(default_factory=lambda: array("I"))
    disk_bytes: array[int] = field(default_factory=lambda: array("Q"))
    apparent_bytes: array[int] = field(default_factory=lambda: array("Q"))

    def __getitem__(self, places: slice) -> Inodes:
        """Return those at some places."""
        if places.indices(len(self.numbers)) == (0, len(self.numbers), 1):
            return self  # to copy all takes as much again
        return Inodes(
            self.numbers[places],
            self.link_counts[places],
            self.disk_bytes[places],
            self.apparent_bytes[places],
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """What one process found of the inodes of one device.

    Attributes:
        inodes: Those that it looked at itself.
        states: Numbers of their states.
        met: How many of them it had met when it was told of those that others had met by then.
        told_states: Numbers of the states of those, in the order in which they were told and
            without those that it had met itself; 0 where it has not met one since.

    """

    inodes: Inodes
    states: array[int]
    met: int
    told_states: array[int]


class InodeTable:
    """The inodes with several links of one device.

    Attributes:
        states: Inode number to the number of its state. First come those that were met before
            others were told, then those, then those that were met afterwards.
        disk_bytes: Allocated bytes of those that were met and not told.
        apparent_bytes: Length, likewise.
        link_counts: Link count when the inode was first met, likewise.

    """

    def __init__(self) -> None:
        """Begin empty."""
        self.states: dict[int, int] = {}
        self.disk_bytes = array("Q")
        self.apparent_bytes = array("Q")
        self.link_counts = array("I")
        self._met = self._told = 0

    def add(
        self, number: int, link_count: int, disk_bytes: int, apparent_bytes: int, step: Step
    ) -> bool:
        """Count one link to an inode that was looked at; tell whether it is the first one met."""
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
        """Take in, once, which inodes others have met, so that they need not be looked at."""
        states = self.states
        self._met = len(states)
        states.update(zip(filterfalse(states.__contains__, numbers), repeat(0)))
        self._told = len(states) - self._met

    def numbers(self) -> array[int]:
        """Return the numbers of the inodes that were looked at here."""
        met, told = self._met, self._told
        own = chain(islice(self.states, met), islice(self.states, met + told, None))
        return _narrow(array("Q", own))

    def rows(self) -> Rows:
        """Return the table as it is handed over."""
        met, after = self._met, self._met + self._told
        states = _narrow(array("I", self.states.values()))
        columns = (self.link_counts, self.disk_bytes, self.apparent_bytes)
        return Rows(
            inodes=Inodes(self.numbers(), *map(_narrow, columns)),
            states=states[:met] + states[after:],
            met=met,
            told_states=states[met:after],
        )


def _narrow(values: array[int]) -> array[int]:
    """Return an array as narrow as its values allow: of each the lowest bytes."""
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
    """Put together the inodes of one device that several processes have met, each once.

    Of two link counts the higher one is taken: one that grew meanwhile, or that includes mounts,
    must not make an inode exclusive.
    """
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    united = Inodes(
        array("Q", first.numbers),
        array("I", first.link_counts),
        array("Q", first.disk_bytes),
        array("Q", first.apparent_bytes),
    )
    seen: set[int] = set()
    for before, table in pairwise(tables):
        seen.update(before.numbers)
        again = seen.intersection(table.numbers)
        new: Iterable[int] = repeat(1)
        if again:
            counts = dict(zip(table.numbers, table.link_counts, strict=True))
            for place, number in enumerate(united.numbers):
                if number in again:
                    united.link_counts[place] = max(counts[number], united.link_counts[place])
            new = bytes(number not in again for number in table.numbers)
        united.numbers.extend(compress(table.numbers, new))
        united.link_counts.extend(compress(table.link_counts, new))
        united.disk_bytes.extend(compress(table.disk_bytes, new))
        united.apparent_bytes.extend(compress(table.apparent_bytes, new))
    return united
