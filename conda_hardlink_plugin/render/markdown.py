"""An output that collects a report as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..formatting import printable
from .output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .output import Column

# The characters with a meaning within a line; a name may contain any character.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~$&#@])")
_BLOCK_START = re.compile(r"^([-+]|\d+(?=[.)](?:\s|$)))")
_STYLES = {"bold": "**", "dim": "_"}


class MarkdownOutput(Output):
    """A page of Markdown for an issue, a wiki or another place that renders it."""

    def __init__(self) -> None:
        """Create an empty page."""
        self._blocks: list[str] = []

    @property
    def text(self) -> str:
        """The page as GitHub Flavored Markdown that ends with a newline."""
        return "\n\n".join(self._blocks) + "\n"

    def say(self, sentence: str = "", *, style: str = "", indent: str = "") -> None:  # noqa: ARG002  # the renderer folds lines
        """Add a sentence as a paragraph, or a warning as a quotation."""
        words = _escaped(sentence).strip()
        if words:
            mark = _STYLES.get(style, "")
            quote = "> " if style == "yellow" else ""
            self._blocks.append(f"{quote}{mark}{words}{mark}")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Add a table."""
        headings = [column.heading for column in columns]
        alignment = ["---:" if column.figures else ":---" for column in columns]
        lines = [headings, alignment, *([_escaped(cell) for cell in row] for row in rows)]
        self._blocks.append("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _escaped(text: str) -> str:
    r"""Return text that Markdown renders literally.

    A character with a meaning gets a backslash in front, at the start of a line also a character
    that would start a list.
    """
    return _BLOCK_START.sub(_escape_start, _MARKUP.sub(r"\\\1", printable(text)))


def _escape_start(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"
