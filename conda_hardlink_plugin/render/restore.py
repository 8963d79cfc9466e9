"""What is held, and what was brought back: for a person, and as JSON."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..formatting import count, size
from .output import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..executor.restore import HeldRun, Restored
    from .terminal import Terminal

SCHEMA_VERSION = 1
_NAMES = 3


def print_held(runs: Sequence[HeldRun], restored: Restored, terminal: Terminal) -> None:
    """Print what can be brought back."""
    if runs:
        columns = [
            Column("ID", figures=False),
            Column("SIZE"),
            Column("UNTIL", figures=False),
            Column("HOLDS", figures=False),
            Column("OF", figures=False),
        ]
        terminal.table(columns, [_row(held) for held in runs])
        terminal.say("conda hardlinks restore ID brings the packages of a run back.", style="dim")
    else:
        terminal.say("Nothing is held: `conda hardlinks clean --keep 7d` holds what it removes.")
    _print_problems(restored, terminal)


def print_restored(restored: Restored, terminal: Terminal) -> None:
    """Print what is back."""
    terminal.say(f"{count(len(restored.paths), 'item')} brought back.", style="bold")
    _print_problems(restored, terminal)


def render_restore(runs: Sequence[HeldRun], restored: Restored) -> str:
    """Return what is held and what is back as JSON text that ends with a newline."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "success": not restored.problems,
        "held": [asdict(held) for held in runs],
        "restored": restored.paths,
        "errors": [f"{problem.path}: {problem.reason}" for problem in restored.problems],
    }
    return json.dumps(content, indent=2) + "\n"


def _row(held: HeldRun) -> list[str]:
    more = len(held.homes) - _NAMES
    names = ", ".join(held.homes[:_NAMES]) + (f" and {more} more" if more > 0 else "")
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(held.expires_s))
    return [held.run, size(held.size_bytes), until, names, held.cache]


def _print_problems(restored: Restored, terminal: Terminal) -> None:
    for problem in restored.problems:
        terminal.say(f"! {problem.path}: {problem.reason}.", style="yellow", indent="  ")
