"""Scans in every way that the package supports, so that a test can require the same of each."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from dataclasses import replace
from enum import Enum
from functools import partial

import pytest
from hypothesis import note

from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.filesystem.native import native_module
from conda_hardlink_plugin.scan import scanner as module
from conda_hardlink_plugin.scan.combine import combine
from conda_hardlink_plugin.scan.index import lookup, page
from conda_hardlink_plugin.scan.inode_table import PythonInodeTable
from conda_hardlink_plugin.scan.listing import UntrustedDeviceError
from conda_hardlink_plugin.scan.native_table import NativeInodeTable
from conda_hardlink_plugin.scan.reader import Reader
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.threads import read_with_threads
from conda_hardlink_plugin.scan.walker import Walker

NEVER_NS = 10**19


class Way(Enum):
    """A way to scan.

    Attributes:
        PYTHON: Read in Python.
        NATIVE: Read with the native module.
        THREADS: Read in Python with threads.
        EXACT: From a new index, with each directory and inode checked, in Python.
        QUICK: From a new index, with each directory checked, in Python.
        RECALLED: From a new index, unit by unit, as if something else had changed, in Python.
        NATIVE_EXACT: Like `EXACT`, with the native module.
        NATIVE_QUICK: Like `QUICK`, with the native module.
        NATIVE_RECALLED: Like `RECALLED`, with the native module.

    """

    PYTHON = "python"
    NATIVE = "native"
    THREADS = "threads"
    EXACT = "exact"
    QUICK = "quick"
    RECALLED = "recalled"
    NATIVE_EXACT = "native exact"
    NATIVE_QUICK = "native quick"
    NATIVE_RECALLED = "native recalled"


READING = (Way.PYTHON, Way.NATIVE, Way.THREADS)
_RECALLING = (Way.RECALLED, Way.NATIVE_RECALLED)
_QUICK = (Way.QUICK, Way.NATIVE_QUICK)
_way = [Way.PYTHON]


@contextlib.contextmanager
def reader(name):
    """Read with `native` or `python`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HARDLINKS_READER", name)
        yield


def native():
    """Return the native module."""
    with reader("native"):
        return native_module()


TABLES = {"python": PythonInodeTable, "native": lambda: NativeInodeTable(native().Table())}
"""The kinds of inode tables."""


def look_up(folder, *, quick):
    """Look up an index, as a report does."""
    return lookup.look_up(folder, quick=quick, totals_of=index_totals)


def use(way):
    """Select the way in which `scan` works from now on."""
    _way[0] = way


def scan(roots, *, detailed=(), mounts=None, on_progress=None):
    """Scan in the way that the fixture `each_way` selects; without it, in Python."""
    way, arguments = _way[0], {"detailed": detailed, "mounts": mounts, "on_progress": on_progress}
    if way is Way.THREADS:
        return _scan_with_threads(roots, **arguments)
    with reader("native" if way.name.startswith("NATIVE") else "python"):
        if way in READING:
            return module.scan(roots, **arguments)
        with tempfile.TemporaryDirectory(prefix="index-") as folder:
            write_index(folder, roots, mounts=mounts)
            with look_up(folder, quick=way in _QUICK) as found:
                taken = Partly(found) if way in _RECALLING else found
                return module.scan(roots, lookup=taken, **arguments)


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
        return module.scan(roots, lookup=lookup, **options)


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
def reading(roots, *, detailed=(), mounts=None, **options):
    """Read roots with the chosen reader of this process; yield the reader, and its roots."""
    scan_roots = survey_roots(roots, detailed, mounts or read_mount_table())
    chosen = native_module()
    made = Walker if chosen is None else partial(Reader, chosen)
    reader = made(scan_roots, (), **options)
    try:
        reader.read_roots()
        yield reader, scan_roots
    finally:
        reader.close()


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
                    read_with_threads(walker, walker.table, walker.latency, sys.maxsize)
        except UntrustedDeviceError as error:
            untrusted.add(error.device)
            continue
        finally:
            walker.close()
        opened = sorted(walker.collector.found.identities)
        return combine(walker.collector, scan_roots, module.records_of(scan_roots, opened))
