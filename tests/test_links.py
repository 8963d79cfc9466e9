"""Inodes that several processes have met are put together, each once."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.links import Inodes, InodeTable, unite

counted = st.dictionaries(st.integers(1, 20), st.integers(2, 9), max_size=12)


def table(link_counts):
    """Inodes whose sizes are told by their numbers."""
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
def test_each_inode_is_there_once_with_the_highest_count_told(told):
    tables = [table(link_counts) for link_counts in told]
    before = [rows(inodes) for inodes in tables]
    united = unite(tables)
    highest = {
        number: max(link_counts.get(number, 0) for link_counts in told)
        for link_counts in told
        for number in link_counts
    }
    assert sorted(rows(united)) == sorted(
        (number, count, 512 * number, 3 * number) for number, count in highest.items()
    )
    assert [rows(inodes) for inodes in tables] == before


@given(counted, st.permutations(range(1, 31)), counted)
def test_what_was_told_comes_first_and_keeps_its_states(met, numbers, later):
    learned = InodeTable()
    learned.states |= met
    learned.learn(array("Q", numbers))
    assert list(learned.states) == numbers
    assert learned.states == {number: met.get(number, 0) for number in numbers}
    for number, state in later.items():
        learned.states[100 + number] = state
    handed_over = learned.rows()
    assert list(handed_over.known_states) == [met.get(number, 0) for number in numbers]
    assert list(handed_over.inodes.numbers) == [100 + number for number in later]
    assert list(handed_over.states) == list(later.values())
