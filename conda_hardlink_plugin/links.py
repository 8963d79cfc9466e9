"""The inodes with several links: where each of them was met, in a few bytes an inode.

Inodes of one package nearly always lie in the same environments, so an inode is remembered by the
number of a state, which many share: in which roots and cache units it was met, and how often.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import filterfalse
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


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


NOWHERE = State((), frozenset(), 0)


class States:
    """The states that inodes are in, numbered; number 0 is `NOWHERE`."""

    def __init__(self) -> None:
        """Begin with the state of an inode that was not met."""
        self._states = [NOWHERE]
        self._numbers = {NOWHERE: 0}

    def __getitem__(self, number: int) -> State:
        """Return the state of a number."""
        return self._states[number]

    def all(self) -> list[State]:
        """Return the states in the order of their numbers."""
        return self._states

    def number(self, state: State) -> int:
        """Return the number of a state, a new one if it was not met before."""
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._states)
            self._states.append(state)
        return number


class Step(dict[int, int]):
    """From the state of an inode to the state after one more link to it was met in one place."""

    def __init__(self, states: States, root: int, cache_unit: int | None) -> None:
        """Step in a root; in a cache also in a unit."""
        super().__init__()
        self._states = states
        self._root = root
        self._cache_units = frozenset() if cache_unit is None else frozenset([cache_unit])

    def __missing__(self, number: int) -> int:
        """Find the next state the first time it is asked for."""
        state = self._states[number]
        roots = state.roots
        if self._root not in roots:
            roots = tuple(sorted((*roots, self._root)))
        units = state.cache_units | self._cache_units
        after = self[number] = self._states.number(State(roots, units, state.links_seen + 1))
        return after


@dataclass(frozen=True, slots=True)
class Rows:
    """The inodes with several links of one device; the arrays have the same order.

    Attributes:
        numbers: Inode numbers, each once.
        states: Numbers of their states; 0 where an inode is only known of.
        link_counts: `st_nlink` when the inode was first met; 0 where somebody else has counted it.
        disk_bytes: `st_blocks * 512`, 0 likewise.
        apparent_bytes: `st_size`, 0 likewise.

    """

    numbers: array[int]
    states: array[int]
    link_counts: array[int]
    disk_bytes: array[int]
    apparent_bytes: array[int]


class InodeTable:
    """The inodes with several links of one device; columns are in the order of `states`.

    Attributes:
        states: Inode number to the number of its state.
        disk_bytes: `st_blocks * 512`.
        apparent_bytes: `st_size`.
        link_counts: `st_nlink` when the inode was first met; 0 where somebody else counts it.

    """

    def __init__(self) -> None:
        """Begin empty."""
        self.states: dict[int, int] = {}
        self.disk_bytes = array("Q")
        self.apparent_bytes = array("Q")
        self.link_counts = array("I")

    def learn(self, numbers: Iterable[int]) -> None:
        """Take in inodes that somebody else counts the bytes of."""
        new = dict.fromkeys(filterfalse(self.states.__contains__, numbers), 0)
        self.states |= new
        for column in (self.disk_bytes, self.apparent_bytes, self.link_counts):
            column.frombytes(bytes(len(new) * column.itemsize))

    def rows(self) -> Rows:
        """Return the table as it is handed over."""
        return Rows(
            numbers=array("Q", self.states),
            states=array("I", self.states.values()),
            link_counts=self.link_counts,
            disk_bytes=self.disk_bytes,
            apparent_bytes=self.apparent_bytes,
        )
