"""Standard output: text of any encoding, closed, or not read any more."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def is_closed(what: str) -> bool:
    """Tell whether stdout is closed, and say on stderr that there is nowhere to print.

    Not an exception: conda would print that to stdout.

    Args:
        what: What is not printed, as `the report`.

    """
    if sys.stdout is None and sys.stderr is not None:
        sys.stderr.write(f"There is nowhere to print {what}: stdout is closed.\n")
    return sys.stdout is None


def show(printing: Callable[[], object]) -> bool:
    """Print something; return whether there was somebody to read it.

    Raises:
        SystemExit: It could not be written, as where the disk is full; that is said on stderr. An
            exception of ours conda would print to stdout where JSON is asked for.

    """
    try:
        printing()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has had enough
        _discard_what_is_left()
        return False
    except OSError as error:
        _discard_what_is_left()
        if sys.stderr is not None:
            sys.stderr.write(f"What is printed cannot be written to stdout: {error.strerror}.\n")
        raise SystemExit(1) from None
    return True


def _discard_what_is_left() -> None:
    """Have nobody read stdout: Python would complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_text(text: str) -> None:
    """Print text in UTF-8, whatever the encoding of stdout; names as the bytes that they are."""
    if not isinstance(sys.stdout, TextIOWrapper):  # a program that runs conda collects it
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded(text))


def encoded(text: str) -> bytes:
    """Return text in UTF-8; a byte of a name that was not UTF-8 comes back as it was."""
    return text.encode("utf-8", "surrogateescape")
