"""The packages that earlier runs of clean hold, and how to restore them."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..analysis.usage import Usage
from ..filesystem import fs
from ..filesystem.problems import PathProblem, reason_of
from ..metadata.quarantine_names import QUARANTINE, QuarantineEntry, Stage
from ..scan.inventory import Root, RootKind
from ..scan.scanner import scan
from .errors import noting_refusals
from .locks import locked_quarantine

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class HeldRun:
    """What one run holds in one cache.

    Attributes:
        run: The name of the run.
        cache: Absolute path of the cache.
        homes: The paths that the packages and files came from, relative to the cache.
        expires_s: Until when they are held, in seconds since the epoch.
        size_bytes: Unique usage of all of them together.

    """

    run: str
    cache: str
    homes: tuple[str, ...]
    expires_s: int
    size_bytes: int


@dataclass(slots=True)
class Restored:
    """The outcome of a restore.

    Attributes:
        paths: Absolute paths of the restored packages and files.
        problems: What was not restored, with the reasons.

    """

    paths: list[str] = field(default_factory=list)
    problems: list[PathProblem] = field(default_factory=list)


def held_runs(caches: Iterable[str]) -> tuple[list[HeldRun], list[PathProblem]]:
    """Return the runs that can be restored, the oldest first, and what cannot be read."""
    runs: list[HeldRun] = []
    problems: list[PathProblem] = []
    for cache in caches:
        quarantine = os.path.join(cache, QUARANTINE)
        try:
            names = sorted(os.listdir(quarantine))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problems.append(PathProblem(quarantine, reason_of(error)))
            continue
        by_run = defaultdict(list)
        for entry in map(QuarantineEntry.of_name, names):
            if entry is not None and entry.stage is Stage.HELD:
                by_run[entry.run].append(entry)
        runs += [_held_run(cache, run, entries) for run, entries in by_run.items()]
    return sorted(runs, key=lambda held: (held.run, held.cache)), problems


def restore(cache: str, run: str, restored: Restored) -> None:
    """Restore what a run holds in a cache.

    Args:
        cache: Absolute path of the cache.
        run: The name of the run.
        restored: Receives the result of each step.

    """
    with noting_refusals(restored.problems), locked_quarantine(cache) as quarantine:
        for entry in quarantine.entries():
            if entry.stage is Stage.HELD and entry.run == run:
                with noting_refusals(restored.problems):
                    quarantine.back(entry)
                    restored.paths.append(quarantine.home(entry))
        quarantine.remove_if_empty()


def _held_run(cache: str, run: str, entries: list[QuarantineEntry]) -> HeldRun:
    paths = [os.path.join(cache, QUARANTINE, entry.name) for entry in entries]
    folders = [Root(RootKind.ENVIRONMENT, path) for path in paths if os.path.isdir(path)]
    file_bytes = sum(fs.status(path).disk_bytes for path in paths if not os.path.isdir(path))
    return HeldRun(
        run=run,
        cache=cache,
        homes=tuple(entry.relative for entry in entries),
        expires_s=max(entry.expires_s for entry in entries),
        size_bytes=Usage(scan(folders)).on_disk + file_bytes,
    )
