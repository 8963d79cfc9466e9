"""Paths that could not be read or examined, as values with a reason."""

from __future__ import annotations

from dataclasses import dataclass

GONE = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class PathProblem:
    """A path that could not be read, examined or understood.

    Attributes:
        path: Absolute path.
        reason: Why, as a phrase.

    """

    path: str
    reason: str


def message_of(error: OSError | ValueError) -> str:
    """Return the message of an error, without its number and its path."""
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error)


def reason_of(error: OSError | ValueError) -> str:
    """Return the message of an error as a lowercase phrase."""
    return message_of(error).lower()
