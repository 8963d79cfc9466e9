"""The arithmetic, on trees so small that their figures can be checked in the head.

Files have round apparent sizes. Each figure is without the directories, whose size depends on the
filesystem; no directory is shared, so they count once everywhere.
"""

from __future__ import annotations

import os
import tempfile

import pytest

from conda_hardlink_plugin.analysis.usage import CachePart, Measure, Usage
from conda_hardlink_plugin.scan.inventory import GroupSums, OwnFile, PrivateSums

from ...support.scanning import scan
from ...support.small_installation import directory_bytes
from ...support.trees import cache_root, environment_root, link, write


class Trees:
    """Package caches and environments below a directory."""

    def __init__(self, top):
        self.top = top
        self.roots = []

    def environment(self, name, **sizes):
        """Make an environment of some files; return its prefix."""
        prefix = f"{self.top}/{name}"
        self.roots.append(environment_root(prefix))
        return self._filled(prefix, sizes)

    def package(self, dist, **sizes):
        """Extract a package of some files into the only cache; return its path."""
        cache = f"{self.top}/pkgs"
        if cache_root(cache) not in self.roots:
            self.roots.append(cache_root(cache))
        write(f"{cache}/{dist}/info/index.json")  # without it, it is not a package
        return self._filled(f"{cache}/{dist}", sizes)

    def usage(self, measure=Measure.APPARENT):
        """Scan all trees."""
        return Usage(scan(self.roots), measure)

    @staticmethod
    def _filled(folder, sizes):
        os.makedirs(folder, exist_ok=True)
        for name, size in sizes.items():
            write(f"{folder}/{name}", b"x" * size)
        return folder


@pytest.fixture
def trees(tmp_path):
    return Trees(str(tmp_path))


def root(usage, path):
    return [root.path for root in usage.inventory.roots].index(path)


def unit(usage, path):
    return [unit.path for unit in usage.inventory.units].index(path)


def by_root(usage, figures):
    """Return figures of roots by their names, without directories."""
    return {
        os.path.basename(each.path): figure - directories
        for each, figure, directories in zip(
            usage.inventory.roots, figures, usage.directories_by_root, strict=True
        )
    }


def exclusive(usage, *paths):
    """Return the exclusive usage of some units, without directories."""
    return usage.exclusive([unit(usage, path) for path in paths]) - sum(map(directory_bytes, paths))


def test_an_inode_in_two_environments_is_in_the_size_of_both_and_exclusive_to_neither(trees):
    one, two = trees.environment("one", own=10, ours=1000), trees.environment("two", own=200)
    link(f"{one}/ours", f"{two}/ours")
    usage = trees.usage()
    assert by_root(usage, usage.unique_by_root) == {"one": 1010, "two": 1200}
    assert by_root(usage, usage.exclusive_by_root) == {"one": 10, "two": 200}
    directories = sum(usage.directories_by_root)
    assert usage.on_disk - directories == 1210
    assert usage.as_copies - directories == 2210
    assert usage.shared_between(root(usage, one), root(usage, two)) == 1000
    assert usage.inodes_by_root == [3, 3]  # each with its directory
    assert (usage.inodes_on_disk, usage.inodes_as_copies) == (5, 6)


def test_the_exclusive_usage_of_a_set_exceeds_the_sum_of_its_rows(trees):
    one, two = trees.environment("one", own=10, ours=1000), trees.environment("two", own=200)
    link(f"{one}/ours", f"{two}/ours")
    usage = trees.usage()
    rows = [exclusive(usage, one), exclusive(usage, two)]
    assert rows == [10, 200]
    assert exclusive(usage, one, two) == 1210
    assert exclusive(usage) == 0


def test_the_unique_usage_of_a_set_is_less_than_the_sum_of_its_rows(trees):
    one, two = trees.environment("one", ours=1000), trees.environment("two", own=200)
    other = trees.environment("other", own=3)
    link(f"{one}/ours", f"{two}/ours")
    usage = trees.usage()
    pair = {root(usage, one), root(usage, two)}
    assert usage.unique(pair) - directory_bytes(one) - directory_bytes(two) == 1200
    assert usage.unique({root(usage, other)}) - directory_bytes(other) == 3
    assert usage.unique(set()) == 0


def test_a_shared_inode_is_added_by_the_first_root_that_holds_it(trees):
    one, two = trees.environment("one", ours=1000), trees.environment("two", own=200)
    link(f"{one}/ours", f"{two}/ours")
    usage = trees.usage()
    first, second = root(usage, one), root(usage, two)
    folders = usage.directories_by_root
    added = usage.added([first, second])
    assert [added[0] - folders[first], added[1] - folders[second]] == [1000, 200]
    added = usage.added([second, first])
    assert [added[0] - folders[second], added[1] - folders[first]] == [1200, 0]


def test_a_package_linked_to_itself_counts_once_and_shares_with_nobody(trees):
    package, env = trees.package("p-1-0", lib=1000), trees.environment("env", own=1)
    link(f"{package}/lib", f"{package}/again")
    usage = trees.usage()
    number = unit(usage, package)
    assert usage.unique_by_unit[number] - directory_bytes(package) == 1000
    assert exclusive(usage, package) == 1000
    assert (usage.outside_links, usage.outside_inodes) == (0, 0)
    assert usage.cache_units_linked_from[root(usage, env)] == set()
    assert usage.roots_sharing_with(number) == {root(usage, f"{trees.top}/pkgs")}
    assert usage.cache_units_sharing_with(number) == set()


def test_an_inode_with_outside_links_is_unique_to_its_root_and_exclusive_to_nobody(trees):
    one, two = trees.environment("one", own=10, out=1000), trees.environment("two", own=200)
    package, inner = trees.package("p-1-0", lib=5000), trees.package("q-1-0", lib=7)
    link(f"{inner}/lib", f"{inner}/again")
    for number, path in enumerate((f"{one}/out", f"{one}/out", f"{package}/lib")):
        link(path, f"{trees.top}/elsewhere/{number}")
    usage = trees.usage()
    assert by_root(usage, usage.unique_by_root) == {"pkgs": 5007, "one": 1010, "two": 200}
    assert by_root(usage, usage.exclusive_by_root) == {"pkgs": 7, "one": 10, "two": 200}
    assert exclusive(usage, one, two, package) == 210
    assert (usage.outside_links, usage.outside_inodes) == (3, 2)
    assert usage.outside_inodes_by_root == [1, 1, 0]
    assert usage.cache_units_linked_from_outside == {unit(usage, package)}


def test_removing_an_environment_with_its_package_frees_what_neither_frees_alone(trees):
    package, env = trees.package("p-1-0", lib=1000, doc=30), trees.environment("env", own=10)
    link(f"{package}/lib", f"{env}/lib")
    usage = trees.usage()
    assert (exclusive(usage, package), exclusive(usage, env)) == (30, 10)
    assert exclusive(usage, package, env) == 1040
    both = usage.exclusive_with_packages({root(usage, env): [unit(usage, package)]})
    folders = directory_bytes(package) + directory_bytes(env)
    assert both == {root(usage, env): 1040 + folders}
    assert usage.cache_units_linked_from[root(usage, env)] == {unit(usage, package)}


def test_an_inode_of_a_used_and_an_unused_package_counts_as_used(trees):
    used, unused = trees.package("a-1-0", ours=1000, own=10), trees.package("b-1-0", own=200)
    kept = trees.package("c-1-0", own=3)
    link(f"{used}/ours", f"{unused}/ours")
    cache = f"{trees.top}/pkgs"
    write(f"{cache}/b-1-0.conda", b"x" * 40)
    write(f"{cache}/urls.txt", b"x" * 5)
    usage = trees.usage()
    number = {path: unit(usage, path) for path in (used, unused)}
    parts = usage.cache_parts(root(usage, cache), {number[used]}, {number[unused]})
    assert sum(parts.values()) == usage.unique_by_root[root(usage, cache)]
    for part, folder in (
        (CachePart.USED, used),
        (CachePart.UNUSED, unused),
        (CachePart.KEPT, kept),
    ):
        parts[part] -= directory_bytes(folder)
    parts[CachePart.OTHER] -= os.lstat(cache).st_size
    assert parts == {
        CachePart.USED: 1010,
        CachePart.KEPT: 3,
        CachePart.UNUSED: 200,
        CachePart.ARCHIVES: 40,
        CachePart.QUARANTINE: 0,
        CachePart.OTHER: 5,
    }


def test_a_cache_without_a_package_keeps_the_inodes_that_another_package_holds(trees):
    one, two = trees.package("a-1-0", ours=1000, own=10), trees.package("b-1-0", own=200)
    link(f"{one}/ours", f"{two}/ours")
    usage = trees.usage()
    cache = root(usage, f"{trees.top}/pkgs")
    left = usage.unique_without(cache, {unit(usage, one)})
    folders = usage.directories_by_root[cache] - directory_bytes(one)
    assert left - folders == 1200
    assert usage.cache_units_sharing_with(unit(usage, one)) == {unit(usage, two)}


def test_each_inode_is_assigned_to_the_package_of_the_lowest_rank_or_to_its_environments(trees):
    low, high = trees.package("a-1-0", ours=1000), trees.package("b-1-0", own=200)
    one, two = trees.environment("one", own=10, ours=3), trees.environment("two")
    link(f"{low}/ours", f"{high}/ours")
    link(f"{low}/ours", f"{one}/linked")
    link(f"{one}/ours", f"{two}/ours")
    link(f"{one}/own", f"{one}/again")
    usage = trees.usage()
    units = [unit(usage, path) for path in (low, high, one, two)]
    for rank, expected in (((0, 1), [1000, 200, 10, 0]), ((1, 0), [0, 1200, 10, 0])):
        by_unit, between = usage.assign_inodes(dict(zip(units, rank, strict=False)))
        amounts = [by_unit[number] for number in units]
        folders = map(directory_bytes, (low, high, one, two))
        assert [a - b for a, b in zip(amounts, folders, strict=True)] == expected
        assert between == {((root(usage, one), root(usage, two)), True): 3}
        assert sum(by_unit) + sum(between.values()) == usage.on_disk


def test_each_filesystem_has_its_own_total(trees):
    memory = "/dev/shm"
    if not os.access(memory, os.W_OK) or os.stat(memory).st_dev == os.stat(trees.top).st_dev:
        pytest.skip("there is no second filesystem to write to")
    near = trees.environment("near", own=1000)
    with tempfile.TemporaryDirectory(dir=memory) as far:
        trees.roots.append(environment_root(far))
        write(f"{far}/own", b"x" * 20)
        link(f"{far}/own", f"{far}/again")
        usage = trees.usage()
        assert usage.on_disk_by_device == [
            1000 + directory_bytes(near),
            20 + directory_bytes(far),
        ]


@pytest.mark.parametrize("sums", [PrivateSums(8192, 100), GroupSums(1, 8192, 100)], ids=repr)
def test_a_measure_takes_the_blocks_or_the_length(sums):
    assert (Measure.DISK.of(sums), Measure.APPARENT.of(sums)) == (8192, 100)
    own = OwnFile("f", 8192, 100, is_symlink=False)
    assert (Measure.DISK.of(own), Measure.APPARENT.of(own)) == (8192, 100)
