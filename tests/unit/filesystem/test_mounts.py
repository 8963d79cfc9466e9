"""The mount table, as the kernel writes it."""

from __future__ import annotations

import os
import subprocess

import pytest

from conda_hardlink_plugin.filesystem.mounts import Mount, MountTable, read_mount_table

from ...support.trees import write

LINES = (
    b"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    b"23 22 0:21 / /proc rw shared:5 master:1 propagate_from:2 - proc proc rw\n"
    b"24 22 0:30 / /opt/a\\040b rw,noatime shared:7 - tmpfs none rw\n"
    b"25 24 0:31 /sub /opt/a\\040b/new\\012line\\011tab\\134back\xff\rreturn rw - xfs /dev/b rw\n"
    b"26 22 0:32 / /opt/over rw - overlay overlay rw,lowerdir=/a:/b,upperdir=/u\\054v\\040w,x\n"
    b"27 26 0:33 / /opt/over rw - fuse.sshfs x:/ rw\n"
    b"no mount at all\n"
    b"28 22 0:34 / /opt/dash rw no-dash tmpfs none rw\n"
    b"\n"
)


@pytest.fixture
def table(tmp_path):
    return read_mount_table(write(f"{tmp_path}/mountinfo", LINES))


def test_mount_points_are_unescaped_and_kept_in_order(table):
    odd = os.fsdecode(b"/opt/a b/new\nline\ttab\\back\xff\rreturn")
    assert table == MountTable(
        (
            Mount("/", "ext4", "254:0", "/"),
            Mount("/proc", "proc", "0:21", "/"),
            Mount("/opt/a b", "tmpfs", "0:30", "/"),
            Mount(odd, "xfs", "0:31", "/sub"),
            Mount("/opt/over", "overlay", "0:32", "/", upper="/u,v w"),
            Mount("/opt/over", "fuse.sshfs", "0:33", "/"),
        ),
        known=True,
    )


@pytest.mark.parametrize(
    ("mounts", "path", "views"),
    [
        ([("/", "/"), ("/opt", "/conda")], "/conda/pkgs", [("/opt/pkgs", "")]),
        ([("/", "/"), ("/opt", "/conda/pkgs")], "/conda/pkgs", [("/opt", "")]),
        ([("/", "/"), ("/opt", "/conda/pkgs/p-1-0")], "/conda/pkgs", [("/opt", "/p-1-0")]),
        ([("/", "/"), ("/opt", "/conda")], "/opt/pkgs", [("/conda/pkgs", "")]),
        ([("/home", "/@home"), ("/mnt", "/")], "/home/pkgs", [("/mnt/@home/pkgs", "")]),
        ([("/", "/"), ("/opt", "/conda/pkgs2")], "/conda/pkgs", []),
        ([("/", "/")], "/conda/pkgs", []),
        ([], "/conda/pkgs", []),
    ],
)
def test_a_directory_appears_wherever_its_filesystem_is_mounted(mounts, path, views):
    table = MountTable(
        (
            *(Mount(point, "ext4", "8:1", shown) for point, shown in mounts),
            Mount("/other", "ext4", "8:2", "/"),
        ),
        known=True,
    )
    assert table.views(path) == views


@pytest.mark.parametrize(
    ("path", "filesystem"),
    [
        ("/", "ext4"),
        ("/opt/a", "ext4"),
        ("/opt/a b", "tmpfs"),
        ("/opt/a bc", "ext4"),
        ("/opt/a b/deep/down", "tmpfs"),
        ("/opt/over/x", "fuse.sshfs"),  # the later mount hides the earlier one
        ("relative", ""),
    ],
)
def test_a_path_is_on_the_filesystem_of_the_longest_mount_point(table, path, filesystem):
    assert table.filesystem(path) == filesystem


def test_mounts_below_a_path_exclude_the_path_itself_and_similar_names(table):
    odd = os.fsdecode(b"/opt/a b/new\nline\ttab\\back\xff\rreturn")
    assert table.below("/opt/a b") == [odd]
    assert table.below("/opt/a") == []
    assert table.below("/opt") == ["/opt/a b", odd, "/opt/over", "/opt/over"]
    assert "/proc" in table.below("/")
    assert "/" not in table.below("/")


def test_without_mountinfo_the_mounts_are_unknown(tmp_path):
    table = read_mount_table(f"{tmp_path}/no-proc")
    assert table == MountTable((), known=False)
    assert table.filesystem("/") == ""
    assert table.below("/") == []


@pytest.mark.skipif(not os.path.exists("/proc/self/mountinfo"), reason="no /proc here")
def test_the_mount_table_agrees_with_stat():
    table = read_mount_table()
    assert table.known
    assert table.filesystem("/proc/self") == "proc"
    output = subprocess.check_output(["stat", "-f", "-c", "%T", "/"], text=True)
    assert output.strip()[:3] in {table.filesystem("/")[:3], "UNK"}  # it writes ext2/ext3 for ext4


def test_a_file_of_an_overlay_has_a_path_in_the_upper_layer_if_that_can_be_seen(tmp_path):
    mounts = (
        Mount("/", "overlay", upper=f"{tmp_path}/root"),
        Mount("/part", "overlay", shown="/in/it", upper=f"{tmp_path}/root"),
        Mount("/hidden", "overlay", upper=f"{tmp_path}/missing"),
        Mount("/relative", "overlay", upper="."),
        Mount("/read-only", "overlay"),
        Mount("/other", "ext4"),
    )
    (tmp_path / "root").mkdir()
    table = MountTable(mounts, known=True)
    for path, found in (
        ("/a/b", f"{tmp_path}/root/a/b"),
        ("/part/b", f"{tmp_path}/root/in/it/b"),
        ("/hidden/b", ""),
        ("/relative/b", ""),
        ("/read-only/b", ""),
        ("/other/b", ""),
    ):
        assert table.path_in_upper_layer(path) == found
