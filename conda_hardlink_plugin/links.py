"""The inodes with several links: where each of them was met, in a few bytes an inode.

Inodes of one package nearly always lie in the same environments, so an inode is remembered by the
number of a state, which many share: in which roots it was met, and how often.
"""

from __future__ import annotations

from array import array


class States:
    """The states that inodes are in: (roots in which it was met, links seen).

    Attributes:
        roots: For each state the indexes of the roots, ascending.
        links_seen: For each state how many directory entries were found.

    """

    def __init__(self) -> None:
        """Begin with the state of an inode that was not met."""
        self.roots: list[tuple[int, ...]] = [()]
        self.links_seen: list[int] = [0]
        self._numbers: dict[tuple[tuple[int, ...], int], int] = {((), 0): 0}

    def number(self, roots: tuple[int, ...], links_seen: int) -> int:
        """Return the number of a state."""
        key = (roots, links_seen)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.roots)
            self.roots.append(roots)
            self.links_seen.append(links_seen)
        return number


class Step(dict[int, int]):
    """From the state of an inode to the state after one more link to it was met in a root."""

    def __init__(self, states: States, root: int) -> None:
        """Step in `root`, which comes after all roots of earlier steps."""
        super().__init__()
        self._states = states
        self._root = root

    def __missing__(self, state: int) -> int:
        """Find the next state the first time it is asked for."""
        roots = self._states.roots[state]
        if not roots or roots[-1] != self._root:
            roots = (*roots, self._root)
        after = self[state] = self._states.number(roots, self._states.links_seen[state] + 1)
        return after


class InodeTable:
    """The inodes with several links of one device; columns are in the order of `states`.

    Attributes:
        states: Inode number to the number of its state.
        disk_bytes: `st_blocks * 512`.
        apparent_bytes: `st_size`.
        link_counts: `st_nlink` when the inode was first met.
        units: The unit in which it was first met.
        more_units: Inode number to the cache units in which it was met again.

    """

    def __init__(self) -> None:
        """Begin empty."""
        self.states: dict[int, int] = {}
        self.disk_bytes = array("Q")
        self.apparent_bytes = array("Q")
        self.link_counts = array("I")
        self.units = array("i")
        self.more_units: dict[int, set[int]] = {}

    def complete(self, unit: int) -> None:
        """Fill in the unit of the inodes added since the last call."""
        missing = len(self.states) - len(self.units)
        if missing:
            self.units.extend([unit] * missing)
