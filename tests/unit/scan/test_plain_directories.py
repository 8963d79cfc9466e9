"""Reading plain directories in Python: how far a call reads, and no stat of known inodes."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.filesystem import linux
from conda_hardlink_plugin.filesystem.mounts import MountTable, read_mount_table
from conda_hardlink_plugin.scan.combine import combine
from conda_hardlink_plugin.scan.listing import UntrustedDeviceError
from conda_hardlink_plugin.scan.plain_directories import read_plain
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.walker import Walker
from tests.support.oracles import open_descriptors
from tests.support.scanning import analysis, scan
from tests.support.trees import (
    cache_root,
    environment_root,
    link,
    make_installation,
    package,
    symlink,
    write,
)

CACHE, FIRST, SECOND = range(3)


@pytest.fixture
def walker(tmp_path):
    """A walker that has read a package, and has opened an environment that is linked from it."""
    extracted = package(f"{tmp_path}/pkgs", "p-1-0", {f"lib/f{n}": b"x" for n in range(20)})
    for number in range(20):
        link(f"{extracted}/lib/f{number}", f"{tmp_path}/env/d{number}/f{number}")
    write(f"{tmp_path}/env/d0/own", b"y")
    roots = [cache_root(f"{tmp_path}/pkgs"), environment_root(f"{tmp_path}/env")]
    walker = Walker(survey_roots(roots, (), MountTable((), known=True)), ())
    walker.open_root(0)
    walker.read_below()
    walker.open_root(1)
    yield walker
    walker.close()


def test_reading_stops_after_as_many_directories_as_allowed(walker):
    before = walker.directories
    read_plain(walker, walker.table, before + 7)
    assert walker.directories == before + 7
    read_plain(walker, walker.table, before + 1_000)
    assert walker.directories == before + 20
    assert walker.collector.links[1] == 1 + 20 + 20 + 1


def test_an_entry_whose_inode_is_known_is_not_examined(walker, monkeypatch):
    examined = []
    facts_of = linux.raw_facts

    def counted(raw):
        examined.append(raw.st_ino)
        return facts_of(raw)

    monkeypatch.setattr(linux, "raw_facts", counted)
    read_plain(walker, walker.table, 1_000)
    assert len(examined) == 20 + 1  # the directories, and the one file that is new


@pytest.fixture
def made(tmp_path):
    made = make_installation(str(tmp_path))
    for number in range(30):
        write(f"{made.first}/many/{number}/below/file", b"x" * number)
        link(f"{made.unused}/lib/unused", f"{made.first}/many/{number}/linked")
        symlink("/etc", f"{made.first}/many/{number}/link")
    return made


@pytest.fixture
def walker_of():
    walkers, before = [], open_descriptors()

    def make(roots, **options):
        scan_roots = survey_roots(roots, options.pop("detailed", ()), read_mount_table())
        walkers.append(Walker(scan_roots, (), **options))
        return walkers[-1]

    yield make
    for walker in walkers:
        walker.close()
    assert open_descriptors() == before


@pytest.mark.parametrize("step", [1, 7, 1_000])
@pytest.mark.parametrize("detailed", [False, True])
def test_reading_in_steps_finds_the_same(made, walker_of, step, detailed):
    expected = scan(made.roots, detailed=made.paths if detailed else ())
    walker = walker_of(made.roots, detailed=made.paths if detailed else ())
    for root in range(3):
        walker.open_root(root)
        while walker.stack:
            before = walker.directories
            read_plain(walker, walker.table, before + step)
            assert walker.directories <= before + step + 1  # one that is not plain may be the last
    found = combine(walker.collector, walker.scan_roots, expected.records)
    assert analysis(found) == analysis(expected)
    assert found.own_files.keys() == expected.own_files.keys()


def test_a_call_ends_with_the_unit(made, walker_of):
    """The counts of one call are added to one unit."""
    walker = walker_of(made.roots)
    walker.open_root(CACHE)
    while walker.stack:
        units = {len(walker.collector.found.units)}
        read_plain(walker, walker.table, 10_000)
        units.add(len(walker.collector.found.units))
        assert len(units) == 1 or max(units) - min(units) == 1


def test_progress_is_reported_between_directories(made, walker_of):
    for number in range(6_000):
        link(f"{made.unused}/lib/unused", f"{made.first}/zz/{number}")
    reported = []
    walker = walker_of(made.roots, on_progress=reported.append)
    walker.open_root(FIRST)
    read_plain(walker, walker.table, 10_000)
    assert len(reported) == 1
    assert 6_000 <= reported[0] <= sum(walker.collector.links)


def test_counts_are_kept_if_reading_is_stopped(made, walker_of):
    def stop(_links):
        raise KeyboardInterrupt

    for number in range(6_000):
        write(f"{made.first}/zz/{number}")
    walker = walker_of(made.roots, on_progress=stop)
    walker.open_root(FIRST)
    with pytest.raises(KeyboardInterrupt):
        read_plain(walker, walker.table, 10_000)
    assert walker.collector.links[FIRST] >= 6_000
    sums = walker.collector.found.private[0, os.stat(made.first).st_dev]
    assert sums.inodes >= 6_000


def test_other_inode_numbers_than_those_listed_end_the_reading(made, walker_of, monkeypatch):
    real = os.DirEntry
    walker = walker_of(made.roots)
    walker.open_root(FIRST)
    scandir = os.scandir

    class Shifted:
        """An entry as on an overlay filesystem without xino."""

        def __init__(self, entry: real):
            self.entry = entry
            self.name = entry.name

        def inode(self):
            return self.entry.inode() + 2**40

        def __getattr__(self, name):
            return getattr(self.entry, name)

    class Listing:
        def __init__(self, descriptor):
            self.entries = scandir(descriptor)

        def __enter__(self):
            return map(Shifted, self.entries)

        def __exit__(self, *_):
            self.entries.close()

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", Listing)
        with pytest.raises(UntrustedDeviceError):
            read_plain(walker, walker.table, 10_000)
