"""The one way to read a record: a regular file of bounded size, whatever stands in its place."""

from __future__ import annotations

import json
from typing import Any

from ..filesystem import fs
from ..filesystem.problems import PathProblem, reason_of
from ..filesystem.protocol import Access

MAX_RECORD_BYTES = 64 * 1024 * 1024


def is_missing(path: str) -> bool:
    """Tell whether nothing is there for sure; what may not be looked at may well be there."""
    try:
        fs.status(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def read_json_object(path: str) -> dict[str, Any] | PathProblem:
    """Read a record that is one JSON object."""
    content = read_record_bytes(path)
    if isinstance(content, PathProblem):
        return content
    try:
        decoded = json.loads(content)
    except (ValueError, RecursionError) as error:
        return PathProblem(path, f"it is no JSON ({error})")
    return decoded if isinstance(decoded, dict) else PathProblem(path, "it is no JSON object")


def read_record_bytes(path: str) -> bytes | PathProblem:
    """Read a regular file of bounded size; a FIFO is refused without waiting for its writer."""
    try:
        handle = fs.open_file(path, Access.READ, follow_symlinks=True)
    except (OSError, ValueError) as error:
        return PathProblem(path, reason_of(error))
    try:
        status = fs.status_of(handle)
        if not status.is_regular:
            return PathProblem(path, "it is no regular file")
        if status.size_bytes > MAX_RECORD_BYTES:
            return PathProblem(path, f"it is larger than {MAX_RECORD_BYTES} bytes")
        with open(handle, "rb", closefd=False) as file:
            return file.read(MAX_RECORD_BYTES)
    except OSError as error:
        return PathProblem(path, reason_of(error))
    finally:
        fs.close(handle)
