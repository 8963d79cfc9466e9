"""Filesystems on which a directory may be listed with the inode number of some file."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.scan.index.file import open_index

from ...support.oracles import du
from ...support.scanning import scan, write_index
from ...support.trees import environment_root, link, write, write_sparse

pytestmark = pytest.mark.usefixtures("each_way")


@pytest.fixture
def btrfs(tmp_path):
    """An empty btrfs in a file; skips the test if it cannot be created."""
    if shutil.which("mkfs.btrfs") is None:
        pytest.skip("mkfs.btrfs is not installed")
    image, point = write_sparse(f"{tmp_path}/image", 128 * 2**20), f"{tmp_path}/btrfs"
    os.mkdir(point)
    subprocess.run(["mkfs.btrfs", "--quiet", image], check=True)
    done = subprocess.run(
        ["mount", "-o", "loop", image, point], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    yield point
    subprocess.run(["umount", point], check=True)


def test_a_subvolume_listed_with_the_number_of_a_known_file_is_read(btrfs):
    prefix = f"{btrfs}/env"
    for number in range(60):
        path = write(f"{prefix}/0first/{number}", b"f" * 9_000)
        link(path, f"{path}-again")
    for number in range(12):  # listed as 256, 257, ..., like the inodes of a new btrfs
        subvolume = f"{prefix}/0first/subvolume-{number}"
        subprocess.run(["btrfs", "subvolume", "create", subvolume], check=True, capture_output=True)
        write(f"{subvolume}/large", b"l" * 500_000)
    subprocess.run(["sync"], check=True)
    usage = Usage(scan([environment_root(prefix)]))
    assert usage.unique_by_root == du(prefix)
    assert usage.surplus_inodes == 0


def test_an_index_contains_every_directory_around_subvolumes(btrfs, tmp_path):
    prefix = f"{btrfs}/env"
    for number in range(12):
        write(f"{prefix}/lib/plain-{number}/below/file", b"p")
        subvolume = f"{prefix}/lib/subvolume-{number}"
        subprocess.run(["btrfs", "subvolume", "create", subvolume], check=True, capture_output=True)
        write(f"{subvolume}/file", b"s")
    write_index(f"{tmp_path}/index", [environment_root(prefix)])
    with open_index(f"{tmp_path}/index") as index:
        noted = sum(page.directories for page in index.stored.pages)
    assert noted == sum(1 for _ in os.walk(prefix))
