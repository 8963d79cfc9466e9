"""The native reader: every scan goes through it, and Python lists nearly nothing itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from conda_hardlink_plugin.filesystem.native import native_module
from conda_hardlink_plugin.scan import reader as module
from conda_hardlink_plugin.scan import scanner
from conda_hardlink_plugin.scan.inventory import ReaderKind
from tests.support.oracles import open_descriptors
from tests.support.repository import TOP
from tests.support.scanning import analysis, reader
from tests.support.trees import cache_root, environment_root, install, package, write

COUNTED = """\
import json, sys
calls = []
def count(event, arguments):
    if event in ("os.scandir", "os.listdir"):
        calls.append(event)
sys.addaudithook(count)
from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.scan.index import page
from conda_hardlink_plugin.scan.index.lookup import look_up
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
from conda_hardlink_plugin.scan.search import find_below
page.RACY_NS = -10**19
top, folder = sys.argv[1:]
def lists(function):
    calls.clear()
    function()
    return len(calls)
found = []
print(json.dumps({
    "search": lists(lambda: found.extend(sorted(find_below(top + "/envs").prefixes))),
    "full": lists(lambda: scan(roots())),
    "first": lists(lambda: indexed(False)),
    "exact": lists(lambda: indexed(False)),
    "quick": lists(lambda: indexed(True)),
    "modes": modes,
}))
"""
DEFINED = """\
modes = []
def roots():
    cache = Root(RootKind.CACHE, top + "/pkgs")
    return [cache, *(Root(RootKind.ENVIRONMENT, path) for path in found)]
def indexed(quick):
    with look_up(folder, quick=quick, totals_of=index_totals) as lookup:
        modes.append(scan(roots(), lookup=lookup).reading.mode.value)
"""


@pytest.fixture
def wide(tmp_path):
    """200 packages, and 3 environments with 400 directories each."""
    if native_module() is None:
        pytest.skip("there is no native reader")
    for number in range(200):
        extracted = package(f"{tmp_path}/pkgs", f"p{number}-1-0", {f"lib/d{number}/f": b"x"})
        for name in ("a", "b", "c"):
            install(extracted, f"{tmp_path}/envs/{name}")
            write(f"{tmp_path}/envs/{name}/own/d{number}/f", b"y")
    for name in ("a", "b", "c"):
        write(f"{tmp_path}/envs/{name}/conda-meta/history")
    return str(tmp_path)


def roots(top):
    environments = (environment_root(f"{top}/envs/{name}") for name in ("a", "b", "c"))
    return [cache_root(f"{top}/pkgs"), *environments]


def test_full_exact_quick_and_search_list_nearly_nothing_in_python(wide, tmp_path):
    code = COUNTED.replace("found = []\n", f"found = []\n{DEFINED}")
    done = subprocess.run(
        [sys.executable, "-c", code, wide, f"{tmp_path}/index"],
        env=os.environ | {"HARDLINKS_READER": "native"},
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    )
    lists = json.loads(done.stdout)
    assert lists.pop("modes") == ["full", "exact", "quick"]
    assert all(number < 20 for number in lists.values()), lists


def test_the_inventory_names_its_reader(wide):
    for name, kind in (("native", ReaderKind.NATIVE), ("python", ReaderKind.PYTHON)):
        with reader(name):
            assert scanner.scan(roots(wide)).reading.reader is kind


def test_no_directory_stays_open_even_if_few_may_wait(wide, monkeypatch):
    monkeypatch.setattr(module, "_MAX_PENDING", 1)
    before = open_descriptors()
    with reader("native"):
        few = analysis(scanner.scan(roots(wide)))
    assert open_descriptors() == before
    monkeypatch.undo()
    with reader("python"):
        assert few == analysis(scanner.scan(roots(wide)))
