"""The status of the index: usable, damaged, of another user, or missing."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.scan.index.file import clear_index, index_path
from conda_hardlink_plugin.scan.index.status import IndexStatus, status_of
from tests.support.oracles import NOBODY
from tests.support.scanning import write_index
from tests.support.trees import make_installation, write


@pytest.fixture
def folder(tmp_path):
    return f"{tmp_path}/index"


@pytest.fixture
def links(tmp_path, folder):
    """The number of directory entries in an installation with an index."""
    return sum(write_index(folder, make_installation(str(tmp_path)).roots).links)


def test_the_status_describes_the_index(links, folder):
    path = index_path(folder)
    os.utime(path, (1_000.5, 1_000.5))
    size_bytes = os.stat(path).st_blocks * 512
    assert status_of(folder) == IndexStatus(
        path, size_bytes, usable=True, taken_s=1_000, caches=1, environments=2, links=links
    )


def test_of_a_damaged_index_only_the_size_is_known(links, folder):
    path = write(index_path(folder), b"damaged")
    assert status_of(folder) == IndexStatus(path, os.stat(path).st_blocks * 512)


def test_an_index_after_clearing_or_before_the_first_report_is_missing(links, folder):
    clear_index(folder)
    assert os.listdir(folder) == []
    assert status_of(folder) == IndexStatus(index_path(folder))
    clear_index(folder)
    os.rmdir(folder)
    assert status_of(folder) == IndexStatus(index_path(folder))


def test_a_pipe_instead_of_the_index_is_not_usable(folder):
    os.mkdir(folder)
    os.mkfifo(index_path(folder))
    assert status_of(folder) == IndexStatus(index_path(folder), 0)


def test_a_symlink_instead_of_the_index_is_not_followed(links, folder):
    path = index_path(folder)
    os.rename(path, f"{folder}/elsewhere")
    os.symlink("elsewhere", path)
    assert status_of(folder) == IndexStatus(path, os.lstat(path).st_blocks * 512)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_index_of_another_user_is_not_usable(links, folder):
    os.chown(index_path(folder), NOBODY, NOBODY)
    status = status_of(folder)
    assert (status.usable, status.links) == (False, None)
    assert status.size_bytes > 0
