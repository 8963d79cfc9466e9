"""Why something cannot be moved or removed safely."""

from __future__ import annotations

from ..records import PathProblem


class RefusedError(Exception):
    """Something cannot be moved, removed or locked; nothing was done to it.

    Attributes:
        problem: The path, and why as a phrase.

    """

    def __init__(self, path: str, reason: str) -> None:
        """Name the path and why."""
        super().__init__(f"{path}: {reason}")
        self.problem = PathProblem(path, reason)

    @classmethod
    def of(cls, path: str, error: OSError) -> RefusedError:
        """Say which path an error of the system is about."""
        return cls(path, reason_of(error))


def reason_of(error: OSError) -> str:
    """Return an error of the system as a phrase."""
    return (error.strerror or str(error)).lower()
