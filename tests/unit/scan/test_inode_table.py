"""The inode table: states, learned inodes, array widths, and the union of several tables."""

from __future__ import annotations

import tracemalloc
from array import array
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.scan.inode_table import Inodes, InodeTable, State, States, Step, unite

counted = st.dictionaries(st.integers(1, 20), st.integers(2, 9), max_size=12)


def table(link_counts):
    """Inodes with sizes that are derived from their numbers."""
    numbers = list(link_counts)
    return Inodes(
        array("Q", numbers),
        array("I", link_counts.values()),
        array("Q", [512 * number for number in numbers]),
        array("Q", [3 * number for number in numbers]),
    )


def rows(inodes):
    return list(
        zip(
            inodes.numbers,
            inodes.link_counts,
            inodes.disk_bytes,
            inodes.apparent_bytes,
            strict=True,
        )
    )


@given(st.lists(counted, min_size=1, max_size=4))
def test_unite_keeps_each_inode_once_with_its_highest_link_count(parts):
    tables = [table(link_counts) for link_counts in parts]
    before = [rows(inodes) for inodes in tables]
    united = unite(tables)
    highest = {
        number: max(link_counts.get(number, 0) for link_counts in parts)
        for link_counts in parts
        for number in link_counts
    }
    assert sorted(rows(united)) == sorted(
        (number, count, 512 * number, 3 * number) for number, count in highest.items()
    )
    assert [rows(inodes) for inodes in tables] == before


numbers = st.lists(st.integers(1, 30), unique=True, max_size=15)


@given(numbers, st.lists(st.integers(1, 30), max_size=15), numbers)
def test_learned_inodes_keep_their_order_and_examined_ones_their_states(first, learned, later):
    table = InodeTable()
    examine(table, first)
    table.learn(array("Q", learned))
    new = [number for number in dict.fromkeys(learned) if number not in first]
    assert list(table.states) == [*first, *new]
    examine(table, later)
    own = [*first, *(number for number in later if number not in {*first, *learned})]
    handed_over = table.rows()
    assert rows(handed_over.inodes) == [
        (number, number + 1, 512 * number, 3 * number) for number in own
    ]
    times = {number: (number in first) + (number in later) for number in {*own, *new}}
    assert list(handed_over.states) == [times[number] for number in own]
    assert list(handed_over.learned_states) == [times[number] for number in new]
    assert handed_over.own_first == len(first)
    assert list(table.numbers()) == own


def examine(table, seen):
    """Count links to inodes; the number of a state is the number of links."""
    for number in seen:
        if number not in table.states:
            table.disk_bytes.append(512 * number)
            table.apparent_bytes.append(3 * number)
            table.link_counts.append(number + 1)
        table.states[number] = table.states.get(number, 0) + 1


def test_numbers_and_sizes_of_any_width_are_united():
    states = States()
    widths = [(7, 2, 512, 100), (300, 2**8, 2**16, 2**8 - 1), (2**40 + 1, 2**16, 2**33, 2**34 + 3)]
    tables = [InodeTable() for _ in widths]
    for table, row in zip(tables, widths, strict=True):
        table.add(*row, Step(states, 0, None))
    found = [table.rows().inodes for table in tables]
    for some in permutations(found):
        assert set(rows(unite(some))) == set(widths)


@pytest.mark.parametrize(
    ("most", "width"),
    [(2**8 - 1, 1), (2**8, 2), (2**16 - 1, 2), (2**16, 4), (2**32 - 1, 4), (2**32, 8)],
)
def test_arrays_are_as_narrow_as_their_values(most, width):
    states, table = States(), InodeTable()
    for number in (1, most):
        table.add(number, min(most, 2**32 - 1), most, most, Step(states, 0, None))
    sent = table.rows()
    inodes = sent.inodes
    columns = (inodes.numbers, inodes.disk_bytes, inodes.apparent_bytes)
    assert {column.itemsize for column in columns} == {width}
    assert inodes.link_counts.itemsize == min(width, 4)
    assert sent.states.itemsize == 1
    assert rows(inodes) == [(number, min(most, 2**32 - 1), most, most) for number in (1, most)]


def test_an_inode_in_many_environments_takes_a_few_bytes_for_each():
    packages, environments = 100, 600
    tracemalloc.start()
    states = States()
    numbers = [Step(states, 0, unit)[0] for unit in range(packages)]
    for root in range(1, environments):
        step = Step(states, root, None)
        numbers = [step[number] for number in numbers]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 50 * packages * environments
    for unit, number in enumerate(numbers):
        assert states[number] == State(tuple(range(environments)), frozenset([unit]), environments)
