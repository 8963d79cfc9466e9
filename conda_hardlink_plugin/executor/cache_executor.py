"""The steps in one cache: heal, move aside, move back or give up, purge."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..metadata.quarantine_names import Stage, entry_of
from .errors import RefusedError, naming_path, noting_refusals
from .outcome import Outcome, Spared
from .recheck import identity
from .removal_plan import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..filesystem.protocol import Identity
    from ..metadata.quarantine_names import QuarantineEntry
    from .quarantine import Quarantine
    from .recheck import Checker
    from .removal_plan import Removal


class CacheExecutor:
    """Executes the removals in one cache, while its locks are held.

    Attributes:
        quarantine: The quarantine of the cache.
        moved: The removals that were moved aside, and neither moved back nor given up.

    """

    def __init__(
        self,
        quarantine: Quarantine,
        removals: Sequence[Removal],
        checker: Checker,
        outcome: Outcome,
        hold_until_s: int | None,
    ) -> None:
        """Take a locked quarantine, and the removals planned in its cache."""
        self.quarantine = quarantine
        self.moved: dict[Removal, QuarantineEntry] = {}
        self._removals = removals
        self._checker = checker
        self._outcome = outcome
        self._hold_until_s = hold_until_s
        self._given_up: dict[Removal, QuarantineEntry] = {}

    def heal(self) -> None:
        """Move back what an interrupted run moved aside, and take over what one gave up."""
        finishing = {item.path: item for item in self._removals if item.action is Action.FINISH}
        with self._noting_refusals():
            for entry in self.quarantine.entries():
                if entry.stage is Stage.MOVING and self.quarantine.path_of(entry) not in finishing:
                    with self._noting_refusals():
                        self._bring_back(entry)
        for path, removal in finishing.items():
            with self._noting_refusals():
                finished = entry_of(path)
                if finished is not None and finished in self.quarantine.entries():
                    self._give_up(removal, finished)

    def unlink(self) -> None:
        """Remove single files, unless they are held.

        This comes after the check of the packages that were moved aside: a package that is moved
        back may need its archive.
        """
        if self._hold_until_s is not None:
            return
        for removal, known in self._existing(Action.UNLINK):
            with self._noting_refusals():
                self._outcome.freed_bytes += self.quarantine.unlink(removal.relative, known)
                self._outcome.removed.append(removal)

    def move_aside(self) -> None:
        """Move everything aside that is as planned; single files only to hold them."""
        held_actions = () if self._hold_until_s is None else (Action.UNLINK,)
        for removal, known in self._existing(Action.MOVE, *held_actions):
            with self._noting_refusals():
                reason = self._checker.reason_to_keep(removal)
                if reason is not None:
                    self._outcome.spared.append(Spared(removal, reason))
                    continue
                entry = self.quarantine.move(removal.relative, self._outcome.run, known)
                self.moved[removal] = entry
                self._checker.note_moved(removal.path, self.quarantine.path_of(entry))

    def put_the_rest_back(self) -> None:
        """Move back what this run moved aside and did not give up, after a failure or Ctrl-C."""
        self.moved.clear()
        with self._noting_refusals():
            for entry in self.quarantine.entries():
                if entry.stage is Stage.MOVING and entry.run == self._outcome.run:
                    with self._noting_refusals():
                        self.quarantine.back(entry)

    def put_back(self, reasons: Mapping[str, str]) -> None:
        """Move back what must not be removed.

        Args:
            reasons: The path of each removal to cancel, to the reason.

        """
        for removal in [removal for removal in self.moved if removal.path in reasons]:
            entry = self.moved.pop(removal)
            with self._noting_refusals():
                self.quarantine.back(entry)
            self._outcome.spared.append(Spared(removal, reasons[removal.path]))

    def give_up(self) -> None:
        """Give up what was moved aside, or hold it.

        If that fails, move it back at once. On a full disk this makes room in the quarantine for
        the name of the next one.
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
        """Remove what was given up, one at a time."""
        for removal, entry in self._given_up.items():
            with self._noting_refusals():
                self.quarantine.purge(entry, self._outcome.add_freed)
                self._outcome.removed.append(removal)
            yield

    def _bring_back(self, entry: QuarantineEntry) -> None:
        try:
            self.quarantine.back(entry)
        except RefusedError as error:
            raise RefusedError(
                error.problem.path,
                f"{error.problem.reason}; an interrupted run moved the original to"
                f" {self.quarantine.path_of(entry)}: move one of the two away",
            ) from None
        self._outcome.moved_back.append(self.quarantine.home(entry))

    def _give_up(self, removal: Removal, entry: QuarantineEntry) -> None:
        self._given_up[removal] = self.quarantine.give_up(entry)
        self._outcome.committed.append(removal)

    def _existing(self, *actions: Action) -> Iterator[tuple[Removal, Identity]]:
        """Yield the removals with these actions, each with its device and inode; spare the rest."""
        for removal in self._removals:
            if removal.action in actions:
                known = identity(removal.path)
                if known is None:
                    self._outcome.spared.append(Spared(removal, "it no longer exists"))
                else:
                    yield removal, known

    @contextmanager
    def _noting_refusals(self) -> Iterator[None]:
        """Note an error as a problem, and continue."""
        with noting_refusals(self._outcome.problems), naming_path(self.quarantine.cache):
            yield
