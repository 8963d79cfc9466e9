"""The outcome of an executed plan."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..filesystem.problems import PathProblem
    from .removal_plan import Removal


@dataclass(frozen=True, slots=True)
class Spared:
    """A planned removal that was cancelled because of a change seen at the last moment.

    Attributes:
        removal: The planned removal.
        reason: The change, as a phrase.

    """

    removal: Removal
    reason: str


@dataclass(slots=True)
class Outcome:
    """What an executed plan did. It is correct at every moment, also after Ctrl-C.

    Attributes:
        run: The name of the run; `conda hardlinks restore` takes it.
        removed: Removals that are complete.
        committed: Removals that are final: complete, or to be completed by the next run.
        trial_links: Absolute paths of conda's trial links that were removed from environments.
        held: Packages and files that were moved aside and can be restored.
        spared: Removals that were cancelled, with the reasons.
        moved_back: Absolute paths of packages that an interrupted run had moved aside and that were
            moved back.
        freed_bytes: Disk usage of the removed inodes, measured as each was removed.
        problems: The steps that failed.

    """

    run: str = ""
    removed: list[Removal] = field(default_factory=list)
    committed: list[Removal] = field(default_factory=list)
    trial_links: list[str] = field(default_factory=list)
    held: list[Removal] = field(default_factory=list)
    spared: list[Spared] = field(default_factory=list)
    moved_back: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    problems: list[PathProblem] = field(default_factory=list)

    @property
    def unfinished(self) -> int:
        """How many final removals are not complete yet."""
        return len(set(self.committed) - set(self.removed))

    def add_freed(self, count_bytes: int) -> None:
        """Add the bytes that a removal freed."""
        self.freed_bytes += count_bytes


def new_run() -> str:
    """Return a name for a run: the UTC time to the microsecond, so that names sort by time."""
    seconds, rest_ns = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}_{rest_ns // 1000:06}"
