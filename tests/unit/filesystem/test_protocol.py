"""The properties of a file's status, on every platform."""

from __future__ import annotations

import stat

import pytest

from conda_hardlink_plugin.filesystem.protocol import FileStatus

STATUS = FileStatus(
    device=7,
    inode=11,
    mode=stat.S_IFREG | 0o644,
    link_count=2,
    disk_bytes=4096,
    size_bytes=100,
    mtime_ns=1_000,
    ctime_ns=2_000,
    owner=1000,
)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (stat.S_IFDIR, (True, False, False)),
        (stat.S_IFREG, (False, True, False)),
        (stat.S_IFLNK, (False, False, True)),
        (stat.S_IFIFO, (False, False, False)),
        (stat.S_IFSOCK, (False, False, False)),
        (stat.S_IFCHR, (False, False, False)),
        (stat.S_IFBLK, (False, False, False)),
    ],
)
def test_a_file_is_a_directory_a_regular_file_a_symbolic_link_or_none_of_them(kind, found):
    for permissions in (0, 0o777, 0o7777):
        status = STATUS._replace(mode=kind | permissions)
        assert (status.is_directory, status.is_regular, status.is_symlink) == found


@pytest.mark.parametrize(
    ("permissions", "writable"),
    [(0o755, False), (0o700, False), (0o200, False), (0o720, True), (0o702, True), (0o022, True)],
    ids=oct,
)
def test_others_can_write_if_the_group_or_everyone_has_the_permission(permissions, writable):
    status = STATUS._replace(mode=stat.S_IFDIR | permissions)
    assert status.is_writable_by_others is writable


def test_the_same_inode_on_another_device_is_another_file():
    assert STATUS.identity == STATUS._replace(size_bytes=5, link_count=1).identity
    assert STATUS.identity != STATUS._replace(device=8).identity
    assert STATUS.identity != STATUS._replace(inode=12).identity


def test_entry_facts_are_the_figures_of_a_file_without_its_times():
    assert STATUS.entry_facts == (11, 2, 100, 4096)


def test_directory_facts_notice_a_change_that_leaves_one_of_the_times():
    assert STATUS.directory_facts == (7, 11, 1_000, 2_000, 100, 4096)
    for change in ({"mtime_ns": 1_001}, {"ctime_ns": 2_001}, {"size_bytes": 101}, {"inode": 12}):
        assert STATUS._replace(**change).directory_facts != STATUS.directory_facts
