"""The native inode table: rows from another table, known numbers, and threads that share it."""

from __future__ import annotations

import os
from array import array
from types import SimpleNamespace

import pytest

from conda_hardlink_plugin.filesystem.native import Settings, TaskFlag, count_trees, native_module
from conda_hardlink_plugin.scan.inventory import GroupSums
from conda_hardlink_plugin.scan.native_table import NativeInodeTable
from tests.support.trees import link, write

ROUNDS, LOCATIONS, INODES = 20, 40, 60


def status(inode, device=1, *, is_symlink=False):
    sizes = {"disk_bytes": 512 * inode, "size_bytes": inode}
    return SimpleNamespace(device=device, inode=inode, is_symlink=is_symlink, **sizes)


@pytest.fixture
def new():
    native = native_module()
    if native is None:
        pytest.skip("there is no native reader")
    return lambda: NativeInodeTable(native.Table())


def groups(table):
    return sorted(
        (group.device, group.locations, group.complete, group.surplus, repr(group.sums))
        for group in table.groups()
    )


def test_a_table_that_is_loaded_has_the_links_of_both(new):
    here, there, both = new(), new(), new()
    for table in (here, both):
        table.add(status(5), 3, 0)
    for table, device in ((there, 99), (both, 1)):
        table.add(status(5, device), 3, 1)
        table.add(status(6, device), 2, 1)
        table.add(status(7, device, is_symlink=True), 2, 2)
    _, rows, states = there.native.rows()
    here.load(1, rows, states)
    assert groups(here) == groups(both)


def test_what_was_examined_elsewhere_is_known_and_gets_its_sizes_when_its_row_comes(new):
    first, second = new(), new()
    first.add(status(5), 2, 0)
    second.native.learn(1, first.numbers(1))
    assert second.recall([], 4)
    page = (1, 1, 0, array("Q", [5]).tobytes())  # a link that was not examined
    assert second.recall([page], 4)
    for order in ((first, second), (second, first)):
        table = new()
        for part in order:
            _, rows, states = part.native.rows()
            table.load(1, rows, states)
        expected = GroupSums(inodes=1, disk_bytes=512 * 5, apparent_bytes=5)
        assert groups(table) == [(1, (0, 4), True, False, repr(expected))]


def test_numbers_are_those_of_one_device_without_symbolic_links(new):
    table = new()
    table.add(status(5), 2, 0)
    table.add(status(6, 2), 2, 0)
    table.add(status(7, is_symlink=True), 2, 0)
    assert array("Q", table.numbers(1)).tolist() == [5]
    assert array("Q", table.numbers(3)).tolist() == []


@pytest.mark.parametrize(
    ("devices", "rows", "states"),
    [(b"", b"x", []), (b"", bytes(40), [b""]), (bytes(8), bytes(40), []), (bytes(8), b"", None)],
)
def test_incomplete_rows_are_refused(new, devices, rows, states):
    with pytest.raises((ValueError, IndexError, TypeError)):
        new().native.load(devices, rows, states)


def test_locations_are_known_once_the_table_was_summed_up(new):
    table = new()
    assert table.add(status(5), 2, 3)
    assert not table.add(status(5), 2, 1)
    assert table.locations(1, 5) == ()
    (group,) = table.groups()
    assert group.locations == table.locations(1, 5) == (1, 3)
    assert table.locations(1, 6) == table.locations(2, 5) == ()


def test_the_table_may_be_summed_up_again_after_more_links(new):
    table = new()
    table.add(status(5), 3, 0)
    assert [group.complete for group in table.groups()] == [False]
    table.add(status(5), 3, 0)
    table.add(status(5), 3, 0)
    (group,) = table.groups()
    assert (group.locations, group.complete, group.surplus) == ((0, 0, 0), True, False)


def test_a_link_count_may_exceed_4_bytes(new):
    table = new()
    table.add(status(5), 2**40, 0)
    (group,) = table.groups()
    assert group.sums == GroupSums(1, 512 * 5, 5, 2**32 - 2)


def test_links_in_the_same_places_in_any_order_are_one_group(new):
    table = new()
    orders = [(0, 1, 2, 1), (1, 1, 2, 0), (2, 1, 0, 1)]
    for inode, order in enumerate(orders):
        for location in order:
            table.add(status(inode), 4, location)
    (group,) = table.groups()
    assert (group.locations, group.sums.inodes) == ((0, 1, 1, 2), 3)


def test_there_may_be_4096_devices(new):
    table = new()
    for device in range(4_096):
        table.add(status(5, device), 2, 0)
    with pytest.raises(MemoryError):
        table.add(status(5, 4_096), 2, 0)
    assert len(list(table.groups())) == 4_096


def test_threads_that_share_a_table_count_every_link(new, tmp_path):
    """Each inode has a link in many trees, which several threads read at the same time."""
    files = [write(f"{tmp_path}/files/{number}", b"x" * number) for number in range(INODES)]
    expected = {}
    for number, path in enumerate(files):
        locations = tuple(n for n in range(LOCATIONS) if (n * number) % 7 != 3)
        for location in locations:
            link(path, f"{tmp_path}/{location}/d{number % 5}/{number}")
        sums = GroupSums(1, os.stat(path).st_blocks * 512, number, 1)
        expected.setdefault(locations, GroupSums()).add(sums)
    tasks = [
        (-1, TaskFlag.ROOT, location, 0, os.fsencode(f"{tmp_path}/{location}"), b"")
        for location in range(LOCATIONS)
    ]
    for _ in range(ROUNDS):
        table = new()
        settings = Settings(threads=8, threads_waiting=8, max_open=100)
        count_trees(
            native_module(), table.native, tasks, settings=settings, special=(), untrusted=()
        )
        assert {group.locations: group.sums for group in table.groups()} == expected
