"""`conda hardlinks restore`: what is held, what comes back, and what does not."""

from __future__ import annotations

import json
import os
import shutil
import sys

import pytest
from conda.base.context import Context

from conda_hardlink_plugin.exceptions import NotFoundError, StoppedError
from tests.support.disk import snapshot
from tests.support.trees import QUARANTINE, package

NAME = "unused-1-0"


@pytest.fixture
def held(hardlinks, made):
    """A run of `clean --keep` that holds a package; return its ID."""
    done = hardlinks("clean", "--yes", "--grace", "0", "--keep", "7d")
    assert done.code == 0
    assert not os.path.exists(f"{made.caches[0]}/{NAME}")
    (run,) = json.loads(hardlinks("restore", "--json").stdout)["held"]
    return run["run"]


def test_without_a_run_nothing_is_held_and_nothing_is_written(hardlinks, made):
    before = snapshot(made.directory)
    done = hardlinks("restore")
    assert done == (
        *(0, "Nothing is held. To hold what a clean removes: conda hardlinks clean --keep 7d\n"),
        "",
    )
    listed = json.loads(hardlinks("restore", "--json").stdout)
    assert (listed["held"], listed["restored"], listed["errors"]) == ([], [], [])
    assert snapshot(made.directory) == before


def test_a_held_run_is_listed_and_comes_back_whole(hardlinks, made, held):
    files = os.listdir(f"{made.caches[0]}/{QUARANTINE}")
    (row,) = (line for line in hardlinks("restore").stdout.splitlines() if held in line)
    assert NAME in row
    assert os.listdir(f"{made.caches[0]}/{QUARANTINE}") == files
    assert hardlinks("restore", held) == (0, "1 item restored.\n", "")
    with open(f"{made.caches[0]}/{NAME}/lib/unused", "rb") as file:
        assert file.read() == b"x" * 9000
    with pytest.raises(NotFoundError, match=f"No run {held} holds anything"):
        hardlinks("restore", held)


def test_json_has_the_restored_paths(hardlinks, made, held):
    done = hardlinks("restore", "--json", held)
    assert (done.code, done.stderr) == (0, "")
    restored = json.loads(done.stdout)
    assert restored["restored"] == [f"{made.caches[0]}/{NAME}"]
    assert (restored["held"], restored["errors"]) == ([], [])


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_place_that_is_taken_ends_with_1_and_keeps_both(hardlinks, made, held, option):
    taken = package(made.caches[0], NAME, {"lib/new": b"new"})
    before = snapshot(made.caches[0])
    done = hardlinks("restore", *option, held)
    assert done.code == 1
    assert taken in done.stdout
    assert snapshot(f"{made.caches[0]}/{NAME}").items() <= before.items()
    shutil.rmtree(taken)
    assert hardlinks("restore", held).code == 0


@pytest.mark.parametrize("run", ["", "gone", "new\nline\x1b", "../..", "%s"])
def test_an_unknown_run_is_refused(hardlinks, made, held, run):
    before = snapshot(made.directory)
    with pytest.raises(NotFoundError) as caught:
        hardlinks("restore", run)
    assert str(caught.value).startswith(f"No run {run} holds anything: `conda hardlinks restore`")
    assert snapshot(made.directory) == before


def test_a_run_in_a_cache_that_conda_does_not_know_needs_the_option_cache(
    hardlinks, made, held, monkeypatch
):
    os.mkdir(f"{made.directory}/other")
    monkeypatch.setenv("CONDA_PKGS_DIRS", f"{made.directory}/other")
    assert held not in hardlinks("restore").stdout
    assert held in hardlinks("restore", "--cache", made.caches[0]).stdout
    assert hardlinks("restore", "--cache", made.caches[0], held).code == 0


def test_ctrl_c_says_what_stays(hardlinks, mocker):
    mocker.patch.object(Context, "pkgs_dirs", mocker.PropertyMock(side_effect=KeyboardInterrupt))
    with pytest.raises(StoppedError, match="Items that were already restored stay in their place"):
        hardlinks("restore", "run")


def test_a_closed_stdout_restores_nothing(hardlinks, made, held, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        done = hardlinks("restore", held)
    assert done == (1, "", "stdout is closed: cannot print what is held.\n")
    assert not os.path.exists(f"{made.caches[0]}/{NAME}")
