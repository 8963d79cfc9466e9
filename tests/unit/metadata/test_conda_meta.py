"""conda's records and the metadata of extracted packages: good ones and hostile ones."""

from __future__ import annotations

import json
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.conda_meta import (
    FileRole,
    Record,
    files_of_paths,
    read_hashed_files,
    read_record,
)
from tests.support.trees import write


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


SITE = "lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("names", "paths", "indexes"),
    [
        (["a", "b"], ["x", "y"], [0, 1]),
        (["a", "b", "c"], ["b", "c"], [1, 2]),
        (["a", "b", "c"], ["c", "b"], [2, None]),
        (["a"], ["a", "b", 7], [0, None, None]),
        (
            [f"{SITE}/t/a.py", f"{SITE}/t/b.py", "bin/run", "bin/t"],
            ["site-packages/t/b.py", "python-scripts/run", "bin/t"],
            [1, 2, 3],
        ),
        (["lib/xsite-packages/a.py", "x"], ["site-packages/a.py"], [None]),
    ],
)
def test_paths_are_those_of_files_in_the_same_order(names, paths, indexes):
    """After a `SafetyError`, conda records fewer paths than files."""
    assert files_of_paths(names, paths) == indexes


def test_hashes_are_of_the_files_that_have_paths(tmp_path):
    content = {"files": ["a", "b", "c"], "paths_data": paths_data(hard("b"), hard("c"))}
    found = read_hashed_files(write_record(tmp_path, content))
    assert [(file.path, file.source) for file in found] == [("b", "b"), ("c", "c")]
    content["paths_data"] = paths_data(hard("b"), hard("elsewhere"))
    path = write_record(tmp_path, content, "other-1.0-0.json")
    assert read_hashed_files(path).reason.startswith("its paths_data has paths that are not")


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
