"""The output that a result is printed to: a terminal, a page of Markdown or a notebook cell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..filesystem.problems import PathProblem


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: The heading of the column.
        figures: Whether the column contains figures, which are aligned right.

    """

    heading: str
    figures: bool = True


def text_columns(*headings: str) -> list[Column]:
    """Return columns of text, which is aligned left."""
    return [Column(heading, figures=False) for heading in headings]


class Output(ABC):
    """The base class of outputs; its defaults fit an output of unlimited length."""

    @property
    def lines(self) -> int | None:
        """The number of lines that are visible at once; `None` if there is no limit."""
        return None

    @property
    def draws_blocks(self) -> bool:
        """Whether the output has block characters."""
        return True

    def lines_of(self, printing: Callable[[], None]) -> int:  # noqa: ARG002  # without a limit it does not matter
        """Return the number of lines that a function prints, without printing them."""
        return 0

    @abstractmethod
    def say(self, sentence: str = "", *, style: str = "", indent: str = "") -> None:
        """Print a sentence; if it is folded, its later lines are indented."""

    @abstractmethod
    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""

    def warn(self, sentence: str) -> None:
        """Print a sentence as a warning."""
        self.say(f"! {sentence}", style="yellow", indent="  ")

    def warn_of(self, problems: Iterable[PathProblem]) -> None:
        """Print a warning for each problem."""
        for problem in problems:
            self.warn(f"{problem.path}: {problem.reason}.")

    def parts(self, parts: Iterable[Callable[[], object]]) -> None:
        """Print parts with an empty line between them."""
        for number, part in enumerate(parts):
            if number:
                self.say()
            part()
