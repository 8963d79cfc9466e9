"""Standard output in any encoding, also if it is closed or its reader has ended."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def is_closed(what: str) -> bool:
    """Return whether stdout is closed; if so, print that on stderr.

    This is not an exception, as conda would print that to stdout.

    Args:
        what: What is not printed, such as `the report`.

    """
    if sys.stdout is None and sys.stderr is not None:
        sys.stderr.write(f"stdout is closed: cannot print {what}.\n")
    return sys.stdout is None


def show(printing: Callable[[], object]) -> bool:
    """Print something; return whether anybody reads it.

    Raises:
        SystemExit: It could not be written, for example because the disk is full; stderr has the
            reason. conda would print any other exception to stdout where JSON is asked for.

    """
    try:
        printing()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone, as `head` does
        _discard_the_rest()
        return False
    except OSError as error:
        from ..filesystem.problems import reason_of

        _discard_the_rest()
        if sys.stderr is not None:
            sys.stderr.write(f"The output cannot be written to stdout: {reason_of(error)}.\n")
        raise SystemExit(1) from None
    return True


def _discard_the_rest() -> None:
    """Send the rest of stdout nowhere: Python would complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_text(text: str) -> None:
    """Print text in UTF-8, whatever the encoding of stdout; names keep their bytes."""
    if not isinstance(sys.stdout, TextIOWrapper):  # a program that runs conda captures it
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded(text))


def encoded(text: str) -> bytes:
    """Return text in UTF-8; a byte of a name that is not UTF-8 stays as it is."""
    return text.encode("utf-8", "surrogateescape")
