"""Scans with an index find every change since it was written, as a full scan does."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import shutil
import struct
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.scan.index.file import index_path
from conda_hardlink_plugin.scan.index.recall import Remembered
from conda_hardlink_plugin.scan.inventory import ReadingMode
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.forking import forked, in_child
from tests.support.oracles import NOBODY
from tests.support.scanning import (
    Partly,
    analysis,
    look_up,
    next_tick,
    reader,
    reading,
    trusting,
    write_index,
)
from tests.support.trees import (
    cache_root,
    environment_root,
    install,
    layouts,
    link,
    make_chain,
    make_installation,
    many_links,
    package,
    random_tree,
    symlink,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("each_reader")

IN_ACCESS = 0x1  # a directory is listed; inotify(7)
ENOUGH = 6_000  # entries after which a scan has reported its progress
INOTIFY_EVENT = struct.Struct("iIII")


def grow(path, number):
    with open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(b"x" * (1 + number * 50))


def empty(path, number):
    os.truncate(path, 0)


def remove(path, number):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def replace(path, number):
    os.rename(write(f"{path}.tmp", b"r" * number), path)


def change_mode(path, number):
    os.chmod(path, 0o700 + number % 8)


def touch(path, number):
    os.utime(path)


def link_to(path, new):
    os.link(path, new, follow_symlinks=False)


def add(path, new):
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def add_directory(path, new):
    write(f"{new}/file", b"f" * len(path))


def add_symlink(path, new):
    os.symlink(os.path.relpath(path, os.path.dirname(new)), new)


def make_package(path, new):
    write(f"{new}/info/index.json", b"{}")


CHANGES_OF_PATH = (grow, empty, remove, replace, change_mode, touch)
CHANGES_TO_NEW = (os.rename, link_to, add, add_directory, add_symlink, make_package)


@dataclass(frozen=True)
class Deed:
    """A change of one of the existing paths."""

    change: Callable
    place: int
    other: int


deeds = st.builds(
    Deed,
    change=st.sampled_from([*CHANGES_OF_PATH, *CHANGES_TO_NEW]),
    place=st.integers(0, 200),
    other=st.integers(0, 200),
)
rounds = st.lists(st.lists(deeds, min_size=1, max_size=4), min_size=1, max_size=3)
slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def everything_in(*tops):
    """Return all entries below some directories, in a stable order."""
    found = []
    for top in tops:
        for directory, names, files in os.walk(top):
            names.sort()
            found += [f"{directory}/{name}" for name in (*names, *sorted(files))]
    return found


def do(deed, tree):
    """Make a change if it is possible."""
    there = everything_in(tree.base, tree.outside)
    path, other = (there[number % len(there)] for number in (deed.place, deed.other))
    with contextlib.suppress(OSError):  # the change does not apply to the path
        if deed.change in CHANGES_OF_PATH:
            deed.change(path, deed.other)
        else:
            is_folder = os.path.isdir(other) and not os.path.islink(other)
            folder = other if is_folder else os.path.dirname(other)
            deed.change(path, f"{folder}/new-{deed.place}")


def scan_again(folder, roots, *, quick=False, partly=False):
    """Scan with the index in a directory; recent changes count as settled."""
    with trusting(), look_up(folder, quick=quick) as lookup:
        return scan(roots, lookup=Partly(lookup) if partly else lookup)


@slow
@given(layouts, rounds, st.booleans())
def test_after_random_changes_an_exact_check_equals_a_full_scan(layout, all_rounds, partly):
    with random_tree(layout) as tree, tempfile.TemporaryDirectory() as folder:
        write_index(folder, tree.roots)
        for some in all_rounds:
            next_tick(folder)
            for deed in some:
                do(deed, tree)
            again = scan_again(folder, tree.roots, partly=partly)
            assert analysis(again) == analysis(scan(tree.roots))


@slow
@given(layouts, rounds)
def test_a_quick_check_equals_a_full_scan_or_the_last_one(layout, all_rounds):
    with random_tree(layout) as tree, tempfile.TemporaryDirectory() as folder:
        then, names = write_index(folder, tree.roots), everything_in(*tree.paths)
        for some in all_rounds:
            next_tick(folder)
            for deed in some:
                do(deed, tree)
            again = scan_again(folder, tree.roots, quick=True)
            now = scan(tree.roots)
            if again.reading.mode is ReadingMode.QUICK:
                assert everything_in(*tree.paths) == names
                assert analysis(again) == analysis(then)
            else:
                assert analysis(again) == analysis(now)
                then, names = again, everything_in(*tree.paths)


@pytest.fixture
def made(tmp_path):
    return make_installation(str(tmp_path))


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "index")


@pytest.fixture
def indexed(made, folder):
    """An installation with a complete index."""
    write_index(folder, made.roots)
    next_tick(folder)
    return made


def test_nothing_is_read_if_nothing_has_changed(indexed, folder):
    again = scan_again(folder, indexed.roots)
    assert again.reading.mode is ReadingMode.EXACT
    assert analysis(again) == analysis(scan(indexed.roots))
    quick = scan_again(folder, indexed.roots, quick=True)
    assert quick.reading.mode is ReadingMode.QUICK
    assert analysis(quick) == analysis(again)


def test_only_what_has_changed_is_read_again(indexed, folder, opened):
    write(f"{indexed.second}/lib/new", b"n" * 5_000)
    with opened() as directories:
        again = scan_again(folder, indexed.roots, partly=True)
    assert analysis(again) == analysis(scan(indexed.roots))
    assert again.reading.mode is ReadingMode.EXACT
    assert f"{indexed.second}/lib" in directories
    assert f"{indexed.first}/lib" not in directories
    assert f"{indexed.shared}/lib" not in directories


@pytest.fixture
def opened(made):
    """Records the paths of the directories that are listed, as the kernel reports them."""

    @contextlib.contextmanager
    def recording():
        libc = ctypes.CDLL(None, use_errno=True)
        queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        watched = {}
        for root in made.paths:
            for directory, _, _ in os.walk(root):
                watch = libc.inotify_add_watch(queue, os.fsencode(directory), IN_ACCESS)
                assert watch > 0, os.strerror(ctypes.get_errno())
                watched[watch] = directory
        found = set()
        try:
            yield found
            with contextlib.suppress(BlockingIOError):
                while content := os.read(queue, 1 << 16):
                    while content:
                        watch, _, _, length = INOTIFY_EVENT.unpack_from(content)
                        content = content[INOTIFY_EVENT.size + length :]
                        if not length:  # the directory itself, and not an entry
                            found.add(watched[watch])
        finally:
            os.close(queue)

    return recording


CHANGES = {
    "a file grew": lambda made: write(f"{made.first}/lib/own", b"o" * 99_999),
    "a file of a package grew": lambda made: write(f"{made.shared}/lib/big", b"s" * 99_999),
    "a file was linked elsewhere": lambda made: link(
        f"{made.shared}/lib/big", f"{made.cache}/../elsewhere/big"
    ),
    "an environment is new": lambda made: install(made.unused, f"{made.first}/../third"),
    "an environment is gone": lambda made: shutil.rmtree(made.second),
    "a package is new": lambda made: package(made.cache, "new-1-0", {"lib/new": b"n" * 7_000}),
    "a package is gone": lambda made: shutil.rmtree(made.mine),
    "a tarball is gone": lambda made: os.unlink(made.tarball),
    "a link leads out": lambda made: symlink("/etc", f"{made.first}/lib/out"),
    "a package became another folder": lambda made: os.unlink(f"{made.mine}/info/index.json"),
    "an environment was exchanged": lambda made: (
        os.rename(made.first, f"{made.first}-aside"),
        os.rename(made.second, made.first),
        os.rename(f"{made.first}-aside", made.second),
    ),
}


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_found(indexed, folder, change, partly):
    before = analysis(scan(indexed.roots))
    CHANGES[change](indexed)
    third = os.path.normpath(f"{indexed.first}/../third")
    roots = [*indexed.roots, *([environment_root(third)] if os.path.isdir(third) else [])]
    now = analysis(scan(roots))
    assert now != before
    assert analysis(scan_again(folder, roots, partly=partly)) == now
    assert analysis(scan_again(folder, roots)) == now


def test_a_root_found_inside_another_one_is_no_longer_counted_there(indexed, folder):
    inner = os.path.dirname(write(f"{indexed.first}/envs/inner/conda-meta/history"))[
        : -len("/conda-meta")
    ]
    write_index(folder, indexed.roots)
    roots = [*indexed.roots, environment_root(inner)]
    now = analysis(scan(roots))
    for partly in (True, False):
        assert analysis(scan_again(folder, roots, partly=partly)) == now
    assert analysis(scan_again(folder, indexed.roots, partly=True)) == analysis(scan(indexed.roots))


def test_an_inode_of_a_removed_package_is_examined_in_an_environment(indexed, folder):
    """The package is gone, and the environments with its files have not changed."""
    shutil.rmtree(indexed.shared)
    now = analysis(scan(indexed.roots))
    assert analysis(scan_again(folder, indexed.roots, partly=True)) == now
    assert analysis(scan_again(folder, indexed.roots, partly=True)) == now


def test_a_root_wanted_in_detail_is_read(indexed, folder):
    with trusting(), look_up(folder, quick=True) as lookup:
        again = scan(indexed.roots, detailed=[indexed.first], lookup=Partly(lookup))
    full = scan(indexed.roots, detailed=[indexed.first])
    assert analysis(again) == analysis(full)
    assert again.own_files.keys() == full.own_files.keys()
    for root, files in full.own_files.items():
        assert sorted(again.own_files[root], key=str) == sorted(files, key=str)


def test_directories_changed_just_before_the_scan_are_read_again(made, folder, opened):
    """Another change could have the same time."""
    with look_up(folder, quick=False) as lookup:
        scan(made.roots, lookup=lookup)
    with opened() as directories, look_up(folder, quick=True) as lookup:
        scan(made.roots, lookup=lookup)
    assert f"{made.first}/lib" in directories


def test_unreadable_directories_are_read_again():
    with tempfile.TemporaryDirectory() as top:
        made, folder = make_installation(top), f"{top}/index"
        unreadable = f"{made.first}/lib/unreadable"
        write(f"{unreadable}/file", b"x")
        os.makedirs(folder)
        for path, mode in ((top, 0o755), (folder, 0o777), (unreadable, 0o000)):
            os.chmod(path, mode)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        first = in_child(lambda: write_index(folder, made.roots), user=NOBODY)
        os.chmod(unreadable, 0o755)  # the directories on the pages are as they were
        again = in_child(lambda: scan_again(folder, made.roots), user=NOBODY)
        assert [problem.path for problem in first.problems] == [unreadable]
        assert analysis(again) == analysis(scan(made.roots))


def test_a_cache_and_an_environment_may_change_their_kind(indexed, folder):
    roots = [cache_root(indexed.first), cache_root(indexed.cache), environment_root(indexed.second)]
    assert analysis(scan_again(folder, roots)) == analysis(scan(roots))


@pytest.mark.parametrize("quick", [False, True])
def test_a_tree_that_changed_during_scans_is_correct_once_it_is_stable(made, folder, quick):
    """Nothing that changed within the last two seconds counts as settled."""

    def write_for_a_while():
        for number in range(300):
            write(f"{made.first}/lib/new-{number}", b"n" * number)
            write(f"{made.first}/lib/own", b"o" * number * 100)
            os.link(f"{made.shared}/lib/big", f"{made.second}/lib/big-{number}")
            if number % 3 == 0:
                os.unlink(f"{made.first}/lib/new-{number}")
                package(made.cache, f"new-{number}-0", {"lib/file": b"f" * number})
            if number % 7 == 0:
                shutil.rmtree(f"{made.cache}/new-{number // 2 * 2}-0", ignore_errors=True)

    with forked(write_for_a_while) as process:
        for _ in range(20):
            with look_up(folder, quick=quick) as lookup:
                scan(made.roots, lookup=lookup)
        process.result()
    with look_up(folder, quick=quick) as lookup:
        again = scan(made.roots, lookup=lookup)
    assert analysis(again) == analysis(scan(made.roots))


def test_files_linked_during_a_scan_are_checked_exactly(made, folder, monkeypatch):
    """The link count in the index is older than the link."""
    many_links(write(f"{made.mine}/lib/many", b"m"), f"{made.mine}/links", ENOUGH)
    late = f"{made.first}/lib/late"

    def link_late(_links):
        with contextlib.suppress(FileExistsError):
            os.link(f"{made.shared}/lib/big", late)

    with reader("python"):  # it reads `mine` after `shared`, and before `first`
        written = write_index(folder, made.roots, on_progress=link_late)
    assert any(group.surplus for group in written.groups)
    next_tick(folder)
    again = scan_again(folder, made.roots, quick=True)
    assert analysis(again) == analysis(scan(made.roots))
    assert not any(group.surplus for group in again.groups)


def test_a_root_that_cannot_be_opened_is_reported_each_time():
    with tempfile.TemporaryDirectory() as top:
        made, folder = make_installation(top), f"{top}/index"
        os.makedirs(folder)
        for path, mode in ((top, 0o755), (folder, 0o777), (made.second, 0o000)):
            os.chmod(path, mode)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)

        def problems():
            write_index(folder, made.roots)
            assert os.path.exists(index_path(folder))
            return [scan_again(folder, made.roots, quick=quick).problems for quick in (False, True)]

        found = in_child(problems, user=NOBODY)
        os.chmod(made.second, 0o755)
    assert [[problem.path for problem in some] for some in found] == [[made.second]] * 2


@pytest.mark.parametrize("seconds", [-10, 10])
def test_directories_changed_since_the_scan_began_are_not_settled(made, folder, seconds):
    """What was read elsewhere before the change is not consistent with it."""
    os.utime(f"{made.first}/lib", (4e9, 4e9))  # any user can set this time
    began_ns = time.time_ns() + seconds * 10**9
    with look_up(folder, quick=False) as lookup:
        scan(made.roots, lookup=dataclasses.replace(lookup, began_ns=began_ns))
    with look_up(folder, quick=True) as lookup:
        again = scan(made.roots, lookup=lookup)
    assert again.reading.mode is (ReadingMode.QUICK if seconds > 0 else ReadingMode.FULL)


def test_a_time_may_exceed_8_bytes_of_nanoseconds(made, folder):
    directory = f"{made.first}/lib"
    os.utime(directory, (1.3e10, 1.3e10))
    if os.stat(directory).st_mtime_ns < 2**63:
        pytest.skip("this filesystem has no such time")
    expected = write_index(folder, made.roots)
    with look_up(folder, quick=True) as lookup:
        found = scan(made.roots, lookup=lookup)
    assert found.reading.mode is ReadingMode.QUICK
    assert analysis(found) == analysis(expected)


@pytest.mark.parametrize("step", [1, -1])
def test_a_page_may_refer_to_an_inode_examined_on_a_later_page(tmp_path, folder, step):
    """This happens if several threads have read one environment."""
    prefix = f"{tmp_path}/env"
    for number in range(600):
        path = write(f"{prefix}/d{number}/f", b"f")
        link(path, f"{prefix}/e{number}/f")
    roots = [environment_root(prefix)]
    write_index(folder, roots)
    with trusting(), look_up(folder, quick=False) as lookup:
        found = Partly(lookup).unchanged(survey_roots(roots, (), read_mount_table()), None)
        pages = found.index.stored.pages[::step]
        assert len(pages) > 2
        stored = dataclasses.replace(found.index.stored, pages=pages)
        index = dataclasses.replace(found.index, stored=stored)
        remembered = Remembered(dataclasses.replace(found, index=index))
        with reading(roots, remembered=remembered) as (finished, _):
            assert finished.collector.links == list(scan(roots).links)
    assert len(remembered.recalled) == len(roots)


def test_directories_deeper_than_a_path_are_not_indexed(tmp_path, folder):
    prefix = f"{tmp_path}/env"
    os.mkdir(prefix)
    make_chain(prefix, 60, "n" * 200, write(f"{tmp_path}/linked", b"x"))
    roots = [environment_root(prefix)]
    for _ in range(2):
        with trusting(), look_up(folder, quick=False) as lookup:
            again = scan(roots, lookup=lookup)
        assert again.reading.mode is ReadingMode.FULL
        assert analysis(again) == analysis(scan(roots))


def test_no_index_is_written_inside_a_root(made):
    folder = f"{made.first}/.cache/conda/hardlinks"
    write_index(folder, made.roots)
    assert not os.path.exists(folder)


def test_no_index_is_written_if_no_home_is_known(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = everything_in(str(tmp_path))
    assert write_index("~/.cache/conda/hardlinks", made.roots).reading.mode is ReadingMode.FULL
    assert everything_in(str(tmp_path)) == before
