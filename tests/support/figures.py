"""Hand-made reports for tests of the formats."""

from __future__ import annotations

from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.report.model import (
    CacheFigures,
    DeviceFigures,
    EnvironmentFigures,
    Report,
    Totals,
)
from conda_hardlink_plugin.scan.inventory import Reading, ReadingMode

KIB = 1024
MIB = 1024 * KIB


def environment(name: str = "env", size: int = 0, exclusive: int = 0, **more) -> EnvironmentFigures:
    """Return the figures of an environment; most tests need only a name and sizes."""
    figures = {
        "name": name,
        "prefix": f"/conda/envs/{name}",
        "size_bytes": size,
        "shared_bytes": size - exclusive,
        "exclusive_bytes": exclusive,
        "with_clean_bytes": exclusive,
        "softlinked": False,
        "softlinked_bytes": 0,
        "softlinks": 0,
        "broken_softlinks": 0,
        "inodes": 0,
        "links": 0,
        "outside_linked_inodes": 0,
        "incomplete": False,
        "on_other_filesystem": False,
    }
    return EnvironmentFigures(**(figures | more))


def report(*environments: EnvironmentFigures, **more) -> Report:
    """Return a report without notes and caches, with the given parts."""
    parts = {
        "measure": Measure.DISK,
        "environments": environments,
        "caches": (),
        "totals": Totals(0, 0, 0, 0, 0, 0, 0, 0),
        "devices": (),
        "unreachable": (),
        "unreadable": (),
        "stale": (),
        "aliases": {},
        "incomplete": False,
        "warnings": (),
        "reading": Reading(ReadingMode.FULL),
    }
    return Report(**(parts | more))


def small_report(**more) -> Report:
    """Return a report with two environments, a cache and a note of each kind."""
    parts = {
        "caches": (
            CacheFigures(
                path="/conda/pkgs",
                size_bytes=3 * MIB,
                used_bytes=MIB,
                kept_bytes=0,
                unused_bytes=MIB // 2,
                tarball_bytes=MIB,
                quarantine_bytes=0,
                other_bytes=MIB // 2,
                packages=2,
                kept_packages=0,
                unused_packages=1,
                inodes=30,
                links=31,
                incomplete=False,
            ),
        ),
        "totals": Totals(
            on_disk_bytes=4 * MIB,
            as_copies_bytes=6 * MIB,
            saved_bytes=2 * MIB,
            inodes=40,
            saved_inodes=20,
            links=62,
            outside_links=1,
            outside_linked_inodes=1,
        ),
        "devices": (DeviceFigures(7, "ext4", 4 * MIB, ("/conda/pkgs", "/conda/envs/work")),),
        "unreachable": (PathProblem("/disk/env", "its folder cannot be reached"),),
        "stale": ("/gone",),
        "aliases": {"/cache": "/conda/pkgs"},
        "warnings": ("1 file is also linked from outside the scanned trees.",),
    }
    return report(
        environment("soft", 1536, 1536, softlinked=True, softlinked_bytes=512, inodes=3, links=3),
        environment(
            "work", 2 * MIB, 512 * KIB, with_clean_bytes=1536 * KIB, inodes=1200, links=1234
        ),
        **(parts | more),
    )
