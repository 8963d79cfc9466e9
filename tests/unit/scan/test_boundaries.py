"""The directories at which something new begins: roots, units, devices, and those seen before."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest

from conda_hardlink_plugin.filesystem import fs
from conda_hardlink_plugin.filesystem.mounts import MountTable, read_mount_table
from conda_hardlink_plugin.scan import scanner
from conda_hardlink_plugin.scan.boundaries import BoundaryWalker
from conda_hardlink_plugin.scan.inventory import ProblemKind, UnitKind
from conda_hardlink_plugin.scan.listing import UntrustedDeviceError, list_directory
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from tests.support.oracles import du, open_descriptors
from tests.support.scanning import TABLES
from tests.support.trees import (
    cache_root,
    environment_root,
    link,
    make_installation,
    many_links,
    package,
    write,
)

CACHE, FIRST, SECOND = range(3)

each_reader = pytest.mark.usefixtures("each_reader")


@pytest.fixture
def cache(tmp_path):
    return f"{tmp_path}/pkgs"


def units(inventory):
    top = inventory.roots[0].path
    return {os.path.relpath(unit.path, top): unit.kind for unit in inventory.units}


@each_reader
def test_the_entries_of_a_cache_are_units_by_their_names_and_contents(cache):
    package(cache, "p-1-0")
    package(cache, ".hidden-1-0")
    package(cache, "gone-1-0.c~")
    write(f"{cache}/no-package/lib/f")
    write(f"{cache}/p-1-0.conda")
    write(f"{cache}/urls.txt")
    assert units(scanner.scan([cache_root(cache)])) == {
        ".": UnitKind.OTHER,
        "p-1-0": UnitKind.PACKAGE,
        "p-1-0.conda": UnitKind.ARCHIVE,
        "gone-1-0.c~": UnitKind.TRASH,
    }


@each_reader
def test_packages_below_a_folder_that_is_no_package_are_units(cache):
    package(f"{cache}/https/channel/linux-64", "p-1-0", {"lib/f": b"x" * 5_000})
    inventory = scanner.scan([cache_root(cache)])
    nested = "https/channel/linux-64/p-1-0"
    assert units(inventory) == {".": UnitKind.OTHER, nested: UnitKind.PACKAGE}
    found = sum(sums.disk_bytes for sums in inventory.private.values())
    assert found == du(cache)[0]


@each_reader
def test_a_root_in_a_package_and_in_an_environment_is_counted_once(tmp_path, cache):
    package(cache, "p-1-0")
    inner = [f"{cache}/p-1-0/envs/a", f"{tmp_path}/env/deep/b"]
    for path in inner:
        write(f"{path}/f", b"x" * 9_000)
    outer = environment_root(f"{tmp_path}/env")
    inventory = scanner.scan([cache_root(cache), outer, *map(environment_root, inner)])
    holders = {inventory.units[unit].path for unit in inventory.units_with_roots_inside}
    assert holders == {f"{cache}/p-1-0", outer.path}
    found = sum(sums.disk_bytes for sums in inventory.private.values())
    assert found == du(cache, outer.path)[0] + du(outer.path)[0]


@each_reader
def test_the_same_directory_by_two_paths_is_one_root(tmp_path):
    prefix = f"{tmp_path}/env"
    write(f"{prefix}/f")
    os.symlink(prefix, f"{tmp_path}/other")
    inventory = scanner.scan([environment_root(prefix), environment_root(f"{tmp_path}/other")])
    assert [root.path for root in inventory.roots] == [prefix]
    assert inventory.aliases == {f"{tmp_path}/other": prefix}


@each_reader
def test_a_root_that_is_a_file_is_a_problem(tmp_path):
    path = write(f"{tmp_path}/file")
    inventory = scanner.scan([environment_root(path)])
    ((kind, where),) = [(problem.kind, problem.path) for problem in inventory.problems]
    assert (kind, where) == (ProblemKind.VANISHED, path)


@each_reader
def test_links_of_a_cache_into_an_environment_are_seen_on_both_sides(tmp_path, cache):
    source = write(f"{package(cache, 'p-1-0')}/lib/f", b"x" * 5_000)
    link(source, f"{tmp_path}/env/lib/f")
    link(source, f"{cache}/loose")
    inventory = scanner.scan([cache_root(cache), environment_root(f"{tmp_path}/env")])
    (group,) = inventory.groups
    named = {inventory.units[unit].path for unit in group.cache_units}
    assert (group.roots, named) == ((0, 1), {cache, f"{cache}/p-1-0"})
    assert (group.complete, group.surplus) == (True, False)


@pytest.fixture
def made(tmp_path):
    return make_installation(str(tmp_path))


@pytest.fixture(params=TABLES)
def walker_of(request):
    """A function that makes a walker of roots, which is closed at the end."""
    walkers, before = [], open_descriptors()

    def make(roots, mounts=None, **options):
        scan_roots = survey_roots(roots, (), mounts or read_mount_table())
        table = TABLES[request.param]()
        walkers.append(BoundaryWalker(scan_roots, (), table=table, **options))
        return walkers[-1]

    yield make
    for walker in walkers:
        walker.close()
    assert open_descriptors() == before


def problems(walker):
    return [(found.kind, found.path) for found in walker.collector.found.problems]


def test_a_root_is_read_without_its_subdirectories(made, walker_of):
    walker = walker_of(made.roots)
    walker.open_root(FIRST)
    (top,) = walker.stack
    assert sorted(top.children) == ["bin", "conda-meta", "lib"]
    assert (top.path, top.plain) == (made.first, True)
    assert walker.collector.found.identities == {FIRST: top.identity}
    assert walker.collector.links == [0, 1 + len(os.listdir(made.first)) - 3, 0]


def test_packages_and_archives_are_units_of_a_cache(made, walker_of):
    package(f"{made.cache}/https/host", "deep-1-0")
    walker = walker_of(made.roots)
    walker.open_root(CACHE)
    (top,) = walker.stack
    assert not top.plain
    for name in list(top.children):
        walker.read_child(top, name)
    kinds = {unit.path: unit.kind for unit in walker.collector.found.units}
    assert kinds == {
        made.cache: UnitKind.OTHER,
        made.tarball: UnitKind.ARCHIVE,
        **dict.fromkeys([made.shared, made.mine, made.unused], UnitKind.PACKAGE),
    }
    plain = {directory.path: directory.plain for directory in walker.stack[1:]}
    assert plain == {
        f"{made.cache}/https": False,
        **dict.fromkeys([made.shared, made.mine, made.unused], True),
    }


def test_a_root_inside_a_root_is_left_out_of_it(made, walker_of):
    inner = f"{made.first}/lib"
    walker = walker_of([*made.roots, environment_root(inner)])
    walker.open_root(FIRST)
    before = walker.collector.links[FIRST]
    walker.read_child(walker.stack[0], "lib")
    assert walker.collector.links[FIRST] == before
    assert len(walker.stack) == 1
    units = walker.collector.found.units
    held = [units[unit].path for unit in walker.collector.found.units_with_roots_inside]
    assert held == [made.first]


def test_a_directory_that_may_repeat_is_counted_once(made, walker_of):
    walker = walker_of(made.roots, MountTable((), known=False))
    walker.open_root(FIRST)
    (top,) = walker.stack
    walker.read_child(top, "lib")
    links = walker.collector.links[FIRST]
    walker.read_child(top, "lib")
    assert walker.collector.links[FIRST] == links
    assert problems(walker) == [(ProblemKind.REPEATED, f"{made.first}/lib")]
    assert not any(directory.plain for directory in walker.stack)


@pytest.mark.parametrize("replace_by", [None, write, os.mkfifo, lambda path: os.symlink("/", path)])
def test_a_directory_that_is_gone_is_a_problem(made, walker_of, replace_by):
    walker = walker_of(made.roots)
    walker.open_root(FIRST)
    links = walker.collector.links[FIRST]
    shutil.rmtree(f"{made.first}/lib")
    if replace_by is not None:
        replace_by(f"{made.first}/lib")
    walker.read_child(walker.stack[0], "lib")
    assert problems(walker) == [(ProblemKind.VANISHED, f"{made.first}/lib")]
    assert walker.collector.links[FIRST] == links


def test_an_unknown_root_is_counted_without_its_content(made, walker_of):
    walker = walker_of(made.roots)
    error = PermissionError(13, "Permission denied")
    walker.scan_roots = replace(walker.scan_roots, unknown={made.first: error})
    walker.open_root(FIRST)
    assert walker.stack == []
    assert walker.collector.links == [0, 1, 0]
    assert problems(walker) == [(ProblemKind.UNREADABLE, made.first)]


def test_a_listing_with_other_inode_numbers_than_the_files_is_not_trusted(made, walker_of):
    """As that of an overlay filesystem without xino."""
    walker = walker_of(made.roots)
    walker.open_root(FIRST)
    handle = fs.open_root(f"{made.first}/lib")
    status = fs.status_of(handle)
    listing = list_directory(handle, status)
    entries = [(name, number + 1, found) for name, number, found in listing.entries]
    with pytest.raises(UntrustedDeviceError) as caught:
        walker.read_with_stat(
            walker.stack[0], "lib", 0, handle, status, replace(listing, entries=entries)
        )
    fs.close(handle)
    assert caught.value.device == status.device


def test_directories_beyond_those_allowed_are_opened_from_an_ancestor(made, walker_of):
    write(f"{made.first}/a/b/c/d/file")
    walker = walker_of(made.roots)
    walker.max_open = 2
    walker.open_root(FIRST)
    for name in "abc":
        walker.read_child(walker.stack[-1], name)
    relative = [directory.relative for directory in walker.stack]
    assert relative == ["", "", "b/", "b/c/"]
    handles = {directory.handle for directory in walker.stack}
    assert len(handles) == 2
    walker.read_child(walker.stack[-1], "d")
    assert problems(walker) == []


def test_progress_is_reported_each_time_it_has_grown_by_5000_entries(made, walker_of):
    reported = []
    walker = walker_of(made.roots, on_progress=reported.append)
    for links in (0, 4_999, 5_000, 5_001, 9_999, 10_000):
        walker.report_progress(links)
    assert reported == [5_000, 10_000]
    many_links(write(f"{made.second}/f"), made.second, 5_100)
    walker.open_root(SECOND)
    walker.report_progress(10_000)
    assert reported[2:] == [sum(walker.collector.links) + 10_000]


def test_a_directory_is_recorded_with_its_path_below_the_root(made, walker_of):
    walker = walker_of(made.roots)
    assert not walker.is_recording
    assert walker.pages() is None
    assert walker.draft(0, 1) is None
    walker.stop_recording()
    assert walker.pages() is None
