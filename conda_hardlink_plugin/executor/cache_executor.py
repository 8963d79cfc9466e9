"""The work on one cache: heal, move aside, put back or give up, purge."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..filesystem.problems import PathProblem, reason_of
from ..metadata.quarantine_names import Stage, entry_of
from .outcome import Outcome, RefusedError, Spared
from .recheck import identity
from .removal import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..metadata.quarantine_names import QuarantineEntry
    from .quarantine import Quarantine
    from .recheck import Checker
    from .removal import Removal


class CacheExecutor:
    """Carries out what is planned in one cache, with its locks held.

    Attributes:
        quarantine: Of this cache.
        moved: What was moved aside, and is neither back nor given up.

    """

    def __init__(
        self,
        quarantine: Quarantine,
        removals: Sequence[Removal],
        checker: Checker,
        outcome: Outcome,
        hold_until_s: int | None,
    ) -> None:
        """Take a locked quarantine, and what is planned in its cache."""
        self.quarantine = quarantine
        self.moved: dict[Removal, QuarantineEntry] = {}
        self._removals = removals
        self._checker = checker
        self._outcome = outcome
        self._hold_until_s = hold_until_s
        self._given_up: dict[Removal, QuarantineEntry] = {}

    def heal(self) -> None:
        """Bring back what an interrupted run moved aside and did not give up."""
        finishing = {removal.path for removal in self._removals if removal.action is Action.FINISH}
        with self._noting_refusals():
            for entry in self.quarantine.entries():
                if entry.stage is Stage.MOVING and self.quarantine.path_of(entry) not in finishing:
                    with self._noting_refusals():
                        self._bring_back(entry)

    def take_up(self) -> None:
        """Take up what an earlier run gave up."""
        for removal in self._removals:
            if removal.action is Action.FINISH:
                with self._noting_refusals():
                    self._take_up(removal)

    def unlink(self) -> None:
        """Remove single files.

        After packages were moved aside and checked: without its archive one may not be obtainable.
        """
        for removal in self._removals:
            if removal.action is Action.UNLINK and self._hold_until_s is None:
                with self._noting_refusals():
                    self._unlink(removal)

    def move_aside(self) -> None:
        """Move aside all that is as it was planned."""
        for removal in self._removals:
            if removal.action is Action.MOVE or (
                removal.action is Action.UNLINK and self._hold_until_s is not None
            ):
                with self._noting_refusals():
                    self._move_aside(removal)

    def put_the_rest_back(self) -> None:
        """Put back whatever this run moved aside and did not give up: it failed, or is stopped."""
        self.moved.clear()
        with self._noting_refusals():
            for entry in self.quarantine.entries():
                if entry.stage is Stage.MOVING and entry.run == self._outcome.run:
                    with self._noting_refusals():
                        self.quarantine.back(entry)

    def put_back(self, objections: Mapping[str, str]) -> None:
        """Put back what must not go.

        Args:
            objections: Why, by the path of the removal.

        """
        for removal in list(self.moved):
            reason = objections.get(removal.path)
            if reason is not None:
                self._put_back(removal)
                self._spare(removal, reason)

    def give_up(self) -> None:
        """Give up what was moved aside, or hold it.

        What cannot be goes back at once: on a full disk that makes room in the quarantine for the
        name of the next.
        """
        for removal, entry in self.moved.items():
            try:
                if self._hold_until_s is not None:
                    self.quarantine.hold(entry, self._hold_until_s)
                    self._outcome.held.append(removal)
                else:
                    self._give_up(removal, entry)
            except RefusedError as error:  # noqa: PERF203  # beside a rename it costs nothing
                self._outcome.problems.append(error.problem)
                with self._noting_refusals():
                    self.quarantine.back(entry)

    def purge(self) -> Iterator[None]:
        """Remove what was given up, one by one."""
        for removal, entry in self._given_up.items():
            problem = self.quarantine.purge(entry, self._outcome.add_freed)
            if problem:
                path = self.quarantine.path_of(entry)
                self._outcome.problems.append(PathProblem(path, problem))
            else:
                self._outcome.removed.append(removal)
            yield

    def _bring_back(self, entry: QuarantineEntry) -> None:
        try:
            self.quarantine.back(entry)
        except RefusedError as error:
            raise RefusedError(
                error.problem.path,
                f"{error.problem.reason}; what an interrupted run moved aside waits in"
                f" {self.quarantine.path_of(entry)}: move one of the two away",
            ) from None
        self._outcome.returned.append(self.quarantine.home(entry))

    def _take_up(self, removal: Removal) -> None:
        entry = entry_of(removal.path)
        if entry is not None and entry in self.quarantine.entries():
            self._give_up(removal, entry)

    def _give_up(self, removal: Removal, entry: QuarantineEntry) -> None:
        self._given_up[removal] = self.quarantine.give_up(entry)
        self._outcome.given_up.append(removal)

    def _unlink(self, removal: Removal) -> None:
        known = identity(removal.path)
        if known is None:
            self._spare(removal, "it is gone")
            return
        self._outcome.freed_bytes += self.quarantine.unlink(self._relative(removal), known)
        self._outcome.removed.append(removal)

    def _move_aside(self, removal: Removal) -> None:
        known = identity(removal.path)
        reason = "it is gone" if known is None else self._checker.objection(removal)
        if known is None or reason is not None:
            self._spare(removal, reason or "")
            return
        entry = self.quarantine.move(self._relative(removal), self._outcome.run, known)
        self.moved[removal] = entry
        self._checker.note_moved(removal.path, self.quarantine.path_of(entry))

    def _put_back(self, removal: Removal) -> None:
        with self._noting_refusals():
            self.quarantine.back(self.moved.pop(removal))

    def _spare(self, removal: Removal, reason: str) -> None:
        self._outcome.spared.append(Spared(removal, reason))

    def _relative(self, removal: Removal) -> str:
        return removal.path[len(removal.cache) + 1 :]

    @contextmanager
    def _noting_refusals(self) -> Iterator[None]:
        """Note what cannot be done, once, and go on."""
        try:
            yield
        except RefusedError as error:
            if error.problem not in self._outcome.problems:
                self._outcome.problems.append(error.problem)
        except OSError as error:
            problem = PathProblem(self.quarantine.cache, reason_of(error))
            self._outcome.problems.append(problem)
