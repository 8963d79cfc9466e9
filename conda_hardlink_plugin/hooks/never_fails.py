"""None of our code may fail or stop a command of conda."""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


def never_fails(function: Callable[P, T]) -> Callable[P, T | None]:
    """Make a function return `None` instead of raising, and log a line.

    That includes `KeyboardInterrupt` and `SystemExit`: raised from a transaction hook, they make
    conda remove the new environment (`conda.core.link`, seen in 24.7 to 26.8).
    """

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001  # its purpose
            with suppress(BaseException):
                log_failure(function.__qualname__, error)
            return None

    return guarded


def log_failure(name: str, error: BaseException) -> None:
    """Write one line to conda's log: which function failed, and how."""
    from logging import getLogger  # only when it is needed

    sentence = f"{type(error).__name__}: {error}".split("\n")[0]
    getLogger("conda.hardlinks").warning("hardlinks: %s failed: %s", name, sentence)
