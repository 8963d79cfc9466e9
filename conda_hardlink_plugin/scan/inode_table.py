"""The table of inodes with several links: where each was seen, in a few bytes per inode.

The inodes of one package nearly always have links in the same environments. So the table stores,
for each inode, the number of a state that many inodes share: the locations of its links, in the
order in which they were seen. A location is a number: `Collector` says what each stands for.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import compress, count
from operator import ne
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .inventory import GroupSums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..filesystem.protocol import FileStatus


class PageInodes(NamedTuple):
    """The inodes of a page of the index.

    Attributes:
        device: Device number of the directories.
        linked: Number of inodes of entries that were not examined.
        rows: Number of inodes with several links that were examined.
        inodes: Words of 8 bytes: the former, then the columns of `ROW` of the latter.

    """

    device: int
    linked: int
    rows: int
    inodes: bytes


ROW = ("number", "link_count", "disk_bytes", "apparent_bytes", "is_symlink")


@dataclass(frozen=True, slots=True)
class LocatedInodes:
    """Inodes of one device with links in the same locations.

    Attributes:
        device: Device number.
        locations: The location of each link that was seen, in ascending order.
        complete: Whether no inode has more links than were seen.
        surplus: Whether each has fewer.
        sums: Sums over the inodes.

    """

    device: int
    locations: tuple[int, ...]
    complete: bool
    surplus: bool
    sums: GroupSums


class InodeTable(Protocol):
    """The inodes with several links that a scan has seen."""

    def add(self, status: FileStatus, link_count: int, location: int) -> bool:
        """Count one link to an examined inode; return whether it is the first link.

        Args:
            status: Its status.
            link_count: Its link count, including mounts over other files.
            location: Where the link is.

        """

    def recall(self, pages: Sequence[PageInodes], location: int) -> bool:
        """Count the links on pages of the index; return whether they were counted.

        They are not if an inode of an entry that was not examined is unknown.
        """

    def locations(self, device: int, inode: int) -> tuple[int, ...]:
        """Return the locations of the links to an inode, in ascending order."""

    def groups(self) -> Iterator[LocatedInodes]:
        """Yield all inodes, in groups. Groups may be alike."""


class States:
    """The numbered states of inodes; number 0 means that no link was seen.

    A state is stored as the previous state plus the location of one more link, which takes a few
    bytes for each environment that has the inode.
    """

    def __init__(self) -> None:
        """Begin with state 0."""
        self._previous = array("I", [0])
        self._locations = array("I", [0])

    def locations(self, number: int) -> tuple[int, ...]:
        """Return the locations of a state, one for each link, in ascending order."""
        found = []
        while number:
            found.append(self._locations[number])
            number = self._previous[number]
        return tuple(sorted(found))

    def after(self, number: int, location: int) -> int:
        """Add the state after one more link; return its number."""
        self._previous.append(number)
        self._locations.append(location)
        return len(self._previous) - 1


class Step(dict[int, int]):
    """Maps the state of an inode to its state after one more link in a fixed location."""

    def __init__(self, states: States, location: int) -> None:
        """Fix the location."""
        super().__init__()
        self._states = states
        self._location = location

    def __missing__(self, number: int) -> int:
        """Add the next state when it is first needed."""
        after = self[number] = self._states.after(number, self._location)
        return after


class DeviceInodes:
    """The inodes of one device.

    Attributes:
        states: Inode number to state number, in the order in which inodes were first seen.
        link_counts: Link counts when they were first seen, in that order.
        examined_again: Inode number to the highest link count of later links that were examined.
        disk_bytes: Allocated bytes.
        apparent_bytes: Apparent sizes.

    """

    __slots__ = ("apparent_bytes", "disk_bytes", "examined_again", "link_counts", "states")

    def __init__(self) -> None:
        """Begin empty."""
        self.states: dict[int, int] = {}
        self.link_counts = array("I")
        self.examined_again: dict[int, int] = {}
        self.disk_bytes = array("Q")
        self.apparent_bytes = array("Q")

    def add(
        self, number: int, link_count: int, disk_bytes: int, apparent_bytes: int, step: Step
    ) -> bool:
        """Count one link to an examined inode; return whether it is the first link."""
        state = self.states.get(number)
        if state is not None:
            self.states[number] = step[state]
            if link_count > self.examined_again.get(number, 0):
                self.examined_again[number] = link_count
            return False
        self.states[number] = step[0]
        self.link_counts.append(link_count)
        self.disk_bytes.append(disk_bytes)
        self.apparent_bytes.append(apparent_bytes)
        return True

    def highest_link_counts(self) -> array[int]:
        """Return the highest link count of each inode, in the order of `states`.

        An inode that got more links during the scan must not seem to have all of its links in the
        roots because it had fewer when it was first seen.
        """
        counts = self.link_counts[:]
        if self.examined_again:
            for row, number in enumerate(self.states):
                counts[row] = max(counts[row], self.examined_again.get(number, 0))
        return counts


class PythonInodeTable:
    """An `InodeTable` of dictionaries and arrays.

    Attributes:
        listed: For each device, the inodes that a directory listing is trusted to identify.

    """

    def __init__(self) -> None:
        """Begin empty."""
        self.listed: dict[int, DeviceInodes] = {}
        # Apart, because each of their paths must be examined: the same link can leave its tree
        # from one directory and not from another.
        self._symbolic: dict[int, DeviceInodes] = {}
        self._states = States()
        self._step = (-1, Step(self._states, 0))

    def step(self, location: int) -> Step:
        """Return the `Step` for links in a location."""
        if self._step[0] != location:  # only the last one is kept: a cache has thousands
            self._step = (location, Step(self._states, location))
        return self._step[1]

    def of_device(self, device: int) -> DeviceInodes:
        """Return the inodes of a device, without symbolic links."""
        return self.listed.setdefault(device, DeviceInodes())

    def add(self, status: FileStatus, link_count: int, location: int) -> bool:
        """Count one link, as `InodeTable` says."""
        tables = self._symbolic if status.is_symlink else self.listed
        inodes = tables.setdefault(status.device, DeviceInodes())
        row = (status.inode, link_count, status.disk_bytes, status.size_bytes)
        return inodes.add(*row, self.step(location))

    def recall(self, pages: Sequence[PageInodes], location: int) -> bool:
        """Count pages of the index, as `InodeTable` says."""
        unpacked = list(map(_unpacked, pages))
        known: dict[int, set[int]] = {}
        for device, rows, _ in unpacked:
            known.setdefault(device, set()).update(row[0] for row in rows if not row[-1])
        for device, _, linked in unpacked:
            states = self.of_device(device).states
            if not all(number in states or number in known[device] for number in linked):
                return False
        step = self.step(location)
        for device, rows, _ in unpacked:
            for number, link_count, disk_bytes, apparent_bytes, is_symlink in rows:
                tables = self._symbolic if is_symlink else self.listed
                inodes = tables.setdefault(device, DeviceInodes())
                inodes.add(number, link_count, disk_bytes, apparent_bytes, step)
        for device, _, linked in unpacked:  # an inode may be on a later page
            states = self.of_device(device).states
            for number in linked:
                states[number] = step[states[number]]
        return True

    def locations(self, device: int, inode: int) -> tuple[int, ...]:
        """Return locations, as `InodeTable` says."""
        for tables in (self.listed, self._symbolic):
            state = tables[device].states.get(inode) if device in tables else None
            if state is not None:
                return self._states.locations(state)
        return ()

    def groups(self) -> Iterator[LocatedInodes]:
        """Yield groups, as `InodeTable` says; adjacent inodes that are alike in one step."""
        for tables in (self.listed, self._symbolic):
            for device, inodes in tables.items():
                yield from self._groups_of(device, inodes)

    def _groups_of(self, device: int, inodes: DeviceInodes) -> Iterator[LocatedInodes]:
        states, link_counts = array("I", inodes.states.values()), inodes.highest_link_counts()
        alike: dict[tuple[int, int], tuple[int, LocatedInodes]] = {}
        for run in _runs(link_counts, states):
            key = link_count, state = link_counts[run.start], states[run.start]
            if key not in alike:
                locations = self._states.locations(state)
                seen = len(locations)
                compared = {"complete": link_count <= seen, "surplus": link_count < seen}
                group = LocatedInodes(device, locations, **compared, sums=GroupSums())
                alike[key] = max(link_count - seen, 0), group
            outside_links, group = alike[key]
            run_inodes = run.stop - run.start
            group.sums.inodes += run_inodes
            group.sums.disk_bytes += sum(inodes.disk_bytes[run])
            group.sums.apparent_bytes += sum(inodes.apparent_bytes[run])
            group.sums.outside_links += outside_links * run_inodes
        for _, group in alike.values():
            yield group


_Row = tuple[int, ...]


def _unpacked(page: PageInodes) -> tuple[int, list[_Row], array[int]]:
    """Return the device, the rows, and the inodes of the entries that were not examined."""
    inodes = array("Q")
    inodes.frombytes(page.inodes)
    columns = (
        inodes[page.linked + column * page.rows :][: page.rows] for column in range(len(ROW))
    )
    return page.device, list(zip(*columns, strict=True)), inodes[: page.linked]


def _runs(*columns: array[int]) -> Iterator[slice]:
    """Yield the runs of rows in which no column changes."""
    rows, following = zip(*columns, strict=True), zip(*columns, strict=True)
    next(following, None)
    begin = 0
    for end in compress(count(1), map(ne, rows, following)):
        yield slice(begin, end)
        begin = end
    if columns[0]:
        yield slice(begin, len(columns[0]))
