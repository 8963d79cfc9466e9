"""conda's records and the metadata of extracted packages: good ones and hostile ones."""

from __future__ import annotations

import json
import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.bounded_reader import MAX_RECORD_BYTES
from conda_hardlink_plugin.metadata.conda_meta import (
    CachedPackage,
    FileRole,
    Record,
    read_cached_package,
    read_record,
)
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.trees import write


@pytest.fixture
def public():
    """A folder that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield directory


def write_record(directory, content, name="thing-1.0-0.json"):
    return write(f"{directory}/conda-meta/{name}", json.dumps(content).encode())


def paths_data(*details):
    return {"paths": list(details), "paths_version": 1}


def hard(path, **more):
    return {"_path": path, "path_type": "hardlink", "sha256": "0" * 64, "size_in_bytes": 1, **more}


def reason_of(path):
    answer = read_record(str(path))
    assert isinstance(answer, PathProblem)
    assert answer.path == str(path)
    return answer.reason


def test_a_record_has_the_role_of_each_file(tmp_path):
    path = write_record(
        tmp_path,
        {
            "build": "0",
            "files": ["bin/tool", "lib/code.so", "lib/link", "lib/locked", "lib/text"],
            "link": {"source": "/pkgs/thing-1.0-0", "type": 1},
            "name": "thing",
            "paths_data": paths_data(
                hard("bin/tool", prefix_placeholder="/opt/placehold", file_mode="text"),
                hard("lib/code.so"),
                {"_path": "lib/link", "path_type": "softlink"},
                hard("lib/locked", no_link=True),
                hard("lib/text", no_link=False, prefix_placeholder=""),
            ),
        },
    )
    assert read_record(path) == Record(
        dist="thing-1.0-0",
        files={
            "bin/tool": FileRole.PREFIX_REWRITTEN,
            "lib/code.so": FileRole.LINKABLE,
            "lib/link": FileRole.SYMLINK,
            "lib/locked": FileRole.NO_LINK,
            "lib/text": FileRole.LINKABLE,
        },
        hard_link_requested=True,
    )


def test_files_of_a_noarch_package_are_matched_by_position(tmp_path):
    """`_path` is the path in the package, `files` has the paths in the prefix."""
    path = write_record(
        tmp_path,
        {
            "files": [
                "lib/python3.11/site-packages/thing/__init__.py",
                "bin/thing-script",
                "lib/python3.11/site-packages/thing/__pycache__/__init__.cpython-311.pyc",
                "bin/thing",
                "Scripts/thing-script.py",
                "Scripts/thing.exe",
            ],
            "link": {"type": 1},
            "noarch": "python",
            "paths_data": paths_data(
                hard("site-packages/thing/__init__.py"),
                hard("python-scripts/thing-script", prefix_placeholder="/opt/placehold"),
                {"_path": "lib/elsewhere.pyc", "path_type": "pyc_file"},
                {"_path": "bin/thing", "path_type": "unix_python_entry_point"},
                {"_path": "s.py", "path_type": "windows_python_entry_point_script"},
                {"_path": "s.exe", "path_type": "windows_python_entry_point_exe"},
            ),
        },
    )
    assert list(read_record(path).files.values()) == [
        FileRole.LINKABLE,
        FileRole.PREFIX_REWRITTEN,
        FileRole.BYTECODE,
        FileRole.ENTRY_POINT,
        FileRole.ENTRY_POINT,
        FileRole.ENTRY_POINT,
    ]


def test_lists_of_different_length_are_matched_by_path(tmp_path):
    content = {
        "files": ["a", "b", "c"],
        "paths_data": paths_data(hard("b", no_link=True), hard("not listed", no_link=True)),
    }
    assert read_record(write_record(tmp_path, content)).files == {
        "a": FileRole.LINKABLE,
        "b": FileRole.NO_LINK,
        "c": FileRole.LINKABLE,
    }


@pytest.mark.parametrize("path", [[], {}, None, 1, True])
def test_an_entry_whose_path_is_not_a_string_is_ignored(tmp_path, path):
    content = {"files": ["a"], "paths_data": paths_data(hard(path, no_link=True), hard("b"))}
    assert read_record(write_record(tmp_path, content)).files == {"a": FileRole.LINKABLE}


def test_an_old_record_without_paths_data_has_linkable_files(tmp_path):
    path = write_record(tmp_path, {"files": ["a"], "link": {"type": 2}})
    record = Record("thing-1.0-0", {"a": FileRole.LINKABLE}, False, soft_link_requested=True)
    assert read_record(path) == record


@pytest.mark.parametrize(
    ("link_type", "hard", "soft"),
    [
        (1, True, False),
        (2, False, True),
        (3, False, False),
        ("1", False, False),
        ([2], False, False),
    ],
)
def test_link_type_1_requests_hard_links_and_2_symbolic_links(tmp_path, link_type, hard, soft):
    record = read_record(write_record(tmp_path, {"files": [], "link": {"type": link_type}}))
    assert (record.hard_link_requested, record.soft_link_requested) == (hard, soft)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON ("),
        (b"{}", "it has no list of files"),
        (b'{"files": {"a": 1}}', "it has no list of files"),
        (b'{"files": ["a", 1]}', "it has no list of files"),
    ],
    ids=repr,
)
def test_a_malformed_record_is_a_problem(tmp_path, content, reason):
    assert reason_of(write(f"{tmp_path}/thing.json", content)).startswith(reason)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
details = st.fixed_dictionaries(
    {},
    optional={
        "_path": anything | st.sampled_from(["a", "b"]),
        "path_type": anything | st.sampled_from(["hardlink", "softlink", "pyc_file"]),
        "prefix_placeholder": anything,
        "no_link": anything,
    },
)
records = st.fixed_dictionaries(
    {},
    optional={
        "files": anything | st.lists(st.sampled_from(["a", "b"])),
        "link": anything | st.fixed_dictionaries({"type": anything}),
        "paths_data": anything
        | st.fixed_dictionaries({"paths": anything | st.lists(details | anything, max_size=3)}),
    },
)


def read_content(content):
    with tempfile.TemporaryDirectory() as directory:
        return read_record(write(f"{directory}/thing.json", content))


@given(records | anything)
def test_any_json_gives_a_record_or_a_problem(content):
    answer = read_content(json.dumps(content).encode())
    assert isinstance(answer, Record | PathProblem)
    if isinstance(answer, Record):
        assert set(answer.files) == set(content["files"])
        assert all(isinstance(role, FileRole) for role in answer.files.values())


@given(st.binary())
def test_any_bytes_give_a_record_or_a_problem(content):
    assert isinstance(read_content(content), Record | PathProblem)


INDEX, RECORD = "/info/index.json", "/info/repodata_record.json"


def package_with(directory, **files):
    """Make a package with only these files in `info`; return its path."""
    for name, content in files.items():
        write(f"{directory}/thing-1-0/info/{name}.json", json.dumps(content).encode())
    return f"{directory}/thing-1-0"


ABOUT = {"name": "thing", "version": "1.0", "build_number": 7, "url": "https://made.up/t.conda"}


def test_a_cached_package_has_metadata_and_a_last_use(tmp_path):
    path = package_with(tmp_path, index={"name": "not this"}, repodata_record=ABOUT)
    linked_ns = os.stat(f"{path}/info/index.json").st_ctime_ns
    finished_ns = os.stat(f"{path}/info/repodata_record.json").st_ctime_ns
    package = read_cached_package(path)
    assert package == CachedPackage(
        "thing", "1.0", 7, "https://made.up/t.conda", linked_ns, finished_ns
    )
    assert package.last_use_ns == max(linked_ns, finished_ns)


@pytest.mark.parametrize("place", ["", ".conda-hardlinks/moving-r1-"])
def test_a_package_of_rattler_is_finished_when_its_lock_was_written(tmp_path, place):
    """The lock stays at its path when the package is quarantined."""
    home = package_with(tmp_path, index=ABOUT)
    path = f"{tmp_path}/{place}thing-1-0"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.rename(home, path)
    assert read_cached_package(path).finished_ns is None
    assert read_cached_package(path).last_use_ns == read_cached_package(path).linked_ns
    lock = write(f"{home}.lock", b"r" * 40)
    package = read_cached_package(path)
    assert package.finished_ns == os.stat(lock).st_ctime_ns
    assert (package.name, package.version, package.build_number) == ("thing", "1.0", 7)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ({}, ("", "", 0, "")),
        ({"name": None, "version": 1.0, "build_number": "7", "url": ["https"]}, ("", "", 0, "")),
        ({"name": "\ud800\n", "build_number": 10**30}, ("\ud800\n", "", 10**30, "")),
    ],
)
def test_malformed_fields_of_a_package_are_empty(tmp_path, content, fields):
    package = read_cached_package(package_with(tmp_path, index={}, repodata_record=content))
    assert (package.name, package.version, package.build_number, package.url) == fields


NONSENSE = [
    ("", "no such file", lambda path: os.rename(path, f"{path}-elsewhere")),
    ("", "no such file", lambda path: os.rename(f"{path}/info", f"{path}/elsewhere")),
    ("", "no such file", lambda path: os.unlink(f"{path}/info/index.json")),
    ("/info", "not a folder", lambda path: write(f"{path}/info")),
    ("/info", "not a folder", lambda path: os.symlink("elsewhere", f"{path}/info")),
    (RECORD, "not valid JSON (", lambda path: write(f"{path}{RECORD}", b"{")),
    (RECORD, "not a JSON object", lambda path: write(f"{path}{RECORD}", b"[]")),
    (
        RECORD,
        "larger than",
        lambda path: os.truncate(f"{path}{RECORD}", MAX_RECORD_BYTES + 1),
    ),
    (RECORD, "not a regular file", lambda path: os.mkfifo(f"{path}{RECORD}")),
    (RECORD, "no such file", lambda path: os.symlink("nowhere", f"{path}{RECORD}")),
    (INDEX, "not valid JSON (", lambda path: write(f"{path}{INDEX}", b"{")),
]


@pytest.mark.parametrize(("where", "reason", "spoil"), NONSENSE)
def test_a_malformed_cached_package_is_a_problem(tmp_path, where, reason, spoil):
    path = package_with(tmp_path, index={}, repodata_record={})
    if where == "/info":
        os.rename(f"{path}/info", f"{path}/elsewhere")
    elif where and "larger" not in reason:
        os.unlink(f"{path}{RECORD}")
    spoil(path)
    answer = read_cached_package(path)
    assert isinstance(answer, PathProblem)
    assert answer.path == f"{path}{where}"
    assert answer.reason.startswith(reason)


@pytest.mark.parametrize(
    ("closed", "where"),
    [
        ("thing-1-0", ""),
        ("thing-1-0/info", ""),
        ("thing-1-0/info/repodata_record.json", "/info/repodata_record.json"),
    ],
)
def test_a_cached_package_without_read_permission_is_a_problem(public, closed, where):
    path = package_with(public, index={}, repodata_record={})
    os.chmod(f"{public}/{closed}", 0)
    answer = in_child(lambda: read_cached_package(path), user=NOBODY)
    os.chmod(f"{public}/{closed}", 0o755)
    assert answer == PathProblem(f"{path}{where}", "permission denied")


@given(anything, st.booleans())
def test_any_json_in_a_package_gives_metadata_or_a_problem(content, finished):
    with tempfile.TemporaryDirectory() as directory:
        made = {"index": content, **({"repodata_record": content} if finished else {})}
        answer = read_cached_package(package_with(directory, **made))
    if isinstance(content, dict):
        assert isinstance(answer, CachedPackage)
        assert (answer.finished_ns is not None) == finished
    else:
        assert isinstance(answer, PathProblem)
