"""Records, lists, and packages with any content: they are kept, and no reader blocks.

A reader returns a value or a problem and never raises. A package is removed only if its metadata is
readable and names a download URL.
"""

from __future__ import annotations

import codecs
import json
import os
import signal
import stat
import tempfile
from dataclasses import fields

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conda_hardlink_plugin.cli.frontend import version_key
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.bounded_reader import MAX_RECORD_BYTES
from conda_hardlink_plugin.metadata.cached_package import CachedPackage, read_cached_package
from conda_hardlink_plugin.metadata.conda_meta import (
    Record,
    read_record,
)
from conda_hardlink_plugin.metadata.text_lists import read_environments_txt, read_urls_txt
from tests.support.cleaning import clean, plan_of
from tests.support.disk import snapshot
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.small_installation import SmallInstallation
from tests.support.trees import write

DIST = "thing-1-0"
URL = "https://made.up/thing-1-0.conda"
GOOD = {"name": "thing", "version": "1", "build_number": 0, "url": URL}
for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
    codecs.lookup(encoding)  # an ordinary user may be kept from where Python has them
READERS = (read_cached_package, read_record, read_urls_txt, read_environments_txt)
PATIENCE_S = 60

CONTENTS = {
    "empty": b"",
    "cut": b'{"url": "https://made',
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "many digits": b'{"build_number": ' + b"9" * 10_000 + b"}",
    "nul": b"\0" * 4096,
    "nul in a text": b'{"url": "https://made.up/\\u0000", "name": "\\u0000"',
    "not utf-8": b'{"url": "\xff\xfe"}',
    "utf-16": '{"url": "x"'.encode("utf-16"),
    "no object": b"[]",
    "a text": b'"url"',
    "not a number": b"NaN",
}


def too_large(path):
    write(path, b"{}")
    os.truncate(path, MAX_RECORD_BYTES + 1)


def missing_folder(path):
    os.symlink("/nowhere/at/all", path)


def endless(path):
    os.symlink("/dev/zero", path)


def looping(path):
    os.symlink(os.path.basename(path), path)


def folder(path):
    os.makedirs(f"{path}/x")


def unreadable(path):
    write(path, json.dumps(GOOD).encode())
    os.chmod(path, 0)


NO_FILES = (too_large, missing_folder, endless, looping, folder, os.mkfifo, unreadable)
HOSTILE = {
    **{
        name: lambda path, content=content: write(path, content)
        for name, content in CONTENTS.items()
    },
    **{put.__name__: put for put in NO_FILES},
}
hostile = pytest.mark.parametrize("put", HOSTILE.values(), ids=HOSTILE)


def in_time(function, user=None):
    """Run a function in a process that is killed after `PATIENCE_S` seconds."""

    def timed():
        signal.alarm(PATIENCE_S)
        return function()

    return in_child(timed, user=user)


@pytest.fixture
def directory():
    """A folder that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield path


@hostile
@pytest.mark.parametrize("read", [read_record, read_urls_txt, read_environments_txt])
def test_a_hostile_file_is_read_or_refused_at_once(directory, put, read):
    path = f"{directory}/file"
    put(path)
    answer = in_time(lambda: read(path), user=NOBODY)
    if put in NO_FILES or read is read_record:
        assert isinstance(answer, PathProblem)
        assert answer.path == path
        assert answer.reason
    else:
        assert all(isinstance(line, str) for line in answer)


@hostile
@pytest.mark.parametrize("file", ["repodata_record.json", "index.json"])
def test_a_package_with_a_hostile_file_is_kept(directory, put, file):
    """If both files exist, the first one counts."""
    made = SmallInstallation(directory)
    package = made.package(DIST, {"lib/a": b"a"})
    info = f"{package}/info"
    os.unlink(f"{info}/{file}")
    put(f"{info}/{file}")
    if file == "index.json":
        os.unlink(f"{info}/repodata_record.json")
        write(f"{package}.lock")  # finished, as rattler says it
    for path in (directory, f"{directory}/pkgs"):
        os.chmod(path, 0o755)
    answer = in_time(lambda: read_cached_package(package), user=NOBODY)
    assert isinstance(answer, PathProblem)
    before = snapshot(package)
    kept = in_time(lambda: [item.verdict.value for item in plan_of(made).keep], user=NOBODY)
    is_package = file != "index.json" or stat.S_ISREG(os.lstat(f"{info}/{file}").st_mode)
    assert kept == ["unverifiable"] * is_package
    if put is not unreadable:
        assert in_time(lambda: clean(made)).removed == []
    assert snapshot(package) == before


@pytest.mark.parametrize("put", [looping, missing_folder, os.mkfifo, write])
def test_a_folder_without_an_info_folder_is_not_a_package_and_is_kept(directory, put):
    made = SmallInstallation(directory)
    package = made.package(DIST, {"lib/a": b"a"})
    os.rename(f"{package}/info", f"{directory}/info")
    put(f"{package}/info")
    assert isinstance(in_time(lambda: read_cached_package(package)), PathProblem)
    before = snapshot(package)
    assert in_time(lambda: clean(made, unobtainable=True, copied=True)).removed == []
    assert snapshot(package) == before


def test_a_folder_whose_info_is_a_link_is_not_a_package(directory):
    made = SmallInstallation(directory)
    package = made.package(DIST, {"lib/a": b"a"})
    os.rename(f"{package}/info", f"{directory}/info")
    os.symlink(f"{directory}/info", f"{package}/info")
    assert read_cached_package(package) == PathProblem(f"{package}/info", "not a folder")


@hostile
def test_a_hostile_record_protects_its_package_by_its_name(directory, put):
    made = SmallInstallation(directory)
    package = made.package(DIST, {"lib/a": b"a"})
    prefix = made.environment("env")
    put(f"{prefix}/conda-meta/{DIST}.json")
    before = snapshot(package)
    assert in_time(lambda: clean(made)).removed == []
    assert in_time(lambda: clean(made, unobtainable=True)).removed == []
    assert snapshot(package) == before


@hostile
def test_an_archive_is_kept_if_the_list_of_urls_is_hostile(directory, put):
    made = SmallInstallation(directory)
    made.package("other-1-0", {})
    write(f"{directory}/pkgs/{DIST}.conda", b"archive")
    put(f"{directory}/pkgs/urls.txt")
    assert in_time(lambda: clean(made, tarballs=True, name_glob="none")).removed == []


@pytest.mark.parametrize("path", ["/a\0b", "\0", ""])
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_an_invalid_path_is_a_problem_or_empty(path, read):
    assert isinstance(read(path), PathProblem) or read(path) == []


# What JSON can hold, and what a reader may trip over.
_texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            "../../etc",
            "/etc/passwd",
            "a\0b",
            "\ud800",
            "9" * 5000,
            "https://",
            URL,
            "file:///x",
            "%s",
        ]
    ),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
cached = st.fixed_dictionaries(
    {}, optional={name: anything | st.just(value) for name, value in GOOD.items()}
)


def as_json(content):
    return json.dumps(content).encode()


@given(cached | anything, st.booleans())
def test_any_json_is_a_package_or_a_problem(content, finished):
    with tempfile.TemporaryDirectory() as directory:
        write(f"{directory}/info/index.json", as_json(content))
        if finished:
            write(f"{directory}/info/repodata_record.json", as_json(content))
        package = read_cached_package(directory)
    assert isinstance(package, CachedPackage) == isinstance(content, dict)
    if isinstance(package, CachedPackage):
        for name, value in GOOD.items():
            given_value = content.get(name)
            expected = given_value if isinstance(given_value, type(value)) else type(value)()
            assert getattr(package, name) == expected
        assert (package.finished_ns is not None) == finished
        assert len(fields(package)) == len(GOOD) + 2


@given(st.lists(cached | anything, min_size=1, max_size=3))
@example([{"url": "file:///thing-1-0.conda"}])
@example([{"url": "made.up/thing-1-0.conda"}])
@example([{"url": [URL]}, {"url": {"https://": URL}}])
def test_only_packages_with_a_download_url_are_removed(contents):
    with tempfile.TemporaryDirectory() as directory:
        made = SmallInstallation(directory)
        obtainable = set()
        for number, content in enumerate(contents):
            package = made.package(f"{number}-1-0", {"lib/a": b"a"})
            write(f"{package}/info/repodata_record.json", as_json(content))
            url = content.get("url") if isinstance(content, dict) else None
            if isinstance(url, str) and url.startswith(("http://", "https://")):
                obtainable.add(package)
        outcome = clean(made)
        assert outcome.problems == []
        assert {removal.path for removal in outcome.removed} == obtainable


@pytest.mark.parametrize(
    "version",
    [
        *("", "1.0\0", "\ud800", "٣", "²", "1!1!1", "a" * 100_000, "1.*", "%s", "../../etc"),
        "9" * 5000,
    ],
    ids=lambda version: ascii(version[:12]),
)
def test_any_version_can_be_sorted(version):
    versions = [version, "1.0", "2.0", "no version", version]
    in_order = sorted(versions, key=version_key)
    assert in_order.index("1.0") < in_order.index("2.0")


records = st.fixed_dictionaries(
    {},
    optional={
        "files": anything | st.lists(_texts, max_size=3),
        "link": anything | st.fixed_dictionaries({"type": anything, "source": anything}),
        "paths_data": anything
        | st.fixed_dictionaries(
            {"paths": st.lists(anything, max_size=3), "paths_version": anything}
        ),
    },
)


@given(records | anything)
@example({"files": [[]]})
@example({"files": [], "link": [1], "paths_data": {"paths": [{"_path": []}]}})
@example({"files": ["../../up", "/etc/passwd", "a\0b"], "link": {"type": 2, "source": "\0"}})
def test_any_record_protects_its_package_by_its_name(content):
    with tempfile.TemporaryDirectory() as directory:
        made = SmallInstallation(directory)
        package = made.package(DIST, {"lib/a": b"a"})
        other = made.package("other-1-0", {"lib/a": b"a"})
        path = write(f"{made.environment('env')}/conda-meta/{DIST}.json", as_json(content))
        assert isinstance(read_record(path), Record | PathProblem)
        assert [removal.path for removal in clean(made).removed] == [other]
        assert os.path.exists(package)


lines = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"/a/b", b"# x", b"  /a b ", b"../up", b"/nul\0", b"\xff\xfe", URL.encode()]),
)


@given(st.lists(lines, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\r", b"\0"]))
def test_any_bytes_are_read_as_lines(parts, separator):
    with tempfile.TemporaryDirectory() as directory:
        path = write(f"{directory}/file", separator.join(parts))
        for read in (read_environments_txt, read_urls_txt):
            found = read(path)
            assert isinstance(found, list)
            assert all(
                line.strip(" \t\n\r\x0b\x0c") and line == line.strip("\n\r") for line in found
            )
        assert not any(line.startswith("#") for line in read_environments_txt(path))
        assert not any(" " in url for url in read_urls_txt(path))


class Real:
    """The records of a real installation, for tests that change them."""

    def __init__(self, installation):
        self.cached = [
            f"{installation.pkgs_dir}/{name}/info/repodata_record.json"
            for name in sorted(os.listdir(installation.pkgs_dir))
            if os.path.isdir(f"{installation.pkgs_dir}/{name}/info")
        ]
        meta = f"{installation.prefix('work')}/conda-meta"
        self.records = [f"{meta}/{name}" for name in sorted(os.listdir(meta)) if "json" in name]


@pytest.fixture(scope="module")
def real(installation):
    return Real(installation)


def nodes(value, path=()):
    """Yield the path of every node in a JSON value, as a tuple of keys."""
    yield path
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from nodes(value[key], (*path, key))


def changed(value, path, new):
    """Return a JSON value with the node at a path replaced."""
    if not path:
        return new
    key, *rest = path
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[key] = changed(value[key], rest, new)
    return copied


@given(st.data())
def test_a_real_record_with_any_value_anywhere_is_read_or_refused(real, data):
    path = data.draw(st.sampled_from([*real.cached, *real.records]))
    with open(path, "rb") as file:
        content = file.read()
    if data.draw(st.booleans()):
        value = json.loads(content)
        place = data.draw(st.sampled_from(list(nodes(value))))
        content = as_json(changed(value, place, data.draw(anything)))
    else:
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, len(content)))
        content = content[:start] + data.draw(st.binary(max_size=8)) + content[end:]
    with tempfile.TemporaryDirectory() as directory:
        if path in real.records:
            answer = read_record(write(f"{directory}/{os.path.basename(path)}", content))
            assert isinstance(answer, Record | PathProblem)
            return
        made = SmallInstallation(directory)
        package = made.package(DIST, {"lib/a": b"a"})
        write(f"{package}/info/repodata_record.json", content)
        answer = read_cached_package(package)
        assert isinstance(answer, CachedPackage | PathProblem)
        fetched = isinstance(answer, CachedPackage) and answer.url.startswith("http")
        assert bool(clean(made).removed) == fetched
