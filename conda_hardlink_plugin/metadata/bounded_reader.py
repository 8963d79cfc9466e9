"""Reading a record: only a regular file of bounded size, whatever is at its path."""

from __future__ import annotations

import json
from typing import Any

from ..filesystem import fs
from ..filesystem.problems import GONE, PathProblem, reason_of
from ..filesystem.protocol import Access

MAX_RECORD_BYTES = 64 * 1024 * 1024


def is_missing(path: str) -> bool:
    """Return whether nothing is at a path for certain; an unreadable path may hold something."""
    try:
        fs.status(path)
    except GONE:
        return True
    except (OSError, ValueError):
        return False
    return False


def read_json_object(path: str) -> dict[str, Any] | PathProblem:
    """Read a record that is one JSON object."""
    content = read_record_bytes(path)
    return content if isinstance(content, PathProblem) else json_object_of(content, path)


def json_object_of(content: bytes, path: str) -> dict[str, Any] | PathProblem:
    """Return the JSON object that a record contains; `path` is where it was read."""
    try:
        decoded = json.loads(content)
    except (ValueError, RecursionError) as error:
        return PathProblem(path, f"not valid JSON ({error})")
    return decoded if isinstance(decoded, dict) else PathProblem(path, "not a JSON object")


def read_record_bytes(path: str) -> bytes | PathProblem:
    """Read a regular file of at most `MAX_RECORD_BYTES`; refuse a FIFO without waiting for it."""
    try:
        handle = fs.open_file(path, Access.READ, follow_symlinks=True)
        try:
            status = fs.status_of(handle)
            if not status.is_regular:
                return PathProblem(path, "not a regular file")
            if status.size_bytes > MAX_RECORD_BYTES:
                return PathProblem(path, f"larger than {MAX_RECORD_BYTES} bytes")
            return fs.read_bytes(handle, status.size_bytes)
        finally:
            fs.close(handle)
    except (OSError, ValueError) as error:
        return PathProblem(path, reason_of(error))
