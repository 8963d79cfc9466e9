"""A report in a notebook: its tables, and the page with the map where that was asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from markupsafe import Markup

from ..formatting import printable
from .html import render_html
from .table import print_report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..report.model import Report
    from .output import Column

_TAGS = {"bold": "b", "dim": "small", "yellow": "em"}
_PAGE_HEIGHT = 900


class NotebookOutput:
    """HTML in the place of a terminal: what is printed there is written here, escaped.

    It is an `Output`.
    """

    lines = None
    draws_blocks = True

    def __init__(self) -> None:
        """Begin with nothing written."""
        self._blocks: list[Markup] = []

    @property
    def html(self) -> str:
        """What was written so far."""
        return Markup("\n").join(self._blocks)

    def say(self, sentence: str = "", *, style: str = "", indent: str = "") -> None:  # noqa: ARG002  # lines are folded by the browser
        """Write a sentence as a paragraph."""
        words = printable(sentence).strip()
        if words:
            tag = Markup(_TAGS.get(style, "span"))  # noqa: S704  # one of our own
            self._blocks.append(Markup("<p><{}>{}</{}></p>").format(tag, words, tag))

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Write a table; figures are set to the right."""
        sides = ["right" if column.figures else "left" for column in columns]
        headings = _row("th", sides, [column.heading for column in columns])
        body = Markup("").join(_row("td", sides, row) for row in rows)
        self._blocks.append(Markup("<table>{}{}</table>").format(headings, body))

    def lines_of(self, printing: Callable[[], None]) -> int:  # noqa: ARG002  # a notebook has no end
        """Return 0: the output is as long as what is written."""
        return 0


def render_notebook(report: Report) -> str:
    """Return a report as HTML for the output of a notebook cell.

    Args:
        report: What to show; with a `disk_map` the page of `--html` is shown in a frame.

    """
    output = NotebookOutput()
    print_report(report, output, quiet=True)
    if report.disk_map is None:
        return output.html
    frame = Markup('<iframe srcdoc="{}" width="100%" height="{}"></iframe>')
    return output.html + frame.format(render_html(report, time.time()), _PAGE_HEIGHT)


def _row(tag: str, sides: Sequence[str], cells: Sequence[str]) -> Markup:
    cell = Markup(f'<{tag} style="text-align: {{}}">{{}}</{tag}>')  # noqa: S704  # one of our own
    written = (cell.format(side, printable(text)) for side, text in zip(sides, cells, strict=True))
    return Markup("<tr>{}</tr>").format(Markup("").join(written))
