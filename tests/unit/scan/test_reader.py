"""The native reader: every scan goes through it, and Python lists nearly nothing itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial

import pytest

from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.filesystem.mounts import Mount, MountTable, read_mount_table
from conda_hardlink_plugin.filesystem.native import native_module
from conda_hardlink_plugin.scan import reader as module
from conda_hardlink_plugin.scan import scanner
from conda_hardlink_plugin.scan.inventory import ReaderKind, UnitKind
from conda_hardlink_plugin.scan.reader import Reader
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.forking import allow_descriptors, in_child
from tests.support.oracles import NOBODY, du, open_descriptors
from tests.support.repository import TOP
from tests.support.scanning import Way, analysis, native, reader, scan_in
from tests.support.trees import (
    QUARANTINE,
    cache_root,
    environment_root,
    install,
    link,
    make_installation,
    package,
    symlink,
    write,
)

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


def each(roots, **options):
    """Scan with each reader; return the inventories, which are alike."""
    in_python, by_module = (scan_in(way, roots, **options) for way in (Way.PYTHON, Way.NATIVE))
    assert analysis(by_module) == analysis(in_python)
    for inventory in (in_python, by_module):
        assert inventory.own_files.keys() == in_python.own_files.keys()
    return by_module


def test_a_tree_in_which_directories_may_repeat_is_read_in_python(tmp_path):
    """The module does not remember the directories that it has read."""
    roots = make_installation(str(tmp_path)).roots
    with reader("native"):
        found = scan(roots, mounts=MountTable((), known=False))
    assert found.reading.reader is ReaderKind.PYTHON


def test_packages_in_all_parts_of_a_cache_are_units(tmp_path):
    cache = f"{tmp_path}/pkgs"
    paths = {
        package(cache, "a-1-0"),
        package(f"{cache}/https/host/noarch", "b-1-0", {"deep/er/file": b"b" * 5_000}),
        package(f"{cache}/https/host/noarch", "c-1-0"),
        package(f"{cache}/https", "d-1-0"),
    }
    write(f"{cache}/https/host/e-1-0/info/files", b"incomplete")
    inventory = each([cache_root(cache)])
    kinds = {unit.path: unit.kind for unit in inventory.units}
    assert {path for path, kind in kinds.items() if kind is UnitKind.PACKAGE} == paths


def test_a_package_in_a_package_belongs_to_it(tmp_path):
    outer = package(f"{tmp_path}/pkgs", "outer-1-0")
    package(f"{outer}/lib", "inner-1-0", {"f": b"x"})
    inventory = each([cache_root(f"{tmp_path}/pkgs")])
    assert [unit.path for unit in inventory.units if unit.kind is UnitKind.PACKAGE] == [outer]


@pytest.mark.parametrize("allowed", [40, 100])
def test_more_quarantined_packages_than_descriptors_are_read(tmp_path, allowed):
    cache = f"{tmp_path}/pkgs"
    for number in range(300):
        package(f"{cache}/{QUARANTINE}", f"moving-r1-p{number}-1-0", {"lib/f": b"f" * number})
        write(f"{cache}/p{number}.c~/lib/f", b"f" * number)

    def scan_with_few():
        allow_descriptors(allowed)
        return Usage(scan_in(Way.NATIVE, [cache_root(cache)]))

    usage = in_child(scan_with_few)
    assert usage.inventory.problems == ()
    assert usage.unique_by_root == du(cache)


@pytest.mark.parametrize("allowed", [48, 1_000])
def test_directories_with_mounted_files_are_read_one_by_one_in_their_root(tmp_path, allowed):
    """Each file in them is examined, because its inode may not be the listed one."""
    made, mounts, expected = make_installation(str(tmp_path)), [Mount("/", "ext4", "8:1")], set()
    for root, prefix in enumerate((made.first, made.second), 1):
        shown = write(f"{prefix}/lib/d/mounted", b"m")
        mounts.append(Mount(f"/nowhere/{root}", "ext4", "8:1", shown))
        for number in range(30):
            for name in ("link", "below/link"):
                path = symlink("/etc", f"{prefix}/lib/d/e{number}/{name}")
                expected.add((root, path))
            link(f"{made.unused}/lib/unused", f"{prefix}/lib/d/e{number}/below/linked")

    def read():
        allow_descriptors(allowed)
        return each(made.roots, mounts=MountTable(tuple(mounts), known=True))

    inventory = in_child(read)
    assert {(found.root, found.path) for found in inventory.symlinks} == expected
    assert Usage(inventory).added([0, 1, 2]) == du(*made.paths)


def test_unreadable_directories_beside_mounted_files_are_problems_of_their_root(open_top):
    made, mounts = make_installation(str(open_top)), [Mount("/", "ext4", "8:1")]
    for root, prefix in enumerate((made.first, made.second), 1):
        shown = write(f"{prefix}/lib/d/mounted", b"m")
        mounts.append(Mount(f"/nowhere/{root}", "ext4", "8:1", shown))
        os.makedirs(f"{prefix}/lib/d/e/closed")
        os.chmod(f"{prefix}/lib/d/e/closed", 0)
    read = partial(each, made.roots, mounts=MountTable(tuple(mounts), known=True))
    found = [(problem.root, problem.path) for problem in in_child(read, user=NOBODY).problems]
    expected = [(1, f"{made.first}/lib/d/e/closed"), (2, f"{made.second}/lib/d/e/closed")]
    assert found == expected


def test_roots_inside_roots_are_counted_once_and_by_themselves(tmp_path):
    made = make_installation(str(tmp_path))
    inner = f"{made.first}/deep/inner"
    install(made.unused, inner)
    write(f"{made.first}/deep/own", b"o" * 5_000)
    write(f"{made.unused}/pkgs/f", b"f")
    inventory = each(
        [*made.roots, environment_root(inner), cache_root(f"{made.unused}/pkgs")],
        detailed=[made.first, inner],
    )
    held = {inventory.units[unit].path for unit in inventory.units_with_roots_inside}
    assert held == {made.first, made.unused}


def test_deeper_than_a_path_can_reach_problems_have_their_whole_path(open_top):
    """The directory of the package itself is that deep."""
    name, depth = "n" * 200, 25
    for part in ("pkgs", "env"):
        os.mkdir(f"{open_top}/{part}")
        os.chmod(f"{open_top}/{part}", 0o755)
    here = os.getcwd()
    for part in ("pkgs", "env"):
        os.chdir(f"{open_top}/{part}")
        for _ in range(depth):
            os.mkdir(name)
            os.chdir(name)
        package(".", "p-1-0", {"lib/closed/f": b"f", "lib/f": b"f"})
        os.chmod("p-1-0/lib/closed", 0)
        os.symlink("/etc", "p-1-0/lib/etc")
    os.chdir(here)
    roots = [cache_root(f"{open_top}/pkgs"), environment_root(f"{open_top}/env")]

    def found(way):
        inventory = scan_in(way, roots)
        return analysis(inventory)

    ways = (Way.PYTHON, Way.NATIVE)
    in_python, by_module = (in_child(partial(found, way), user=NOBODY) for way in ways)
    assert by_module == in_python
    below = f"/{name}" * depth + "/p-1-0/lib/closed"
    assert [problem.path for problem in by_module["problems"]] == [
        root.path + below for root in roots
    ]
    link_path = f"{roots[1].path}{os.path.dirname(below)}/etc"
    assert [found.path for found in by_module["symlinks"]] == [link_path]


def test_a_reader_that_is_closed_early_leaves_nothing_open(tmp_path):
    before = open_descriptors()
    roots = make_installation(str(tmp_path)).roots
    early = Reader(native(), survey_roots(roots, (), read_mount_table()), ())
    early.open_root(0)
    assert open_descriptors() > before
    early.close()
    assert open_descriptors() == before
