"""The `RECORD` files of pip: the paths in them, and files that are malformed or unreadable."""

from __future__ import annotations

import csv
import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.pip_record import read_pip_files
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.trees import write


@pytest.fixture
def public():
    """A folder that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield directory


SITE = "lib/python3.11/site-packages"


def write_pip_record(prefix, rows, dist="thing-1.0", site=SITE):
    path = write(f"{prefix}/{site}/{dist}.dist-info/RECORD")
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_record_of_pip_gives_paths_in_the_prefix(tmp_path):
    write_pip_record(
        tmp_path,
        [
            ["thing/__init__.py", "sha256=abc", "10"],
            ["thing/a, b.txt", "", ""],
            ['thing/"quoted".txt', "", ""],
            ["thing/new\nline", "", ""],
            ["thing/line\u2028separator", "", ""],
            [os.fsdecode(b"thing/\xff"), "", ""],
            ["../../../bin/thing", "", ""],
            ["/outside/the/prefix", "", ""],
        ],
    )
    write(f"{tmp_path}/{SITE}/other-2.dist-info/RECORD", b"\nother.py,,\n\n")
    write(f"{tmp_path}/{SITE}/no_record-3.dist-info/METADATA")
    write(f"{tmp_path}/{SITE}/thing/RECORD", b"not of pip,,\n")
    files = {
        f"{SITE}/thing/__init__.py",
        f"{SITE}/thing/a, b.txt",
        f'{SITE}/thing/"quoted".txt',
        f"{SITE}/thing/new\nline",
        f"{SITE}/thing/line\u2028separator",
        os.fsdecode(f"{SITE}/thing/".encode() + b"\xff"),
        "bin/thing",
        f"{SITE}/other.py",
    }
    assert read_pip_files(str(tmp_path)) == (files, [])


def test_every_python_in_a_prefix_is_read_once(tmp_path):
    write_pip_record(tmp_path, [["a.py", "", ""]])
    write_pip_record(tmp_path, [["b.py", "", ""]], site="lib/python3.12/site-packages")
    write_pip_record(tmp_path, [["c.py", "", ""]], site="Lib/site-packages")
    (tmp_path / "lib/python3").symlink_to("python3.11")
    files, problems = read_pip_files(str(tmp_path))
    assert problems == []
    assert files == {
        f"{SITE}/a.py",
        "lib/python3.12/site-packages/b.py",
        "Lib/site-packages/c.py",
    }


def test_a_prefix_without_python_has_no_files_of_pip(tmp_path):
    assert read_pip_files(str(tmp_path)) == (set(), [])
    assert read_pip_files(f"{tmp_path}/missing") == (set(), [])


def test_a_corrupt_record_of_pip_is_a_problem_and_the_others_are_read(tmp_path):
    write_pip_record(tmp_path, [["good.py", "", ""]])
    bad = write(f"{tmp_path}/{SITE}/bad-1.dist-info/RECORD", b'"' + b"x" * 200_000)
    os.mkfifo(f"{tmp_path}/{SITE}/pipe")
    os.mkdir(f"{tmp_path}/{SITE}/pipe-1.dist-info")
    os.rename(f"{tmp_path}/{SITE}/pipe", f"{tmp_path}/{SITE}/pipe-1.dist-info/RECORD")
    files, problems = read_pip_files(str(tmp_path))
    assert files == {f"{SITE}/good.py"}
    assert sorted(problems, key=lambda problem: problem.path) == [
        PathProblem(bad, "field larger than field limit (131072)"),
        PathProblem(f"{tmp_path}/{SITE}/pipe-1.dist-info/RECORD", "not a regular file"),
    ]


def test_an_unreadable_site_packages_is_a_problem(public):
    write_pip_record(public, [["a.py", "", ""]])
    os.chmod(f"{public}/{SITE}", 0)
    assert in_child(lambda: read_pip_files(public), user=NOBODY) == (
        set(),
        [PathProblem(f"{public}/{SITE}", "permission denied")],
    )


@given(st.binary())
def test_any_bytes_in_a_record_of_pip_are_read_or_a_problem(content):
    with tempfile.TemporaryDirectory() as prefix:
        write(f"{prefix}/{SITE}/thing-1.dist-info/RECORD", content)
        files, problems = read_pip_files(prefix)
    assert all(isinstance(path, str) for path in files)
    assert all(isinstance(problem, PathProblem) for problem in problems)
