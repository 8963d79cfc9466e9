"""The removal of a tree: everything in it and nothing else, and what that frees."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import tempfile

import pytest

from conda_hardlink_plugin.executor.rmtree import Rmtree
from conda_hardlink_plugin.filesystem import closing, fs
from tests.support.faults import at_change, fail
from tests.support.forking import allow_descriptors, in_child
from tests.support.oracles import NOBODY, du, open_descriptors
from tests.support.trees import ODD_NAMES, link, make_chain, special_files, symlink, write

FEW = 105  # a hundred open directories, and what it takes to list the last of them


def removed(top, *names):
    """Remove entries of a directory; return the freed bytes and the problems."""
    with closing(fs.open_root(str(top))) as handle:
        rmtree = Rmtree(handle)
        for name in names:
            rmtree.remove(name)
    return rmtree.freed_bytes, rmtree.problems


def test_a_tree_is_removed_with_everything_in_it_and_frees_what_du_counts(tmp_path):
    tree = f"{tmp_path}/tree"
    write(f"{tree}/lib/deep/er/file", b"x" * 9_000)
    special_files(tree)
    os.mkdir(f"{tree}/empty")
    before, (size_bytes,) = open_descriptors(), du(tree)
    assert removed(tmp_path, "tree") == (size_bytes, [])
    assert os.listdir(tmp_path) == []
    assert open_descriptors() == before


def test_entries_with_any_name_are_removed(tmp_path):
    for name in ODD_NAMES:
        write(f"{tmp_path}/{name}/{name}", b"x")
    (size_bytes, *more) = du(*(f"{tmp_path}/{name}" for name in ODD_NAMES))
    assert removed(tmp_path, *ODD_NAMES) == (size_bytes + sum(more), [])
    assert os.listdir(tmp_path) == []


def test_a_file_with_another_link_keeps_that_link_and_frees_nothing(tmp_path):
    kept = link(write(f"{tmp_path}/tree/f", b"x" * 9_000), f"{tmp_path}/kept")
    link(write(f"{tmp_path}/tree/g", b"x" * 9_000), f"{tmp_path}/tree/again")
    own_bytes = du(f"{tmp_path}/tree")[0] - du(kept)[0]
    assert removed(tmp_path, "tree") == (own_bytes, [])
    with open(kept, "rb") as file:
        assert file.read() == b"x" * 9_000


def test_a_symbolic_link_is_removed_and_its_target_stays(tmp_path):
    outside = write(f"{tmp_path}/outside/f", b"x")
    symlink(os.path.dirname(outside), f"{tmp_path}/tree/folder")
    symlink(outside, f"{tmp_path}/tree/file")
    symlink(os.path.dirname(outside), f"{tmp_path}/itself")
    _, problems = removed(tmp_path, "tree", "itself")
    assert problems == []
    assert os.listdir(tmp_path) == ["outside"]
    assert os.listdir(f"{tmp_path}/outside") == ["f"]


def test_a_missing_entry_is_not_a_problem(tmp_path):
    write(f"{tmp_path}/other")
    assert removed(tmp_path, "missing") == (0, [])
    assert os.listdir(tmp_path) == ["other"]


def test_the_freed_bytes_of_files_and_folders_add_up(tmp_path):
    write(f"{tmp_path}/file", b"x" * 9_000)
    write(f"{tmp_path}/folder/file", b"x" * 9_000)
    size_bytes = sum(du(f"{tmp_path}/file", f"{tmp_path}/folder"))
    assert removed(tmp_path, "file", "folder") == (size_bytes, [])


@pytest.fixture
def owned():
    """A folder of an ordinary user, and a function that gives what is in it to that user."""
    with tempfile.TemporaryDirectory() as top:

        def give_away():
            for folder, _, files in os.walk(top) if os.geteuid() == 0 else ():
                for path in (folder, *(f"{folder}/{name}" for name in files)):
                    os.chown(path, NOBODY, NOBODY)

        yield top, give_away


@pytest.mark.parametrize("mode", [0o555, 0o666, 0o333, 0o000], ids=oct)
def test_a_folder_without_permissions_is_removed(owned, mode):
    top, give_away = owned
    write(f"{top}/tree/lib/f", b"x")
    give_away()
    (size_bytes,) = du(f"{top}/tree")
    for folder in (f"{top}/tree/lib", f"{top}/tree"):
        os.chmod(folder, mode)
    assert in_child(lambda: removed(top, "tree"), user=NOBODY) == (size_bytes, [])
    assert os.listdir(top) == []


def test_a_deep_folder_without_permissions_is_removed(owned):
    """It is moved up, and a folder that gets another parent must be writable."""
    top, give_away = owned
    deep = f"{top}/tree{'/d' * 100}"
    write(f"{deep}/f", b"x")
    give_away()
    os.chmod(deep, 0o555)
    assert in_child(lambda: removed(top, "tree")[1], user=NOBODY) == []
    assert os.listdir(top) == []


def test_a_folder_of_another_user_without_permissions_is_a_problem(owned):
    top, give_away = owned
    give_away()
    if os.geteuid() != 0:
        pytest.skip("only an administrator can make a folder of another user")
    os.mkdir(f"{top}/other", 0o700)
    reason = os.strerror(errno.EACCES).lower()
    assert in_child(lambda: removed(top, "other"), user=NOBODY) == (0, [f"other: {reason}"])
    assert stat.S_IMODE(os.stat(f"{top}/other").st_mode) == 0o700


def test_of_a_deep_tree_only_a_hundred_folders_are_open_at_once(tmp_path):
    source = write(f"{tmp_path}/source", b"x")
    os.mkdir(f"{tmp_path}/tree")
    make_chain(f"{tmp_path}/tree", 450, "d" * 20, source)

    def remove():
        allow_descriptors(FEW)
        return removed(tmp_path, "tree")[1]

    assert in_child(remove) == []
    assert os.listdir(tmp_path) == ["source"]
    assert os.stat(source).st_nlink == 1


def test_a_failed_removal_is_named_and_the_rest_is_removed(tmp_path):
    for number in itertools.count(1):
        top = f"{tmp_path}/{number}"
        for name in ("a\x1b[31m/f", "a\x1b[31m/g", "b\n", "c"):
            write(f"{top}/tree/{name}", b"x" * 9_000)
        (before,) = du(f"{top}/tree")
        with at_change(number, fail(errno.EACCES)) as steps:
            freed_bytes, problems = removed(top, "tree")
        if not steps.reached:
            break
        (left,) = du(f"{top}/tree")
        assert freed_bytes == before - left
        # What fails, and each folder that is therefore not empty.
        first, *above = problems
        name, _, reason = first.partition(": ")
        assert reason == "permission denied"
        assert name in {"a\x1b[31m", "f", "g", "b\n", "c", "tree"}
        assert all(problem.endswith(": directory not empty") for problem in above)
        assert sum(len(names) for _, _, names in os.walk(top)) <= 1
    assert number == 7  # four files and two folders
    assert problems == []
