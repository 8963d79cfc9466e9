"""The bar beside an environment: how its files got there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..report.model import EnvironmentFigures

CELLS = 10


@dataclass(frozen=True, slots=True)
class Bar:
    """The characters of a bar; they differ in shape, not in colour."""

    hardlinked: str
    private: str
    softlinked: str

    def draw(self, environment: EnvironmentFigures) -> str:
        """Draw the shares of an environment; whatever is there gets at least one cell."""
        shares = [
            (self.hardlinked, environment.shared_bytes),
            (self.private, environment.exclusive_bytes),
            (self.softlinked, environment.softlinked_bytes),
        ]
        present = [(cell, amount) for cell, amount in shares if amount]
        total = sum(amount for _, amount in present)
        spare = CELLS - len(present)
        bar, before = "", 0
        for cell, amount in present:
            after = before + amount
            bar += cell * (1 + round(after * spare / total) - round(before * spare / total))
            before = after
        return bar

    def legend(self) -> str:
        """Say what the characters mean."""
        return (
            f"{self.hardlinked} hard-linked  {self.private} private  {self.softlinked} softlinked"
        )


BLOCKS = Bar("█", "▒", "░")
LETTERS = Bar("#", "=", "-")
