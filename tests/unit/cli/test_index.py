"""`conda hardlinks index`: its status, and its removal."""

from __future__ import annotations

import json
import os
import sys

import pytest

from conda_hardlink_plugin.exceptions import HardlinksError
from tests.support.disk import size_of
from tests.support.trees import write


@pytest.fixture
def path(isolated):
    """The path of the index."""
    return f"{isolated}/.cache/conda/hardlinks/report.index"


@pytest.fixture
def made_by_a_report(hardlinks, path):
    """An index that a report has written; return its path."""
    hardlinks("report")
    return path


def test_without_an_index_its_place_is_named_and_nothing_is_written(hardlinks, path, isolated):
    for options in ((), ("--clear",)):
        assert hardlinks("index", *options) == (0, f"There is no report index at {path}.\n", "")
        status = json.loads(hardlinks("index", "--json", *options).stdout)
        assert (status["index"]["size_bytes"], status["cleared"]) == (None, False)
    assert os.listdir(isolated) == []


def test_an_index_has_its_size_and_content(hardlinks, made_by_a_report):
    done = hardlinks("index")
    assert (done.code, done.stderr) == (0, "")
    assert "in 1 package cache and 1 environment, last checked on " in done.stdout
    status = json.loads(hardlinks("index", "--json").stdout)
    assert status["cleared"] is False
    assert status["index"]["path"] == made_by_a_report
    assert status["index"]["size_bytes"] == size_of(made_by_a_report)


@pytest.mark.parametrize("content", [b"", b"\xff\x1b[31m\n" * 1000])
def test_a_damaged_index_is_described_and_can_be_removed(hardlinks, path, content):
    write(path, content)
    assert "The index is damaged or from another version" in hardlinks("index").stdout
    assert hardlinks("index", "--clear").code == 0
    assert not os.path.exists(path)


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_clear_removes_the_index_once(hardlinks, made_by_a_report, option):
    first, second = (hardlinks("index", "--clear", *option) for _ in range(2))
    assert not os.path.exists(made_by_a_report)
    assert (first.code, second.code) == (0, 0)
    if option:
        assert [json.loads(done.stdout)["cleared"] for done in (first, second)] == [True, False]
    else:
        assert first.stdout.startswith(f"{made_by_a_report}: removed, ")


def test_an_index_that_cannot_be_removed_is_an_error(hardlinks, path):
    os.makedirs(f"{path}/in-the-way")
    with pytest.raises(HardlinksError, match=f"{path} cannot be removed: "):
        hardlinks("index", "--clear")


def test_a_closed_stdout_removes_nothing(hardlinks, made_by_a_report, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    done = hardlinks("index", "--clear")
    assert done == (1, "", "stdout is closed: cannot print the status of the index.\n")
    assert os.path.exists(made_by_a_report)
