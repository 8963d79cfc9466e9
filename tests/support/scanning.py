"""Scans in every way that the package supports, so that a test can require the same of each."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from dataclasses import replace
from enum import Enum

import pytest
from hypothesis import note

from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.scan import scanner as module
from conda_hardlink_plugin.scan.combine import combine
from conda_hardlink_plugin.scan.crew import Worker
from conda_hardlink_plugin.scan.crew_member import serve
from conda_hardlink_plugin.scan.index import lookup, page
from conda_hardlink_plugin.scan.listing import UntrustedDeviceError
from conda_hardlink_plugin.scan.pace import read_with_threads
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.walker import Walker
from tests.support.forking import forked

NEVER_NS = 10**19


class Way(Enum):
    """A way to scan.

    Attributes:
        ALONE: Read with one process.
        TOGETHER: Read with two processes; they are forked, because starting them is slow.
        THREADS: Read with threads.
        EXACT: From a new index, with each directory and inode checked.
        QUICK: From a new index, with each directory checked.
        RECALLED: From a new index, unit by unit, as if something else had changed.

    """

    ALONE = "alone"
    TOGETHER = "together"
    THREADS = "threads"
    EXACT = "exact"
    QUICK = "quick"
    RECALLED = "recalled"


READING = (Way.ALONE, Way.TOGETHER, Way.THREADS)
_way = [Way.ALONE]


def look_up(folder, *, quick, crew=()):
    """Look up an index, as a report does."""
    return lookup.look_up(folder, quick=quick, totals_of=index_totals, crew=crew)


def use(way):
    """Select the way in which `scan` works from now on."""
    _way[0] = way


def scan(roots, *, detailed=(), mounts=None, on_progress=None):
    """Scan in the way that the fixture `each_way` selects; without it, with one process."""
    arguments = {"detailed": detailed, "mounts": mounts, "on_progress": on_progress}
    if _way[0] is Way.THREADS:
        return _scan_with_threads(roots, **arguments)
    if _way[0] is Way.TOGETHER:
        with contextlib.ExitStack() as stack:
            crew = [stack.enter_context(_forked_worker()) for _ in range(2)]
            return module.scan(roots, crew=crew, processes=2, **arguments)
    if _way[0] is Way.ALONE:
        return module.scan(roots, processes=1, **arguments)
    with tempfile.TemporaryDirectory(prefix="index-") as folder:
        write_index(folder, roots, mounts=mounts)
        with look_up(folder, quick=_way[0] is Way.QUICK) as lookup:
            taken = Partly(lookup) if _way[0] is Way.RECALLED else lookup
            return module.scan(roots, processes=1, lookup=taken, **arguments)


def scan_in(way, roots, **options):
    """Scan in one way, whatever the fixtures say."""
    before = _way[0]
    use(way)
    try:
        return scan(roots, **options)
    finally:
        use(before)


def scan_in_each_way(roots, **options):
    """Scan random trees in one way after the other; hypothesis names the last where one fails."""
    for way in Way:
        note(f"found out: {way.value}")
        yield scan_in(way, roots, **options)


def write_index(folder, roots, **options):
    """Scan, and write an index in which recent changes count as settled."""
    with trusting(), look_up(folder, quick=False) as lookup:
        return module.scan(roots, processes=1, lookup=lookup, **options)


@contextlib.contextmanager
def trusting():
    """Treat recent changes as settled in this process; use `next_tick` before the next change."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(page, "RACY_NS", -NEVER_NS)
        yield


def next_tick(folder):
    """Wait until the clock of the filesystem of a directory has advanced."""
    with tempfile.TemporaryFile(dir=folder) as file:
        first = os.fstat(file.fileno()).st_ctime_ns
        while os.fstat(file.fileno()).st_ctime_ns == first:
            os.utime(file.fileno())


def analysis(inventory):
    """Return the whole content of an inventory, for a comparison with another one."""
    return {
        "roots": inventory.roots,
        "identities": [inventory.identity(root) for root in range(len(inventory.roots))],
        "links": inventory.links,
        "units": inventory.units,
        "private": {
            (unit, inventory.devices[device]): sums
            for (unit, device), sums in inventory.private.items()
            if sums.inodes
        },
        "groups": inventory.groups,
        "devices": inventory.devices,
        "records": inventory.records,
        "symlinks": set(inventory.symlinks),
        "holding": inventory.units_with_roots_inside,
        "problems": inventory.problems,
        "aliases": inventory.aliases,
    }


class Partly:
    """A lookup that reports one change although nothing has changed."""

    def __init__(self, lookup):
        self.lookup = lookup
        self.folder = lookup.folder
        self.began_ns = lookup.began_ns
        self.totals_of = lookup.totals_of

    def unchanged(self, scan_roots, on_progress):
        unchanged = self.lookup.unchanged(scan_roots, on_progress)
        return unchanged and replace(unchanged, is_all=False, is_most=True)


@contextlib.contextmanager
def _forked_worker():
    """Fork a worker process."""
    with contextlib.ExitStack() as stack:
        requests, to_tell = map(stack.enter_context, _pipe())
        to_hear, answers = map(stack.enter_context, _pipe())

        def work():
            to_tell.close()
            with contextlib.suppress(EOFError, BrokenPipeError):
                serve(requests, answers)

        stack.enter_context(forked(work))
        requests.close()
        answers.close()
        yield Worker(to_tell, to_hear)


def _pipe():
    readable, writable = os.pipe()
    return open(readable, "rb"), open(writable, "wb")


def _scan_with_threads(roots, detailed, mounts, on_progress):
    """Scan as on a filesystem where every call waits, from the first directory on."""
    scan_roots = survey_roots(roots, detailed, mounts or read_mount_table())
    untrusted = set()
    while True:
        walker = Walker(scan_roots, untrusted, on_progress)
        try:
            for index in range(len(scan_roots.roots)):
                walker.open_root(index)
                while walker.stack:
                    read_with_threads(walker, sys.maxsize)
        except UntrustedDeviceError as error:
            untrusted.add(error.device)
            continue
        finally:
            walker.close()
        parts = [walker.collector.findings()]
        opened = {root for part in parts for root in part.identities}
        return combine(parts, scan_roots, module.records_of(scan_roots, sorted(opened)))
