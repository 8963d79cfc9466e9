"""Roots to inventory: reads every directory below the roots once, or takes it from the index."""

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
    """Scan every directory below the roots.

    A scan writes nothing but the index, and follows no symbolic link below a root. A root inside
    another root is counted separately; a root that is the same directory as an earlier one becomes
    an alias.

    Args:
        roots: Package caches and prefixes, in any order. Caches are read first.
        detailed: Paths of the roots whose own files are kept one by one (`own_files`).
        mounts: The mounts of this process; by default, they are read from the system.
        on_progress: Called now and then with the number of entries read so far.
        crew: Worker processes that were started for this scan.
        processes: How many worker processes to start if `crew` is empty; by default, as many as
            are useful.
        lookup: The index: unchanged parts are taken from it, and a new index is written. By
            default, everything is read.

    Returns:
        The inventory. Its `problems` name the paths that could not be read.

    """
    scan_roots = survey_roots(roots, detailed, fs.read_mounts() if mounts is None else mounts)
    if scan_roots.may_repeat:  # one process must see every directory to find repeated ones
        crew, processes = (), 1
    elif processes is None:
        packages = {RootKind.CACHE: "", RootKind.ENVIRONMENT: "/conda-meta"}
        processes = useful_processes(root.path + packages[root.kind] for root in scan_roots.roots)
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
        crew: The worker processes, without those that have ended.
        untrusted: Devices whose listings show other inode numbers than those of the files.

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

    def read_with_index(self, lookup: Lookup) -> Inventory:
        """Read the parts that differ from the index, and write a new index."""
        from .index.file import new_index

        unchanged = None
        try:
            unchanged = lookup.unchanged(self.scan_roots, self.on_progress)
        except WorkerError as error:
            _LOG.warning("The report index is not used, because a worker process failed: %s", error)
            self.crew = ()
        if not self.scan_roots.can_be_indexed or self.scan_roots.holds(lookup.folder):
            return self.read_all()
        if unchanged is not None and unchanged.is_all:
            return self.inventory_as_stored(unchanged, lookup.began_ns)
        with new_index(lookup.folder, lookup.began_ns, lookup.totals_of) as new:
            if unchanged is not None and unchanged.is_most:
                from .index.recall import Remembered

                remembered = Remembered(unchanged)
                with suppress(UntrustedDeviceError):
                    return self.finish([self.read_alone(new, remembered)], new, remembered)
            return self.read_all(new)

    def inventory_as_stored(self, unchanged: Unchanged, began_ns: int) -> Inventory:
        """Return the inventory in the index."""
        stored = unchanged.index.stored.inventory
        if unchanged.quick:
            reading = Reading(ReadingMode.QUICK, unchanged.index.taken_s)
        else:
            unchanged.index.confirm(began_ns)
            reading = Reading(ReadingMode.EXACT)
        opened = (root for root, device in enumerate(stored.root_devices) if device >= 0)
        records = records_of(self.scan_roots, opened)
        return replace(stored, records=records, aliases=self.scan_roots.aliases, reading=reading)

    def read_all(self, new: NewIndex | None = None) -> Inventory:
        """Read everything."""
        try:
            return self.finish(self.read_together(new) or [self.read_alone(new)], new)
        except UntrustedDeviceError as error:  # at most once per device
            self.untrusted.add(error.device)
            self.crew = ()  # the workers have ended
        return self.read_all()

    def finish(
        self, parts: list[Findings], new: NewIndex | None, remembered: Remembered | None = None
    ) -> Inventory:
        """Combine the findings, and write them to the index."""
        from .combine import combine

        opened = {root for part in parts for root in part.identities}
        mode = ReadingMode.FULL if remembered is None else ReadingMode.EXACT
        records = records_of(self.scan_roots, sorted(opened))
        inventory = replace(combine(parts, self.scan_roots, records), reading=Reading(mode))
        if new is not None:
            from .index.store import store

            for part in parts:  # the inventory has them, and storing needs as much memory again
                part.listed.clear()
                part.symbolic.clear()
            store(new, inventory, self.scan_roots, parts, remembered)
        return inventory

    def read_together(self, new: NewIndex | None) -> list[Findings]:
        """Read all roots with worker processes; return nothing if there are none, or one fails."""
        try:
            self.crew = self.crew or self.stack.enter_context(start_crew(self.processes))
            if not self.crew:
                return []
            from .pool import read_together

            record_to = None if new is None else new.recording
            return read_together(
                self.crew, self.scan_roots, self.untrusted, self.on_progress, record_to
            )
        except WorkerError as error:
            _LOG.warning("Scanning with one process, because a worker process failed: %s", error)
            self.crew = ()
            return []

    def read_alone(self, new: NewIndex | None, remembered: Remembered | None = None) -> Findings:
        """Read all roots in this process."""
        from .index.recorder import Recorder
        from .walker import Walker

        walker = Walker(
            self.scan_roots,
            self.untrusted,
            self.on_progress,
            recorder=None if new is None else Recorder(*new.recording),
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
    """Return the names of the records of each environment that was opened.

    An environment whose records cannot be listed is missing from the result.
    """
    records = {}
    for index in opened:
        root = scan_roots.roots[index]
        if root.kind is RootKind.CACHE:
            continue
        names = list_records(root.path)
        if not isinstance(names, PathProblem):
            records[index] = names
        elif not os.path.lexists(root.path):
            records[index] = frozenset()
    return records
