"""Where calls wait, several are made at once; where they do not, one after the other."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from conda_hardlink_plugin.ground import survey_ground
from conda_hardlink_plugin.mounts import read_mount_table
from conda_hardlink_plugin.walk import Walk
from tests.oracles import du
from tests.trees import cache_root, link, package, write

PROJECT = Path(__file__).parent.parent
SLOW_SOURCE = PROJECT / "benchmarks" / "slow.c"
DELAY_US = 3_000
FILES = 600

# Prints what du would, how long it took, and at how many moments threads were seen.
SCAN = """\
import sys, threading, time
from conda_hardlink_plugin.inventory import Root, RootKind
from conda_hardlink_plugin.scan import scan
from conda_hardlink_plugin.usage import Usage
cache, prefix, processes = sys.argv[1:]
roots = [Root(RootKind.CACHE, cache), Root(RootKind.ENVIRONMENT, prefix)]
started = []
start = threading.Thread.start
def counting(thread):
    started.append(thread)
    start(thread)
threading.Thread.start = counting
before = time.monotonic()
usage = Usage(scan(roots, processes=int(processes)))
print(*usage.added([0, 1]), time.monotonic() - before, len(started))
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
    return {"LD_PRELOAD": str(library), "SLOW_MICROSECONDS": str(DELAY_US)}


@pytest.fixture
def tree(tmp_path):
    cache, prefix = f"{tmp_path}/pkgs", f"{tmp_path}/env"
    files = {f"lib/d{number % 60}/f{number}": b"x" * number for number in range(FILES)}
    extracted = package(cache, "p-1-0", files)
    for number in range(FILES):
        link(f"{extracted}/lib/d{number % 60}/f{number}", f"{prefix}/lib/d{number % 60}/f{number}")
        write(f"{prefix}/own/d{number % 60}/f{number}", b"y" * number)
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

# The same from an index that it has just written, without the threads that wrote it.
SCAN_AGAIN = """\
import tempfile
from conda_hardlink_plugin.index import page
from conda_hardlink_plugin.index.lookup import look_up
page.RACY_NS = -10**19
folder = tempfile.mkdtemp()
def read(roots, processes):
    with look_up(folder, quick=False) as lookup:
        return scan(roots, processes=processes, lookup=lookup)
""" + SCAN.replace("before = ", "read(roots, 1); started.clear()\nbefore = ").replace(
    "usage = Usage(scan(roots, processes=int(processes)))",
    "again = read(roots, 1)\nassert again.reading.mode.value == 'exact'\nusage = Usage(again)",
)


def scanned(tree, processes, env, code=SCAN):
    command = [sys.executable, "-c", code, *tree, str(processes)]
    done = subprocess.run(
        command,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    *sizes, seconds, threads = done.stdout.split()
    return [int(size) for size in sizes], float(seconds), int(threads)


def test_where_calls_wait_threads_make_many_at_once(tree, slow):
    sizes, seconds, threads = scanned(tree, 1, slow)
    assert sizes == du(*tree)
    assert threads > 0
    assert seconds < 2 * FILES * DELAY_US / 1e6 / 2  # one after the other: at least twice that


def test_several_processes_wait_too(tree, slow):
    sizes, _, _ = scanned(tree, 2, slow)
    assert sizes == du(*tree)


@pytest.mark.parametrize("few", ["", NO_MORE_THREADS.format(0), NO_MORE_THREADS.format(3)])
def test_what_is_unchanged_is_looked_at_with_threads_too(tree, slow, few):
    sizes, seconds, threads = scanned(tree, 1, slow, few + SCAN_AGAIN)
    assert sizes == du(*tree)
    assert threads > 0 or few
    assert seconds < FILES * DELAY_US / 1e6 or few


@pytest.mark.parametrize(("slowly", "expected"), [(True, 4), (False, 2)])
def test_where_directories_have_to_be_fetched_there_are_more_processes(
    tmp_path, slow, slowly, expected
):
    for number in range(300):
        package(f"{tmp_path}", f"p{number}-1-0")
    code = (
        "import os, sys\n"
        "from conda_hardlink_plugin.crew import useful_processes\n"
        "os.sched_getaffinity = lambda _: {0, 1}\n"
        "print(useful_processes([sys.argv[1]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | (slow if slowly else {}),
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    assert int(done.stdout) == expected


def test_where_they_do_not_wait_there_are_no_threads(tree):
    sizes, _, threads = scanned(tree, 1, {})
    assert (sizes, threads) == (du(*tree), 0)


@pytest.mark.parametrize("allowed", [0, 3])
def test_where_no_more_threads_are_allowed_those_that_there_are_read(tree, slow, allowed):
    sizes, _, threads = scanned(tree, 1, slow, NO_MORE_THREADS.format(allowed) + SCAN)
    assert sizes == du(*tree)
    assert threads >= allowed


@pytest.mark.parametrize("descriptors", [24, 40])
def test_where_few_descriptors_are_allowed_there_are_few_threads(tree, slow, descriptors):
    few = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors},) * 2)\n"
    sizes, _, threads = scanned(tree, 1, slow, few + SCAN)
    assert sizes == du(*tree)
    assert threads > 0


def test_the_time_between_two_reads_is_not_taken_for_waiting(tree):
    ground = survey_ground([cache_root(tree[0])], (), read_mount_table())
    walk = Walk(ground, ())
    walk.open_root(0)
    for _ in range(5):
        walk.read(1)
        for _ in range(4):
            select.select([], [], [], 0.002)
    waited = walk.pace.waits
    walk.close()
    assert not waited
