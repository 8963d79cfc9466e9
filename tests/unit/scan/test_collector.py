"""The collector: single-link and multi-link entries, symbolic links, problems, kept files."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.filesystem import fs
from conda_hardlink_plugin.scan.collector import Collector, NotedFile
from conda_hardlink_plugin.scan.inventory import (
    GroupSums,
    OwnFile,
    PrivateSums,
    Problem,
    ProblemKind,
    Unit,
    UnitKind,
)
from tests.support.scanning import TABLES
from tests.support.trees import ODD_NAMES, cache_root, environment_root, link, symlink, write

CACHE, ENVIRONMENT = range(2)


@pytest.fixture
def cache(tmp_path):
    return f"{tmp_path}/pkgs"


@pytest.fixture
def prefix(tmp_path):
    return f"{tmp_path}/env"


@pytest.fixture(params=TABLES)
def collector(cache, prefix, request):
    """A collector for a cache and an environment with a root inside it."""
    for path in (cache, prefix):
        os.mkdir(path)
    roots = [cache_root(cache), environment_root(prefix)]
    return Collector(roots, [(), (f"{prefix}/inner",)], TABLES[request.param]())


def count(collector, unit, path, **options):
    """Count one entry, as a walker does."""
    directory, name = os.path.split(path)
    handle = fs.open_root(directory)
    try:
        collector.add_file(unit, directory, name, handle, fs.status_at(name, handle), **options)
    finally:
        fs.close(handle)


def counted(collector):
    """Return the sums of the inodes in the table by the places of their links, of one device."""
    return {
        tuple(collector.locations[location] for location in group.locations): group.sums
        for group in collector.table.groups()
    }


def sums_of(path, outside_links):
    """Return the sums over one inode."""
    status = os.lstat(path)
    return GroupSums(1, status.st_blocks * 512, status.st_size, outside_links)


def test_each_root_has_one_unit_of_its_own(collector, cache, prefix):
    units = [collector.begin_root(root, detailed=False) for root in (CACHE, ENVIRONMENT, CACHE)]
    assert units == [0, 1, 0]
    assert collector.found.units == [
        Unit(UnitKind.OTHER, CACHE, cache),
        Unit(UnitKind.ENVIRONMENT, ENVIRONMENT, prefix),
    ]


def test_files_with_one_link_and_directories_are_summed_by_unit(collector, cache):
    unit = collector.begin_root(CACHE, detailed=False)
    package = collector.add_unit(UnitKind.PACKAGE, f"{cache}/p-1-0")
    for name in ODD_NAMES:
        count(collector, package, write(f"{cache}/p-1-0/{name}", b"x" * 5_000))
    count(collector, unit, write(f"{cache}/urls.txt", b"u"))
    status = fs.status(f"{cache}/p-1-0")
    collector.add_directory(package, status)
    assert collector.sums(unit, status.device).inodes == 1
    blocks = os.stat(f"{cache}/p-1-0/ ").st_blocks * 512
    assert collector.sums(package, status.device) == PrivateSums(
        disk_bytes=len(ODD_NAMES) * blocks + status.disk_bytes,
        apparent_bytes=len(ODD_NAMES) * 5_000 + status.size_bytes,
        inodes=len(ODD_NAMES) + 1,
        directory_disk_bytes=status.disk_bytes,
        directory_apparent_bytes=status.size_bytes,
    )
    assert collector.found.links == [len(ODD_NAMES) + 2, 0]


def test_the_links_of_an_inode_are_counted_with_their_roots_and_units(collector, cache, prefix):
    path = write(f"{cache}/p-1-0/file", b"x" * 5_000)
    paths = [link(path, f"{prefix}/{name}") for name in ("lib", "bin")]
    collector.begin_root(CACHE, detailed=False)
    package = collector.add_unit(UnitKind.PACKAGE, f"{cache}/p-1-0")
    count(collector, package, path)
    unit = collector.begin_root(ENVIRONMENT, detailed=False)
    for other in paths:
        count(collector, unit, other)
    places = ((CACHE, package), (ENVIRONMENT, None), (ENVIRONMENT, None))
    assert counted(collector) == {places: sums_of(path, 0)}
    assert collector.found.links == [1, 2]
    assert collector.found.private == {}


def test_links_in_different_parts_of_a_cache_are_in_different_places(collector, cache):
    path = write(f"{cache}/p-1-0/file", b"x" * 5_000)
    archive = link(path, f"{cache}/p-1-0.conda")
    rest = collector.begin_root(CACHE, detailed=False)
    package = collector.add_unit(UnitKind.PACKAGE, f"{cache}/p-1-0")
    count(collector, package, path)
    count(collector, rest, archive)
    assert counted(collector) == {((CACHE, package), (CACHE, rest)): sums_of(path, 0)}


def test_a_unit_may_get_its_location_before_it_is_added(collector, cache):
    """A package is read before it is certain that it is one."""
    collector.begin_root(CACHE, detailed=False)
    location = collector.add_location(CACHE, None)
    package = collector.add_unit(UnitKind.PACKAGE, f"{cache}/p-1-0", location)
    assert collector.location_of(package) == location
    assert collector.locations[location] == (CACHE, package)


def test_a_file_that_is_mounted_elsewhere_has_one_more_link(collector, prefix):
    unit = collector.begin_root(ENVIRONMENT, detailed=False)
    path = write(f"{prefix}/file", b"x")
    count(collector, unit, path, mounts=2)
    assert counted(collector) == {((ENVIRONMENT, None),): sums_of(path, 2)}


@pytest.mark.parametrize(
    ("target", "leaves"),
    [
        ("lib", False),
        ("./lib/../..", False),
        ("../..", True),
        ("/", True),
        ("../inner/file", True),
        ("../inner", True),
        ("../inner too", False),
        (os.fsdecode(b"\xff\n\x1b"), False),
        (os.fsdecode(b"/\xff\n\x1b"), True),
    ],
)
@pytest.mark.parametrize("name", ODD_NAMES[:2])
def test_a_symlink_leaves_if_its_text_leads_out_or_to_another_root(
    collector, prefix, target, leaves, name
):
    unit = collector.begin_root(ENVIRONMENT, detailed=False)
    path = symlink(target, f"{prefix}/dir/{name}")
    count(collector, unit, path)
    expected = {ENVIRONMENT: {path: target}}
    assert collector.found.leaving == (expected if leaves else {})
    assert collector.found.staying == ({} if leaves else expected)


def test_symlinks_of_a_cache_are_counted_and_not_noted(collector, cache):
    unit = collector.begin_root(CACHE, detailed=False)
    path = symlink("/", f"{cache}/p-1-0/link")
    count(collector, unit, path)
    found = collector.found
    assert (found.leaving, found.staying, found.links) == ({}, {}, [1, 0])
    assert found.private[unit, os.lstat(path).st_dev].inodes == 1


def test_a_symlink_that_cannot_be_read_is_counted_and_reported(collector, prefix):
    unit = collector.begin_root(ENVIRONMENT, detailed=False)
    path = symlink("lib", f"{prefix}/link")
    handle = fs.open_root(prefix)
    status = fs.status_at("link", handle)
    os.unlink(path)
    collector.add_file(unit, prefix, "link", handle, status)
    fs.close(handle)
    reason = "No such file or directory"
    assert collector.found.problems == [Problem(ProblemKind.VANISHED, ENVIRONMENT, path, reason)]
    assert collector.found.links == [0, 1]


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (FileNotFoundError(2, "No such file"), ProblemKind.VANISHED, "No such file"),
        (NotADirectoryError(20, "Not a directory"), ProblemKind.VANISHED, "Not a directory"),
        (PermissionError(13, "Permission denied"), ProblemKind.UNREADABLE, "Permission denied"),
        (OSError("no errno"), ProblemKind.UNREADABLE, "no errno"),
    ],
)
def test_a_problem_says_whether_the_path_vanished_and_why(collector, prefix, error, kind, reason):
    collector.begin_root(ENVIRONMENT, detailed=False)
    path = f"{prefix}/{ODD_NAMES[0]}"
    collector.add_problem(path, error)
    assert collector.found.problems == [Problem(kind, ENVIRONMENT, path, reason)]


def test_files_of_a_detailed_root_are_kept_once_by_their_first_link(collector, cache, prefix):
    collector.begin_root(CACHE, detailed=False)
    shared = write(f"{cache}/shared", b"s")
    link(shared, f"{prefix}/shared")
    count(collector, 0, shared)
    unit = collector.begin_root(ENVIRONMENT, detailed=True)
    odd = write(f"{prefix}/d/{ODD_NAMES[-4]}", b"x" * 5_000)
    twice = write(f"{prefix}/twice", b"t")
    dangling = symlink("nowhere", f"{prefix}/dangling")
    paths = (odd, twice, link(twice, f"{prefix}/again"), dangling, f"{prefix}/shared")
    for path in paths:
        count(collector, unit, path)
    blocks = os.stat(odd).st_blocks * 512
    noted = collector.found.own_files[ENVIRONMENT]
    status = os.stat(twice)
    assert noted == [
        NotedFile(OwnFile(odd[len(prefix) + 1 :], blocks, 5_000, is_symlink=False), None, 1),
        NotedFile(
            OwnFile("twice", status.st_blocks * 512, 1, is_symlink=False),
            (status.st_dev, status.st_ino),
            2,
        ),
        NotedFile(OwnFile("dangling", 0, len("nowhere"), is_symlink=True), None, 1),
    ]
    assert CACHE not in collector.found.own_files
