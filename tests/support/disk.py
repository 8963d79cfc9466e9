"""The content of the disk, determined without the package."""

from __future__ import annotations

import glob
import hashlib
import os
import stat

from tests.support.oracles import du


def size_of(path, *, apparent=False):
    """Return the bytes of one file or directory itself."""
    status = os.lstat(path)
    return status.st_size if apparent else status.st_blocks * 512


def whole(installation, *, apparent=False):
    """Return what `du` prints for the whole installation, without two directories themselves.

    A filesystem may shrink the directories of environments and packages when an entry is removed,
    and that space does not belong to the entry.
    """
    listing = (installation.envs_dir, installation.pkgs_dir)
    total = du(installation.root_prefix, apparent=apparent)[0]
    return total - sum(size_of(path, apparent=apparent) for path in listing)


def snapshot(*trees):
    """Return everything that a reader must not change: `lstat` without atime, and all contents."""
    found = {}
    for tree in trees:
        for directory, directories, files in os.walk(os.fsencode(tree)):
            for name in (b"", *directories, *files):
                path = os.path.join(directory, name)
                found[path] = _state(path)
    return found


def index_folder_of(installation):
    """Return the directory in which a report stores its index."""
    return os.path.join(installation.environ["HOME"], ".cache", "conda", "hardlinks")


def indexes_of(installation):
    """Return the names of the index files, finished or not."""
    found = glob.glob("report.index*", root_dir=index_folder_of(installation))
    return sorted(found)


def snapshot_but_index(installation):
    """Return everything in an installation that a report must not change: all but its index."""
    folder = os.fsencode(index_folder_of(installation))
    os.makedirs(folder, exist_ok=True)
    found = snapshot(installation.directory)
    return {path: state for path, state in found.items() if not path.startswith(folder)}


def _state(path):
    status = os.lstat(path)
    fields = (
        *(status.st_mode, status.st_ino, status.st_dev, status.st_nlink, status.st_uid),
        *(status.st_gid, status.st_size, status.st_blocks, status.st_mtime_ns, status.st_ctime_ns),
    )
    if stat.S_ISLNK(status.st_mode):
        return (*fields, os.readlink(path))
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            return (*fields, hashlib.sha256(file.read()).digest())
    return fields
