"""What a report is printed on, whatever that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: What stands above it.
        figures: Whether it holds figures, which are set to the right.

    """

    heading: str
    figures: bool = True


class Output(Protocol):
    """A terminal, a pipe or a page."""

    @property
    def lines(self) -> int | None:
        """How many lines are seen at once; `None` where there is no limit."""

    @property
    def draws_blocks(self) -> bool:
        """Whether it has block characters."""

    def say(self, sentence: str = "", *, style: str = "", indent: str = "") -> None:
        """Print a sentence; the lines after its first are indented, where it is folded."""

    def lines_of(self, printing: Callable[[], None]) -> int:
        """Return how many lines something prints, without printing it."""

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
