"""Combining findings: the order of units, groups of inodes, own files and symbolic links."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.filesystem.mounts import MountTable
from conda_hardlink_plugin.scan.combine import combine
from conda_hardlink_plugin.scan.inventory import (
    EscapingSymlink,
    GroupSums,
    InodeGroup,
    Problem,
    ProblemKind,
    UnitKind,
)
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.walker import Walker
from tests.support.scanning import reading
from tests.support.trees import (
    cache_root,
    environment_root,
    link,
    make_installation,
    package,
    symlink,
    write,
)

pytestmark = pytest.mark.usefixtures("each_reader")


@pytest.fixture
def made(tmp_path):
    return make_installation(str(tmp_path))


def combined(roots, detailed=()):
    with reading(roots, detailed=detailed, mounts=MountTable((), known=True)) as (reader, given):
        return combine(reader.collector, given, {})


def size(*paths):
    """Return the sums over some files with several links, all of which were seen."""
    status = [os.lstat(path) for path in paths]
    blocks = sum(one.st_blocks for one in status)
    return GroupSums(len(status), blocks * 512, sum(one.st_size for one in status), 0)


def test_inodes_are_grouped_by_the_roots_and_cache_units_of_their_links(made):
    inventory = combined(made.roots)
    number_of = {unit.path: number for number, unit in enumerate(inventory.units)}

    def group(roots, *units):
        cache_units = frozenset(number_of[unit] for unit in units)
        return InodeGroup(roots, cache_units, device=0, complete=True, surplus=False)

    in_both = [f"{made.shared}/{name}" for name in ("lib/big", "lib/small", "empty")]
    in_first = [f"{made.mine}/{name}" for name in ("bin/tool", "lib/mine")]
    assert inventory.groups == {
        group((0, 1, 2), made.shared): size(*in_both),
        group((0, 1), made.mine): size(*in_first),
    }
    assert inventory.devices == (os.stat(made.cache).st_dev,)


def test_links_outside_the_roots_are_counted_for_each_inode(made, tmp_path):
    for number in range(3):
        link(f"{made.unused}/lib/unused", f"{tmp_path}/outside/{number}")
    link(f"{made.mine}/lib/mine", f"{tmp_path}/outside/mine")
    inventory = combined(made.roots[:2])  # without `second`, which has a link to each of `shared`
    outside = {
        (inventory.units[unit].path, group.roots, group.complete): (sums.inodes, sums.outside_links)
        for group, sums in inventory.groups.items()
        for unit in group.cache_units
    }
    assert outside == {
        (made.unused, (0,), False): (1, 3),
        (made.shared, (0, 1), False): (3, 3),
        (made.mine, (0, 1), False): (1, 1),
        (made.mine, (0, 1), True): (1, 0),
    }


def test_more_links_than_the_link_count_are_a_surplus(tmp_path):
    """A link was created while the roots were read."""
    cache, prefix = f"{tmp_path}/pkgs", f"{tmp_path}/env"
    path = write(f"{cache}/file", b"f" * 5_000)
    for root in (cache, prefix):
        link(path, f"{root}/lib/first")
    roots = [cache_root(cache), environment_root(prefix)]
    scan_roots = survey_roots(roots, (), MountTable((), known=True))
    walker = Walker(scan_roots, ())
    walker.open_root(0)
    walker.read_below()
    link(path, f"{prefix}/lib/late")  # an entry whose inode is known is not examined again
    walker.open_root(1)
    walker.read_below()
    walker.close()
    inventory = combine(walker.collector, scan_roots, {})
    (group,) = inventory.groups
    assert (group.complete, group.surplus) == (True, True)
    assert inventory.groups[group] == size(path)


def test_units_are_in_the_order_of_the_roots_and_the_rest_of_a_cache_is_first(tmp_path):
    cache, prefix = f"{tmp_path}/pkgs", f"{tmp_path}/env"
    os.mkdir(prefix)
    names = ["z-1-0", "a-1-0", os.fsdecode(b"\xff-1-0"), "new\nline-1-0", " "]
    for name in names:
        package(cache, name)
    inventory = combined([environment_root(prefix), cache_root(cache)])
    assert [(unit.kind, unit.root, unit.path) for unit in inventory.units] == [
        (UnitKind.OTHER, 0, cache),
        *((UnitKind.PACKAGE, 0, f"{cache}/{name}") for name in sorted(names)),
        (UnitKind.ENVIRONMENT, 1, prefix),
    ]


def test_own_files_are_those_with_all_links_in_the_root(made, tmp_path):
    twice = write(f"{made.first}/twice", b"t")
    link(twice, f"{made.first}/lib/twice")
    link(write(f"{made.first}/linked elsewhere", b"e"), f"{tmp_path}/elsewhere")
    link(write(f"{made.first}/linked in second", b"s"), f"{made.second}/linked")
    own = combined(made.roots, detailed=[made.first]).own_files
    assert list(own) == [1]
    paths = {file.path for file in own[1]}
    assert len(paths & {"twice", "lib/twice"}) == 1
    records = ["history", "mine-1-0.json", "shared-1-0.json"]
    expected = {"lib/own", *(f"conda-meta/{name}" for name in records)}
    assert paths - {"twice", "lib/twice"} == expected
    assert len(own[1]) == 5


def test_a_symlink_that_leads_through_another_one_may_escape(made):
    prefix = made.first
    out = symlink("/etc", f"{prefix}/lib/out")
    through = symlink("out/passwd", f"{prefix}/lib/through")
    inside = symlink("../lib", f"{prefix}/lib/lib64")
    through_inside = symlink("lib64/own", f"{prefix}/lib/through inside")
    symlink("own", f"{prefix}/lib/direct")
    symlink("out", f"{prefix}/lib/ends at a link")
    inventory = combined(made.roots)
    assert inside not in {found.path for found in inventory.symlinks}
    assert set(inventory.symlinks) == {
        EscapingSymlink(1, out, "/etc"),
        EscapingSymlink(1, through, "out/passwd"),
        EscapingSymlink(1, through_inside, "lib64/own"),
    }


def test_problems_are_in_the_order_of_roots_and_paths(made):
    problems = [
        Problem(ProblemKind.VANISHED, root, f"/{name}", "No such file or directory")
        for root in (0, 2)
        for name in "ab"
    ]
    with reading(made.roots) as (reader, scan_roots):
        reader.collector.found.problems.extend(reversed(problems))
        assert combine(reader.collector, scan_roots, {}).problems == tuple(problems)


def test_a_root_that_could_not_be_opened_has_no_device(made, tmp_path):
    inventory = combined([made.roots[0], environment_root(f"{tmp_path}/missing"), made.roots[1]])
    assert inventory.root_devices == (0, -1, 0)
    assert inventory.root_inodes == (os.stat(made.cache).st_ino, 0, os.stat(made.first).st_ino)


def test_records_and_aliases_are_taken_over(made, tmp_path):
    alias = symlink(made.cache, f"{tmp_path}/alias")
    records = {1: frozenset(["a-1-0.json"])}
    with reading([*made.roots, cache_root(alias)]) as (reader, scan_roots):
        inventory = combine(reader.collector, scan_roots, records)
    assert inventory.records == records
    assert inventory.aliases == {alias: made.cache}
