"""The inode table, in Python and native: what each inode is counted as, by brute force."""

from __future__ import annotations

import os
import tracemalloc
from array import array
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.scan.inode_table import (
    ROW,
    DeviceInodes,
    PageInodes,
    PythonInodeTable,
    States,
    Step,
)
from conda_hardlink_plugin.scan.inventory import GroupSums
from tests.support.scanning import TABLES

each_table = pytest.mark.parametrize("kind", TABLES)

DEVICES = (0, 7, 2**64 - 1)
INODES = (1, 2, 3, 64, 65, 2**32, 2**32 + 1, 2**63, 2**64 - 2, 2**64 - 1)


def is_symlink(inode):
    return inode % 3 == 0


def row_of(inode, link_count):
    """Return a row as on a page; the sizes follow from the number of the inode."""
    return (inode, link_count, 512 * (inode % 1_000), inode % 7_777, is_symlink(inode))


@dataclass(frozen=True)
class Add:
    """One link that was examined."""

    device: int
    inode: int
    link_count: int
    location: int

    def apply(self, table):
        _, _, disk_bytes, size_bytes, symbolic = row_of(self.inode, 0)
        status = SimpleNamespace(
            device=self.device,
            inode=self.inode,
            disk_bytes=disk_bytes,
            size_bytes=size_bytes,
            is_symlink=symbolic,
        )
        return table.add(status, self.link_count, self.location)


@dataclass(frozen=True)
class Page:
    """A page of the index: inodes that were not examined, and inodes that were."""

    device: int
    linked: list[int]
    rows: list[tuple[int, int]]

    def packed(self):
        rows = [row_of(inode, link_count) for inode, link_count in self.rows]
        columns = [[row[column] for row in rows] for column in range(len(ROW))]
        words = array("Q", [*self.linked, *(word for column in columns for word in column)])
        return PageInodes(self.device, len(self.linked), len(self.rows), words.tobytes())


@dataclass(frozen=True)
class Recall:
    """Pages of a unit."""

    pages: list[Page]
    location: int

    def apply(self, table):
        return table.recall([page.packed() for page in self.pages], self.location)


@dataclass
class BruteForce:
    """A table that follows the definitions literally."""

    link_counts: dict[tuple[int, int], int] = field(default_factory=dict)
    seen: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def add(self, status, link_count, location):
        return self._count((status.device, status.inode), link_count, location)

    def _count(self, key, link_count, location):
        self.link_counts[key] = max(link_count, self.link_counts.get(key, 0))
        self.seen.setdefault(key, []).append(location)
        return len(self.seen[key]) == 1

    def recall(self, pages, location):
        known = {key for key in self.seen if not is_symlink(key[1])}
        unpacked = [(page.device, *self._unpack(page)) for page in pages]
        for device, _, rows in unpacked:
            known |= {(device, inode) for inode, *_ in rows if not is_symlink(inode)}
        if not known >= {(device, inode) for device, linked, _ in unpacked for inode in linked}:
            return False
        for device, linked, rows in unpacked:
            for inode in linked:
                self._count((device, inode), 0, location)
            for inode, link_count, *_ in rows:
                self._count((device, inode), link_count, location)
        return True

    @staticmethod
    def _unpack(page):
        words = array("Q", page.inodes)
        linked, rest = words[: page.linked], words[page.linked :]
        return linked, [rest[row :: page.rows] for row in range(page.rows)] if page.rows else []

    def groups(self):
        groups = {}
        for (device, inode), locations in self.seen.items():
            seen, links = len(locations), self.link_counts[device, inode]
            _, _, disk_bytes, size_bytes, _ = row_of(inode, 0)
            key = (device, tuple(sorted(locations)), links <= seen, links < seen)
            sums = GroupSums(1, disk_bytes, size_bytes, max(links - seen, 0))
            groups.setdefault(key, GroupSums()).add(sums)
        return groups


def groups_of(table):
    groups = {}
    for group in table.groups():
        key = (group.device, group.locations, group.complete, group.surplus)
        groups.setdefault(key, GroupSums()).add(group.sums)
    return groups


_locations = st.sampled_from([0, 1, 2, 3, 2**31, 2**32 - 1])
_devices = st.sampled_from(DEVICES)
_inodes = st.sampled_from(INODES)
_link_counts = st.one_of(st.integers(2, 5), st.just(2**32 - 1))
_adds = st.builds(Add, _devices, _inodes, _link_counts, _locations)
_pages = st.builds(
    Page,
    _devices,
    st.lists(_inodes, max_size=4),
    st.lists(st.tuples(_inodes, _link_counts), max_size=4),
)
_recalls = st.builds(Recall, st.lists(_pages, max_size=3), _locations)


@settings(max_examples=300)
@given(st.lists(st.one_of(_adds, _adds, _recalls), max_size=30))
def test_random_links_give_the_groups_and_locations_of_the_definitions(steps):
    truth, tables = BruteForce(), [make() for make in TABLES.values()]
    for step in steps:
        expected = step.apply(truth)
        for table in tables:
            assert step.apply(table) == expected, (step, table)
    for table in tables:
        assert groups_of(table) == truth.groups(), table
        for device in DEVICES:
            for inode in INODES:
                expected = tuple(sorted(truth.seen.get((device, inode), ())))
                assert table.locations(device, inode) == expected, (device, inode, table)


@each_table
def test_an_empty_table_has_no_groups(kind):
    table = TABLES[kind]()
    assert list(table.groups()) == []
    assert table.locations(1, 2) == ()
    assert table.recall([], 0)
    assert list(table.groups()) == []


@each_table
def test_the_highest_link_count_counts(kind):
    """The inode got two more links after its first one was seen, one of them elsewhere."""
    table = TABLES[kind]()
    for link_count in (2, 4, 3):
        Add(1, 5, link_count, 0).apply(table)
    (group,) = groups_of(table).items()
    assert group == ((1, (0, 0, 0), False, False), GroupSums(1, 2_560, 5, 1))


@each_table
def test_pages_with_an_unknown_inode_count_nothing(kind):
    table = TABLES[kind]()
    Add(1, 5, 2, 0).apply(table)
    pages = [Page(1, [5], [(7, 2)]), Page(1, [8], [])]
    assert not Recall(pages, 3).apply(table)
    assert groups_of(table).keys() == {(1, (0,), False, False)}
    assert Recall([*pages, Page(1, [], [(8, 2)])], 3).apply(table)
    assert groups_of(table)
    assert table.locations(1, 8) == (3, 3)


@each_table
def test_a_symlink_must_be_examined_so_that_pages_do_not_know_it(kind):
    table = TABLES[kind]()
    Add(1, 3, 2, 0).apply(table)
    assert not Recall([Page(1, [3], [])], 0).apply(table)
    assert not Recall([Page(1, [3], [(3, 2)])], 0).apply(table)
    assert Recall([Page(1, [], [(3, 2)])], 0).apply(table)


@each_table
def test_an_inode_number_means_another_inode_on_another_device(kind):
    table = TABLES[kind]()
    Add(1, 5, 2, 0).apply(table)
    assert not Recall([Page(2, [5], [])], 0).apply(table)
    assert not Recall([Page(2, [5], []), Page(1, [], [(5, 2)])], 0).apply(table)


@each_table
def test_thousands_of_inodes_in_many_places_are_kept_apart(kind):
    table, expected = TABLES[kind](), {}
    count = 20_000
    for inode in range(1, count):
        Add(9, inode * 2**20, 9, inode % 50).apply(table)
        locations = [inode % 50]
        if inode % 7 == 0:
            Add(9, inode * 2**20, 9, inode % 11).apply(table)
            locations.append(inode % 11)
        key = (9, tuple(sorted(locations)), False, False)
        expected[key] = expected.get(key, 0) + 1
    assert {key: sums.inodes for key, sums in groups_of(table).items()} == expected


def test_states_have_the_locations_of_their_links():
    states = States()
    first = Step(states, 4)
    second = Step(states, 2)
    once = first[0]
    assert (once, first[0]) == (1, 1), "a state is added once"
    assert states.locations(0) == ()
    assert states.locations(second[first[once]]) == (2, 4, 4)


def test_the_inodes_of_a_device_keep_the_order_in_which_they_were_seen():
    states, inodes = States(), DeviceInodes()
    step = Step(states, 0)
    for number in (9, 4, 9, 2**64 - 1):
        inodes.add(number, 2 + number % 5, 512 * 3, 7, step)
    assert list(inodes.states) == [9, 4, 2**64 - 1]
    assert list(inodes.link_counts) == [6, 6, 2]
    assert list(inodes.disk_bytes) == [1_536] * 3
    assert list(inodes.apparent_bytes) == [7] * 3


def test_one_table_is_for_all_devices_and_each_device_has_its_own():
    table = PythonInodeTable()
    assert table.of_device(1) is table.of_device(1)
    assert table.of_device(1) is not table.of_device(2)
    assert table.step(3) is table.step(3)


def test_an_inode_in_many_environments_takes_a_few_bytes_for_each():
    packages, environments = 100, 600
    tracemalloc.start()
    states = States()
    numbers = [Step(states, unit)[0] for unit in range(packages)]
    for root in range(packages, packages + environments):
        step = Step(states, root)
        numbers = [step[number] for number in numbers]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 50 * packages * environments
    for unit, number in enumerate(numbers):
        assert states.locations(number) == (unit, *range(packages, packages + environments))


def test_a_native_table_takes_little_memory_for_each_inode():
    table, inodes = TABLES["native"](), 200_000
    before = resident_bytes()
    for inode in range(inodes):
        table.native.add(1, inode, 2, 0, 0, False, inode % 100)
    assert len(table.native) == inodes
    assert resident_bytes() - before < 100 * inodes


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
