"""Output files: what may be written where, and what a file is after a success or a failure."""

from __future__ import annotations

import os
import resource
import signal
import stat
import tempfile

import pytest

from conda_hardlink_plugin.cli.output_file import check_file, write_file
from conda_hardlink_plugin.exceptions import HardlinksError
from tests.support.forking import in_child
from tests.support.oracles import NOBODY

ODD = os.fsdecode(b"new\nline\x1b\xff")


def refusal(path):
    """Return why a path is not an output file, without the option and the path."""
    with pytest.raises(HardlinksError) as caught:
        check_file("--html", path)
    sentence = str(caught.value)
    assert sentence.startswith((f"--html {path}: ", path))
    return sentence.removeprefix(f"--html {path}: ")


@pytest.mark.parametrize("name", ["new", "old", ODD, "folder/new", "folder/../new"])
def test_a_regular_file_or_none_can_be_written(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "old").write_text("old")
    path = check_file("--output", f"{tmp_path}/{name}")
    assert path == os.path.realpath(f"{tmp_path}/{name}")
    write_file(path, b"\xff new")
    with open(path, "rb") as file:
        assert file.read() == b"\xff new"
    assert os.listdir(os.path.dirname(path)).count(os.path.basename(path)) == 1
    assert not [name for name in os.listdir(os.path.dirname(path)) if name.startswith(".")]


def test_a_relative_path_is_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_file("--output", "new") == f"{tmp_path}/new"


def test_the_target_of_a_symbolic_link_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/new")
    path = check_file("--output", str(tmp_path / "link"))
    assert path == f"{tmp_path}/there/new"
    write_file(path, b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pipe", "not a regular file. Name another one."),
        ("loop", "not a regular file. Name another one."),
        ("link-to-stdout", "not a regular file. Name another one."),
        ("", "a folder. Name a file in it."),
        ("folder", "a folder. Name a file in it."),
        ("gone/", "a folder. Name a file in it."),
        ("gone/file", "the folder {top}/gone does not exist. Create it first."),
        ("old/file", "the folder {top}/old does not exist. Create it first."),
        ("x" * 300, "{top}/{x} could not be written and is unchanged: file name too long."),
    ],
)
def test_anything_else_is_refused(tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "old").write_text("old")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link-to-stdout").symlink_to("/dev/stdout")
    os.mkfifo(tmp_path / "pipe")
    assert refusal(f"{tmp_path}/{name}") == reason.format(top=tmp_path, x=name)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_device_and_an_open_file_are_refused(path):
    assert refusal(path) == "not a regular file. Name another one."


def test_an_empty_path_is_refused():
    assert refusal("") == "a folder. Name a file in it."


@pytest.mark.parametrize("mode", [0o555, 0o666])
def test_a_folder_without_permission_is_refused_by_its_name(mode):
    with tempfile.TemporaryDirectory() as top:
        os.mkdir(f"{top}/closed", mode)
        os.chmod(f"{top}/closed", mode)
        os.chmod(top, 0o755)
        reason = in_child(lambda: refusal(f"{top}/closed/page.html"), user=NOBODY)
    if mode & 0o111:
        assert reason == f"you cannot write to {top}/closed. Name a file in another folder."
    else:
        assert reason.endswith("could not be written and is unchanged: permission denied.")


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_an_old_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "old"
    path.write_text("old")
    path.chmod(mode)
    write_file(str(path), b"new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_usual_permissions(tmp_path):
    mask = os.umask(0o027)
    try:
        write_file(f"{tmp_path}/new", b"new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(os.stat(f"{tmp_path}/new").st_mode) == 0o640


def test_a_reader_of_the_old_file_never_sees_a_part_of_the_new_one(tmp_path):
    path = tmp_path / "old"
    path.write_text("old")
    with open(path, encoding="ascii") as reader:
        write_file(str(path), b"new and longer")
        assert reader.read() == "old"
    assert path.read_text() == "new and longer"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "old"
    path.write_text("old")

    def write():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(HardlinksError) as caught:
            write_file(str(path), b"x" * 1001)
        return str(caught.value)

    assert in_child(write) == f"{path} could not be written and is unchanged: file too large."
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["old"]


def test_a_folder_that_was_removed_meanwhile_is_an_error(tmp_path):
    path = check_file("--output", f"{tmp_path}/new")
    os.rmdir(tmp_path)
    with pytest.raises(HardlinksError, match="is unchanged: no such file or directory"):
        write_file(path, b"new")
    os.mkdir(tmp_path)
