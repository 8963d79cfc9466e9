"""Render the status of the report index, for a person and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import count, size, timestamp
from .json import json_text

if TYPE_CHECKING:
    from ..scan.index.status import IndexStatus
    from .output import Output


def print_status(status: IndexStatus, output: Output, *, cleared: bool) -> None:
    """Print the status that the index had, and whether it was removed."""
    if status.size_bytes is None:
        output.say(f"There is no report index at {status.path}.")
    elif cleared:
        output.say(f"{status.path}: removed, {size(status.size_bytes)}.")
    else:
        output.say(f"{status.path}: {size(status.size_bytes)}")
        output.say(_content_of(status))


def _content_of(status: IndexStatus) -> str:
    if status.taken_s is None:
        return "The index is damaged or from another version: the next report replaces it."
    return (
        f"{count(status.links or 0, 'path')} in {count(status.caches or 0, 'package cache')} and"
        f" {count(status.environments or 0, 'environment')}, last checked on"
        f" {timestamp(status.taken_s)}."
    )


def render_status(status: IndexStatus, *, cleared: bool) -> str:
    """Return the status that the index had as JSON text that ends with a newline."""
    return json_text({"index": status, "cleared": cleared and status.size_bytes is not None})
