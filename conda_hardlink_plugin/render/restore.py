"""What is held, and what was brought back: for a person, and as JSON."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..formatting import count, listed, size
from .json import json_text
from .output import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..executor.restore import HeldRun
    from ..filesystem.problems import PathProblem
    from .terminal import Terminal

_NAMES = 3


def print_held(
    runs: Sequence[HeldRun], problems: Sequence[PathProblem], terminal: Terminal
) -> None:
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
    _print_problems(problems, terminal)


def print_restored(
    paths: Sequence[str], problems: Sequence[PathProblem], terminal: Terminal
) -> None:
    """Print what is back."""
    terminal.say(f"{count(len(paths), 'item')} brought back.", style="bold")
    _print_problems(problems, terminal)


def render_restore(
    runs: Sequence[HeldRun], paths: Sequence[str], problems: Sequence[PathProblem]
) -> str:
    """Return what is held and what is back as JSON text that ends with a newline."""
    content = {
        "held": [asdict(held) for held in runs],
        "restored": list(paths),
        "errors": [f"{problem.path}: {problem.reason}" for problem in problems],
    }
    return json_text(content, success=not problems)


def _row(held: HeldRun) -> list[str]:
    names = listed(held.homes, _NAMES)
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(held.expires_s))
    return [held.run, size(held.size_bytes), until, names, held.cache]


def _print_problems(problems: Sequence[PathProblem], terminal: Terminal) -> None:
    for problem in problems:
        terminal.say(f"! {problem.path}: {problem.reason}.", style="yellow", indent="  ")
