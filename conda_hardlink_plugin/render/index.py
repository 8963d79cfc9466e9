"""What the index is: for a person, and as JSON."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..formatting import count, size
from .json import json_text

if TYPE_CHECKING:
    from ..scan.index.status import IndexStatus
    from .terminal import Terminal


def print_status(status: IndexStatus, terminal: Terminal, *, cleared: bool) -> None:
    """Print what there was, and whether it was removed."""
    if status.size_bytes is None:
        terminal.say(f"There is no index: {status.path} is not there.")
        return
    if cleared:
        terminal.say(f"{status.path}: removed, {size(status.size_bytes)}.")
        return
    terminal.say(f"{status.path}: {size(status.size_bytes)}")
    if status.taken_s is None or None in (status.caches, status.environments, status.links):
        terminal.say("It is damaged, or of another version: the next report writes another one.")
        return
    taken = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.taken_s))
    terminal.say(
        f"{count(status.links or 0, 'path')} in {count(status.caches or 0, 'package cache')} and"
        f" {count(status.environments or 0, 'environment')}, all looked at on {taken}."
    )


def render_status(status: IndexStatus, *, cleared: bool) -> str:
    """Return what there was, and whether it was removed, as JSON text that ends with a newline."""
    content = {
        "index": asdict(status),
        "cleared": cleared and status.size_bytes is not None,
    }
    return json_text(content)
