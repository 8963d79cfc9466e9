"""Roots to inventory: every directory below the roots is read once."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import TYPE_CHECKING

from .crew import WorkerError, count_entries, start_crew, useful_processes
from .ground import survey_ground
from .inventory import RootKind
from .listing import UntrustedDeviceError
from .merge import merge
from .mounts import read_mount_table
from .pool import read_together
from .walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from .crew import Worker
    from .ground import Ground
    from .inventory import Inventory, Root
    from .mounts import MountTable
    from .tally import Findings

_LOG = logging.getLogger("conda.hardlinks")
SUPPORTED = os.scandir in os.supports_fd and os.open in os.supports_dir_fd


def scan(
    roots: Iterable[Root],
    *,
    detailed: Collection[str] = (),
    mounts: MountTable | None = None,
    on_progress: Callable[[int], None] | None = None,
    crew: Sequence[Worker] = (),
    processes: int | None = None,
) -> Inventory:
    """Read every directory below the roots and return what is there.

    Nothing is written and nothing is followed out of a root. A root that lies inside another one
    is counted for itself alone; one that is the same directory as an earlier one is an alias.

    Args:
        roots: Package caches and prefixes. Caches are read first, whatever their place.
        detailed: Paths of roots whose own files are to be kept one by one (`own_files`).
        mounts: The mounts of this process; read from the system when not given.
        on_progress: Called now and then with the number of entries read so far.
        crew: Processes to read with, started for this scan.
        processes: How many to start when none are given; when not given, as many as are useful.

    Returns:
        The inventory. What could not be read is in its `problems`.

    """
    ground = survey_ground(roots, detailed, read_mount_table() if mounts is None else mounts)
    if ground.may_meet_twice:  # who came first must be known in one place
        crew, processes = (), 1
    elif processes is None:
        processes = useful_processes(map(_packages, ground.roots))
    untrusted: set[int] = set()
    collecting = gc.isenabled()
    gc.disable()
    try:
        while True:
            try:
                parts = _read(ground, untrusted, crew, processes, on_progress)
            except UntrustedDeviceError as error:  # noqa: PERF203  # once a device
                untrusted.add(error.device)
                crew = ()  # it has ended
            else:
                return merge(parts, ground, list_records(ground, parts))
    finally:
        if collecting:
            gc.enable()


def _read(
    ground: Ground,
    untrusted: Collection[int],
    crew: Sequence[Worker],
    processes: int,
    on_progress: Callable[[int], None] | None,
) -> list[Findings]:
    """Read all roots, and return what `merge` puts together."""
    try:
        with start_crew(1 if crew else processes) as started:
            workers = crew or started
            if workers:
                return read_together(workers, ground, untrusted, on_progress)
    except WorkerError as error:
        _LOG.warning("a scan is repeated in one process: of several, one failed: %s", error)
    return [_read_alone(ground, untrusted, on_progress)]


def _read_alone(
    ground: Ground, untrusted: Collection[int], on_progress: Callable[[int], None] | None
) -> Findings:
    """Read all roots in this process."""
    walk = Walk(ground, untrusted, on_progress)
    try:
        for index in range(len(ground.roots)):
            walk.open_root(index)
            walk.read(sys.maxsize)
    finally:
        walk.close()
    return walk.tally.findings()


def list_records(ground: Ground, parts: Iterable[Findings]) -> dict[int, frozenset[str]]:
    """List the records of each environment that was opened."""
    opened = sorted({root for part in parts for root in part.identities})
    found = ((root, _records(ground.roots[root])) for root in opened)
    return {root: names for root, names in found if names is not None}


def _records(root: Root) -> frozenset[str] | None:
    """Return the names of an environment's records; `None` where there are none to be listed."""
    if root.kind is RootKind.CACHE:
        return None
    try:
        names = os.listdir(f"{root.path}/conda-meta")
    except OSError:  # without records it counts as not looked at
        removed = not os.path.lexists(root.path)
        return frozenset() if removed else None
    return frozenset(name for name in names if name.endswith(".json"))


def _packages(root: Root) -> int:
    """Return about how many packages are cached or installed in a root."""
    return count_entries(root.path + ("" if root.kind is RootKind.CACHE else "/conda-meta"))
