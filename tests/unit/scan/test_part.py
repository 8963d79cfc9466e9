"""A task and its result: what a machine refuses, and numbers that travel."""

from __future__ import annotations

import os
import pickle
from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem import closing, fs
from conda_hardlink_plugin.filesystem.native import TaskFlag, native_module
from conda_hardlink_plugin.scan.part import (
    PartTask,
    RootIdentity,
    Subtree,
    identity_of,
    pack_numbers,
    read_part,
    unpack_numbers,
)
from tests.support.scanning import reader
from tests.support.trees import write

IDENTITY = RootIdentity(128, "xfs", 17)


@pytest.fixture
def root(tmp_path):
    write(f"{tmp_path}/env/lib/a/f", b"x")
    write(f"{tmp_path}/env/lib/b/f", b"x")
    return f"{tmp_path}/env"


@pytest.fixture
def task(root):
    with reader("native"), closing(fs.open_root(root)) as handle:
        identity = identity_of(handle, root, native_module())
    whole = Subtree(0, TaskFlag.ROOT, b"")
    return PartTask(root, identity, 1, (whole,), frozenset(), pack_numbers(b""), 0)


def test_a_whole_root_is_read(task):
    result = read_part(task)
    assert (result.refusal, result.tops, result.directories) == ("", [True], 4)


def test_after_as_many_directories_as_allowed_the_rest_is_left(task):
    result = read_part(replace(task, max_directories=2))
    assert 2 <= result.directories < 4
    assert result.events


def test_what_is_gone_is_left(task):
    subtrees = (Subtree(0, 0, b"lib/a"), Subtree(0, 0, b"lib/none"), Subtree(0, 0, b"none/a"))
    assert read_part(replace(task, subtrees=subtrees)).tops == [True, None, None]


def test_a_symbolic_link_on_the_way_is_not_followed(task, root):
    os.symlink("lib", f"{root}/link")
    assert read_part(replace(task, subtrees=(Subtree(0, 0, b"link/a"),))).tops == [None]


def test_a_machine_with_another_version_refuses(task):
    assert "has version" in read_part(replace(task, version="9")).refusal


def test_a_machine_without_the_root_refuses(task, root):
    assert (
        f"cannot read {root}/no: no such file"
        in read_part(replace(task, root=f"{root}/no")).refusal
    )


@pytest.mark.parametrize("change", [{"inode": 1}, {"filesystem": "other"}, {"birth_ns": 1}])
def test_a_machine_with_another_directory_at_the_root_refuses(task, change):
    other = replace(task.identity, **change)
    if task.identity.birth_ns is None and "birth_ns" in change:
        pytest.skip("the filesystem does not know when a file was created")
    assert "sees another directory" in read_part(replace(task, identity=other)).refusal


def test_a_machine_without_the_native_reader_refuses(task):
    with reader("python"):
        assert "has no native reader" in read_part(task).refusal


def test_a_changed_root_is_still_the_same(task, root):
    write(f"{root}/new", b"n")
    os.chmod(root, 0o700)
    assert not read_part(task).refusal


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (IDENTITY, False),
        (replace(IDENTITY, inode=129), True),
        (replace(IDENTITY, filesystem="btrfs"), True),
        (replace(IDENTITY, filesystem=""), False),
        (replace(IDENTITY, birth_ns=18), True),
        (replace(IDENTITY, birth_ns=None), False),
    ],
)
def test_what_is_unknown_does_not_tell_directories_apart(other, differs):
    assert IDENTITY.differs_from(other) is differs
    assert other.differs_from(IDENTITY) is differs


def test_tasks_and_results_travel(task):
    result = read_part(pickle.loads(pickle.dumps(task)))
    assert pickle.loads(pickle.dumps(result)) == result


@given(st.lists(st.integers(0, 2**64 - 1), unique=True))
def test_packed_numbers_are_the_same_in_order(numbers):
    packed = pack_numbers(array("Q", numbers).tobytes())
    assert array("Q", unpack_numbers(packed)).tolist() == sorted(numbers)
