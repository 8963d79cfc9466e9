"""Searching a folder for environments, with both readers."""

from __future__ import annotations

import os
import tempfile

import pytest

from conda_hardlink_plugin.scan.search import find_below, has_records, pseudo_below
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.scanning import reader
from tests.support.trees import write


@pytest.fixture(params=["python", "native"], autouse=True)
def each_reader(request):
    with reader(request.param):
        yield


@pytest.fixture
def open_top():
    """A directory that every user may enter."""
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        yield top


def environment(path):
    write(f"{path}/conda-meta/history")
    return path


def test_environments_are_found_at_any_depth_and_in_envs_of_others(tmp_path):
    expected = [
        environment(f"{tmp_path}/a"),
        environment(f"{tmp_path}/deep/er/b"),
        environment(f"{tmp_path}/a/envs/c"),
        environment(f"{tmp_path}/a/envs/sub/d"),
    ]
    environment(f"{tmp_path}/a/lib/not-looked-at")
    assert sorted(find_below(str(tmp_path)).prefixes) == sorted(expected)


def test_the_folder_itself_may_be_an_environment(tmp_path):
    environment(str(tmp_path))
    assert find_below(str(tmp_path)).prefixes == [str(tmp_path)]


def test_a_link_to_an_environment_counts_and_other_links_are_not_followed(tmp_path):
    outside = environment(f"{tmp_path}/outside/env")
    top = f"{tmp_path}/top"
    os.mkdir(top)
    os.symlink(outside, f"{top}/link")
    os.symlink(os.path.dirname(outside), f"{top}/folder")
    os.symlink("nowhere", f"{top}/dangling")
    os.symlink("loop", f"{top}/loop")
    assert find_below(top).prefixes == [f"{top}/link"]


def test_envs_that_is_a_symbolic_link_is_searched(tmp_path):
    outside = environment(f"{tmp_path}/outside/env")
    base = environment(f"{tmp_path}/base")
    os.symlink(os.path.dirname(outside), f"{base}/envs")
    assert sorted(find_below(base).prefixes) == [base, f"{base}/envs/env"]


def test_conda_meta_that_is_a_file_makes_no_environment(tmp_path):
    write(f"{tmp_path}/a/conda-meta")
    assert find_below(str(tmp_path)).prefixes == []
    assert not has_records(f"{tmp_path}/a")


def test_names_of_any_bytes_are_found(tmp_path):
    name = os.fsdecode(b"\xff\nen v")
    assert find_below(str(tmp_path)).prefixes == []
    path = environment(f"{tmp_path}/{name}")
    assert find_below(str(tmp_path)).prefixes == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_folder_that_cannot_be_listed_is_named(open_top):
    environment(f"{open_top}/a")
    os.mkdir(f"{open_top}/closed", 0o700)

    def found():
        os.setuid(NOBODY)
        result = find_below(open_top)
        return result.prefixes, {path: error.errno for path, error in result.unsearched.items()}

    assert in_child(found) == ([f"{open_top}/a"], {f"{open_top}/closed": 13})


def test_a_missing_folder_has_nothing(tmp_path):
    found = find_below(f"{tmp_path}/none")
    assert (found.prefixes, found.unsearched) == ([], {})


def test_filesystems_without_files_are_not_searched():
    assert "proc" in pseudo_below("/")
    assert not any(path.startswith("/proc") for path in find_below("/proc/self").prefixes)
