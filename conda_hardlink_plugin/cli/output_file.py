"""Output files: written completely or not at all, and only in the place of regular files."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress

from ..exceptions import HardlinksError
from ..filesystem import fs
from ..filesystem.problems import reason_of


def check_file(option: str, path: str) -> str:
    """Return the path of an output file, after checking that it can be written.

    Args:
        option: The option that names it, such as `--html`.
        path: What the user named; of a symbolic link, its target is written.

    Raises:
        HardlinksError: It cannot be written there.

    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if _leads_to_descriptor(path):
        raise HardlinksError(f"{option} {path}: not a regular file. Name another one.")
    if not path or path.endswith(os.sep) or os.path.isdir(target):
        raise HardlinksError(f"{option} {path}: a folder. Name a file in it.")
    if not os.path.isdir(folder):
        raise HardlinksError(
            f"{option} {path}: the folder {folder} does not exist. Create it first."
        )
    try:
        is_regular = fs.status(target).is_regular
    except FileNotFoundError:
        is_regular = True
    except OSError as error:
        raise _not_written(path, error) from error
    if not is_regular:
        raise HardlinksError(f"{option} {path}: not a regular file. Name another one.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise HardlinksError(
            f"{option} {path}: you cannot write to {folder}. Name a file in another folder."
        )
    return target


def write_file(path: str, content: bytes) -> None:
    """Replace a file: a reader sees the old content or the new, never a part.

    A new file gets the usual permissions; an existing one keeps its own.

    Args:
        path: What `check_file` returned.
        content: The new content.

    Raises:
        HardlinksError: It could not be written; the old content is unchanged.

    """
    # In the same folder, so that a rename suffices; the name is short enough for any filesystem.
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
    return HardlinksError(f"{path} could not be written and is unchanged: {reason_of(error)}.")


def _leads_to_descriptor(path: str) -> bool:
    """Tell whether a path names an open file of this process, as `/dev/stdout` does."""
    for _ in range(fs.max_symlinks):
        folder = os.path.realpath(os.path.dirname(path))
        if fs.is_own_descriptor(folder):
            return True
        try:
            path = os.path.join(folder, os.readlink(path))
        except OSError:
            return False
    return False
