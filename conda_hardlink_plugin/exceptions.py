"""Errors that the user can fix. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

from typing import ClassVar

_REFUSALS_SHOWN = 4


class HardlinksError(Exception):
    """An error that the user can fix.

    Attributes:
        exit_code: The exit code of a command that ends with this error.

    """

    exit_code: ClassVar[int] = 1

    @property
    def lines(self) -> list[str]:
        """The lines of the message. A name in them may have any character."""
        return [str(self)]


class NotFoundError(HardlinksError):
    """No environment, folder, package or run matches the given name."""


class CleanRefusedError(HardlinksError):
    """A clean must not remove anything in the current state.

    Attributes:
        refusals: The reasons, each a sentence without its full stop.

    """

    def __init__(self, refusals: list[str]) -> None:
        """Store the reasons; as the only argument, so that a copy of the error has them, too."""
        super().__init__(refusals)
        self.refusals = refusals

    def __str__(self) -> str:
        """Return the lines as one text."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The first few reasons, one per line."""
        more = len(self.refusals) - _REFUSALS_SHOWN
        lines = [f"{refusal}." for refusal in self.refusals[:_REFUSALS_SHOWN]]
        return [*lines, f"And {more} more."] if more > 0 else lines


class StoppedError(HardlinksError):
    """The user pressed Ctrl-C."""

    exit_code: ClassVar[int] = 130
