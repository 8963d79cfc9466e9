"""Scans by one process and by several: what a test says of the one must hold of the other."""

from __future__ import annotations

from conda_hardlink_plugin import scan as module

_number = [1]


def scan(roots, **options):
    """Scan with as many processes as the fixture `processes` says, else with one."""
    return module.scan(roots, **{"processes": _number[0], **options})


def use(processes):
    """Have `scan` use so many processes from now on."""
    _number[0] = processes
