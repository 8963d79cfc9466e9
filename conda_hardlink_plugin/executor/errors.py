"""The error for a step that is refused, and its conversion from and to other forms."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..filesystem.problems import PathProblem, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class RefusedError(Exception):
    """Something cannot be moved, removed or locked. It was not changed.

    Attributes:
        problem: The path, and the reason as a phrase.

    """

    def __init__(self, path: str, reason: str) -> None:
        """Name the path and the reason."""
        super().__init__(path, reason)  # both, so that a copy of the error has them
        self.problem = PathProblem(path, reason)

    def __str__(self) -> str:
        """Return the path and the reason."""
        return f"{self.problem.path}: {self.problem.reason}"


@contextmanager
def naming_path(path: str) -> Iterator[None]:
    """Convert an `OSError` to a `RefusedError` that names a path."""
    try:
        yield
    except OSError as error:
        raise RefusedError(path, reason_of(error)) from None


@contextmanager
def noting_refusals(problems: list[PathProblem]) -> Iterator[None]:
    """Add a refusal to a list of problems instead of raising it; the same one only once."""
    try:
        yield
    except RefusedError as error:
        if error.problem not in problems:
            problems.append(error.problem)
