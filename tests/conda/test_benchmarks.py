"""The benchmarks run on small roots: they compare figures before they time anything."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.support.repository import TOP

SMALL = ("--environments", "2", "--paths", "900", "--cache-files", "100")
ONE_ROUND = ("--rounds", "1")
SMALL_SHAPES = """\
import sys
sys.path.insert(0, "benchmarks")
import shapes
from shapes import Shape
shapes.SHAPES = {"small": Shape(4, 6, 2, 3, 8), "one environment": Shape(1, 1, 1, 1, 9)}
sys.argv[1:] = ["--rounds", "1"]
sys.exit(shapes.main())
"""


def run(*words):
    """Run a benchmark; a missed target, which a small root gives, is not a failure here."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    done = subprocess.run(
        [sys.executable, *words], cwd=TOP, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith("round ")]
    assert lines in ([], ["fewer than 7 rounds: good for a try, not for a figure to quote"])
    assert done.returncode in (0, 1)
    return done.stdout


@pytest.mark.skipif(shutil.which("du") is None, reason="there is no du")
def test_the_race_against_du_compares_its_figures_and_shows_every_command():
    shown = run("benchmarks/bench.py", *ONE_ROUND, *SMALL)
    assert "equal to du -B1 -s, each root alone and all together: the scan's and the repor" in shown
    for label in ("du", "scan in Python", "report --json --quick", "clean --dry-run --json"):
        assert f"\n{label} " in shown
    assert "allowed 75.00 MB" in shown


def test_roots_of_every_shape_are_raced():
    shown = run("-c", SMALL_SHAPES)
    for shape in ("small", "one environment"):
        assert f"{shape}: (full report - 30 ms) / the same in C" in shown
        assert f"{shape}: quick / full" in shown


def test_where_calls_wait_the_scan_is_raced():
    shown = run("benchmarks/slow.py", *ONE_ROUND, *SMALL, "--microseconds", "1")
    assert "scan, wall time, median ratio to du" in shown


def test_the_reduction_of_made_up_results_is_measured():
    (_, row) = run("benchmarks/reduction.py", "--paths", "30000").splitlines()
    assert row.split()[0] == "30,000"


def test_scans_by_workers_are_timed():
    pytest.importorskip("distributed")
    options = ("--large", "200", "--microseconds", "1")
    shown = run("benchmarks/workers.py", *ONE_ROUND, *SMALL, *options)
    assert shown.count("4 workers: ") == 2
    assert "several environments: 4 times the time of 4 workers / the time of one" in shown
