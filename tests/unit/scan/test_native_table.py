"""The inode table of the native module: what only it does; test_inode_table.py has the rest."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from conda_hardlink_plugin.filesystem.native import TaskFlag, count_trees
from conda_hardlink_plugin.scan.inventory import GroupSums
from conda_hardlink_plugin.scan.native_table import NativeInodeTable
from tests.support.scanning import native
from tests.support.trees import link, write

ROUNDS, LOCATIONS, INODES = 20, 40, 60


@pytest.fixture
def table():
    return NativeInodeTable(native().Table())


def status(inode, device=1, *, is_symlink=False):
    return SimpleNamespace(
        device=device, inode=inode, disk_bytes=4_096, size_bytes=5, is_symlink=is_symlink
    )


def test_locations_are_known_once_the_table_was_summed_up(table):
    assert table.add(status(5), 2, 3)
    assert not table.add(status(5), 2, 1)
    assert table.locations(1, 5) == ()
    (group,) = table.groups()
    assert group.locations == table.locations(1, 5) == (1, 3)
    assert table.locations(1, 6) == table.locations(2, 5) == ()


def test_the_table_may_be_summed_up_again_after_more_links(table):
    table.add(status(5), 3, 0)
    assert [group.complete for group in table.groups()] == [False]
    table.add(status(5), 3, 0)
    table.add(status(5), 3, 0)
    (group,) = table.groups()
    assert (group.locations, group.complete, group.surplus) == ((0, 0, 0), True, False)


def test_a_link_count_may_exceed_4_bytes(table):
    table.add(status(5), 2**40, 0)
    (group,) = table.groups()
    assert group.sums == GroupSums(1, 4_096, 5, 2**32 - 2)


def test_links_in_the_same_places_in_any_order_are_one_group(table):
    orders = [(0, 1, 2, 1), (1, 1, 2, 0), (2, 1, 0, 1)]
    for inode, order in enumerate(orders):
        for location in order:
            table.add(status(inode), 4, location)
    (group,) = table.groups()
    assert (group.locations, group.sums.inodes) == ((0, 1, 1, 2), 3)


def test_there_may_be_4096_devices(table):
    for device in range(4_096):
        table.add(status(5, device), 2, 0)
    with pytest.raises(MemoryError):
        table.add(status(5, 4_096), 2, 0)
    assert len(list(table.groups())) == 4_096


def test_threads_that_share_a_table_count_every_link(tmp_path):
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
        table = NativeInodeTable(native().Table())
        count_trees(
            native(),
            table.native,
            tasks,
            settings=(8, 8, 100, False),
            special=(),
            untrusted=(),
            on_progress=lambda _: None,
            on_page=lambda *_: None,
        )
        assert {group.locations: group.sums for group in table.groups()} == expected
