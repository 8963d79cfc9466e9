"""The metadata of extracted packages, good ones and hostile ones, of one and of many."""

from __future__ import annotations

import json
import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.bounded_reader import MAX_RECORD_BYTES
from conda_hardlink_plugin.metadata.cached_package import (
    CachedPackage,
    read_cached_package,
    read_cached_packages,
)
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.scanning import reader
from tests.support.trees import write

READERS = ("python", "native")


@pytest.fixture(params=[None, *READERS])
def read(request):
    """Read the metadata of a package, alone or with that of its neighbours."""
    if request.param is None:
        yield read_cached_package
        return
    with reader(request.param), tempfile.TemporaryDirectory() as directory:
        good = package_with(directory, index={}, repodata_record={})

        def read_with_others(path):
            before, answer, after = read_cached_packages([good, path, good])
            assert before == after == read_cached_package(good)
            return answer

        yield read_with_others


@pytest.fixture
def public():
    """A folder that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield directory


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


INDEX, RECORD = "/info/index.json", "/info/repodata_record.json"


def package_with(directory, **files):
    """Make a package with only these files in `info`; return its path."""
    for name, content in files.items():
        write(f"{directory}/thing-1-0/info/{name}.json", json.dumps(content).encode())
    return f"{directory}/thing-1-0"


ABOUT = {"name": "thing", "version": "1.0", "build_number": 7, "url": "https://made.up/t.conda"}


def test_a_cached_package_has_metadata_and_a_last_use(tmp_path, read):
    path = package_with(tmp_path, index={"name": "not this"}, repodata_record=ABOUT)
    linked_ns = os.stat(f"{path}/info/index.json").st_ctime_ns
    finished_ns = os.stat(f"{path}/info/repodata_record.json").st_ctime_ns
    package = read(path)
    assert package == CachedPackage(
        "thing", "1.0", 7, "https://made.up/t.conda", linked_ns, finished_ns
    )
    assert package.last_use_ns == max(linked_ns, finished_ns)


@pytest.mark.parametrize("place", ["", ".conda-hardlinks/moving-r1-"])
def test_a_package_of_rattler_is_finished_when_its_lock_was_written(tmp_path, place, read):
    """The lock stays at its path when the package is quarantined."""
    home = package_with(tmp_path, index=ABOUT)
    path = f"{tmp_path}/{place}thing-1-0"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.rename(home, path)
    assert read(path).finished_ns is None
    assert read(path).last_use_ns == read(path).linked_ns
    lock = write(f"{home}.lock", b"r" * 40)
    package = read(path)
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
def test_malformed_fields_of_a_package_are_empty(tmp_path, content, fields, read):
    package = read(package_with(tmp_path, index={}, repodata_record=content))
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
def test_a_malformed_cached_package_is_a_problem(tmp_path, where, reason, spoil, read):
    path = package_with(tmp_path, index={}, repodata_record={})
    if where == "/info":
        os.rename(f"{path}/info", f"{path}/elsewhere")
    elif where and "larger" not in reason:
        os.unlink(f"{path}{RECORD}")
    spoil(path)
    answer = read(path)
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
def test_a_cached_package_without_read_permission_is_a_problem(public, closed, where, read):
    path = package_with(public, index={}, repodata_record={})
    os.chmod(f"{public}/{closed}", 0)
    answer = in_child(lambda: read(path), user=NOBODY)
    os.chmod(f"{public}/{closed}", 0o755)
    assert answer == PathProblem(f"{path}{where}", "permission denied")


@given(anything, st.booleans())
def test_any_json_in_a_package_gives_metadata_or_a_problem(content, finished):
    with tempfile.TemporaryDirectory() as directory:
        made = {"index": content, **({"repodata_record": content} if finished else {})}
        path = package_with(directory, **made)
        answer = read_cached_package(path)
        for name in READERS:
            with reader(name):
                assert list(read_cached_packages([path])) == [answer]
    if isinstance(content, dict):
        assert isinstance(answer, CachedPackage)
        assert (answer.finished_ns is not None) == finished
    else:
        assert isinstance(answer, PathProblem)
