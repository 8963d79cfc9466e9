"""Where a report goes: standard output, or a file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
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
    if sys.stdout is None:
        sys.stderr.write(f"There is nowhere to print {what}: stdout is closed.\n")
    return sys.stdout is None


def show(printing: Callable[[], object]) -> bool:
    """Print something; return whether there was somebody to read it."""
    try:
        printing()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has had enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


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


def write_file(path: str, content: bytes) -> None:
    """Write a file; whoever reads it at that time finds the last one or this one.

    It is written beside its place and renamed. A symbolic link is followed; what is no regular
    file, as `/dev/stdout`, is written to.

    Raises:
        OutputError: It cannot be written; what was there is there still.

    """
    from ..errors import OutputError

    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                file.write(content)
        else:
            _replace(os.path.realpath(path), content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error


def _replace(path: str, content: bytes) -> None:
    folder, name = os.path.split(path)
    descriptor, beside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.chmod(beside, _mode_of(path))
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _mode_of(path: str) -> int:
    """Return the permissions of a file, or those that a new one gets."""
    with suppress(OSError):
        return os.stat(path).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
