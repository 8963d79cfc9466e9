"""Finding the native reader, and what its jobs return."""

from __future__ import annotations

import os
import struct
import sys
from types import SimpleNamespace

import pytest

from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.filesystem import native
from conda_hardlink_plugin.filesystem.native import (
    EventKind,
    Settings,
    TaskFlag,
    check_pages,
    count_trees,
    events_of,
    native_module,
    read_packages,
    search_trees,
    sums_of,
)
from tests.support.trees import write

NAME = "conda_hardlink_plugin.filesystem._native"
ONE_THREAD = Settings(1, 1, 50)


@pytest.fixture
def module():
    found = native_module()
    if found is None:
        pytest.skip("there is no native reader")
    return found


@pytest.fixture
def parent(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield handle
    os.close(handle)


def test_the_reader_can_be_chosen(monkeypatch, module):
    monkeypatch.setenv("HARDLINKS_READER", "python")
    assert native_module() is None
    monkeypatch.setenv("HARDLINKS_READER", "native")
    assert native_module() is module


def test_an_unknown_reader_is_refused(monkeypatch):
    monkeypatch.setenv("HARDLINKS_READER", "fast")
    with pytest.raises(HardlinksError, match="HARDLINKS_READER=fast: give native or python"):
        native_module()


def test_without_the_module_everything_is_read_in_python(monkeypatch):
    monkeypatch.setitem(sys.modules, NAME, None)
    monkeypatch.delenv("HARDLINKS_READER", raising=False)
    assert native_module() is None
    monkeypatch.setenv("HARDLINKS_READER", "native")
    with pytest.raises(HardlinksError, match=r"HARDLINKS_READER=native: .*compiled package"):
        native_module()


def test_a_module_of_another_version_is_not_used_and_one_line_says_so(monkeypatch, caplog):
    monkeypatch.delenv("HARDLINKS_READER", raising=False)
    monkeypatch.setitem(sys.modules, NAME, SimpleNamespace(ABI=native.ABI + 1))
    native._log_once.cache_clear()  # noqa: SLF001  # another test may have had the same line
    assert native_module() is None
    assert native_module() is None
    (line,) = caplog.messages
    assert line.endswith(f"not {native.ABI}: it is not used.")
    monkeypatch.setenv("HARDLINKS_READER", "native")
    with pytest.raises(HardlinksError, match=f"not {native.ABI}. Install a compiled package"):
        native_module()


def test_a_tree_is_counted_with_its_symbolic_links(module, parent, tmp_path):
    write(f"{tmp_path}/tree/a/f", b"x" * 5_000)
    os.symlink("a/\udcff", f"{tmp_path}/tree/link")
    device = os.stat(tmp_path).st_dev
    task = (parent, TaskFlag.TEXTS, 7, device, b"tree", b"tree")
    found = count_trees(
        module, module.Table(), [task], settings=ONE_THREAD, special=(), untrusted=()
    )
    assert found.tops == [(device, os.stat(f"{tmp_path}/tree").st_ino)]
    assert (found.directories, found.is_too_deep, found.untrusted) == (2, 0, None)
    ((location, on, links, inodes, disk_bytes, *_),) = sums_of(found.sums)
    assert (location, on, links, inodes) == (7, device, 4, 4)
    paths = ("tree", "tree/a", "tree/a/f", "tree/link")
    assert disk_bytes == sum(512 * os.lstat(f"{tmp_path}/{path}").st_blocks for path in paths)
    (event,) = events_of(found.events)
    assert (event.kind, event.path, event.text) == (EventKind.TEXT, "tree/link", "a/\udcff")


def test_the_facts_of_a_page_are_those_of_stat(module, parent, tmp_path):
    write(f"{tmp_path}/d/f", b"x" * 5_000)
    task = (parent, 0, 0, 0, b"d", b"\0/f")
    (facts,) = check_pages(module, [task], exact=True)
    folder, file = os.stat(f"{tmp_path}/d"), os.stat(f"{tmp_path}/d/f")
    identity = folder.st_dev, folder.st_ino, folder.st_mtime_ns, folder.st_ctime_ns
    assert struct.unpack("QQqqqq", facts[0]) == (*identity, folder.st_size, folder.st_blocks * 512)
    expected = file.st_ino, 1, 5_000, file.st_blocks * 512
    assert struct.unpack("QQqq", facts[1]) == expected


@pytest.mark.parametrize(("paths", "names"), [(b"gone", b"\0"), (b"d", b"\0/gone"), (b"d", b"")])
def test_a_page_has_no_facts_where_something_is_gone(module, parent, tmp_path, paths, names):
    write(f"{tmp_path}/d/f")
    assert check_pages(module, [(parent, 0, 0, 0, paths, names)], exact=True) == [None]


def test_the_record_of_a_package_is_read_with_the_times_of_its_files(module, tmp_path):
    write(f"{tmp_path}/thing/info/index.json", b"{}")
    write(f"{tmp_path}/thing/info/repodata_record.json", b"x" * 60_000)
    times = [
        os.stat(f"{tmp_path}/thing/info/{name}.json").st_ctime_ns
        for name in ("index", "repodata_record")
    ]
    found = read_packages(module, [f"{tmp_path}/thing", f"{tmp_path}/gone", str(tmp_path)])
    assert found == [(struct.pack("qq", *times), b"x" * 60_000), None, None]


def test_an_unusually_large_record_is_left_to_the_caller(module, tmp_path):
    write(f"{tmp_path}/thing/info/index.json", b"{}")
    record = write(f"{tmp_path}/thing/info/repodata_record.json", b"{}")
    os.truncate(record, 2**16)
    assert read_packages(module, [f"{tmp_path}/thing"]) != [None]
    os.truncate(record, 2**16 + 1)
    assert read_packages(module, [f"{tmp_path}/thing"]) == [None]


def test_a_search_leaves_out_what_is_skipped(module, tmp_path):
    for name in ("a", "b"):
        write(f"{tmp_path}/{name}/env/conda-meta/history")
    task = (-1, TaskFlag.ROOT, 0, 0, os.fsencode(tmp_path), b"")
    tops, packed = search_trees(module, [task], [b"b"], ONE_THREAD)
    assert len(tops) == 1
    assert [event.path for event in events_of(packed)] == ["a/env"]


def test_the_time_of_creation_is_that_of_the_filesystem(module, parent):
    birth_ns = module.birth_ns(parent)
    assert birth_ns is None or birth_ns <= os.fstat(parent).st_ctime_ns
