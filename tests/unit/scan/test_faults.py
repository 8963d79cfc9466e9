"""Trees that change under a scan, and calls that fail: both readers find the same."""

from __future__ import annotations

import ast
import errno
import json
import os
import shutil
import subprocess
import sys
from functools import cache, partial

import pytest

from tests.support.oracles import du
from tests.support.preloaded import INTERCEPT, preloading
from tests.support.repository import TOP
from tests.support.trees import install, link, package, symlink, write

READERS = ("python", "native")

# For each line of its input, scans a cache and an environment in a process of its own, with faults,
# and prints what that finds, without inode numbers. Starting Python each time would take longer.
SERVER = """\
import ctypes, json, os, sys
from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.scan.index import file, page, recall, recorder, store
from conda_hardlink_plugin.scan.index.lookup import look_up
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan

def find(top, index):
    page.RACY_NS = -10**19
    roots = [Root(RootKind.CACHE, f"{top}/pkgs"), Root(RootKind.ENVIRONMENT, f"{top}/env")]
    if index:
        with look_up(index, quick=False, totals_of=index_totals) as lookup:
            inventory = scan(roots, lookup=lookup)
    else:
        inventory = scan(roots)
    usage = Usage(inventory)
    return {
        "added": usage.added([0, 1]),
        "exclusive": list(usage.exclusive_by_root),
        "links": list(inventory.links),
        "units": sorted((unit.kind.value, unit.path[len(top):]) for unit in inventory.units),
        "outside": (usage.outside_links, usage.surplus_inodes),
        "symlinks": sorted((link.path[len(top):], link.target) for link in inventory.symlinks),
        "problems": sorted((p.kind.value, p.path[len(top):], p.reason) for p in inventory.problems),
    }

for line in sys.stdin:
    top, index, variables = json.loads(line)
    child = os.fork()
    if not child:
        os.environ |= variables
        ctypes.CDLL(None).read_variables()
        print(find(top, index), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("the scan failed", flush=True)
"""


@cache
def server():
    """Start the server, for this process."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=os.environ | preloading(INTERCEPT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=TOP,
    )


@pytest.fixture(scope="module", autouse=True)
def stopping_the_server():
    yield
    if server.cache_info().currsize:
        server().communicate()


PLACES = {"the root": "env", "deep": "env/lib/deep/deeper", "a package": "pkgs/p-1-0/lib"}
each_place = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)


def make_tree(top, place):
    """Make a tree in which a directory has a file, a symlink and a directory to be changed."""
    install(package(f"{top}/pkgs", "p-1-0", {"lib/f": b"f" * 7_000, "bin/t": b"t"}), f"{top}/env")
    package(f"{top}/pkgs", "q-1-0", {"lib/g": b"g" * 9_000})
    write(f"{top}/env/lib/deep/deeper/other", b"o" * 6_000)
    large = write(f"{top}/outside/large", b"x" * 50_000)
    write(f"{top}/{place}/victim", b"v" * 5_000)
    symlink("../outside", f"{top}/{place}/alias")
    for number in range(3):
        write(f"{top}/{place}/held/below/file-{number}", b"h" * 4_000)
        link(large, f"{top}/{place}/held/linked-{number}")
    symlink("/etc", f"{top}/outside/etc")


def find(top, reader, index="", **variables):
    """Scan a tree, with faults if they are given; return what was found."""
    faults = {f"INTERCEPT_{name.upper()}": str(value) for name, value in variables.items()}
    server().stdin.write(json.dumps([top, index, faults | {"HARDLINKS_READER": reader}]) + "\n")
    server().stdin.flush()
    return ast.literal_eval(server().stdout.readline())


def find_by_each(tmp_path, place, do="", **variables):
    """Scan such a tree with each reader, under the same fault; return what both have found.

    `do` is a shell command, which runs in the directory that has what is to be changed; $TOP is the
    directory of the tree.
    """
    found = {}
    for reader in READERS:
        top = f"{tmp_path}/{reader}"
        make_tree(top, place)
        if do:
            variables["do"] = f"set -e; TOP={top}; cd $TOP/{place}; {do}; touch $TOP/done"
        found[reader] = find(top, reader, **variables)
        assert os.path.exists(f"{top}/done") == bool(do)
    assert found["native"] == found["python"]
    return found["native"], f"{tmp_path}/native"


def assert_as_du(found, top, *exclude):
    assert found["added"] == du(f"{top}/pkgs", f"{top}/env", exclude=exclude)


VANISHED, UNREADABLE = "vanished", "unreadable"


def problem(kind, place, name, number):
    return (kind, f"/{place}/{name}", os.strerror(number))


@each_place
@pytest.mark.parametrize(
    ("do", "is_problem"),
    [
        ("rm victim", True),
        ("chmod 000 victim", False),
        ("ln victim $TOP/elsewhere", False),
        ("mv $TOP/outside/large victim", False),
        ("rm victim; mkdir victim; echo large > victim/new", False),
        ("rm victim; mkfifo victim", False),
        ("rm victim; ln -s /etc victim", False),
    ],
)
def test_a_file_that_changes_before_it_is_examined(tmp_path, place, do, is_problem):
    found, top = find_by_each(tmp_path, place, do, call="stat", name="victim")
    expected = [problem(VANISHED, place, "victim", errno.ENOENT)] if is_problem else []
    assert found["problems"] == expected
    assert_as_du(found, top)


@each_place
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOMEM, errno.ESTALE])
def test_a_file_that_cannot_be_examined(tmp_path, place, number):
    found, top = find_by_each(tmp_path, place, call="stat", name="victim", errno=number)
    assert found["problems"] == [problem(UNREADABLE, place, "victim", number)]
    assert_as_du(found, top, f"{top}/{place}/victim")


@each_place
@pytest.mark.parametrize(
    "do",
    [
        "rm -r held",
        "rm -r held; ln -s $TOP/outside held",
        "rm -r held; ln -s / held",
        "rm -r held; ln -s held held",
        "rm -r held; echo file > held",
        "rm -r held; mkfifo held",
    ],
)
def test_a_directory_that_is_replaced_before_it_is_opened(tmp_path, place, do):
    found, top = find_by_each(tmp_path, place, do, call="open", name="held")
    ((kind, path, _),) = found["problems"]
    assert (kind, path) == (VANISHED, f"/{place}/held")
    assert found["links"][place.startswith("env")] < 30, "a symbolic link was followed"
    assert_as_du(found, top, f"{top}/{place}/held")


@each_place
@pytest.mark.parametrize("do", ["rm -r held/below", "mkdir held/new; echo n > held/new/n"])
@pytest.mark.parametrize("call", ["open", "list"])
def test_a_directory_that_changes_before_it_is_listed(tmp_path, place, do, call):
    found, top = find_by_each(tmp_path, place, do, call=call, name="held")
    assert found["problems"] == []
    assert_as_du(found, top)


@each_place
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOMEM, errno.ESTALE])
@pytest.mark.parametrize("call", ["open", "fstat"])
def test_a_directory_that_cannot_be_opened(tmp_path, place, call, number):
    found, top = find_by_each(tmp_path, place, call=call, name="held", errno=number)
    assert found["problems"] == [problem(UNREADABLE, place, "held", number)]
    assert_as_du(found, top, f"{top}/{place}/held/*")


@each_place
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOMEM])
def test_a_directory_that_cannot_be_listed(tmp_path, place, number):
    found, top = find_by_each(tmp_path, place, call="list", name="held", errno=number)
    assert found["problems"] == [problem(UNREADABLE, place, "held", number)]
    assert_as_du(found, top, f"{top}/{place}/held/*")


@pytest.mark.parametrize("call", ["open", "fstat", "list"])
@pytest.mark.parametrize("name", ["env", "pkgs", "p-1-0"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_root_or_a_package_that_cannot_be_read(tmp_path, name, call, number):
    found, _ = find_by_each(tmp_path, "env", call=call, name=name, errno=number)
    ((kind, path, reason),) = found["problems"]
    assert (kind, os.path.basename(path), reason) == (UNREADABLE, name, os.strerror(number))


@each_place
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOMEM])
def test_a_symlink_that_cannot_be_read_is_counted(tmp_path, place, number):
    found, top = find_by_each(tmp_path, place, call="readlink", name="alias", errno=number)
    expected = [problem(UNREADABLE, place, "alias", number)] if place.startswith("env") else []
    assert found["problems"] == expected
    assert_as_du(found, top)


@pytest.mark.parametrize("place", ["env", "env/lib/deep/deeper"])
@pytest.mark.parametrize(("do", "is_problem"), [("rm alias", True), ("ln -sfn /usr alias", False)])
def test_a_symlink_that_changes_before_it_is_read(tmp_path, place, do, is_problem):
    found, _ = find_by_each(tmp_path, place, do, call="readlink", name="alias")
    expected = [problem(VANISHED, place, "alias", errno.ENOENT)] if is_problem else []
    assert found["problems"] == expected
    assert (f"/{place}/alias", "/usr") in found["symlinks"] or is_problem


@each_place
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("times", [1, 5, -1])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_no_descriptor_is_left_for_a_directory(tmp_path, place, reader, times, number):
    """The native reader tries again as long as another thread has a directory open."""
    top = f"{tmp_path}/tree"
    make_tree(top, place)
    found = find(top, reader, call="open", name="held", errno=number, times=times)
    expected = problem(UNREADABLE, place, "held", number)
    assert found["problems"] == [expected] or (reader == "native" and times > 0)
    assert_as_du(found, top, *([f"{top}/{place}/held/*"] if found["problems"] else []))


@pytest.mark.parametrize("reader", READERS)
def test_no_thread_can_be_started(tmp_path, reader):
    top = f"{tmp_path}/tree"
    make_tree(top, "env")
    found = find(top, reader, call="thread", errno=errno.EAGAIN)
    assert found == find(top, "python")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "fault",
    [
        {"call": "stat", "name": "victim", "errno": errno.EIO},
        {"call": "open", "name": "held", "errno": errno.EACCES},
        {"call": "list", "name": "held", "errno": errno.EIO},
        {"call": "list", "name": "p-1-0", "errno": errno.EIO},
        {"call": "readlink", "name": "alias", "errno": errno.EIO},
        {"call": "open", "name": "held", "do": "rm -r {0}/held"},
        {"call": "stat", "name": "victim", "do": "rm {0}/victim"},
        {"call": "stat", "name": "victim", "do": "ln {0}/victim {0}/held/late"},
    ],
    ids=lambda fault: "-".join([fault["call"], fault["name"], "do" * ("do" in fault)]),
)
@pytest.mark.parametrize("place", ["env", "env/lib/deep/deeper"])
def test_an_index_written_under_a_fault_does_not_keep_its_effect(tmp_path, reader, fault, place):
    top, index = f"{tmp_path}/tree", f"{tmp_path}/index"
    make_tree(top, place)
    if "do" in fault:
        fault = fault | {"do": fault["do"].format(f"{top}/{place}")}
    scan_again = partial(find, top, reader, index)
    scan_again(**fault)
    assert scan_again() == find(top, reader)
    assert scan_again() == find(top, reader)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "fault",
    [
        {"call": "stat", "name": "victim", "errno": errno.EIO},
        {"call": "open", "name": "deeper", "errno": errno.EACCES},
        {"call": "stat", "name": "victim", "do": "rm {0}/victim"},
        {"call": "open", "name": "held", "do": "rm -r {0}/held"},
        {"call": "thread", "errno": errno.EAGAIN},
    ],
    ids=lambda fault: "-".join([fault["call"], fault.get("name", ""), "do" * ("do" in fault)]),
)
def test_a_check_of_an_index_under_a_fault_finds_what_is_there(tmp_path, reader, fault):
    top, index = f"{tmp_path}/tree", f"{tmp_path}/index"
    place = f"{top}/env/lib/deep/deeper"
    make_tree(top, "env/lib/deep/deeper")
    complete = find(top, reader, index)
    if "do" in fault:
        fault = fault | {"do": fault["do"].format(place)}
    found = find(top, reader, index, **fault)
    if "do" not in fault:
        expected = find(top, "python", **fault)
        assert found == expected
        assert find(top, reader, index) == complete
    else:
        assert_as_du(found, top)
    shutil.rmtree(index)
    now = find(top, reader)
    assert now["problems"] == []
    assert find(top, reader, index) == now
