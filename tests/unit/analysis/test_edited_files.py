"""Files edited in place: their content differs from the package, and others share them."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from conda_hardlink_plugin.analysis.edited_files import EditedFile, find_edited, sha256_of
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.trees import link, write

DIST = "p-1.0-0"
FILES = {"bin/p": b"program\n", "lib/p.so": b"library\n" * 50, "share/empty": b""}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class World:
    """A cache with a package in it, and environments that have it."""

    def __init__(self, directory):
        self.directory = directory
        self.package = f"{directory}/pkgs/{DIST}"
        for path, content in FILES.items():
            write(f"{self.package}/{path}", content)

    def prefix(self, name, *, details=None, **more):
        """Make an environment with hard links to the whole package, and its record."""
        prefix = f"{self.directory}/envs/{name}"
        for path in FILES:
            link(f"{self.package}/{path}", f"{prefix}/{path}")
        record = {
            "files": list(FILES),
            "paths_data": {"paths": details or [detail(path) for path in FILES]},
            "extracted_package_dir": self.package,
            **more,
        }
        self.record(prefix, json.dumps(record).encode())
        return prefix

    def record(self, prefix, content, name=DIST):
        return write(f"{prefix}/conda-meta/{name}.json", content)


def detail(path, **more):
    return {"_path": path, "path_type": "hardlink", "sha256": sha256(FILES[path]), **more}


def edit(path, content=b"edited in place\n"):
    """Edit a file like an editor that keeps the inode."""
    with open(path, "r+b") as file:
        file.truncate()
        file.write(content)


def replace(path, content=b"edited in place\n"):
    """Edit a file like an editor that writes a new file."""
    write(f"{path}.new", content)
    os.replace(f"{path}.new", path)


@pytest.fixture
def world(tmp_path):
    return World(str(tmp_path))


@pytest.fixture
def one(world):
    return world.prefix("one")


@pytest.fixture
def two(world):
    return world.prefix("two")


def found(prefix, *others):
    return list(find_edited(prefix, others))


def test_unedited_environments_have_no_edited_files(one, two):
    assert found(one, one, two) == []
    assert found(two, one) == []


def test_an_edited_file_is_found_with_all_its_details(world, one, two):
    edit(f"{one}/lib/p.so")
    expected = EditedFile(
        *(DIST, "lib/p.so", sha256(FILES["lib/p.so"]), world.package, "lib/p.so", (two,))
    )
    assert found(one, one, two, world.prefix("three") and one) == [expected]


def test_every_environment_that_shares_the_file_is_named_and_no_other(world, one, two):
    three, four = world.prefix("three"), world.prefix("four")
    replace(f"{three}/lib/p.so", FILES["lib/p.so"])  # a copy
    os.unlink(f"{four}/lib/p.so")
    edit(f"{two}/lib/p.so")
    (item,) = found(one, one, two, three, four, f"{world.directory}/nowhere")
    assert item.shared_with == (two,)
    assert found(three, one, two) == []
    assert found(four, one, two) == []


def test_the_same_environment_by_another_path_is_not_another_one(world, one):
    os.symlink(one, f"{world.directory}/link")
    edit(f"{one}/lib/p.so")
    (item,) = found(one, f"{world.directory}/link", f"{one}/../one")
    assert item.shared_with == ()


def test_an_edit_that_only_the_cache_shares_is_found(one):
    edit(f"{one}/lib/p.so")
    (item,) = found(one)
    assert item.shared_with == ()


@pytest.mark.parametrize("way", ["replaced", "copied", "gone", "a symbolic link", "a folder"])
def test_a_private_or_missing_file_is_not_reported(world, one, two, way):
    path = f"{one}/lib/p.so"
    if way == "replaced":
        replace(path)
    elif way == "copied":
        replace(path, FILES["lib/p.so"])
        edit(path)
    else:
        os.unlink(path)
        if way == "a symbolic link":
            edit(f"{two}/lib/p.so")
            os.symlink(f"{world.package}/lib/p.so", path)
        elif way == "a folder":
            os.mkdir(path)
    assert found(one, two) == []


def test_an_edit_of_the_same_size_and_time_is_found(one, two):
    path = f"{one}/lib/p.so"
    before = os.stat(path)
    edit(path, bytes(reversed(FILES["lib/p.so"])))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [item.path for item in found(one, two)] == ["lib/p.so"]


def test_edits_of_empty_files_and_to_empty_files_are_found(one):
    edit(f"{one}/share/empty")
    edit(f"{one}/bin/p", b"")
    assert [item.path for item in found(one)] == ["bin/p", "share/empty"]


def test_a_rewritten_prefix_is_not_an_edit(world):
    path = "bin/p"
    details = [detail(path, sha256_in_prefix=sha256(b"rewritten\n"), prefix_placeholder="/opt/x")]
    details += [detail(name) for name in FILES if name != path]
    prefix = world.prefix("one", details=details)
    replace(f"{prefix}/{path}", b"rewritten\n")
    assert found(prefix) == []
    link(f"{prefix}/{path}", f"{world.directory}/a-second-link")
    assert found(prefix) == []
    edit(f"{prefix}/{path}")
    (item,) = found(prefix)
    assert item.sha256 == sha256(b"rewritten\n")


def test_files_of_a_noarch_package_have_another_path_in_the_package(world):
    """`files` has the paths in the prefix, `paths_data` those in the package."""
    source = "site-packages/p/a.py"
    write(f"{world.package}/{source}", b"a = 1\n")
    prefix = f"{world.directory}/envs/one"
    installed = "lib/python3.12/site-packages/p/a.py"
    link(f"{world.package}/{source}", f"{prefix}/{installed}")
    details = [{"_path": source, "path_type": "hardlink", "sha256": sha256(b"a = 1\n")}]
    record = {"files": [installed], "paths_data": {"paths": details}}
    world.record(prefix, json.dumps(record).encode())
    edit(f"{prefix}/{installed}")
    (item,) = found(prefix)
    assert (item.path, item.source, item.extracted) == (installed, source, "")


@pytest.mark.parametrize(
    "more",
    [
        {"path_type": "softlink"},
        {"path_type": "pyc_file"},
        {"sha256": None},
        {"sha256": ""},
    ],
    ids=str,
)
def test_files_without_a_recorded_hash_are_not_reported(world, more):
    details = [detail(path, **more) for path in FILES]
    prefix = world.prefix("one", details=details)
    edit(f"{prefix}/lib/p.so")
    assert found(prefix) == []


@pytest.mark.parametrize(
    "record",
    [{"paths_data": {}}, {"paths_data": {"paths": []}}],
    ids=str,
)
def test_a_record_without_paths_reports_nothing(world, record):
    prefix = world.prefix("one", **record)
    edit(f"{prefix}/lib/p.so")
    assert found(prefix) == []


def test_a_record_with_fewer_paths_than_files_is_checked_by_path(world):
    """As conda leaves it after a `SafetyError`."""
    prefix = world.prefix("one", files=[*FILES, "more"])
    edit(f"{prefix}/lib/p.so")
    assert [file.path for file in found(prefix)] == ["lib/p.so"]


def test_a_record_with_paths_of_no_file_is_a_problem(world):
    (problem,) = found(world.prefix("one", files=[]))
    assert problem.reason == "its paths_data has paths that are not among its files"


def of_one_file(name):
    """Return a record with one file of an odd name."""
    details = [{"path_type": "hardlink", "sha256": "x", "_path": "a"}]
    return json.dumps({"files": [name], "paths_data": {"paths": details}}).encode()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"7", b"null", b'"text"', b"\xff\xfe", b'{"files": 7}', b"[" * 90_000),
        *(b'{"paths_data": 7}', b'{"paths_data": null}', b'{"paths_data": {"paths": 7}}'),
        *(b'{"files": null}', b'{"files": ["a"], "paths_data": {"paths": [7]}}'),
        b'{"files": [7], "paths_data": {"paths": [{"path_type": "hardlink", "sha256": "x"}]}}',
        *(of_one_file(name) for name in ("a\0", "\ud800", "n" * 300)),
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_malformed_record_is_a_problem_and_the_others_are_checked(world, one, content):
    path = world.record(one, content, "a-1.0-0")
    edit(f"{one}/lib/p.so")
    problems = [item for item in found(one) if isinstance(item, PathProblem)]
    edited = [item for item in found(one) if isinstance(item, EditedFile)]
    assert [item.path for item in edited] == ["lib/p.so"]
    assert all(problem.path.startswith(one) for problem in problems)
    assert len(problems) == 1
    os.unlink(path)
    assert found(one) == edited


def test_a_record_that_is_a_fifo_is_a_problem_at_once(world, one):
    os.mkfifo(f"{one}/conda-meta/pipe-1.0-0.json")
    edit(f"{one}/lib/p.so")
    (problem,) = (item for item in found(one) if isinstance(item, PathProblem))
    assert problem == PathProblem(f"{one}/conda-meta/pipe-1.0-0.json", "not a regular file")
    assert [item.path for item in found(one) if isinstance(item, EditedFile)] == ["lib/p.so"]


def test_other_files_in_conda_meta_are_ignored(world, one):
    write(f"{one}/conda-meta/history", b"==> now <==\n")
    os.makedirs(f"{one}/conda-meta/a-folder")
    assert found(one) == []


def test_an_environment_without_records_is_a_problem(world):
    prefix = f"{world.directory}/envs/none"
    assert found(prefix) == [PathProblem(f"{prefix}/conda-meta", "no such file or directory")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can become somebody else")
def test_unreadable_files_are_problems(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("world"))
    path = directory
    while path != "/":
        os.chmod(path, os.stat(path).st_mode | 0o055)
        path = os.path.dirname(path)
    world = World(directory)
    prefix = world.prefix("one")
    edit(f"{prefix}/bin/p")
    os.chmod(f"{prefix}/lib/p.so", 0)
    problem, *edited = sorted(in_child(lambda: found(prefix), user=NOBODY), key=str)[::-1]
    assert problem == PathProblem(f"{prefix}/lib/p.so", "permission denied")
    assert [item.path for item in edited] == ["bin/p"]
    record = f"{prefix}/conda-meta/{DIST}.json"
    os.chmod(record, 0)
    (problem,) = in_child(lambda: found(prefix), user=NOBODY)
    assert problem.path == record
    os.chmod(f"{prefix}/conda-meta", 0)
    assert in_child(lambda: found(prefix), user=NOBODY) == [
        PathProblem(f"{prefix}/conda-meta", "permission denied")
    ]


def test_checking_changes_nothing(one, two):
    edit(f"{one}/lib/p.so")
    before = os.stat(f"{one}/lib/p.so")
    assert found(one, two)
    after = os.stat(f"{one}/lib/p.so")
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_nlink) == (
        *(before.st_mtime_ns, before.st_ctime_ns),
        3,
    )


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024 - 1, 1024 * 1024, 3 * 1024 * 1024 + 1])
def test_the_sha256_covers_the_whole_content(tmp_path, size):
    content = os.urandom(size)
    assert sha256_of(write(str(tmp_path / "file"), content)) == sha256(content)
