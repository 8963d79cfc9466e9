"""What came of carrying out a plan."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..filesystem.problems import PathProblem, reason_of

if TYPE_CHECKING:
    from .removal import Removal


@dataclass(frozen=True, slots=True)
class Spared:
    """Something that was planned to go and stays, because of what was seen in the last moment."""

    removal: Removal
    reason: str


@dataclass(slots=True)
class Outcome:
    """What became of a plan.

    Attributes:
        run: The name of the run; `conda hardlinks restore` takes it.
        removed: What is gone.
        given_up: What was decided to go, and is gone or will be removed by the next run.
        trial_links: Trial links of conda that are gone from environments.
        held: What was moved aside and can be brought back.
        spared: What changed meanwhile and stays.
        returned: Absolute paths of what an interrupted run had moved aside, and is back.
        freed_bytes: Disk usage of the inodes that are gone, measured as each was removed.
        problems: What failed.

    """

    run: str = ""
    removed: list[Removal] = field(default_factory=list)
    given_up: list[Removal] = field(default_factory=list)
    trial_links: list[str] = field(default_factory=list)
    held: list[Removal] = field(default_factory=list)
    spared: list[Spared] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    problems: list[PathProblem] = field(default_factory=list)

    @property
    def unfinished(self) -> int:
        """How much of what was given up is not gone yet."""
        return len(set(self.given_up) - set(self.removed))

    def add_freed(self, count_bytes: int) -> None:
        """Add what a removal freed."""
        self.freed_bytes += count_bytes


def new_run() -> str:
    """Return a name for a run: its time in UTC, to the microsecond, so that names sort by it."""
    seconds, rest_ns = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}_{rest_ns // 1000:06}"


class RefusedError(Exception):
    """Something cannot be moved, removed or locked; nothing was done to it.

    Attributes:
        problem: The path, and why as a phrase.

    """

    def __init__(self, path: str, reason: str) -> None:
        """Name the path and why."""
        super().__init__(f"{path}: {reason}")
        self.problem = PathProblem(path, reason)

    @classmethod
    def of(cls, path: str, error: OSError) -> RefusedError:
        """Say which path an error of the system is about."""
        return cls(path, reason_of(error))
