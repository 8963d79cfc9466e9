"""Filesystems on which calls wait, and a directory for other users."""

from __future__ import annotations

import os
import subprocess
import tempfile

import pytest

from tests.support.preloaded import SLOW, preloading, run_python
from tests.support.trees import link, package, write

FILES = 300

# Prints what du would, and how many threads Python started.
SCAN = """\
import sys, threading
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
from conda_hardlink_plugin.analysis.usage import Usage
cache, prefix = sys.argv[1:]
roots = [Root(RootKind.CACHE, cache), Root(RootKind.ENVIRONMENT, prefix)]
started = []
start = threading.Thread.start
def counting(thread):
    started.append(thread)
    start(thread)
threading.Thread.start = counting
usage = Usage(scan(roots))
print(*usage.added([0, 1]), len(started))
"""


@pytest.fixture
def open_top():
    """A directory that every user may enter; it is removed even if it is deep or unreadable."""
    top = tempfile.mkdtemp()
    os.chmod(top, 0o755)
    yield top
    subprocess.run(["chmod", "-R", "u+rwx", top], check=False)
    subprocess.run(["rm", "-rf", top], check=True)


@pytest.fixture(scope="session")
def slow():
    """Variables with which each call to the filesystem waits."""
    return preloading(SLOW) | {"SLOW_MICROSECONDS": "1000"}


@pytest.fixture
def tree(tmp_path):
    cache, prefix = f"{tmp_path}/pkgs", f"{tmp_path}/env"
    files = {f"lib/d{number % 60}/f{number}": b"x" * number for number in range(FILES)}
    extracted = package(cache, "p-1-0", files)
    for number in range(FILES):
        link(f"{extracted}/lib/d{number % 60}/f{number}", f"{prefix}/lib/d{number % 60}/f{number}")
        write(f"{prefix}/own/d{number % 60}/f{number}", b"y" * number)
    return cache, prefix


@pytest.fixture
def scanned(tree):
    """A function that scans the tree in a process; returns sizes as `du`, and started threads."""

    def run(reader, env, code=SCAN):
        *sizes, threads = run_python(code, *tree, reader=reader, env=env).stdout.split()
        return [int(size) for size in sizes], int(threads)

    return run
