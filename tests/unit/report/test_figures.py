"""The figures of each environment, cache and filesystem, and their totals, against `du`."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace

import pytest

from conda_hardlink_plugin.report.environment_detail import PrivateUsage
from conda_hardlink_plugin.report.figures import (
    cache_figures,
    device_figures,
    environment_figures,
    totals_of,
)
from tests.support.circumstances import LATER, analysis_of, filesystems_of
from tests.support.disk import size_of
from tests.support.forking import in_child
from tests.support.oracles import NOBODY, du
from tests.support.small_installation import SmallInstallation, below
from tests.support.trees import link, symlink, write


def analyzed(made, terms=LATER):
    return analysis_of(made.scan(), made.names(), terms)


def environments_of(made, breakdowns=None):
    return list(environment_figures(analyzed(made), breakdowns or {}))


def sum_of(*paths):
    """Return the disk usage of paths together, each inode once."""
    return sum(du(*paths))


def test_links_from_outside_are_counted_in_the_row_of_the_environment_and_in_total(made, tmp_path):
    one, other = made.prefixes
    before = environments_of(made)[0]
    for number in range(3):
        link(f"{one}/lib/ours", f"{tmp_path}/elsewhere/{number}")
    own = write(f"{other}/own", b"x" * 7000)
    link(own, f"{tmp_path}/elsewhere/own")
    rows = environments_of(made)
    assert [row.outside_linked_inodes for row in rows] == [1, 2]
    totals = totals_of(analyzed(made))
    assert (totals.outside_linked_inodes, totals.outside_links) == (2, 4)
    assert rows[0] == replace(before, outside_linked_inodes=1)
    assert rows[1].shared_bytes == sum_of(own, f"{other}/lib/ours")


def test_totals_are_what_du_counts_once_and_what_it_counts_alone(made):
    trees = (*made.caches, *made.prefixes)
    totals = totals_of(analyzed(made))
    alone = sum(du(tree)[0] for tree in trees)
    assert (totals.on_disk_bytes, totals.as_copies_bytes) == (sum_of(*trees), alone)
    assert totals.saved_bytes == alone - sum_of(*trees)
    assert totals.links == sum(len(below(tree)) for tree in trees)
    assert (totals.inodes, totals.saved_inodes) == (totals.links - 3, 3)  # one is in both


def test_softlinks_are_counted_and_their_targets_once(made):
    soft = made.environment("soft")
    made.install(soft, f"{made.caches[0]}/mine-1-0", "softlink")
    symlink(f"{made.caches[0]}/mine-1-0/lib/mine", f"{soft}/again")
    symlink(f"{made.caches[0]}/gone", f"{soft}/broken")
    one, _, row = environments_of(made)
    assert (row.softlinked, row.softlinks, row.broken_softlinks) == (True, 3, 1)
    assert row.softlinked_bytes == sum_of(f"{made.caches[0]}/mine-1-0/lib/mine")
    assert (row.size_bytes, row.shared_bytes) == (sum_of(soft), 0)
    assert (one.softlinked, one.softlinks, one.softlinked_bytes) == (False, 0, 0)


def test_private_bytes_are_in_the_rows_whose_causes_are_wanted(made):
    causes = {"unowned": 5}
    other, one = environments_of(made, {1: PrivateUsage(causes, {}, (), ())})
    assert (other.private, other.private_bytes) == (causes, other.exclusive_bytes)
    assert (one.private, one.private_bytes) == (None, None)


def test_a_vanished_environment_has_a_row_of_zeros_and_is_on_no_filesystem(made):
    gone = made.environment("gone")
    shutil.rmtree(gone)
    analysis = analyzed(made)
    row = list(environment_figures(analysis, {}))[2]
    assert (row.size_bytes, row.exclusive_bytes, row.with_clean_bytes) == (0, 0, 0)
    assert (row.inodes, row.links, row.on_other_filesystem) == (0, 0, False)
    (device,) = device_figures(analysis)
    assert device.roots == (made.caches[0], *made.prefixes[:2])


def test_each_filesystem_has_its_roots_its_type_and_its_bytes(made):
    memory, here = "/dev/shm", [*made.caches, *made.prefixes]
    if not os.access(memory, os.W_OK) or os.stat(memory).st_dev == os.stat(here[0]).st_dev:
        pytest.skip("there is no second filesystem to write to")
    with tempfile.TemporaryDirectory(dir=memory) as far:
        write(f"{far}/own", b"x" * 9000)
        made.prefixes.append(far)
        inventory = made.scan()
        types = filesystems_of(inventory, ["ext4", "ext4", "ext4", "tmpfs"])
        analysis = analysis_of(inventory, {}, replace(LATER, filesystems=types))
        near, other = device_figures(analysis)
        assert (near.filesystem, near.roots) == ("ext4", tuple(here))
        assert (other.filesystem, other.roots) == ("tmpfs", (far,))
        assert (near.on_disk_bytes, other.on_disk_bytes) == (sum_of(*here), sum_of(far))
        assert other.device == os.stat(far).st_dev
        rows = environment_figures(analysis, {})
        assert [row.on_other_filesystem for row in rows] == [False, False, True]


def moved_aside(cache, name, size):
    return write(f"{cache}/.conda-hardlinks/{name}/lib/file", b"x" * size).removesuffix("/lib/file")


def test_a_cache_is_split_by_the_use_of_each_byte(made):
    cache = made.caches[0]
    kept = made.package("kept-1-0", {"lib/kept": b"k" * 20_000})
    os.unlink(f"{kept}/info/repodata_record.json")
    write(f"{kept}/info/repodata_record.json", b"{}")  # it cannot be downloaded again
    held = moved_aside(cache, "held-99-r1-a-1-0", 30_000)
    purged = moved_aside(cache, "purge-r1-b-1-0", 40_000)
    moving = made.package(".conda-hardlinks/moving-r1-c-1-0", {"lib/c": b"c" * 50_000})
    write(f"{cache}/left.c~", b"l" * 60_000)
    (row,) = cache_figures(analyzed(made))
    assert row.path == cache
    assert row.size_bytes == sum_of(cache)
    assert row.used_bytes == sum_of(f"{cache}/mine-1-0", f"{cache}/ours-1-0")
    assert row.kept_bytes == sum_of(kept)
    assert row.unused_bytes == sum_of(f"{cache}/spare-1-0", moving)
    assert row.tarball_bytes == sum_of(f"{cache}/mine-1-0.conda")
    assert row.quarantine_bytes == sum_of(held, purged)
    rest = sum_of(f"{cache}/left.c~", f"{cache}/urls.txt")
    folders = (cache, f"{cache}/.conda-hardlinks")
    assert row.other_bytes == rest + sum(size_of(folder) for folder in folders)
    parts = (row.used_bytes, row.kept_bytes, row.unused_bytes, row.tarball_bytes)
    assert sum(parts) + row.quarantine_bytes + row.other_bytes == row.size_bytes
    assert (row.packages, row.kept_packages, row.unused_packages) == (5, 1, 2)
    assert row.links == row.inodes == len(below(cache))


@pytest.mark.parametrize("hidden", ["cache", "environment"])
def test_a_partly_unreadable_root_is_marked_in_its_row(hidden):
    with tempfile.TemporaryDirectory() as top:  # pytest's own lets nobody else in
        os.chmod(top, 0o755)
        made = SmallInstallation(top)
        package, prefix = made.package("mine-1-0", {"lib/mine": b"m"}), made.environment("one")
        made.install(prefix, package)
        folder = os.path.join(package if hidden == "cache" else prefix, "lib")
        os.chmod(folder, 0o000)

        def marked():
            analysis = analyzed(made)
            rows = (*cache_figures(analysis), *environment_figures(analysis, {}))
            return [row.incomplete for row in rows]

        assert in_child(marked, user=NOBODY) == [hidden == "cache", hidden == "environment"]
        os.chmod(folder, 0o755)
