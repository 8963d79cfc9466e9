"""The native inode table: rows that come from another table, and known numbers."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

import pytest

from conda_hardlink_plugin.filesystem.native import native_module
from conda_hardlink_plugin.scan.inventory import GroupSums
from conda_hardlink_plugin.scan.native_table import NativeInodeTable


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


def test_locations_are_known_after_the_groups(new):
    table = new()
    table.add(status(5), 3, 8)
    table.add(status(5), 3, 2)
    list(table.groups())
    assert table.locations(1, 5) == (2, 8)
    assert table.locations(1, 6) == ()


@pytest.mark.parametrize(
    ("devices", "rows", "states"),
    [(b"", b"x", []), (b"", bytes(40), [b""]), (bytes(8), bytes(40), []), (bytes(8), b"", None)],
)
def test_incomplete_rows_are_refused(new, devices, rows, states):
    with pytest.raises((ValueError, IndexError, TypeError)):
        new().native.load(devices, rows, states)
