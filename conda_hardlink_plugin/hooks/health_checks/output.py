"""How the checks print: marks as conda prints them, and the first few paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import and_more, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 5
_GOOD, _BAD = "✅", "❌"  # as conda marks its own checks


def say(sentence: str, *, good: bool) -> None:
    """Print a result with its mark."""
    print(f"{_GOOD if good else _BAD} {printable(sentence)}\n")


def print_list(items: Sequence[str], noun: str, *, verbose: bool) -> None:
    """Print the first few items, or all of them; the noun says what they are."""
    shown = items if verbose else items[:_SHOWN]
    for item in shown:
        print(f"  {printable(item)}")
    if len(shown) < len(items):
        print(f"  {and_more(len(items) - len(shown), noun)}")
