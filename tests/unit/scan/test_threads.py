"""Threads in Python: where calls wait, many are made at once, and the figures are the same."""

from __future__ import annotations

import pytest

from tests.support.oracles import du
from tests.support.trees import write

from .conftest import SCAN

MANY = 4

NO_MORE_THREADS = """\
import threading
begin, left = threading.Thread.start, [{}]
def refuse(thread):
    if not left[0]: raise RuntimeError("can't start new thread")
    left[0] -= 1
    begin(thread)
threading.Thread.start = refuse
"""

# The same with the index of the folder INDEX, which it writes where there is none.
SCAN_WITH_INDEX = """\
import os
from conda_hardlink_plugin.scan.index import page
from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.scan.index.lookup import look_up
page.RACY_NS = -10**19
""" + SCAN.replace(
    "usage = Usage(scan(roots))",
    """\
with look_up(os.environ["INDEX"], quick=False, totals_of=index_totals) as lookup:
    found = scan(roots, lookup=lookup)
assert found.reading.mode.value == os.environ["MODE"]
usage = Usage(found)""",
)


ON_ONE_PROCESSOR = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"


def most_at_once(folder):
    """Return how many calls of the last scan waited at the same time."""
    return int((folder / "peak").read_text().split()[0])


@pytest.fixture
def indexed(scanned, tmp_path):
    """Variables with which a scan uses an index of the tree."""
    index = {"INDEX": f"{tmp_path}/index"}
    scanned("python", index | {"MODE": "full"}, SCAN_WITH_INDEX)
    return index | {"MODE": "exact"}


@pytest.mark.parametrize("reader", ["python", "native"])
def test_threads_make_many_calls_at_once_if_calls_wait(tree, scanned, slow, tmp_path, reader):
    sizes, threads = scanned(reader, slow | {"SLOW_PEAK": f"{tmp_path}/peak"})
    assert sizes == du(*tree)
    assert (threads > 0) == (reader == "python")
    assert most_at_once(tmp_path) > MANY


@pytest.mark.parametrize("reader", ["python", "native"])
def test_unchanged_trees_are_checked_with_threads(tree, scanned, slow, indexed, tmp_path, reader):
    peak = {"SLOW_PEAK": f"{tmp_path}/peak"}
    sizes, threads = scanned(reader, slow | indexed | peak, SCAN_WITH_INDEX)
    assert sizes == du(*tree)
    assert (threads > 0) == (reader == "python")
    assert most_at_once(tmp_path) > MANY


@pytest.mark.parametrize("allowed", [0, 3])
def test_unchanged_trees_are_checked_by_as_many_threads_as_can_start(
    tree, scanned, slow, indexed, allowed
):
    few = NO_MORE_THREADS.format(allowed)
    sizes, threads = scanned("python", slow | indexed, few + SCAN_WITH_INDEX)
    assert sizes == du(*tree)
    assert threads >= allowed


def test_no_threads_are_started_if_calls_do_not_wait(tree, scanned):
    assert scanned("python", {}) == (du(*tree), 0)


def test_the_native_reader_starts_more_threads_if_some_calls_wait(tree, scanned, slow, tmp_path):
    """As on a disk that is not in memory: each thread computes and waits by turns."""
    for number in range(15_000):
        write(f"{tree[1]}/more/d{number % 40}/f{number}")
    some = {"SLOW_EVERY": "25", "SLOW_MICROSECONDS": "60", "SLOW_PEAK": f"{tmp_path}/peak"}
    sizes, _ = scanned("native", slow | some, ON_ONE_PROCESSOR + SCAN)
    assert sizes == du(*tree)
    assert most_at_once(tmp_path) > 1


@pytest.mark.parametrize("allowed", [0, 3])
def test_as_many_threads_read_as_can_start(tree, scanned, slow, allowed):
    sizes, threads = scanned("python", slow, NO_MORE_THREADS.format(allowed) + SCAN)
    assert sizes == du(*tree)
    assert threads >= allowed


@pytest.mark.parametrize("descriptors", [24, 40])
def test_few_threads_are_started_if_few_descriptors_are_allowed(tree, scanned, slow, descriptors):
    few = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors},) * 2)\n"
    sizes, threads = scanned("python", slow, few + SCAN)
    assert sizes == du(*tree)
    assert threads > 0
