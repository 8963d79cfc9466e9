"""`conda hardlinks` alone: the last report of this conda, and where to begin."""

from __future__ import annotations

import os
import sys

import pytest

from conda_hardlink_plugin.cli.guide import print_where_to_begin
from tests.support.disk import snapshot

LAST = "The last report found 1 environment and 1 package cache, "
pytestmark = pytest.mark.usefixtures("configured")


@pytest.fixture
def guide(capsys):
    """Return a function that prints the guide and returns it."""

    def guide():
        capsys.readouterr()
        assert print_where_to_begin() == 0
        done = capsys.readouterr()
        assert done.err == ""
        return done.out

    return guide


def test_without_a_report_it_says_how_to_make_one_and_writes_nothing(guide, made, isolated):
    before = snapshot(made.directory, str(isolated))
    assert guide().startswith("There is no report yet: run `conda hardlinks report`.\n")
    assert snapshot(made.directory, str(isolated)) == before


def test_after_a_report_it_begins_with_the_totals(guide, hardlinks):
    hardlinks("report")
    assert guide().startswith(LAST)


def test_a_cache_that_does_not_exist_does_not_make_the_report_one_of_others(
    guide, hardlinks, made, monkeypatch, read_configuration
):
    monkeypatch.setenv("CONDA_PKGS_DIRS", f"{made.directory}/pkgs,{made.directory}/gone")
    hardlinks("report")
    read_configuration()
    assert guide().startswith(LAST)
    os.mkdir(f"{made.directory}/gone")
    assert guide().startswith("The last report covered other package caches")


def test_a_closed_stdout_ends_with_1(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert print_where_to_begin() == 1
    assert capsys.readouterr().err == "stdout is closed: cannot print the guide.\n"
