"""Records are read if they are regular files of bounded size; anything else is a problem."""

from __future__ import annotations

import os
import socket
import tempfile

import pytest

from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.bounded_reader import (
    MAX_RECORD_BYTES,
    is_missing,
    read_json_object,
    read_record_bytes,
)
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.trees import write, write_sparse


@pytest.fixture
def public():
    """A folder that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield directory


def reason_of(path):
    """Return the reason of a problem, which both readers name."""
    answers = {read_record_bytes(str(path)), read_json_object(str(path))}
    (answer,) = answers
    assert isinstance(answer, PathProblem)
    assert answer.path == str(path)
    return answer.reason


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\0\x1b[31m\r\n"])
def test_a_file_is_read_byte_for_byte(tmp_path, content):
    path = write(f"{tmp_path}/a\nb\x1b", content)
    os.symlink(path, f"{tmp_path}/link")
    assert read_record_bytes(path) == read_record_bytes(f"{tmp_path}/link") == content


def test_a_json_object_is_a_dict(tmp_path):
    path = write(f"{tmp_path}/{os.fsdecode(b'not-utf8-%s' % bytes([255]))}", b'{"a": ["\xc3\xa9"]}')
    assert read_json_object(path) == {"a": ["é"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON ("),
        (b'{"files": [', "not valid JSON ("),
        (b"[" * 200_000, "not valid JSON ("),
        (b'{"a":' * 100_000, "not valid JSON ("),
        (b'{"files": ["\xff\xfe"]}', "not valid JSON ("),
        (b"\0" * 4096, "not valid JSON ("),
        (b'{"a": %s}' % (b"9" * 10_000), "not valid JSON ("),
        (b"[]", "not a JSON object"),
        (b'"files"', "not a JSON object"),
        (b"null", "not a JSON object"),
    ],
    ids=repr,
)
def test_anything_but_a_json_object_is_a_problem(tmp_path, content, reason):
    path = write(f"{tmp_path}/thing.json", content)
    answer = read_json_object(path)
    assert isinstance(answer, PathProblem)
    assert answer.path == path
    assert answer.reason.startswith(reason)


def test_a_file_over_the_bound_is_not_read(tmp_path):
    path = write_sparse(f"{tmp_path}/thing.json", MAX_RECORD_BYTES + 1)
    assert reason_of(path) == "larger than 67108864 bytes"
    os.truncate(path, MAX_RECORD_BYTES)
    assert len(read_record_bytes(path)) == MAX_RECORD_BYTES


def test_a_fifo_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "thing.json")
    assert reason_of(tmp_path / "thing.json") == "not a regular file"


@pytest.mark.parametrize("path", ["", "/dev/zero"])
def test_a_folder_and_a_device_are_refused(tmp_path, path):
    assert reason_of(path or tmp_path) == "not a regular file"


def test_a_socket_is_refused(tmp_path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        assert reason_of(tmp_path / "s")  # its words differ between platforms


def test_a_symlink_loop_is_a_problem(tmp_path):
    (tmp_path / "thing.json").symlink_to("thing.json")
    assert reason_of(tmp_path / "thing.json") == "too many levels of symbolic links"


def test_a_missing_record_is_a_problem(tmp_path):
    assert reason_of(tmp_path / "thing.json") == "no such file or directory"


def test_a_path_with_nul_is_a_problem():
    assert reason_of("/a\0b.json") == "embedded null byte"


def test_a_record_without_read_permission_is_a_problem(public):
    path = write(f"{public}/thing.json", b"{}")
    os.chmod(path, 0)
    assert in_child(lambda: reason_of(path), user=NOBODY) == "permission denied"


def test_no_descriptor_stays_open(tmp_path):
    before = os.listdir("/proc/self/fd")
    read_record_bytes(write(f"{tmp_path}/a"))
    read_record_bytes(str(tmp_path))
    read_record_bytes(write_sparse(f"{tmp_path}/b", MAX_RECORD_BYTES + 1))
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("file", False),
        ("gone", True),
        ("gone/file", True),
        ("file/below", True),
        ("dangling", False),
        ("loop/below", False),
        ("nul\0", False),
        ("x" * 300, False),
    ],
)
def test_nothing_is_missing_unless_that_is_certain(tmp_path, path, missing):
    write(f"{tmp_path}/file")
    (tmp_path / "dangling").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    assert is_missing(f"{tmp_path}/{path}") is missing


def test_nothing_is_missing_in_a_folder_that_cannot_be_entered(public):
    os.mkdir(f"{public}/closed", 0)
    assert in_child(lambda: is_missing(f"{public}/closed/gone"), user=NOBODY) is False
