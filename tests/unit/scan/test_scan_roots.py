"""Mounts inside the roots: other filesystems, bind-mounted directories and files, overlays."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest

from conda_hardlink_plugin.analysis.usage import Measure, Usage
from conda_hardlink_plugin.filesystem.mounts import Mount, MountTable
from conda_hardlink_plugin.scan.inventory import ProblemKind, ReadingMode
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.scanner import scan as scan_alone
from tests.support.scanning import Way, look_up

from ...support.forking import forked
from ...support.oracles import Model, du, open_descriptors
from ...support.scanning import analysis, scan, write_index
from ...support.trees import (
    cache_root,
    environment_root,
    install,
    link,
    make_installation,
    package,
    symlink,
    write,
)

pytestmark = pytest.mark.usefixtures("each_way")

_PATIENCE_S = 60
_MOST_OF_SURVEY_S = 3  # it takes 0.3 s; comparing every pair took 10 s
NOTHING_MOUNTED = MountTable((), known=True)
NOTHING_KNOWN = MountTable((), known=False)
in_one_way = pytest.mark.parametrize("each_way", [Way.PYTHON], indirect=True)  # scans nothing
measures = pytest.mark.parametrize("measure", list(Measure))


@pytest.fixture
def mount():
    """Mounts filesystems, or skips the test if that is not allowed; unmounts them afterwards."""
    points = []

    def mount_at(point: str, *options: str) -> str:
        done = subprocess.run(
            ["mount", *options, point], check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        points.append(point)
        return point

    yield mount_at
    for point in reversed(points):
        if subprocess.run(["umount", point], check=False).returncode != 0:
            subprocess.run(["umount", "--lazy", point], check=True)


@pytest.fixture
def tmpfs(mount):
    """Mounts an empty tmpfs on a new directory."""

    def mount_tmpfs(point: str) -> str:
        os.makedirs(point, exist_ok=True)
        return mount(point, "-t", "tmpfs", "none")

    return mount_tmpfs


@pytest.fixture
def bind(mount):
    """Bind-mounts a directory, on a new directory, or a file."""

    def mount_bind(source: str, point: str) -> str:
        if os.path.isdir(source):
            os.makedirs(point, exist_ok=True)
        return mount(point, "--bind", source)

    return mount_bind


def problems(usage: Usage) -> list[tuple[ProblemKind, str]]:
    return [(problem.kind, problem.path) for problem in usage.inventory.problems]


def by_model(usage: Usage, *, apparent: bool = False) -> None:
    """Assert that the figures count each visible inode once."""
    model = Model(usage.inventory.roots, apparent=apparent)
    paths = [root.path for root in usage.inventory.roots]
    assert usage.unique_by_root == [model.unique(model.units_of(path)) for path in paths]
    assert usage.on_disk == model.unique(model.units)


@measures
@pytest.mark.parametrize("mounts", [None, NOTHING_MOUNTED, NOTHING_KNOWN])
def test_another_filesystem_inside_an_environment_is_counted_on_its_own_device(
    tmp_path, tmpfs, measure, mounts
):
    made = make_installation(str(tmp_path))
    inside = tmpfs(f"{made.first}/lib/other")
    for name in ("a", "b", "deep/er"):
        write(f"{inside}/{name}", name.encode() * 9_000)
    link(f"{inside}/a", f"{inside}/deep/again")
    link(f"{made.unused}/lib/unused", f"{made.first}/aaa/late")
    usage = Usage(scan(made.roots, mounts=mounts), measure)
    apparent = measure is Measure.APPARENT
    assert usage.added([0, 1, 2]) == du(*made.paths, apparent=apparent)
    assert problems(usage) == []
    assert usage.inventory.devices == (os.stat(made.cache).st_dev, os.stat(inside).st_dev)
    assert usage.on_disk_by_device[1] == du(inside, apparent=apparent)[0]
    assert sum(usage.on_disk_by_device) == usage.on_disk


def test_equal_inode_numbers_on_two_filesystems_are_different_inodes(tmp_path, tmpfs):
    roots = []
    for number in range(3):
        top = tmpfs(f"{tmp_path}/{number}")
        extracted = package(f"{top}/pkgs", "p-1-0", {"f": b"x" * (5_000 + number * 9_000)})
        install(extracted, f"{top}/env")
        roots += [cache_root(f"{top}/pkgs"), environment_root(f"{top}/env")]
    numbers = {os.stat(f"{tmp_path}/{number}/env/f").st_ino for number in range(3)}
    assert len(numbers) < 3, "all inode numbers differ, so the test shows nothing"
    usage = Usage(scan(roots))
    paths = [root.path for root in usage.inventory.roots]
    assert usage.added(range(6)) == du(*paths)
    assert (usage.outside_links, usage.surplus_inodes) == (0, 0)
    assert len(usage.inventory.devices) == 3


def test_a_cache_on_another_filesystem_than_its_environments(tmp_path, tmpfs):
    cache, prefix = tmpfs(f"{tmp_path}/pkgs"), f"{tmp_path}/env"
    extracted = package(cache, "p-1-0", {"f": b"x" * 9_000})
    shutil.copytree(extracted, prefix)
    usage = Usage(scan([environment_root(prefix), cache_root(cache)]))
    assert usage.added([0, 1]) == du(cache, prefix)
    assert usage.inventory.root_devices == (0, 1)
    assert usage.as_copies == usage.on_disk


def test_a_cache_listed_again_through_a_bind_mount_is_an_alias(tmp_path, bind):
    made = make_installation(str(tmp_path))
    again = bind(made.cache, f"{tmp_path}/elsewhere")
    usage = Usage(scan([*made.roots, cache_root(again)]))
    assert usage.inventory.aliases == {again: made.cache}
    assert usage.added([0, 1, 2]) == du(*made.paths)
    assert (usage.outside_links, usage.surplus_inodes) == (0, 0)


def test_a_cache_bound_into_an_environment_counts_only_as_the_cache(tmp_path, bind):
    made = make_installation(str(tmp_path))
    point = f"{made.first}/pkgs"
    os.mkdir(point)
    before = du(*made.paths)
    covered = du(point)[0]
    bind(made.cache, point)
    usage = Usage(scan(made.roots))
    before[1] -= covered
    assert usage.added([0, 1, 2]) == before
    assert problems(usage) == []


@measures
def test_a_directory_bound_elsewhere_in_the_tree_is_counted_once_and_reported(
    tmp_path, bind, measure
):
    apparent = measure is Measure.APPARENT
    made = make_installation(str(tmp_path))
    write(f"{made.first}/lib/deep/file", b"d" * 30_000)
    point = f"{made.first}/zz-again"
    os.mkdir(point)
    before = du(*made.paths, apparent=apparent)
    before[1] -= du(point, apparent=apparent)[0]
    bind(f"{made.first}/lib", point)
    usage = Usage(scan(made.roots), measure)
    assert usage.added([0, 1, 2]) == before
    by_model(usage, apparent=apparent)
    ((kind, path),) = problems(usage)
    assert kind is ProblemKind.REPEATED
    assert path in (point, f"{made.first}/lib")
    assert (usage.outside_links, usage.surplus_inodes) == (0, 0)


def test_a_scan_of_a_directory_bound_below_itself_ends(tmp_path, bind):
    made = make_installation(str(tmp_path))
    point = f"{made.first}/lib/inner"
    os.mkdir(point)
    before = sum(du(*made.paths)) - du(point)[0]
    bind(made.first, point)
    usage = Usage(scan(made.roots))
    assert usage.on_disk == before
    assert problems(usage) == []  # the mounted directory is a root, and counted as a root


def test_a_directory_bound_into_another_root_belongs_to_the_root_read_first(tmp_path, bind):
    made = make_installation(str(tmp_path))
    point = f"{made.second}/bound"
    os.mkdir(point)
    before = du(*made.paths)
    before[2] -= du(point)[0]
    bind(made.unused, point)
    usage = Usage(scan(made.roots))
    assert usage.added([0, 1, 2]) == before
    assert problems(usage) == [(ProblemKind.REPEATED, point)]


def test_a_file_bound_over_a_file_with_a_known_inode_is_counted(tmp_path, bind):
    made = make_installation(str(tmp_path))
    over = write(f"{tmp_path}/outside/over", b"o" * 77_000)
    bind(over, f"{made.second}/lib/big")  # lib/big is in the cache and in the other environment
    usage = Usage(scan(made.roots))
    assert usage.added([0, 1, 2]) == du(*made.paths)
    assert usage.outside_links == 2  # the hidden link, and the file mounted over it
    assert problems(usage) == []


def test_a_file_of_another_filesystem_bound_over_a_file_with_a_known_inode(tmp_path, tmpfs, bind):
    made = make_installation(str(tmp_path))
    over = write(f"{tmpfs(f'{tmp_path}/tmpfs')}/over", b"o" * 77_000)
    bind(over, f"{made.second}/lib/big")
    bind(over, f"{made.unused}/lib/unused")
    usage = Usage(scan(made.roots[:1] + made.roots[2:]))
    assert usage.unique_by_root == [du(path)[0] for path in (made.cache, made.second)]


def test_a_file_bound_over_a_file_with_an_unknown_inode(tmp_path, bind):
    made = make_installation(str(tmp_path))
    over = write(f"{tmp_path}/outside/over", b"o" * 77_000)
    bind(over, f"{made.unused}/info/index.json")
    usage = Usage(scan(made.roots))
    by_model(usage)
    assert usage.added([0, 1, 2]) == du(*made.paths)
    assert made.unused in {unit.path for unit in usage.inventory.units}


@pytest.mark.parametrize("source", ["outside/over", "envs/first/lib/own"])
def test_a_file_at_several_paths_through_mounts_is_counted_once(tmp_path, bind, source):
    made = make_installation(str(tmp_path))
    over = write(f"{tmp_path}/{source}", b"o" * 77_000)
    bind(over, f"{made.cache}/urls.txt")
    bind(over, f"{made.unused}/lib/unused")
    usage = Usage(scan(made.roots))
    assert usage.added([0, 1, 2]) == du(*made.paths)


@in_one_way
def test_a_file_mounted_outside_the_roots_does_not_prevent_an_index(tmp_path, bind):
    made, folder = make_installation(str(tmp_path)), f"{tmp_path}/index"
    bind(write(f"{tmp_path}/hosts"), write(f"{tmp_path}/etc/hosts"))
    write_index(folder, made.roots)
    with look_up(folder, quick=False) as lookup:
        again = scan_alone(made.roots, lookup=lookup)
    assert again.reading.mode is ReadingMode.EXACT


@in_one_way
@pytest.mark.parametrize("filesystem", ["ext4", "fuse.s3fs", "fuse", "fuseblk"])
def test_a_filesystem_that_may_not_date_directories_is_not_indexed(tmp_path, filesystem):
    made, folder = make_installation(str(tmp_path)), f"{tmp_path}/index"
    mounts = MountTable((Mount("/", filesystem),), known=True)
    write_index(folder, made.roots, mounts=mounts)
    assert os.path.exists(folder) is (filesystem == "ext4")


@in_one_way
@pytest.mark.parametrize(
    "inside", ["pkgs/urls.txt", "envs/first/lib/own", "pkgs/mine-1-0/bin/tool"]
)
def test_a_root_with_a_file_that_is_mounted_elsewhere_is_not_indexed(tmp_path, bind, inside):
    made, folder = make_installation(str(tmp_path)), f"{tmp_path}/index"
    bind(f"{tmp_path}/{inside}", write(f"{tmp_path}/outside/over"))
    write_index(folder, made.roots)
    assert not os.path.exists(folder)


@in_one_way
def test_a_root_with_a_file_mounted_in_it_is_not_indexed(tmp_path, bind):
    made, folder = make_installation(str(tmp_path)), f"{tmp_path}/index"
    bind(write(f"{tmp_path}/over"), f"{made.first}/lib/own")
    write_index(folder, made.roots)
    assert not os.path.exists(folder)


@pytest.mark.parametrize("inside", ["own", "lib/own"])
def test_a_file_that_is_mounted_elsewhere_is_not_freed_with_its_root(tmp_path, bind, inside):
    made = make_installation(str(tmp_path))
    write(f"{made.first}/own", b"o" * 12_345)
    before = Usage(scan(made.roots))
    bind(f"{made.first}/{inside}", write(f"{tmp_path}/outside/over"))
    after = Usage(scan(made.roots))
    assert (before.outside_inodes, after.outside_inodes) == (0, 1)
    (kept_bytes,) = du(f"{made.first}/{inside}")
    first = made.paths.index(made.first)
    assert after.exclusive_by_root[first] == before.exclusive_by_root[first] - kept_bytes
    assert after.on_disk == before.on_disk


@in_one_way
def test_many_roots_and_mounts_are_surveyed_quickly(tmp_path):
    """With many users, work for every pair of roots would take longer than reading them."""
    roots = [environment_root(f"{tmp_path}/{number}") for number in range(400)]
    for root in roots:
        os.mkdir(root.path)
    around = tuple(Mount(f"/around/{number}", "ext4", "8:1") for number in range(300))
    mounts = MountTable((Mount("/", "ext4", "8:1"), *around), known=True)
    began_s = time.process_time()
    scan_roots = survey_roots(roots, (), mounts)
    assert time.process_time() - began_s < _MOST_OF_SURVEY_S
    assert scan_roots.inside == ((),) * len(roots)


def test_a_mount_that_never_responds_is_not_accessed(tmp_path, never_answering):
    made = make_installation(f"{tmp_path}/conda")
    expected = analysis(scan(made.roots, mounts=NOTHING_MOUNTED))

    def scanned():
        never_answering.leave_to_others()
        return analysis(scan(made.roots))

    with forked(scanned) as process:
        assert process.ends_within(_PATIENCE_S), "the scan waits for the mount"
        assert process.result() == expected


@pytest.fixture
def overlay_over(tmp_path, tmpfs, mount):
    """Mounts an overlay over a directory of another filesystem."""

    def mount_overlay(lower: str) -> str:
        upper = tmpfs(f"{tmp_path}/upper")
        merged = f"{tmp_path}/merged"
        for path in (merged, f"{upper}/upper", f"{upper}/work"):
            os.mkdir(path)
        layers = f"lowerdir={lower},upperdir={upper}/upper,workdir={upper}/work"
        return mount(merged, "-t", "overlay", "overlay", "-o", f"{layers},xino=off")

    return mount_overlay


@pytest.fixture
def overlay(tmp_path, tmpfs, overlay_over):
    """An overlay over a small installation."""
    lower = tmpfs(f"{tmp_path}/lower")
    make_installation(lower)
    symlink("big", f"{lower}/envs/first/lib/link")
    link(f"{lower}/envs/first/lib/link", f"{lower}/envs/second/lib/link")
    return overlay_over(lower)


@measures
def test_an_overlay_with_other_inode_numbers_in_listings_is_read_with_stat(overlay, measure):
    made = make_installation_names(overlay)
    directory, file = os.stat(f"{made[1]}/lib"), os.stat(f"{made[1]}/lib/own")
    assert directory.st_dev != file.st_dev, (
        "this overlay has no such files, so the test shows nothing"
    )
    descriptors = open_descriptors()
    usage = Usage(scan(roots_of(made)), measure)
    assert usage.added([0, 1, 2]) == du(*made, apparent=measure is Measure.APPARENT)
    assert usage.on_disk < usage.as_copies
    assert usage.outside_links == 0
    assert problems(usage) == []
    assert open_descriptors() == descriptors


def test_an_overlay_with_files_changed_and_linked_in_the_upper_layer(overlay):
    made = make_installation_names(overlay)
    write(f"{made[1]}/lib/own", b"c" * 44_000)  # copied up
    write(f"{made[1]}/lib/new", b"n" * 22_000)
    link(f"{made[1]}/lib/new", f"{made[2]}/lib/new")
    link(f"{made[0]}/shared-1-0/lib/small", f"{made[2]}/lib/another")  # copied up, then linked
    os.unlink(f"{made[2]}/lib/own")
    os.mkdir(f"{made[2]}/bin")
    usage = Usage(scan(roots_of(made)))
    assert usage.added([0, 1, 2]) == du(*made)
    by_model(usage)
    assert problems(usage) == []


def test_an_overlay_inside_an_environment_of_another_filesystem(tmp_path, overlay, bind):
    made = make_installation(f"{tmp_path}/own")
    bind(overlay, f"{made.first}/lib/overlay")
    usage = Usage(scan(made.roots))
    assert usage.added([0, 1, 2]) == du(*made.paths)
    by_model(usage)


def make_installation_names(top: str) -> list[str]:
    return [f"{top}/pkgs", f"{top}/envs/first", f"{top}/envs/second"]


def roots_of(paths: list[str]) -> list[object]:
    return [cache_root(paths[0]), *map(environment_root, paths[1:])]


@pytest.mark.parametrize("depth", [0, 1, 300])
def test_equal_inode_numbers_in_two_layers_are_different_inodes(
    tmp_path, tmpfs, overlay_over, depth
):
    lower = tmpfs(f"{tmp_path}/lower")
    deep = "env" + "/d" * depth
    for number in range(40):
        path = write(f"{lower}/{deep}/lower/{number}", b"l" * 4096 * (number + 1))
        link(path, f"{path}-again")
    merged = overlay_over(lower)
    for number in range(40):
        path = write(f"{merged}/{deep}/upper/{number}", b"u" * 99)
        link(path, f"{path}-again")
    descriptors = open_descriptors()
    usage = Usage(scan([environment_root(f"{merged}/env")]))
    assert open_descriptors() == descriptors
    assert usage.unique_by_root == du(f"{merged}/env")
    assert usage.inodes_by_root == [82 + 1 + depth]
    assert usage.outside_links == 0
