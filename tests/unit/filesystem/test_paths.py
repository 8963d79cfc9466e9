"""Relations between paths."""

from __future__ import annotations

import pytest

from conda_hardlink_plugin.filesystem.paths import is_within


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
