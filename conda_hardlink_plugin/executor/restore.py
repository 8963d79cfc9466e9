"""The packages that earlier runs of clean hold, and how to restore them."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
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

    from ..filesystem.protocol import Identity


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
    for cache in _once_each(caches):
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
        for run, entries in by_run.items():
            held = _held_run(cache, run, entries, problems)
            runs += [held] if held.homes else []
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


def _once_each(caches: Iterable[str]) -> list[str]:
    """Return the paths of caches; of several paths of one cache, the first."""
    by_identity: dict[Identity | str, str] = {}
    for cache in caches:
        identity: Identity | str = cache
        with suppress(OSError):
            identity = fs.status(cache, follow_symlinks=True).identity
        by_identity.setdefault(identity, cache)
    return list(by_identity.values())


def _held_run(
    cache: str, run: str, entries: list[QuarantineEntry], problems: list[PathProblem]
) -> HeldRun:
    """Return what is there of a run; another clean may remove what has expired."""
    present, folders, files = [], [], {}
    for entry in entries:
        path = os.path.join(cache, QUARANTINE, entry.name)
        try:
            status = fs.status(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(PathProblem(path, reason_of(error)))
        else:
            if status.is_directory:
                folders.append(Root(RootKind.ENVIRONMENT, path))
            else:
                files[status.identity] = status.disk_bytes
        present.append(entry)
    return HeldRun(
        run=run,
        cache=cache,
        homes=tuple(entry.relative for entry in present),
        expires_s=max((entry.expires_s for entry in present), default=0),
        size_bytes=Usage(scan(folders)).on_disk + sum(files.values()),
    )
