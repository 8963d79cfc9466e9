"""The file that something is written to: whole or not at all, and in place of a file only."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress

from ..exceptions import HardlinksError
from ..filesystem import fs


def check_file(option: str, path: str) -> str:
    """Return where a file is to be written, before anything is looked at for it.

    Args:
        option: The option that names it, as `--html`.
        path: What the user named. A symbolic link stands for what it leads to.

    Raises:
        HardlinksError: Nothing can be written there.

    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if _leads_to_descriptor(path):
        raise HardlinksError(f"{option} {path}: this is not a regular file. Name another.")
    if not path or path.endswith(os.sep) or os.path.isdir(target):
        raise HardlinksError(f"{option} {path}: this is a folder. Name a file in it.")
    if not os.path.isdir(folder):
        raise HardlinksError(f"{option} {path}: there is no folder {folder}. Make it first.")
    try:
        is_regular = fs.status(target).is_regular
    except FileNotFoundError:
        is_regular = True
    except OSError as error:
        raise _not_written(path, error) from error
    if not is_regular:
        raise HardlinksError(f"{option} {path}: this is not a regular file. Name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise HardlinksError(
            f"{option} {path}: nothing can be written in {folder}. Name a file in another folder."
        )
    return target


def write_file(path: str, content: bytes) -> None:
    """Write a file in place of what is there: who reads it meanwhile has the last one or this one.

    A new one has the usual permissions, another keeps those it has.

    Args:
        path: Where to; what `check_file` returned.
        content: What is to be in it.

    Raises:
        HardlinksError: It could not be written; what was there is as it was.

    """
    # Beside its place, so that a rename brings it there; by a name that is short enough anywhere.
    unfinished = os.path.join(os.path.dirname(path), f".hardlinks-{secrets.token_hex(8)}")
    try:
        try:
            with open(unfinished, "xb") as file:
                with suppress(FileNotFoundError):
                    fs.take_over_permissions(file.fileno(), path)
                file.write(content)
            os.replace(unfinished, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(unfinished)
            raise
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: str, error: OSError) -> HardlinksError:
    return HardlinksError(f"{path} could not be written, and is as it was: {error.strerror}.")


def _leads_to_descriptor(path: str) -> bool:
    """Tell whether a path stands for what this process has open, as `/dev/stdout` does."""
    for _ in range(fs.symlink_limit):
        folder = os.path.realpath(os.path.dirname(path))
        if fs.is_own_descriptor(folder):
            return True
        try:
            path = os.path.join(folder, os.readlink(path))
        except OSError:
            return False
    return False
