"""How the checks print: marks as conda prints them, and the first few paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import and_more, count, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...filesystem.problems import PathProblem

_SHOWN = 5
_GOOD, _BAD = "✅", "❌"  # as conda marks its own checks


def say(sentence: str, *, good: bool) -> None:
    """Print a result with its mark."""
    print(f"{_GOOD if good else _BAD} {printable(sentence)}\n")


def say_problems(
    title: str, problems: Sequence[PathProblem], outcome: str, *, verbose: bool
) -> None:
    """Print what could not be checked: one in a line, several as their number and a list."""
    if len(problems) == 1:
        say(f"{title}: {problems[0].path} {outcome}: {problems[0].reason}.", good=False)
    elif problems:
        say(f"{title}: {count(len(problems), 'path')} {outcome}.", good=False)
        listed = [f"{problem.path}: {problem.reason}" for problem in problems]
        print_list(listed, "path", verbose=verbose)


def print_list(items: Sequence[str], noun: str, *, verbose: bool) -> None:
    """Print the first few items, or all of them; the noun says what they are."""
    shown = items if verbose else items[:_SHOWN]
    for item in shown:
        print(f"  {printable(item)}")
    if len(shown) < len(items):
        print(f"  {and_more(len(items) - len(shown), noun)}")
