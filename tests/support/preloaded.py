"""C libraries that stand between a program and the system, by LD_PRELOAD."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.support.repository import TOP

SLOW = Path(TOP, "benchmarks", "slow.c")
INTERCEPT = Path(TOP, "tests", "support", "intercept.c")


@cache
def library(source):
    """Compile a library; return its path. Skips the test if there is no compiler."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    folder = tempfile.TemporaryDirectory(prefix="preloaded-")  # until the end of this process
    _folders.append(folder)
    path = f"{folder.name}/{source.stem}.so"
    flags = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", path, str(source), "-ldl"], check=True)
    return path


_folders = []


def preloading(source):
    """Return the variable with which a program loads a library, after those of this process."""
    others = os.environ.get("LD_PRELOAD")  # of a sanitizer, which must be the first
    return {"LD_PRELOAD": ":".join(filter(None, [others, library(source)]))}


def run_python(code, *arguments, reader, env=None, **options):
    """Run code in a process of its own, with a reader; return the finished process."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"HARDLINKS_READER": reader} | (env or {}),
        capture_output=True,
        text=True,
        check=True,
        cwd=TOP,
        **options,
    )
