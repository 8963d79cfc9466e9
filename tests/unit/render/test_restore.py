"""Held and restored packages, as text and as JSON."""

from __future__ import annotations

import io
import json
import os

import pytest

from conda_hardlink_plugin.executor.restore import HeldRun
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.render.restore import print_held, print_restored, render_restore
from conda_hardlink_plugin.render.terminal import Terminal
from tests.support.figures import MIB

NOON = 1_600_000_000  # 2020-09-13, at 12:26:40 UTC
ODD = os.fsdecode(b"esc\x1b[31m\nnew\xff")
SHOWN = "esc\\x1b[31m\\nnew\\xff"
RUNS = [
    HeldRun("r1", "/conda/pkgs", ("a-1-0", "b-1-0", "c-1-0.conda"), NOON, 5 * MIB),
    HeldRun("r2", "/other", ("a-1-0", "b-1-0", "c-1-0", "d-1-0", ODD), NOON + 3600, 7),
]

pytestmark = pytest.mark.usefixtures("utc")


def of_held(runs, problems=(), columns=None):
    stream = io.StringIO()
    print_held(runs, problems, Terminal(stream, columns))
    return stream.getvalue()


def test_held_runs_are_a_table():
    assert of_held(RUNS, [PathProblem("/third/.conda-hardlinks", "permission denied")]) == (
        """\
ID     SIZE  EXPIRY            CONTENTS                        CACHE
r1  5.0 MiB  2020-09-13 12:26  a-1-0, b-1-0, c-1-0.conda       /conda/pkgs
r2      7 B  2020-09-13 13:26  a-1-0, b-1-0, c-1-0 and 2 more  /other
To restore a run: conda hardlinks restore ID
! /third/.conda-hardlinks: permission denied.
"""
    )
    assert of_held([]) == (
        "Nothing is held. To hold what a clean removes: conda hardlinks clean --keep 7d\n"
    )


def test_restored_items_are_counted_and_problems_are_named():
    for paths, text in (
        ([], "0 items restored.\n"),
        (["/conda/pkgs/a"], "1 item restored.\n"),
    ):
        stream = io.StringIO()
        problems = [PathProblem(f"/{ODD}", "something is there again")]
        print_restored(paths, problems, Terminal(stream))
        assert stream.getvalue() == f"{text}! /{SHOWN}: something is there again.\n"


def test_json_has_held_runs_and_restored_paths():
    problems = [PathProblem("/p", "it failed")]
    assert json.loads(render_restore(RUNS[1:], ["/conda/pkgs/a"], problems)) == {
        "schema_version": 1,
        "success": False,
        "held": [
            {
                "run": "r2",
                "cache": "/other",
                "homes": ["a-1-0", "b-1-0", "c-1-0", "d-1-0", ODD],
                "expires_s": NOON + 3600,
                "size_bytes": 7,
            }
        ],
        "restored": ["/conda/pkgs/a"],
        "errors": ["/p: it failed"],
    }
    assert json.loads(render_restore([], [], []))["success"] is True


@pytest.mark.parametrize("columns", [None, 40])
def test_hostile_names_are_escaped(columns):
    runs = [HeldRun("r1", f"/{ODD}", (ODD,), NOON, 7)]
    text = of_held(runs, [PathProblem(f"/{ODD}", "permission denied")], columns)
    assert text.count(SHOWN) == 3
    assert all(line.isprintable() for line in text.splitlines())
