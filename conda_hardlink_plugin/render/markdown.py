"""A page of Markdown in the place of a terminal: what is printed there is written here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..formatting import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .output import Column

# What means something within a line; a name is from strangers, and may be anything.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~$&#@])")
_BEGINS_A_BLOCK = re.compile(r"^([-+]|\d+(?=[.)](?:\s|$)))")
_STYLES = {"bold": "**", "dim": "_"}


class MarkdownPage:
    """What a report is written on that is to be read where Markdown is drawn: an issue, a wiki.

    It is a `Surface`.
    """

    lines = None
    draws_blocks = True

    def __init__(self) -> None:
        """Begin with an empty page."""
        self._blocks: list[str] = []

    @property
    def text(self) -> str:
        """What was written so far, GitHub Flavored Markdown that ends with a newline."""
        return "\n\n".join(self._blocks) + "\n"

    def say(self, sentence: str = "", *, style: str = "", indent: str = "") -> None:  # noqa: ARG002  # lines are folded by whoever draws it
        """Write a sentence as a paragraph; what warns as a quotation."""
        words = _escaped(sentence).strip()
        if not words:
            return
        mark = _STYLES.get(style, "")
        begin = "> " if style == "yellow" else ""
        self._blocks.append(f"{begin}{mark}{words}{mark}")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Write a table."""
        headings = [column.heading for column in columns]
        alignment = ["---:" if column.figures else ":---" for column in columns]
        lines = [headings, alignment, *([_escaped(cell) for cell in row] for row in rows)]
        self._blocks.append("\n".join(f"| {' | '.join(line)} |" for line in lines))

    def lines_of(self, printing: Callable[[], None]) -> int:  # noqa: ARG002  # a page has no end
        """Return 0: a page is as long as what is written on it."""
        return 0


def _escaped(text: str) -> str:
    r"""Return text that is drawn as it stands.

    A character that means something gets a backslash before it, at the start of a line also one
    that would begin a list or a heading.
    """
    return _BEGINS_A_BLOCK.sub(_escape_begin, _MARKUP.sub(r"\\\1", printable(text)))


def _escape_begin(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"
