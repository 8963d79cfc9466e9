"""The recorder: which pages it writes, and what it returns if it cannot write them."""

from __future__ import annotations

import os
import resource
import signal

import pytest

from conda_hardlink_plugin.filesystem import fs
from conda_hardlink_plugin.scan.index.page import names_by_directory, unpack_pages
from conda_hardlink_plugin.scan.index.recorder import Recorder
from tests.support.forking import in_child
from tests.support.oracles import open_descriptors
from tests.support.trees import ODD_NAMES, link, write

DEVICE = 1
NEVER_NS = 10**19


@pytest.fixture
def path(tmp_path):
    return write(f"{tmp_path}/index", b"what another process wrote")


def record(recorder, unit, directory):
    """Record one directory with its files, as a walker does."""
    draft = recorder.draft(unit, DEVICE)
    draft.begin_directory(directory, fs.status(directory))
    for name in sorted(os.listdir(directory)):
        draft.add_name(name, fs.status(f"{directory}/{name}"))


def contents(path, page):
    """Return the directories on a page, and the names in each."""
    with open(path, "rb") as file:
        file.seek(page.offset)
        directories = file.read(page.directories_bytes).split(b"\0")
        return directories, names_by_directory(file.read(page.names_bytes))


def test_a_page_contains_the_directories_of_a_unit_with_their_names(tmp_path, path):
    full, empty = f"{tmp_path}/full", f"{tmp_path}/empty"
    for name in ODD_NAMES:
        write(f"{full}/{name}")
    link(f"{full}/{ODD_NAMES[0]}", f"{full}/second link")
    os.mkdir(empty)
    recorder = Recorder(path, NEVER_NS)
    record(recorder, 3, full)
    record(recorder, 3, empty)
    (page,) = unpack_pages(recorder.pages())
    recorder.close()
    names = sorted([*ODD_NAMES, "second link"])
    assert (page.unit, page.device, page.directories, page.rows) == (3, DEVICE, 2, 2)
    assert page.entries == 2 + len(names)
    assert contents(path, page) == (
        [os.fsencode(full), os.fsencode(empty)],
        [[os.fsencode(name) for name in names], []],
    )


def test_many_directories_of_a_unit_are_divided_among_pages(tmp_path, path):
    directories = [f"{tmp_path}/{number}" for number in range(600)]
    recorder = Recorder(path, NEVER_NS)
    for directory in directories:
        os.mkdir(directory)
        record(recorder, 0, directory)
    pages = list(unpack_pages(recorder.pages()))
    recorder.close()
    assert len(pages) > 2
    found = [name for page in pages for name in contents(path, page)[0]]
    assert found == [os.fsencode(directory) for directory in directories]


def test_no_directory_is_lost_if_the_units_alternate(tmp_path, path):
    recorder = Recorder(path, NEVER_NS)
    expected = {}
    for number in range(60):
        unit, directory = number % 10, f"{tmp_path}/{number}"
        os.mkdir(directory)
        record(recorder, unit, directory)
        expected.setdefault(unit, []).append(os.fsencode(directory))
    found = {}
    for page in unpack_pages(recorder.pages()):
        found.setdefault(page.unit, []).extend(contents(path, page)[0])
    recorder.close()
    assert found == expected


def test_two_recorders_append_to_one_file(tmp_path, path):
    recorders = [Recorder(path, NEVER_NS) for _ in range(2)]
    directories = [os.path.dirname(write(f"{tmp_path}/{number}/file")) for number in range(2)]
    for unit, recorder in enumerate(recorders):
        record(recorder, unit, directories[unit])
    pages = [page for recorder in recorders for page in unpack_pages(recorder.pages())]
    for recorder in recorders:
        recorder.close()
    for page, directory in zip(pages, directories, strict=True):
        assert contents(path, page) == ([os.fsencode(directory)], [[b"file"]])
    with open(path, "rb") as file:
        assert file.read().startswith(b"what another process wrote")


def test_a_directory_that_changed_after_the_scan_began_is_not_settled(tmp_path, path):
    settled = []
    for began_ns in (0, NEVER_NS):
        recorder = Recorder(path, began_ns)
        record(recorder, 0, str(tmp_path))
        settled += [page.settled for page in unpack_pages(recorder.pages())]
        recorder.close()
    assert settled == [False, True]


def test_a_recorder_without_directories_writes_nothing(path):
    before, descriptors = os.stat(path).st_size, open_descriptors()
    recorder = Recorder(path, NEVER_NS)
    recorder.draft(0, DEVICE)
    assert recorder.pages() == b""
    recorder.close()
    assert (os.stat(path).st_size, open_descriptors()) == (before, descriptors)


def test_a_recorder_returns_no_pages_if_the_file_cannot_be_opened(tmp_path):
    recorder = Recorder(f"{tmp_path}/missing/index", NEVER_NS)
    record(recorder, 0, str(tmp_path))
    assert recorder.pages() is None
    recorder.close()


@pytest.mark.parametrize("allowed", [0, 50])
def test_a_recorder_returns_no_pages_if_one_does_not_fit_on_the_disk(tmp_path, path, allowed):
    directory = os.path.dirname(write(f"{tmp_path}/directory/{'n' * 200}"))

    def recorded():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = os.stat(path).st_size + allowed
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        recorder = Recorder(path, NEVER_NS)
        record(recorder, 0, directory)
        return recorder.pages()

    assert in_child(recorded) is None
