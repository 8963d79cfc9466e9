"""Searching with the processes of an executor finds what a search here finds."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from conda_hardlink_plugin.scan import executor_search
from conda_hardlink_plugin.scan.search import find_below
from tests.support.scanning import reader
from tests.support.trees import write


@pytest.fixture
def home(tmp_path):
    top = f"{tmp_path}/home"
    for user in range(4):
        for name in ("a", "b"):
            write(f"{top}/u{user}/deep/er/{name}/conda-meta/history")
        write(f"{top}/u{user}/base/conda-meta/history")
        write(f"{top}/u{user}/base/envs/c/conda-meta/history")
        write(f"{top}/u{user}/base/lib/d/conda-meta/history")
        os.symlink("../u0/base", f"{top}/u{user}/link")
    os.symlink(f"{top}/u1/deep/er", f"{top}/u0/base/envs/linked")
    elsewhere = f"{tmp_path}/elsewhere"
    write(f"{elsewhere}/e/conda-meta/history")
    write(f"{top}/linked/conda-meta/history")
    os.symlink(elsewhere, f"{top}/linked/envs")
    return top


def everything(found):
    return sorted(found.prefixes), sorted(found.unsearched)


@pytest.mark.parametrize("directories", [1, 3, 200])
def test_a_search_finds_the_same_with_tasks_of_any_size(home, directories, monkeypatch):
    monkeypatch.setattr(executor_search, "_FIRST_DIRECTORIES", directories)
    monkeypatch.setattr(executor_search, "_MAX_DIRECTORIES", directories)
    with reader("native"), ThreadPoolExecutor(3) as executor:
        found = executor_search.find_with(executor, home)
    with reader("python"):
        expected = find_below(home)
    assert everything(found) == everything(expected)
    assert len(expected.prefixes) == 4 * 5 + 2


def test_both_readers_find_the_same(home):
    found = []
    for name in ("native", "python"):
        with reader(name):
            found.append(everything(find_below(home)))
    assert found[0] == found[1]


def test_a_folder_that_cannot_be_opened_is_unsearched(tmp_path):
    with reader("native"), ThreadPoolExecutor(1) as executor:
        found = executor_search.find_with(executor, f"{tmp_path}/no")
    assert list(found.unsearched) == [f"{tmp_path}/no"]
