"""`environments.txt` and `urls.txt`: their lines, and files that are missing or unreadable."""

from __future__ import annotations

import os
import tempfile

import pytest

from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.text_lists import read_environments_txt, read_urls_txt
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.trees import write


@pytest.fixture
def public():
    """A folder that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield directory


def test_environments_txt_lists_prefixes_between_comments_and_blank_lines(tmp_path):
    path = write(
        f"{tmp_path}/environments.txt",
        b"# comment\n/opt/one\r\n\n   \n  /opt/t wo  \n#/opt/no\n/opt/\xff\r\n/opt/last",
    )
    assert read_environments_txt(path) == [
        "/opt/one",
        "  /opt/t wo  ",
        os.fsdecode(b"/opt/\xff"),
        "/opt/last",
    ]


def test_urls_txt_lists_urls_after_other_text_too(tmp_path):
    path = write(
        f"{tmp_path}/urls.txt",
        b"https://made.up/a-1-0.conda\n\n  \n0123abc  https://made.up/b-1-0.conda \r\n\xff\n",
    )
    assert read_urls_txt(path) == [
        "https://made.up/a-1-0.conda",
        "https://made.up/b-1-0.conda",
        os.fsdecode(b"\xff"),
    ]


lists = pytest.mark.parametrize("read", [read_environments_txt, read_urls_txt])


@lists
@pytest.mark.parametrize("path", ["list.txt", "folder/list.txt", "file/list.txt"])
def test_a_missing_list_is_empty(tmp_path, read, path):
    write(f"{tmp_path}/file")
    assert read(f"{tmp_path}/{path}") == []


@lists
def test_a_list_that_is_not_a_file_is_a_problem(tmp_path, read):
    os.mkfifo(tmp_path / "list.txt")
    problem = PathProblem(f"{tmp_path}/list.txt", "not a regular file")
    assert read(f"{tmp_path}/list.txt") == problem


@lists
def test_a_list_that_is_a_dangling_link_is_a_problem(tmp_path, read):
    (tmp_path / "list.txt").symlink_to("nowhere")
    problem = PathProblem(f"{tmp_path}/list.txt", "no such file or directory")
    assert read(f"{tmp_path}/list.txt") == problem


@lists
@pytest.mark.parametrize("closed", [".conda", ".conda/list.txt"])
def test_an_unreadable_list_does_not_count_as_empty(public, read, closed):
    """For example, that of a user whose home on a network filesystem is closed to root."""
    path = write(f"{public}/.conda/list.txt", b"/opt/env\n")
    os.chmod(f"{public}/{closed}", 0)
    answer = in_child(lambda: read(path), user=NOBODY)
    os.chmod(f"{public}/{closed}", 0o755)
    assert answer == PathProblem(path, "permission denied")
