"""An output that collects a report as HTML for a notebook, with the disk map if requested."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from markupsafe import Markup

from ..formatting import printable
from .html import render_html
from .output import Output
from .table import print_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..report.model import Report
    from .output import Column

_TAGS = {"bold": "b", "dim": "small", "yellow": "em"}
_PAGE_HEIGHT = 900


class NotebookOutput(Output):
    """HTML in which every sentence and cell is escaped."""

    def __init__(self) -> None:
        """Create an empty output."""
        self._blocks: list[Markup] = []

    @property
    def html(self) -> str:
        """The HTML of everything printed so far."""
        return Markup("\n").join(self._blocks)

    def say(self, sentence: str = "", *, style: str = "", indent: str = "") -> None:  # noqa: ARG002  # the browser folds lines
        """Add a sentence as a paragraph."""
        words = printable(sentence).strip()
        if words:
            tag = Markup(_TAGS.get(style, "span"))  # noqa: S704  # a constant
            self._blocks.append(Markup("<p><{}>{}</{}></p>").format(tag, words, tag))

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Add a table; figures are aligned right."""
        sides = ["right" if column.figures else "left" for column in columns]
        headings = _row("th", sides, [column.heading for column in columns])
        body = Markup("").join(_row("td", sides, row) for row in rows)
        self._blocks.append(Markup("<table>{}{}</table>").format(headings, body))


def render_notebook(report: Report) -> str:
    """Return a report as HTML for the output of a notebook cell.

    Args:
        report: The report; if it has a `disk_map`, a frame shows the page of `--html`.

    """
    output = NotebookOutput()
    print_report(report, output, quiet=True)
    if report.disk_map is None:
        return output.html
    frame = Markup('<iframe srcdoc="{}" width="100%" height="{}"></iframe>')
    return output.html + frame.format(render_html(report, time.time()), _PAGE_HEIGHT)


def _row(tag: str, sides: Sequence[str], cells: Sequence[str]) -> Markup:
    cell = Markup(f'<{tag} style="text-align: {{}}">{{}}</{tag}>')  # noqa: S704  # a constant
    row = (cell.format(side, printable(text)) for side, text in zip(sides, cells, strict=True))
    return Markup("<tr>{}</tr>").format(Markup("").join(row))
