"""Roots to inventory: every directory below the roots is read once, or is as an index says."""

from __future__ import annotations

import gc
import logging
import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.problems import PathProblem
from ..metadata.conda_meta import list_records
from .crew import WorkerError, start_crew, useful_processes
from .inventory import Reading, ReadingMode, RootKind
from .listing import UntrustedDeviceError
from .scan_roots import survey_roots

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from ..filesystem.mounts import MountTable
    from .collector import Findings
    from .crew import Worker
    from .index.file import NewIndex
    from .index.lookup import Lookup, Unchanged
    from .index.recall import Remembered
    from .inventory import Inventory, Root
    from .scan_roots import ScanRoots

_LOG = logging.getLogger("conda.hardlinks")


def scan(
    roots: Iterable[Root],
    *,
    detailed: Collection[str] = (),
    mounts: MountTable | None = None,
    on_progress: Callable[[int], None] | None = None,
    crew: Sequence[Worker] = (),
    processes: int | None = None,
    lookup: Lookup | None = None,
) -> Inventory:
    """Look at every directory below the roots and return what is there.

    Nothing but the index is written, and nothing is followed out of a root. A root that lies inside
    another one is counted for itself alone; one that is the same directory as an earlier one is an
    alias.

    Args:
        roots: Package caches and prefixes. Caches are read first, whatever their place.
        detailed: Paths of roots whose own files are to be kept one by one (`own_files`).
        mounts: The mounts of this process; read from the system when not given.
        on_progress: Called now and then with the number of entries read so far.
        crew: Processes to read with, started for this scan.
        processes: How many to start when none are given; when not given, as many as are useful.
        lookup: The index: what is as it says is not read again, and the next one is written. When
            not given, everything is read.

    Returns:
        The inventory. What could not be read is in its `problems`.

    """
    scan_roots = survey_roots(roots, detailed, fs.read_mounts() if mounts is None else mounts)
    if scan_roots.may_meet_twice:  # who came first must be known in one place
        crew, processes = (), 1
    elif processes is None:
        processes = useful_processes(map(_folder_of_packages, scan_roots.roots))
    collecting = gc.isenabled()
    gc.disable()
    try:
        with ExitStack() as stack:
            scanning = _Scanning(scan_roots, crew, processes, on_progress, stack)
            if lookup is None:
                return scanning.read_all()
            return scanning.read_with_index(lookup)
    finally:
        if collecting:
            gc.enable()


class _Scanning:
    """One scan of some roots.

    Attributes:
        crew: The processes to read with; those that have ended are not among them.
        untrusted: Devices whose listings name other inode numbers than they hold.

    """

    def __init__(
        self,
        scan_roots: ScanRoots,
        crew: Sequence[Worker],
        processes: int,
        on_progress: Callable[[int], None] | None,
        stack: ExitStack,
    ) -> None:
        self.scan_roots = scan_roots
        self.processes = processes
        self.on_progress = on_progress
        self.stack = stack
        self.untrusted: set[int] = set()
        self.crew = crew

    def start_crew(self) -> None:
        """Start processes; where that cannot be done there are none."""
        try:
            self.crew = self.stack.enter_context(start_crew(self.processes))
        except WorkerError as error:
            _LOG.warning("one process reads alone: %s", error)

    def read_with_index(self, lookup: Lookup) -> Inventory:
        """Read what is not as the index says, and write the next index."""
        from .index.file import new_index

        unchanged = None
        try:
            unchanged = lookup.unchanged(self.scan_roots, self.on_progress)
        except WorkerError as error:
            _LOG.warning("the index is not used: of several processes, one failed: %s", error)
            self.crew = ()
        if not self.scan_roots.can_be_indexed or self.scan_roots.holds(lookup.folder):
            return self.read_all()
        if unchanged is not None and unchanged.is_all:
            return self.inventory_as_stored(unchanged, lookup.began_ns)
        with new_index(lookup.folder, lookup.began_ns, lookup.totals_of) as new:
            if unchanged is not None and unchanged.is_most:
                with suppress(UntrustedDeviceError):
                    return self.read_rest(unchanged, new)
            return self.read_all(new)

    def inventory_as_stored(self, unchanged: Unchanged, began_ns: int) -> Inventory:
        """Return what is in the index, all of it."""
        stored = unchanged.index.stored.inventory
        if unchanged.quick:
            reading = Reading(ReadingMode.QUICK, unchanged.index.taken_s)
        else:
            unchanged.index.confirm(began_ns)
            reading = Reading(ReadingMode.EXACT)
        opened = (root for root, device in enumerate(stored.root_devices) if device >= 0)
        records = records_of(self.scan_roots, opened)
        return replace(stored, records=records, aliases=self.scan_roots.aliases, reading=reading)

    def read_rest(self, unchanged: Unchanged, new: NewIndex | None) -> Inventory:
        """Read what has changed, by this process."""
        from .index.recall import Remembered

        remembered = Remembered(unchanged)
        parts = [self.read_alone(new, remembered)]
        return self.finish(parts, new, remembered)

    def read_all(self, new: NewIndex | None = None) -> Inventory:
        """Read everything."""
        while True:
            if not self.crew:
                self.start_crew()
            try:
                return self.finish(self.read_together(new) or [self.read_alone(new)], new)
            except UntrustedDeviceError as error:  # once a device
                self.untrusted.add(error.device)
                self.crew, new = (), None  # the crew has ended

    def finish(
        self, parts: list[Findings], new: NewIndex | None, remembered: Remembered | None = None
    ) -> Inventory:
        """Put together what was read, and write it to the index."""
        from .combine import combine

        opened = {root for part in parts for root in part.identities}
        mode = ReadingMode.FULL if remembered is None else ReadingMode.EXACT
        records = records_of(self.scan_roots, sorted(opened))
        inventory = replace(combine(parts, self.scan_roots, records), reading=Reading(mode))
        if new is not None:
            from .index.store import store

            for part in parts:  # in the inventory by now; storing needs as much memory again
                part.listed.clear()
                part.symbolic.clear()
            store(new, inventory, self.scan_roots, parts, remembered)
        return inventory

    def read_together(self, new: NewIndex | None) -> list[Findings]:
        """Read all roots with the other processes; return nothing if that does not work."""
        if not self.crew:
            return []
        from .pool import read_together

        record_to = None if new is None else new.recording
        try:
            return read_together(
                self.crew, self.scan_roots, self.untrusted, self.on_progress, record_to
            )
        except WorkerError as error:
            _LOG.warning("a scan is repeated in one process: of several, one failed: %s", error)
            self.crew = ()
            return []

    def read_alone(self, new: NewIndex | None, remembered: Remembered | None = None) -> Findings:
        """Read all roots in this process."""
        from .index.recorder import Recorder
        from .walker import Walker

        recorder = None if new is None else Recorder(*new.recording)
        walker = Walker(
            self.scan_roots,
            self.untrusted,
            self.on_progress,
            recorder=recorder,
            remembered=remembered,
        )
        try:
            for index in range(len(self.scan_roots.roots)):
                walker.open_root(index)
                walker.read(sys.maxsize)
            return walker.findings()
        finally:
            walker.close()


def records_of(scan_roots: ScanRoots, opened: Iterable[int]) -> dict[int, frozenset[str]]:
    """List the records of each environment that was opened."""
    found = ((root, _records(scan_roots.roots[root])) for root in opened)
    return {root: names for root, names in found if names is not None}


def _records(root: Root) -> frozenset[str] | None:
    """Return the names of an environment's records; `None` where they cannot be listed."""
    if root.kind is RootKind.CACHE:
        return None
    names = list_records(root.path)
    if isinstance(names, PathProblem):  # without records it counts as not looked at
        return None if os.path.lexists(root.path) else frozenset()
    return names


def _folder_of_packages(root: Root) -> str:
    """Return a folder in which each entry is about one package that is cached or installed."""
    return root.path + ("" if root.kind is RootKind.CACHE else "/conda-meta")
