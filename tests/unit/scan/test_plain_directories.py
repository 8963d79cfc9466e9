"""Reading plain directories in Python: no more than is asked for, and no stat of known inodes."""

from __future__ import annotations

import pytest

from conda_hardlink_plugin.filesystem import linux
from conda_hardlink_plugin.filesystem.mounts import MountTable
from conda_hardlink_plugin.scan.plain_directories import read_plain
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.walker import Walker
from tests.support.trees import cache_root, environment_root, link, package, write


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
