"""Ctrl-C while calls to the filesystem wait, or never return."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.oracles import du
from tests.support.preloaded import INTERCEPT, preloading
from tests.support.repository import TOP
from tests.support.trees import many_links

AT_MOST_S = 0.2
TRIES = 4  # this machine may be busy
ENOUGH = 6_000  # entries after which a scan has reported its progress
NEVER_US = 10_000_000

BEGIN = """\
import ctypes, os, sys, time
from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.scan.index import page
from conda_hardlink_plugin.scan.index.lookup import look_up
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
from conda_hardlink_plugin.scan.search import find_below
page.RACY_NS = -10**19
cache, prefix = sys.argv[1:]
roots = [Root(RootKind.CACHE, cache), Root(RootKind.ENVIRONMENT, prefix)]
def scan_with_index():
    folder = os.path.join(os.path.dirname(cache), "index")
    with look_up(folder, quick=False, totals_of=index_totals) as lookup:
        return scan(roots, lookup=lookup)
jobs = {
    "scan": lambda: scan(roots),
    "check": scan_with_index,
    "search": lambda: find_below(os.path.dirname(cache)),
}
"""

HANG = (
    BEGIN
    + """\
scan_with_index()
os.environ["INTERCEPTED"] = "now"
try:
    jobs[os.environ["JOB"]]()
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
    if sys.stdin.readline():  # the call has returned
        print(*Usage(scan(roots)).added([0, 1]))
"""
)

SLOW = (
    BEGIN
    + f"""\
scan(roots)  # loads what is needed
def on_progress(links):
    ctypes.CDLL(None).slow_by({NEVER_US})
    os.write(1, b"reading\\n")
ctypes.CDLL(None).slow_by(20_000)
try:
    scan(roots, on_progress=on_progress)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""
)


def start(code, tree, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", code, *tree],
        env=os.environ | {"HARDLINKS_READER": "native"} | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=TOP,
    )


def seconds_until_interrupted(process):
    """Press Ctrl-C; return after how many seconds the scan ended."""
    pressed_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    return float(process.stdout.readline()) - pressed_s


def test_a_scan_of_a_slow_filesystem_ends_soon_after_ctrl_c(tree, slow):
    seconds, cache = [], tree[0]
    many_links(f"{cache}/p-1-0/lib/d7/f7", f"{cache}/p-1-0/many", ENOUGH)
    for _ in range(TRIES):
        with start(SLOW, tree, **slow) as process:
            assert process.stdout.readline() == b"reading\n"
            seconds.append(seconds_until_interrupted(process))
            assert process.wait(NEVER_US / 2e6) == 0, "it waited for the calls to return"
        if seconds[-1] < AT_MOST_S:
            break
    assert min(seconds) < AT_MOST_S


@pytest.fixture
def hanging(tree, tmp_path):
    """A function that starts a job of which one call hangs; returns the process, and its pipe."""
    pipe = f"{tmp_path}/pipe"
    os.mkfifo(pipe)

    def begin(job, call, name):
        variables = {"INTERCEPT_CALL": call, "INTERCEPT_NAME": name, "INTERCEPT_PIPE": pipe}
        variables |= preloading(INTERCEPT) | {"INTERCEPT_LATER": "1"}
        process = start(HANG, tree, JOB=job, **variables)
        return process, os.open(pipe, os.O_WRONLY)  # once the call waits

    return begin


each_job = pytest.mark.parametrize(
    ("job", "call", "name"),
    [
        ("scan", "open", "own"),
        ("scan", "list", "d7"),
        ("scan", "fstat", "d7"),
        ("scan", "stat", "f299"),
        ("check", "open", "d7"),
        ("check", "stat", "f299"),
        ("search", "open", "own"),
        ("search", "list", "d7"),
    ],
)


@each_job
def test_a_call_that_never_returns_does_not_keep_the_process(hanging, job, call, name):
    seconds = []
    for _ in range(TRIES):
        process, pipe = hanging(job, call, name)
        with process:
            seconds.append(seconds_until_interrupted(process))
            process.stdin.close()
            assert process.wait(10) == 0
        os.close(pipe)
        if seconds[-1] < AT_MOST_S:
            break
    assert min(seconds) < AT_MOST_S


@each_job
def test_the_next_scan_is_correct_once_a_call_that_was_given_up_returns(
    tree, hanging, job, call, name
):
    process, pipe = hanging(job, call, name)
    with process:
        seconds_until_interrupted(process)
        os.close(pipe)
        figures, _ = process.communicate(b"returned\n", timeout=60)
    assert process.returncode == 0
    assert [int(figure) for figure in figures.split()] == du(*tree)
