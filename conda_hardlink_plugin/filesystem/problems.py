"""What could not be read or looked at, as a value with a reason."""

from __future__ import annotations

from dataclasses import dataclass

GONE = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class PathProblem:
    """A path that could not be read, looked at or understood.

    Attributes:
        path: Absolute path.
        reason: Why, as a phrase.

    """

    path: str
    reason: str


def reason_of(error: OSError | ValueError) -> str:
    """Return an error of the system as a phrase."""
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error)).lower()
