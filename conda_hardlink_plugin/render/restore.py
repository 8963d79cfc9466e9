"""Render the held and the restored packages, for a person and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import count, join_names, size, timestamp
from .json import json_text
from .output import Column, text_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..executor.restore import HeldRun
    from ..filesystem.problems import PathProblem
    from .output import Output

_NAMES_SHOWN = 3


def print_held(runs: Sequence[HeldRun], problems: Sequence[PathProblem], output: Output) -> None:
    """Print the runs that can be restored."""
    if runs:
        columns = [
            *text_columns("ID"),
            Column("SIZE"),
            *text_columns("EXPIRY", "CONTENTS", "CACHE"),
        ]
        output.table(columns, [_row(held) for held in runs])
        output.say("To restore a run: conda hardlinks restore ID", style="dim")
    else:
        output.say("Nothing is held. To hold what a clean removes: conda hardlinks clean --keep 7d")
    output.warn_of(problems)


def print_restored(paths: Sequence[str], problems: Sequence[PathProblem], output: Output) -> None:
    """Print the number of restored items."""
    output.say(f"{count(len(paths), 'item')} restored.", style="bold")
    output.warn_of(problems)


def render_restore(
    runs: Sequence[HeldRun], paths: Sequence[str], problems: Sequence[PathProblem]
) -> str:
    """Return the held runs and the restored paths as JSON text that ends with a newline."""
    content = {
        "held": runs,
        "restored": list(paths),
        "errors": [f"{problem.path}: {problem.reason}" for problem in problems],
    }
    return json_text(content, success=not problems)


def _row(held: HeldRun) -> list[str]:
    names = join_names(held.homes, _NAMES_SHOWN)
    return [held.run, size(held.size_bytes), timestamp(held.expires_s), names, held.cache]
