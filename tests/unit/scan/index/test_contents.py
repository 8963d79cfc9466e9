"""The table of the index: what it keeps of an inventory, and tables that are not from an index."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from conda_hardlink_plugin.filesystem.mounts import MountTable
from conda_hardlink_plugin.scan.index.contents import from_json, indexed_roots, to_json
from conda_hardlink_plugin.scan.index.page import Page, pack_page
from conda_hardlink_plugin.scan.inventory import (
    EscapingSymlink,
    GroupSums,
    InodeGroup,
    Inventory,
    PrivateSums,
    Problem,
    ProblemKind,
    Unit,
    UnitKind,
)
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from tests.support.trees import cache_root, environment_root

ODD = os.fsdecode(b"\xff\n\x1b[31m")
ROOTS = [cache_root("/nowhere/pkgs"), environment_root(f"/nowhere/{ODD}")]
SCAN_ROOTS = survey_roots(ROOTS, (), MountTable((), known=True))
PAGES = [
    Page(unit, 2**40, 3, 4, 5, 6, 7, 8, 9, bytes(16), bytes(range(16)), 12, settled=bool(unit))
    for unit in range(2)
]
PACKED = b"".join(map(pack_page, PAGES))
GROUP = InodeGroup((0, 1), frozenset([1]), device=0, complete=False, surplus=False)
INVENTORY = Inventory(
    roots=tuple(ROOTS),
    root_devices=(0, -1),
    root_inodes=(2**63, 0),
    links=(10, 0),
    units=(
        Unit(UnitKind.OTHER, 0, "/nowhere/pkgs"),
        Unit(UnitKind.PACKAGE, 0, f"/nowhere/pkgs/{ODD}-1-0"),
        Unit(UnitKind.ENVIRONMENT, 1, ROOTS[1].path),
    ),
    private={(1, 0): PrivateSums(1, 2, 3, 4, 5)},
    groups={GROUP: GroupSums(1, 4096, 100, 2)},
    devices=(2**40,),
    records={},
    symlinks=(EscapingSymlink(1, f"{ROOTS[1].path}/link", f"../{ODD}"),),
    units_with_roots_inside=frozenset([2]),
    own_files={},
    problems=(),
    aliases={},
)


def table(inventory=INVENTORY, unread=frozenset()):
    """Return the table of an inventory after it was written and read."""
    extent = (100, len(PACKED), 0)
    texts = {2: (7, 8, 9)}
    return json.loads(json.dumps(dict(to_json(inventory, SCAN_ROOTS, extent, texts, unread))))


def stored(data):
    def read(offset, length, checksum):
        assert (offset, length, checksum) == (100, len(PACKED), 0)
        return PACKED

    return from_json(data, read)


def test_the_table_keeps_an_inventory_with_its_pages():
    found = stored(table(unread=frozenset([2])))
    assert found.inventory == INVENTORY
    assert found.roots == indexed_roots(SCAN_ROOTS)
    assert found.pages == PAGES
    assert found.texts == {2: (7, 8, 9)}
    assert found.unread == {2}


def test_the_table_does_not_keep_what_the_next_scan_finds_anew():
    problem = Problem(ProblemKind.VANISHED, 1, ROOTS[1].path, "No such file or directory")
    more = replace(
        INVENTORY,
        records={1: frozenset(["a-1-0.json"])},
        own_files={1: []},
        problems=(problem,),
        aliases={"/alias": ROOTS[0].path},
    )
    assert stored(table(more)).inventory == INVENTORY


def test_an_index_is_whole_unless_something_could_not_be_counted_correctly():
    problem = Problem(ProblemKind.UNREADABLE, 0, "/nowhere/pkgs/a", "Permission denied")
    surplus = {replace(GROUP, complete=True, surplus=True): GroupSums(1, 4096, 100, 0)}
    assert stored(table()).is_whole
    assert not stored(table(unread=frozenset([1]))).is_whole
    assert not stored(table(replace(INVENTORY, problems=(problem,)))).is_whole
    assert not stored(table(replace(INVENTORY, groups=INVENTORY.groups | surplus))).is_whole


def test_a_root_is_indexed_with_the_paths_of_roots_inside_it(tmp_path):
    paths = [str(tmp_path), f"{tmp_path}/b", f"{tmp_path}/a"]
    for path in paths[1:]:
        os.mkdir(path)
    scan_roots = survey_roots(map(environment_root, paths), (), MountTable((), known=True))
    assert indexed_roots(scan_roots) == [
        ("environment", paths[0], [paths[2], paths[1]]),
        ("environment", paths[1], []),
        ("environment", paths[2], []),
    ]


@pytest.mark.parametrize("name", table())
def test_a_table_without_one_of_its_values_is_refused(name):
    data = table()
    del data[name]
    with pytest.raises(KeyError):
        stored(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("roots", [["folder", "/a", []]]),
        ("roots", [["cache", "/a"]]),
        ("units", [["folder", 0, "/a"]]),
        ("units", 3),
        ("private", [[1]]),
        ("groups", [[[0], [1], 0]]),
        ("symlinks", [[1, "/a"]]),
        ("pages", None),
        ("texts", [[1, 2]]),
    ],
)
def test_a_table_with_a_value_of_another_kind_is_refused(name, value):
    with pytest.raises((KeyError, TypeError, ValueError)):
        stored(table() | {name: value})
