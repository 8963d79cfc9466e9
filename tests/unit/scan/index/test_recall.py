"""Recalled units: counted from the index as if they had been read, or not counted at all."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.scan.collector import Collector
from conda_hardlink_plugin.scan.index.file import index_path
from conda_hardlink_plugin.scan.index.recall import Remembered
from conda_hardlink_plugin.scan.inventory import GroupSums, PrivateSums, Unit, UnitKind
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from tests.support.oracles import du
from tests.support.scanning import TABLES, look_up, next_tick, write_index
from tests.support.trees import ODD_NAMES, link, make_installation, package, symlink, write

CACHE, FIRST, SECOND = range(3)


@pytest.fixture
def made(tmp_path):
    """An installation with hard and symbolic links inside `second`, and with an index."""
    made = make_installation(str(tmp_path))
    for name in ODD_NAMES:
        symlink(f"/{name}", f"{made.second}/links/{name}")
    link(f"{made.second}/links/{ODD_NAMES[0]}", f"{made.second}/links/again")
    link(f"{made.second}/lib/own", f"{made.second}/lib/twice")
    write_index(f"{tmp_path}/index", made.roots)
    next_tick(tmp_path)
    return made


@pytest.fixture(params=TABLES)
def start(made, tmp_path, request):
    """A function that returns the remembered units, and a collector to count them in."""
    with look_up(f"{tmp_path}/index", quick=False) as lookup:

        def begin(roots=made.roots):
            scan_roots = survey_roots(roots, (), read_mount_table())
            remembered = Remembered(lookup.unchanged(scan_roots, None))
            table = TABLES[request.param]()
            return remembered, Collector(scan_roots.roots, scan_roots.inside, table)

        yield begin


def recall_package(remembered, collector, path, kind=UnitKind.PACKAGE):
    collector.begin_root(CACHE, detailed=False)
    return remembered.recall(Unit(kind, CACHE, path), collector)


def recall_root(remembered, collector, root):
    unit = collector.begin_root(root, detailed=False)
    return remembered.recall(collector.found.units[unit], collector, unit)


def entries(top):
    return 1 + sum(len(names) + len(files) for _, names, files in os.walk(top))


def test_a_recalled_package_counts_its_entries_and_sizes(made, start):
    remembered, collector = start()
    assert recall_package(remembered, collector, made.unused)
    assert collector.links == [entries(made.unused), 0, 0]
    directories = [made.unused, f"{made.unused}/info", f"{made.unused}/lib"]
    sums = collector.sums(1, os.stat(made.unused).st_dev)
    assert sums == PrivateSums(
        disk_bytes=du(made.unused)[0],
        apparent_bytes=du(made.unused, apparent=True)[0],
        inodes=entries(made.unused),
        directory_disk_bytes=sum(os.stat(path).st_blocks * 512 for path in directories),
        directory_apparent_bytes=sum(os.stat(path).st_size for path in directories),
    )


def test_recalled_units_count_every_link_of_an_inode(made, start):
    remembered, collector = start()
    assert recall_package(remembered, collector, made.shared)
    assert recall_root(remembered, collector, SECOND)
    assert collector.links == [entries(made.shared), 0, entries(made.second)]
    in_both, twice = ((CACHE, 1), (SECOND, None)), ((SECOND, None), (SECOND, None))
    shared = (f"{made.shared}/{name}" for name in ("lib/big", "lib/small", "empty"))
    assert counted(collector) == {
        # `first`, which was not recalled, has a link to each
        (in_both, False): sums_of(*shared, outside_links=3),
        (twice, True): sums_of(f"{made.second}/lib/own", f"{made.second}/links/again"),
    }


def counted(collector):
    """Return the sums of the inodes by the places of their links, and whether all were seen."""
    sums = {}
    for group in collector.table.groups():
        places = tuple(collector.locations[location] for location in group.locations)
        sums.setdefault((places, group.complete), GroupSums()).add(group.sums)
    return sums


def sums_of(*paths, outside_links=0):
    status = [os.lstat(path) for path in paths]
    blocks = sum(one.st_blocks for one in status)
    return GroupSums(len(status), blocks * 512, sum(one.st_size for one in status), outside_links)


def test_a_package_that_is_not_recalled_is_not_a_unit_yet(made, start):
    write(f"{made.mine}/lib/new")
    remembered, collector = start()
    assert not recall_package(remembered, collector, made.mine)
    assert [unit.path for unit in collector.found.units] == [made.cache]


def test_a_recalled_environment_has_its_symlinks(made, start):
    remembered, collector = start()
    recall_package(remembered, collector, made.shared)
    assert recall_root(remembered, collector, SECOND)
    expected = {f"{made.second}/links/{name}": f"/{name}" for name in ODD_NAMES}
    expected[f"{made.second}/links/again"] = f"/{ODD_NAMES[0]}"
    assert collector.found.leaving == {SECOND: expected}


def test_an_environment_is_not_recalled_before_the_packages_that_it_shares(made, start):
    """An index has the size of an inode only with the unit in which it was examined."""
    remembered, collector = start()
    assert not recall_root(remembered, collector, SECOND)
    assert collector.links == [0, 0, 0]
    assert collector.found.leaving == {}
    assert remembered.recalled == {}


def test_only_units_of_the_index_are_recalled(made, start):
    new = package(made.cache, "new-1-0")
    remembered, collector = start()
    assert not recall_package(remembered, collector, new)
    assert not recall_package(remembered, collector, made.mine, UnitKind.TRASH)
    assert not recall_package(remembered, collector, made.tarball, UnitKind.ARCHIVE)
    assert recall_package(remembered, collector, made.mine)


def test_the_rest_of_a_cache_is_not_recalled(made, start):
    """New packages and archives can only be found by reading it."""
    remembered, collector = start()
    assert not recall_root(remembered, collector, CACHE)
    assert collector.links == [0, 0, 0]


def test_a_changed_unit_is_not_recalled(made, start):
    write(f"{made.mine}/lib/new")
    remembered, collector = start()
    assert not recall_package(remembered, collector, made.mine)
    assert recall_package(remembered, collector, made.shared)


@pytest.mark.parametrize("part", ["inodes", "texts"])
def test_a_damaged_unit_is_not_recalled(made, start, tmp_path, part):
    remembered, collector = start()
    stored = remembered.index.stored
    units = enumerate(stored.inventory.units)
    (number,) = (number for number, unit in units if unit.path == made.second)
    pages = [page for page in stored.pages if page.unit == number and page.rows]
    ends = {
        "inodes": [page.offset + page.bytes - 8 * page.rows for page in pages],  # the sizes
        "texts": [sum(stored.texts[number][:2])],
    }
    with open(index_path(f"{tmp_path}/index"), "r+b") as file:
        file.seek(ends[part][-1] - 1)
        file.write(b"\x7f")
    recall_package(remembered, collector, made.shared)
    assert not recall_root(remembered, collector, SECOND)
    assert collector.links == [entries(made.shared), 0, 0]


def test_a_unit_is_recalled_for_the_current_number_of_its_root(made, start):
    cache, first, second = made.roots
    remembered, collector = start([cache, second, first])
    recall_package(remembered, collector, made.shared)
    assert recall_root(remembered, collector, 1)
    units = remembered.index.stored.inventory.units
    assert {units[number]: unit for number, unit in remembered.recalled.items()} == {
        Unit(UnitKind.PACKAGE, CACHE, made.shared): Unit(UnitKind.PACKAGE, CACHE, made.shared),
        Unit(UnitKind.ENVIRONMENT, 2, made.second): Unit(UnitKind.ENVIRONMENT, 1, made.second),
    }
