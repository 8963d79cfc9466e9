"""What can go wrong in a way that the user can mend: what is wrong, where, and what to do."""

from __future__ import annotations

from typing import ClassVar

from .formatting import printable

_REFUSALS_SHOWN = 4


class HardlinksError(Exception):
    """Something that the user can mend.

    Attributes:
        exit_code: What a command that ends with it returns.

    """

    exit_code: ClassVar[int] = 1


class NotFoundError(HardlinksError):
    """There is no environment, folder, package or run of the name that was given."""


class CleanRefusedError(HardlinksError):
    """Nothing may be removed in the present state.

    Attributes:
        refusals: Each reason, as a sentence without its full stop.

    """

    def __init__(self, refusals: list[str]) -> None:
        """Take the reasons; the message has the first few, a line each."""
        self.refusals = refusals
        more = len(refusals) - _REFUSALS_SHOWN
        lines = [printable(f"{refusal}.") for refusal in refusals[:_REFUSALS_SHOWN]]
        lines += [f"And {more} more."] if more > 0 else []
        super().__init__("\n".join(lines))


class StoppedError(HardlinksError):
    """The user pressed Ctrl-C."""

    exit_code: ClassVar[int] = 130
