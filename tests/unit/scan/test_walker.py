"""Changing, unreadable and deep trees: correct figures, reported problems, nothing left open."""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.scan import scanner
from conda_hardlink_plugin.scan.inventory import ProblemKind, UnitKind

from ...support.forking import allow_descriptors, in_child
from ...support.oracles import NOBODY, du, open_descriptors
from ...support.scanning import READING, Way, reader, scan, scan_in
from ...support.trees import (
    cache_root,
    environment_root,
    link,
    make_chain,
    make_installation,
    many_links,
    package,
    symlink,
    write,
)

each_reading = pytest.mark.usefixtures("each_reading")

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conda_hardlink_plugin.scan.inventory import Inventory, Root

ENOUGH = 6_000  # entries after which a scan has reported its progress


def problems(inventory: Inventory) -> list[tuple[ProblemKind, str]]:
    return sorted(
        ((problem.kind, problem.path) for problem in inventory.problems), key=lambda pair: pair[1]
    )


def as_ordinary_user(roots: Sequence[Root]) -> tuple[Usage, list[int]]:
    """Return the usage that an ordinary user sees, and what `du` prints for that user."""
    paths = [root.path for root in roots]
    return in_child(lambda: (Usage(scan(roots)), du(*paths, tolerate=True)), user=NOBODY)


@each_reading
@pytest.mark.parametrize("mode", [0o000, 0o111])
def test_an_unreadable_directory_counts_without_its_content_and_is_reported(open_top, mode):
    made = make_installation(open_top)
    os.chmod(f"{made.first}/lib", mode)
    os.chmod(made.unused, mode)
    usage, by_du = as_ordinary_user(made.roots)
    assert usage.added([0, 1, 2]) == by_du
    assert problems(usage.inventory) == [
        (ProblemKind.UNREADABLE, f"{made.first}/lib"),
        (ProblemKind.UNREADABLE, made.unused),
    ]
    assert {problem.reason for problem in usage.inventory.problems} == {"Permission denied"}
    assert usage.outside_links == 3  # to two files of shared and one of mine in first/lib


@each_reading
def test_an_unreadable_package_belongs_to_the_rest_of_the_cache(open_top):
    made = make_installation(open_top)
    os.chmod(made.unused, 0o000)
    usage, _ = as_ordinary_user(made.roots)
    assert made.unused not in {unit.path for unit in usage.inventory.units}
    kinds = [unit.kind for unit in usage.inventory.units]
    assert kinds.count(UnitKind.PACKAGE) == 2


@each_reading
def test_an_unreadable_root_counts_without_its_content_and_is_reported(open_top):
    made = make_installation(open_top)
    os.chmod(made.first, 0o000)
    usage, by_du = as_ordinary_user(made.roots)
    assert usage.added([0, 1, 2]) == by_du
    assert problems(usage.inventory) == [(ProblemKind.UNREADABLE, made.first)]
    assert usage.inventory.links[1] == usage.inodes_by_root[1] == 1
    assert 1 not in usage.inventory.records


@each_reading
def test_a_root_that_cannot_be_reached_is_reported_once(open_top):
    made = make_installation(open_top)
    os.chmod(f"{open_top}/envs", 0o000)
    usage, _ = as_ordinary_user([*made.roots, environment_root(made.first)])
    assert usage.unique_by_root == [du(made.cache)[0], 0, 0]
    assert problems(usage.inventory) == [
        (ProblemKind.UNREADABLE, made.first),
        (ProblemKind.UNREADABLE, made.second),
    ]


@each_reading
def test_an_unreadable_root_inside_a_root_is_counted_once(open_top):
    made = make_installation(open_top)
    inner = f"{made.first}/inner"
    write(f"{inner}/f", b"x" * 9_000)
    os.chmod(inner, 0o000)
    usage, _ = as_ordinary_user([*made.roots, environment_root(inner)])
    assert usage.on_disk == du(*made.paths, exclude=[f"{inner}/f"])[0] + sum(
        du(*made.paths, exclude=[f"{inner}/f"])[1:]
    )
    assert problems(usage.inventory) == [(ProblemKind.UNREADABLE, inner)]


@each_reading
def test_in_a_directory_without_search_permission_only_known_inodes_count(open_top):
    made = make_installation(open_top)
    folder = f"{made.first}/only-listed"
    own = write(f"{folder}/own", b"x" * 9_000)
    link(f"{made.unused}/lib/unused", f"{folder}/known")
    os.mkdir(f"{folder}/folder")
    truth = du(*made.paths, exclude=[own, f"{folder}/folder"])
    os.chmod(folder, 0o444)
    usage, _ = as_ordinary_user(made.roots)
    assert usage.added([0, 1, 2]) == truth
    assert problems(usage.inventory) == [
        (ProblemKind.UNREADABLE, f"{folder}/folder"),
        (ProblemKind.UNREADABLE, own),
    ]


@each_reading
def test_a_root_without_search_permission_reports_every_entry(open_top):
    made = make_installation(open_top)
    os.chmod(made.first, 0o444)
    usage, by_du = as_ordinary_user(made.roots)
    assert usage.added([0, 1, 2]) == by_du
    expected = [f"{made.first}/{name}" for name in ("bin", "conda-meta", "empty", "lib")]
    assert [path for _, path in problems(usage.inventory)] == expected


def scan_in_python(roots: Sequence[Root], **options: Any) -> Inventory:
    """Scan so that the test decides what happens between two calls."""
    with reader("python"):
        return scanner.scan(roots, **options)


def scan_while(roots: Sequence[Root], change: Callable[[], None]) -> Inventory:
    """Scan roots, the first of which is big, and change the others once it has been read."""
    done = []

    def on_progress(links: int) -> None:
        if not done:
            done.append(links)
            change()

    inventory = scan_in_python(roots, on_progress=on_progress)
    assert done, "the scan reported no progress"
    return inventory


@pytest.fixture
def busy(tmp_path):
    """A big cache, and an environment that is open and listed when progress is reported."""
    cache, prefix = f"{tmp_path}/pkgs", f"{tmp_path}/env"
    many_links(write(f"{cache}/file", b"f"), f"{cache}/many", ENOUGH)
    for name in ("a", "b", "c"):
        write(f"{prefix}/{name}/{name}", name.encode() * 9_000)
    return [cache_root(cache), environment_root(prefix)]


def test_a_directory_that_vanishes_after_listing_is_reported_and_not_counted(busy):
    prefix = busy[1].path
    inventory = scan_while(busy, lambda: shutil.rmtree(f"{prefix}/b"))
    assert problems(inventory) == [(ProblemKind.VANISHED, f"{prefix}/b")]
    assert Usage(inventory).added([0, 1]) == du(busy[0].path, prefix)


@pytest.mark.parametrize("target", ["a", "/", "nowhere"])
def test_a_directory_replaced_by_a_symlink_is_not_followed(busy, target):
    prefix = busy[1].path

    def replace() -> None:
        shutil.rmtree(f"{prefix}/b")
        os.symlink(target, f"{prefix}/b")

    inventory = scan_while(busy, replace)
    assert problems(inventory) == [(ProblemKind.VANISHED, f"{prefix}/b")]
    assert Usage(inventory).added([0, 1]) == du(
        busy[0].path, prefix
    )  # a short symlink has no blocks


def test_a_directory_replaced_by_a_file_or_a_pipe_is_reported(busy):
    prefix = busy[1].path

    def replace() -> None:
        for name in ("a", "b"):
            shutil.rmtree(f"{prefix}/{name}")
        write(f"{prefix}/a", b"x")
        os.mkfifo(f"{prefix}/b")

    assert problems(scan_while(busy, replace)) == [
        (ProblemKind.VANISHED, f"{prefix}/a"),
        (ProblemKind.VANISHED, f"{prefix}/b"),
    ]


def test_files_that_change_before_their_directory_is_read_are_counted_as_read(busy):
    prefix = busy[1].path

    def change() -> None:
        os.unlink(f"{prefix}/a/a")
        write(f"{prefix}/c/new", b"n" * 50_000)
        write(f"{prefix}/c/deep/new", b"n" * 50_000)

    inventory = scan_while(busy, change)
    assert problems(inventory) == []
    assert Usage(inventory).added([0, 1]) == du(busy[0].path, prefix)


def test_a_root_that_vanishes_is_reported_directory_by_directory(busy):
    prefix = busy[1].path
    inventory = scan_while(busy, lambda: shutil.rmtree(prefix))
    assert [path for _, path in problems(inventory)] == [f"{prefix}/{name}" for name in "abc"]
    assert {problem.kind for problem in inventory.problems} == {ProblemKind.VANISHED}


def test_links_created_during_a_scan_are_not_outside_links(busy):
    cache, prefix = busy[0].path, busy[1].path
    inventory = scan_while(busy, lambda: os.link(f"{cache}/file", f"{prefix}/b/late"))
    usage = Usage(inventory)
    assert (usage.outside_links, usage.surplus_inodes) == (0, 1)
    assert usage.on_disk == sum(du(cache, prefix))


@pytest.mark.parametrize("name", ["lib", "bin"])
@pytest.mark.parametrize("detailed", [False, True])
def test_a_file_that_vanishes_between_listing_and_stat_is_reported(
    tmp_path, monkeypatch, name, detailed
):
    made = make_installation(str(tmp_path))
    doomed = write(f"{made.first}/{name}/doomed", b"x" * 9_000)
    folder = os.stat(f"{made.first}/{name}").st_ino
    scandir = os.scandir

    @contextlib.contextmanager
    def listed_then_gone(descriptor):
        with scandir(descriptor) as entries:
            listed = list(entries)
        if os.fstat(descriptor).st_ino == folder:
            os.unlink(doomed)
        yield iter(listed)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", listed_then_gone)
        inventory = scan_in_python(made.roots, detailed=made.paths if detailed else ())
    assert problems(inventory) == [(ProblemKind.VANISHED, doomed)]
    assert Usage(inventory).added([0, 1, 2]) == du(*made.paths)


def test_a_file_replaced_between_listing_and_stat_counts_once_as_replaced(tmp_path, monkeypatch):
    made = make_installation(str(tmp_path))
    folder, replaced = os.stat(f"{made.first}/lib").st_ino, []
    scandir = os.scandir

    @contextlib.contextmanager
    def listed_then_replaced(descriptor):
        with scandir(descriptor) as entries:
            listed = list(entries)
        if os.fstat(descriptor).st_ino == folder and not replaced:
            replaced.append(write(f"{made.first}/new", b"n" * 99_000))
            os.rename(replaced[0], f"{made.first}/lib/own")
        yield iter(listed)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", listed_then_replaced)
        inventory = scan_in_python(made.roots)
    assert replaced
    assert problems(inventory) == []
    assert Usage(inventory).added([0, 1, 2]) == du(*made.paths)


@pytest.mark.parametrize(("name", "depth"), [("d", 2_200), ("twelve-chars", 500), ("n" * 250, 200)])
def test_a_very_deep_tree_is_counted_to_its_end(open_top, name, depth):
    """Its path is longer than a path may be."""
    cache, prefix = f"{open_top}/pkgs", f"{open_top}/env"
    source = write(f"{package(cache, 'p-1-0')}/linked", b"x" * 9_000)
    os.mkdir(prefix)
    make_chain(prefix, depth, name, source)
    truth = du(cache, prefix)
    for way in READING:
        descriptors = open_descriptors()
        inventory = scan_in(way, [cache_root(cache), environment_root(prefix)])
        usage = Usage(inventory)
        assert inventory.problems == (), way
        assert usage.added([0, 1]) == truth, way
        assert (usage.outside_links, usage.surplus_inodes) == (0, 0), way
        assert inventory.links[1] == 1 + 2 * depth + depth // 100 * 5, way
        assert open_descriptors() == descriptors, way


def test_a_deep_tree_is_counted_with_few_descriptors_allowed(open_top):
    made = make_installation(open_top)
    make_chain(f"{made.first}/lib", 400, "level", f"{made.shared}/lib/big")
    make_chain(made.unused, 400, "level", f"{made.shared}/lib/big")
    deep = made.cache
    for level in range(60):  # packages with the same name, anywhere in a cache
        deep += "/deep"
        package(deep, "same-1-0", {"file": b"x" * 5_000 * level})

    def scan_with_few(way: Way, allowed: int) -> Usage:
        allow_descriptors(allowed)
        return Usage(scan_in(way, made.roots))

    truth = du(*made.paths)
    for way, allowed in itertools.product(READING, [48, 100, 256]):
        usage = in_child(functools.partial(scan_with_few, way, allowed))
        assert usage.inventory.problems == (), (way, allowed)
        assert usage.added([0, 1, 2]) == truth, (way, allowed)


@pytest.mark.parametrize("depth", [1, 60, 600])
def test_a_scan_that_is_stopped_leaves_nothing_open(open_top, depth):
    prefix = f"{open_top}/env"
    bottom = prefix + "/d" * depth
    many_links(write(f"{bottom}/file", b"f"), f"{bottom}/many", ENOUGH)
    write(f"{bottom}/many/deeper/file", b"x")
    for way in READING:
        for error in (KeyboardInterrupt, RuntimeError, OSError):
            assert_nothing_is_left_open_after(error, prefix, way)


def assert_nothing_is_left_open_after(error: type[BaseException], prefix: str, way: Way) -> None:
    descriptors, reached = open_descriptors(), []

    def stop(links: int) -> None:
        reached.append(open_descriptors())
        raise error(links)

    with pytest.raises(error):
        scan_in(way, [environment_root(prefix)], on_progress=stop)
    assert open_descriptors() == descriptors, (error, way)
    assert reached[0] > descriptors or way is not Way.PYTHON  # the others may report at the end
    assert gc.isenabled(), (error, way)


def test_a_scan_with_unreadable_vanished_and_special_files_leaves_nothing_open(busy):
    prefix = busy[1].path
    os.mkfifo(f"{prefix}/c/pipe")
    symlink("c", f"{prefix}/c/loop")
    descriptors = open_descriptors()
    scan_while([*busy, environment_root(f"{prefix}/no")], lambda: shutil.rmtree(f"{prefix}/a"))
    assert open_descriptors() == descriptors
