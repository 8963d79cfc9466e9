"""What earlier runs of clean hold, and bringing it back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..analysis.usage import Usage
from ..filesystem import fs
from ..filesystem.problems import PathProblem, reason_of
from ..metadata.quarantine_names import QUARANTINE, QuarantineEntry, Stage
from ..scan.inventory import Root, RootKind
from ..scan.scanner import scan
from .locks import locked_quarantine
from .outcome import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class HeldRun:
    """What one run holds in one cache.

    Attributes:
        run: Its name.
        cache: Absolute path of the cache.
        homes: Where the things were, relative to the cache.
        expires_s: Until when they are kept, in seconds since the epoch.
        size_bytes: Unique usage of all of them.

    """

    run: str
    cache: str
    homes: tuple[str, ...]
    expires_s: int
    size_bytes: int


@dataclass(slots=True)
class Restored:
    """What became of bringing things back.

    Attributes:
        paths: Absolute paths of what is back.
        problems: What is not, and why.

    """

    paths: list[str] = field(default_factory=list)
    problems: list[PathProblem] = field(default_factory=list)


def held_runs(caches: Iterable[str]) -> tuple[list[HeldRun], list[PathProblem]]:
    """Return what can be brought back, the oldest run first, and what cannot be looked at."""
    runs: list[HeldRun] = []
    problems: list[PathProblem] = []
    for cache in caches:
        quarantine = os.path.join(cache, QUARANTINE)
        try:
            entries = [QuarantineEntry.of_name(name) for name in sorted(os.listdir(quarantine))]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problems.append(PathProblem(quarantine, reason_of(error)))
            continue
        by_run: dict[str, list[QuarantineEntry]] = {}
        for entry in entries:
            if entry is not None and entry.stage is Stage.HELD:
                by_run.setdefault(entry.run, []).append(entry)
        runs += [_held_run(cache, run, entries) for run, entries in by_run.items()]
    return sorted(runs, key=lambda held: (held.run, held.cache)), problems


def restore(cache: str, run: str, restored: Restored) -> None:
    """Bring back what a run holds in a cache.

    Args:
        cache: Absolute path of the cache.
        run: The name of the run.
        restored: What becomes of it is added here.

    """
    try:
        with locked_quarantine(cache) as quarantine:
            for entry in quarantine.entries():
                if entry.stage is not Stage.HELD or entry.run != run:
                    continue
                try:
                    quarantine.back(entry)
                    restored.paths.append(quarantine.home(entry))
                except RefusedError as error:
                    restored.problems.append(error.problem)
            quarantine.remove_if_empty()
    except RefusedError as error:
        restored.problems.append(error.problem)


def _held_run(cache: str, run: str, entries: list[QuarantineEntry]) -> HeldRun:
    paths = [os.path.join(cache, QUARANTINE, entry.name) for entry in entries]
    folders = [Root(RootKind.ENVIRONMENT, path) for path in paths if os.path.isdir(path)]
    files = [fs.status(path) for path in paths if not os.path.isdir(path)]
    usage = Usage(scan(folders))
    return HeldRun(
        run=run,
        cache=cache,
        homes=tuple(entry.relative for entry in entries),
        expires_s=max(entry.expires_s for entry in entries),
        size_bytes=usage.on_disk + sum(status.disk_bytes for status in files),
    )
