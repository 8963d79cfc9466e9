"""Relations between paths."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.filesystem.paths import (
    has_identity_in,
    is_same_file,
    is_within,
    real_path,
)


@pytest.mark.parametrize(
    ("path", "directory", "within"),
    [
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/a/b", "/a/", True),
        ("/ab", "/a", False),
        ("/a", "/a/b", False),
        ("/a", "/", True),
        ("/", "/", True),
    ],
)
def test_a_path_is_within_itself_and_the_directories_above_it(path, directory, within):
    assert is_within(path, directory) is within


def test_a_path_with_a_nul_leads_nowhere(tmp_path):
    path, identity = f"{tmp_path}/nul\0", (os.stat(tmp_path).st_dev, os.stat(tmp_path).st_ino)
    assert is_same_file(path, path) is False
    assert has_identity_in(path, [identity]) is False
    assert real_path(path) is None


def test_two_paths_are_the_same_file_if_they_lead_to_it(tmp_path):
    for name in ("file", "other"):
        (tmp_path / name).touch()
    os.link(tmp_path / "file", tmp_path / "again")
    os.symlink("file", tmp_path / "symlink")
    os.symlink("symlink", tmp_path / "symlink to it")
    names = ("file", "again", "symlink", "symlink to it", "other", "missing")
    assert [is_same_file(f"{tmp_path}/file", f"{tmp_path}/{name}") for name in names] == [
        *[True] * 4,
        *[False] * 2,
    ]
