"""Scans in each way there is: what a test says of one must hold of the others."""

from __future__ import annotations

import sys
from enum import Enum

from conda_hardlink_plugin import scan as module
from conda_hardlink_plugin.ground import survey_ground
from conda_hardlink_plugin.listing import UntrustedDeviceError
from conda_hardlink_plugin.merge import merge
from conda_hardlink_plugin.mounts import read_mount_table
from conda_hardlink_plugin.pace import read_with_threads
from conda_hardlink_plugin.walk import Walk


class Way(Enum):
    """How the directories are read."""

    ALONE = "alone"
    TOGETHER = "together"
    THREADS = "threads"


_way = [Way.ALONE]


def use(way):
    """Have `scan` read in this way from now on."""
    _way[0] = way


def scan(roots, *, detailed=(), mounts=None, on_progress=None):
    """Scan in the way that the fixture `each_way` says, in one process where it is not used."""
    if _way[0] is Way.THREADS:
        return _scan_with_threads(roots, detailed, mounts, on_progress)
    return module.scan(
        roots,
        detailed=detailed,
        mounts=mounts,
        on_progress=on_progress,
        processes=3 if _way[0] is Way.TOGETHER else 1,
    )


def _scan_with_threads(roots, detailed, mounts, on_progress):
    """Scan as on a filesystem where each call waits, from the first directory on."""
    ground = survey_ground(roots, detailed, mounts or read_mount_table())
    untrusted = set()
    while True:
        walk = Walk(ground, untrusted, on_progress)
        try:
            for index in range(len(ground.roots)):
                walk.open_root(index)
                while walk.stack:
                    read_with_threads(walk, sys.maxsize)
        except UntrustedDeviceError as error:
            untrusted.add(error.device)
            continue
        finally:
            walk.close()
        parts = [walk.tally.findings()]
        return merge(parts, ground, module.list_records(ground, parts))
