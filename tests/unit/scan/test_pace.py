"""Where calls wait, several are made at once; where they do not, one after the other."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.walker import Walker
from tests.support.oracles import du
from tests.support.repository import TOP
from tests.support.trees import cache_root, link, package, write

SLOW_SOURCE = Path(TOP, "benchmarks", "slow.c")
DELAY_US = 3_000
MANY = 4
FILES, FOLDERS = 150, 50

# Begins to wait when everything is imported.
BEGIN = """\
import ctypes, os
if os.environ.pop("SLOW_LATER", ""):
    ctypes.CDLL(None).begin_waiting()
"""
# Prints what du would, and how many threads were started.
SCAN = f"""\
import sys, threading
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
from conda_hardlink_plugin.analysis.usage import Usage
cache, prefix, processes = sys.argv[1:]
roots = [Root(RootKind.CACHE, cache), Root(RootKind.ENVIRONMENT, prefix)]
started = []
start = threading.Thread.start
def counting(thread):
    started.append(thread)
    start(thread)
threading.Thread.start = counting
{BEGIN}
usage = Usage(scan(roots, processes=int(processes)))
print(*usage.added([0, 1]), len(started))
"""


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A library that makes each call to the filesystem wait."""
    library = tmp_path_factory.mktemp("slow") / "slow.so"
    built = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SLOW_SOURCE), "-ldl"]
    try:
        subprocess.run(built, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no C compiler")
    wait = {"SLOW_MICROSECONDS": str(DELAY_US), "SLOW_LATER": "1"}
    return {"LD_PRELOAD": str(library), **wait}


@pytest.fixture
def tree(tmp_path):
    cache, prefix = f"{tmp_path}/pkgs", f"{tmp_path}/env"
    files = {f"lib/d{number % FOLDERS}/f{number}": b"x" * number for number in range(FILES)}
    extracted = package(cache, "p-1-0", files)
    for number in range(FILES):
        link(
            f"{extracted}/lib/d{number % FOLDERS}/f{number}",
            f"{prefix}/lib/d{number % FOLDERS}/f{number}",
        )
        write(f"{prefix}/own/d{number % FOLDERS}/f{number}", b"y" * number)
    return cache, prefix


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
    "usage = Usage(scan(roots, processes=int(processes)))",
    """\
with look_up(os.environ["INDEX"], quick=False, totals_of=index_totals) as lookup:
    found = scan(roots, processes=int(processes), lookup=lookup)
assert found.reading.mode.value == os.environ["MODE"]
usage = Usage(found)""",
)


def scanned(tree, processes, env, code=SCAN):
    command = [sys.executable, "-c", code, *tree, str(processes)]
    done = subprocess.run(
        command,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
        cwd=TOP,
    )
    *sizes, threads = done.stdout.split()
    return [int(size) for size in sizes], int(threads)


def test_threads_make_many_calls_at_once_if_calls_wait(tree, slow, tmp_path):
    sizes, threads = scanned(tree, 1, slow | {"SLOW_PEAK": f"{tmp_path}/peak"})
    assert sizes == du(*tree)
    assert threads > 0
    assert int((tmp_path / "peak").read_text()) > MANY


def test_several_processes_count_exactly_if_calls_wait(tree, slow):
    sizes, _ = scanned(tree, 2, slow)
    assert sizes == du(*tree)


@pytest.fixture
def indexed(tree, tmp_path):
    """What a report on the tree needs to use the index that there is of it."""
    index = {"INDEX": f"{tmp_path}/index"}
    scanned(tree, 1, index | {"MODE": "full"}, SCAN_WITH_INDEX)
    return index | {"MODE": "exact"}


def test_unchanged_trees_are_checked_with_threads(tree, slow, indexed, tmp_path):
    peak = {"SLOW_PEAK": f"{tmp_path}/peak"}
    sizes, threads = scanned(tree, 1, slow | indexed | peak, SCAN_WITH_INDEX)
    assert sizes == du(*tree)
    assert threads > 0
    assert int((tmp_path / "peak").read_text()) > MANY


@pytest.mark.parametrize("allowed", [0, 3])
def test_unchanged_trees_are_checked_by_as_many_threads_as_can_start(tree, slow, indexed, allowed):
    few = NO_MORE_THREADS.format(allowed)
    sizes, threads = scanned(tree, 1, slow | indexed, few + SCAN_WITH_INDEX)
    assert sizes == du(*tree)
    assert threads >= allowed


@pytest.mark.parametrize(("slowly", "expected"), [(True, 4), (False, 2)])
def test_more_processes_are_used_if_directories_are_slow(tmp_path, slow, slowly, expected):
    for number in range(300):
        package(f"{tmp_path}", f"p{number}-1-0")
    code = (
        "import os, sys\n"
        "from conda_hardlink_plugin.scan.crew import useful_processes\n"
        "os.sched_getaffinity = lambda _: {0, 1}\n"
        f"{BEGIN}\n"
        "print(useful_processes([sys.argv[1]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | (slow if slowly else {}),
        capture_output=True,
        text=True,
        check=True,
        cwd=TOP,
    )
    assert int(done.stdout) == expected


def test_no_threads_are_started_if_calls_do_not_wait(tree):
    sizes, threads = scanned(tree, 1, {})
    assert (sizes, threads) == (du(*tree), 0)


@pytest.mark.parametrize("allowed", [0, 3])
def test_as_many_threads_read_as_can_start(tree, slow, allowed):
    sizes, threads = scanned(tree, 1, slow, NO_MORE_THREADS.format(allowed) + SCAN)
    assert sizes == du(*tree)
    assert threads >= allowed


@pytest.mark.parametrize("descriptors", [24, 40])
def test_few_threads_are_started_if_few_descriptors_are_allowed(tree, slow, descriptors):
    few = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors},) * 2)\n"
    sizes, threads = scanned(tree, 1, slow, few + SCAN)
    assert sizes == du(*tree)
    assert threads > 0


def test_the_time_between_two_reads_does_not_count_as_waiting(tree):
    scan_roots = survey_roots([cache_root(tree[0])], (), read_mount_table())
    walker = Walker(scan_roots, ())
    walker.open_root(0)
    for _ in range(5):
        walker.read(1)
        for _ in range(4):
            select.select([], [], [], 0.002)
    waited = walker.pace.waits
    walker.close()
    assert not waited
