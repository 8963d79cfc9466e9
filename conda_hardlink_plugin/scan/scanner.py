"""Roots to inventory: reads every directory below the roots once, or takes it from the index."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.native import native_module, native_module_for_executor
from ..filesystem.problems import PathProblem
from ..metadata.conda_meta import list_records
from .collection import without_collection
from .inventory import ReaderKind, Reading, ReadingMode, RootKind
from .listing import UntrustedDeviceError
from .scan_roots import survey_roots

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from concurrent.futures import Executor

    from ..filesystem.mounts import MountTable
    from .index.file import NewIndex
    from .index.lookup import Lookup, Unchanged
    from .index.recall import Remembered
    from .index.recorder import Recorder
    from .inventory import Inventory, Root
    from .reader import Reader
    from .scan_roots import ScanRoots
    from .walker import Walker

_LOG = logging.getLogger("conda.hardlinks")


def scan(
    roots: Iterable[Root],
    *,
    detailed: Collection[str] = (),
    mounts: MountTable | None = None,
    on_progress: Callable[[int], None] | None = None,
    lookup: Lookup | None = None,
    executor: Executor | None = None,
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
        lookup: The index: unchanged parts are taken from it, and a new index is written. By
            default, everything is read.
        executor: Runs the tasks that read; not with an index. By default, this process reads.

    Returns:
        The inventory. Its `problems` name the paths that could not be read.

    Raises:
        HardlinksError: The variable `HARDLINKS_READER` names a reader that is not there, or there
            is no native reader for the executor.

    """
    scan_roots = survey_roots(roots, detailed, fs.read_mounts() if mounts is None else mounts)
    with without_collection():
        scanning = _Scanning(scan_roots, on_progress, executor)
        return scanning.read_all() if lookup is None else scanning.read_with_index(lookup)


class _Scanning:
    """One scan of some roots.

    Attributes:
        native: The native reader, unless it is missing, or a mount may show a directory twice.
        untrusted: Devices whose listings show other inode numbers than those of the files.

    """

    def __init__(
        self,
        scan_roots: ScanRoots,
        on_progress: Callable[[int], None] | None,
        executor: Executor | None,
    ) -> None:
        self.scan_roots = scan_roots
        self.executor = executor
        self.on_progress = on_progress
        self.untrusted: set[int] = set()
        self.native = native_module() if executor is None else native_module_for_executor()
        if scan_roots.may_repeat:
            self.native = None
            if executor is not None:
                _LOG.warning(
                    "hardlinks: a mount inside a root may show a directory twice, so that this"
                    " process reads everything by itself."
                )

    def read_with_index(self, lookup: Lookup) -> Inventory:
        """Read the parts that differ from the index, and write a new index."""
        from .index.file import new_index

        if not self.scan_roots.can_be_indexed or self.scan_roots.holds(lookup.folder):
            return self.read_all()
        unchanged = lookup.unchanged(self.scan_roots, self.on_progress)
        if unchanged is not None and unchanged.is_all:
            return self.inventory_as_stored(unchanged, lookup.began_ns)
        with new_index(lookup.folder, lookup.began_ns, lookup.totals_of) as new:
            if unchanged is not None and unchanged.is_most:
                from .index.recall import Remembered

                with suppress(UntrustedDeviceError):
                    return self.read(new, Remembered(unchanged))
            return self.read_all(new)

    def inventory_as_stored(self, unchanged: Unchanged, began_ns: int) -> Inventory:
        """Return the inventory in the index."""
        stored = unchanged.index.stored.inventory
        if unchanged.quick:
            reading = self.reading(ReadingMode.QUICK, unchanged.index.taken_s)
        else:
            unchanged.index.confirm(began_ns)
            reading = self.reading(ReadingMode.EXACT)
        opened = (root for root, device in enumerate(stored.root_devices) if device >= 0)
        records = records_of(self.scan_roots, opened)
        return replace(stored, records=records, aliases=self.scan_roots.aliases, reading=reading)

    def read_all(self, new: NewIndex | None = None) -> Inventory:
        """Read everything."""
        try:
            return self.read(new)
        except UntrustedDeviceError as error:  # at most once per device
            self.untrusted.add(error.device)
        return self.read_all()

    def read(self, new: NewIndex | None, remembered: Remembered | None = None) -> Inventory:
        """Read all roots but what is remembered, and write a new index."""
        from .combine import combine
        from .index.recorder import Recorder

        recorder = None if new is None else Recorder(*new.recording)
        walker = self.walker(recorder, remembered)
        try:
            walker.read_roots()
            pages = walker.pages()
        finally:
            walker.close()
        found = walker.collector.found
        records = records_of(self.scan_roots, sorted(found.identities))
        mode = ReadingMode.FULL if remembered is None else ReadingMode.EXACT
        inventory = combine(walker.collector, self.scan_roots, records)
        inventory = replace(inventory, reading=self.reading(mode))
        if new is not None and pages is not None:
            from .index.store import store

            store(new, inventory, self.scan_roots, found, pages, remembered)
        return inventory

    def walker(self, recorder: Recorder | None, remembered: Remembered | None) -> Reader | Walker:
        """Return what reads the roots."""
        given = self.scan_roots, self.untrusted, self.on_progress
        if self.native is None:
            from .walker import Walker

            return Walker(*given, recorder=recorder, remembered=remembered)
        if self.executor is not None:
            from .executor_reader import ExecutorReader

            return ExecutorReader(self.native, *given, executor=self.executor)
        from .reader import Reader

        return Reader(self.native, *given, recorder=recorder, remembered=remembered)

    def reading(self, mode: ReadingMode, taken_s: int | None = None) -> Reading:
        reader = ReaderKind.PYTHON if self.native is None else ReaderKind.NATIVE
        return Reading(mode, taken_s, reader)


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
