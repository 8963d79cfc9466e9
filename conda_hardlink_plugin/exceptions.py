"""Errors that the user can fix. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

from typing import ClassVar

from .formatting import printable

_REFUSALS_SHOWN = 4


class HardlinksError(Exception):
    """An error that the user can fix.

    Attributes:
        exit_code: The exit code of a command that ends with this error.

    """

    exit_code: ClassVar[int] = 1


class NotFoundError(HardlinksError):
    """No environment, folder, package or run matches the given name."""


class CleanRefusedError(HardlinksError):
    """A clean must not remove anything in the current state.

    Attributes:
        refusals: The reasons, each a sentence without its full stop.

    """

    def __init__(self, refusals: list[str]) -> None:
        """Store the reasons; the message shows the first few, one per line."""
        self.refusals = refusals
        more = len(refusals) - _REFUSALS_SHOWN
        lines = [printable(f"{refusal}.") for refusal in refusals[:_REFUSALS_SHOWN]]
        lines += [f"And {more} more."] if more > 0 else []
        super().__init__("\n".join(lines))


class StoppedError(HardlinksError):
    """The user pressed Ctrl-C."""

    exit_code: ClassVar[int] = 130
