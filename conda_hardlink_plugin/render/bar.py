"""The bar in the row of an environment: the shares of hard-linked, private and softlinked bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..report.model import EnvironmentFigures

CELLS = 10
# The characters for hard-linked, private and softlinked bytes differ in shape, not in colour.
BLOCKS = "█▒░"
LETTERS = "#=-"


def draw_bar(characters: str, environment: EnvironmentFigures) -> str:
    """Return the bar of an environment; each share that is not 0 has at least one cell."""
    amounts = (
        environment.shared_bytes,
        environment.exclusive_bytes,
        environment.softlinked_bytes,
    )
    present = [pair for pair in zip(characters, amounts, strict=True) if pair[1]]
    spare = CELLS - len(present)
    bar, before = "", 0
    for character, amount in present:
        after = before + amount
        cells = round(after * spare / sum(amounts)) - round(before * spare / sum(amounts))
        bar += character * (1 + cells)
        before = after
    return bar


def legend(characters: str) -> str:
    """Return the legend of a bar."""
    meanings = zip(characters, ("hard-linked", "private", "softlinked"), strict=True)
    return "  ".join(f"{character} {meaning}" for character, meaning in meanings)
