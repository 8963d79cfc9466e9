"""A plan carried out: lock, heal; check each package, move it aside, check again, remove it."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..quarantined import Stage, entry_of
from ..records import PathProblem
from .checks import identity
from .locks import lock_files, locked
from .plan import Action
from .quarantine import opened, unlink_probe
from .refused import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..quarantined import Quarantined
    from .checks import Checker
    from .plan import Plan, Removal
    from .quarantine import Quarantine


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
        probes: Trial links of conda that are gone from environments.
        held: What was moved aside and can be brought back.
        spared: What changed meanwhile and stays.
        returned: Absolute paths of what an interrupted run had moved aside, and is back.
        freed_bytes: Disk usage of the inodes that are gone, measured as each was removed.
        problems: What failed.

    """

    run: str = ""
    removed: list[Removal] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    held: list[Removal] = field(default_factory=list)
    spared: list[Spared] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    problems: list[PathProblem] = field(default_factory=list)


def new_run() -> str:
    """Return a name for a run: its time, and what makes it unique."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}_{secrets.token_hex(2)}"


def carry_out(
    plan: Plan,
    checker: Checker,
    outcome: Outcome,
    *,
    hold_until_s: int | None,
    on_step: Callable[[int], None] | None = None,
) -> None:
    """Do what the plan says, cache by cache.

    Args:
        plan: What to do.
        checker: Asks again what the verdicts rest on.
        outcome: What came of it is added here, step by step: it is right also after Ctrl-C.
        hold_until_s: Keep what is removed until then, in seconds since the epoch; `None` frees its
            space now.
        on_step: Called with the number of things done so far.

    """
    for probe in plan.probes:
        try:
            outcome.freed_bytes += unlink_probe(probe)
            outcome.probes.append(probe)
        except RefusedError as error:  # noqa: PERF203  # there are few
            outcome.problems.append(error.problem)
    by_cache: dict[str, list[Removal]] = {cache: [] for cache in plan.caches_to_heal}
    for removal in plan.remove:
        by_cache.setdefault(removal.cache, []).append(removal)

    def work_on(cache: str) -> None:
        with locked_quarantine(cache) as quarantine:
            worker = _Worker(quarantine, checker, outcome, hold_until_s)
            worker.heal(by_cache[cache])
            for removal in by_cache[cache]:
                worker.remove(removal)
                if on_step is not None:
                    on_step(len(outcome.removed) + len(outcome.held))
            quarantine.remove_if_empty()

    for cache in by_cache:
        try:
            work_on(cache)
        except RefusedError as error:  # noqa: PERF203  # once a cache
            outcome.problems.append(error.problem)


@contextmanager
def locked_quarantine(cache: str) -> Iterator[Quarantine]:
    """Open the quarantine of a cache and hold every lock of the cache.

    Raises:
        RefusedError: The quarantine or a lock cannot be had.

    """
    with ExitStack() as stack:
        while True:
            attempt = stack.enter_context(ExitStack())
            quarantine = attempt.enter_context(opened(cache))
            try:
                attempt.enter_context(locked(lock_files(cache, quarantine)))
            except RefusedError:
                if quarantine.is_in_place():
                    raise
            if quarantine.is_in_place():
                break
            attempt.close()  # whoever had it before removed the empty quarantine
        yield quarantine


class _Worker:
    """Carries out what is planned in one cache, with its locks held."""

    def __init__(
        self,
        quarantine: Quarantine,
        checker: Checker,
        outcome: Outcome,
        hold_until_s: int | None,
    ) -> None:
        self.quarantine = quarantine
        self.checker = checker
        self.outcome = outcome
        self.hold_until_s = hold_until_s

    def heal(self, removals: Sequence[Removal]) -> None:
        """Bring back what an interrupted run moved aside and did not give up."""
        finishing = {removal.path for removal in removals if removal.action is Action.FINISH}
        for entry in self.quarantine.entries():
            if entry.stage is Stage.MOVING and self.quarantine.path_of(entry) not in finishing:
                try:
                    self.quarantine.back(entry)
                    self.outcome.returned.append(self.quarantine.home(entry))
                except RefusedError as error:
                    self.outcome.problems.append(error.problem)

    def remove(self, removal: Removal) -> None:
        """Remove one thing, or say why not."""
        try:
            match removal.action:
                case Action.FINISH:
                    self._finish(removal)
                case Action.UNLINK if self.hold_until_s is None:
                    self._unlink(removal)
                case _:
                    self._move_out(removal)
        except RefusedError as error:
            self.outcome.problems.append(error.problem)

    def _finish(self, removal: Removal) -> None:
        entry = entry_of(removal.path)
        if entry is not None and entry in self.quarantine.entries():
            self._purge(removal, self.quarantine.give_up(entry))

    def _unlink(self, removal: Removal) -> None:
        known = identity(removal.path)
        if known is None:
            self._spare(removal, "it is gone")
            return
        self.outcome.freed_bytes += self.quarantine.unlink(self._relative(removal), known)
        self.outcome.removed.append(removal)

    def _move_out(self, removal: Removal) -> None:
        known = identity(removal.path)
        if known is None:
            self._spare(removal, "it is gone")
            return
        reason = self.checker.objection(removal, removal.path)
        if reason is not None:
            self._spare(removal, reason)
            return
        entry = self.quarantine.move(self._relative(removal), self.outcome.run, known)
        try:
            reason = self.checker.objection(removal, self.quarantine.path_of(entry))
        except BaseException:
            self.quarantine.back(entry)
            raise
        if reason is not None:
            self.quarantine.back(entry)
            self._spare(removal, reason)
        elif self.hold_until_s is not None:
            self.quarantine.hold(entry, self.hold_until_s)
            self.outcome.held.append(removal)
        else:
            self._purge(removal, self.quarantine.give_up(entry))

    def _purge(self, removal: Removal, entry: Quarantined) -> None:
        freed_bytes, problem = self.quarantine.purge(entry)
        self.outcome.freed_bytes += freed_bytes
        if problem:
            self.outcome.problems.append(PathProblem(self.quarantine.path_of(entry), problem))
        else:
            self.outcome.removed.append(removal)

    def _spare(self, removal: Removal, reason: str) -> None:
        self.outcome.spared.append(Spared(removal, reason))

    def _relative(self, removal: Removal) -> str:
        return removal.path[len(removal.cache) + 1 :]
