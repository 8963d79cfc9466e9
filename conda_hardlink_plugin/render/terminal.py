"""Where text goes: a terminal of some width, or a pipe; tables that never cut a figure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..formatting import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from .output import Column

_GAP = 2  # between two columns of a table
_PIPE_COLUMNS = 100_000  # nothing is folded where no terminal limits the line


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command what becomes of a report whose reader is gone."""
        raise  # noqa: PLE0704  # called while the BrokenPipeError is handled


class Terminal:
    """What a report is printed on."""

    def __init__(self, file: TextIO | None = None, columns: int | None = None) -> None:
        """Print on `file` (stdout by default), in `columns` (found out by default)."""
        # A variable may ask for colour in a pipe; nothing is folded, cut or coloured for a file.
        is_a_file = file is not None and not file.isatty()
        console = _Console(
            file=file,
            force_terminal=False if is_a_file else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._is_terminal = console.file.isatty()
        if columns is None and not self._is_terminal:
            columns = _PIPE_COLUMNS
        if columns is not None:
            console.width = columns
        self.console = console

    @property
    def lines(self) -> int | None:
        """The height of the terminal; `None` for a pipe."""
        return self.console.height if self._is_terminal else None

    @property
    def draws_blocks(self) -> bool:
        """Whether the encoding has block characters."""
        return self.console.encoding.lower().startswith("utf")

    def say(self, sentence: str = "", *, style: str = "", indent: str = "") -> None:
        """Print a sentence, folded between words; lines after the first are indented.

        A word that is longer than a line, a path, stays in one piece for whoever copies it.
        """
        if not sentence.strip():
            self.console.print()
            return
        width = max(self.console.width - len(indent), 20)
        first, *words = re.findall(r" *[^ ]+", self._shown(sentence))
        lines = [first]
        for word in words:
            if cell_len(lines[-1] + word) <= width:
                lines[-1] += word
            else:
                lines.append(word.lstrip(" "))
        for number, line in enumerate(lines):
            self.console.print(Text(indent * bool(number) + line, style=style), soft_wrap=True)

    def lines_of(self, printing: Callable[[], None]) -> int:
        """Return how many lines something prints, without printing it."""
        with self.console.capture() as capture:
            printing()
        return capture.get().count("\n")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; where it is too wide, each row as a block of its own instead."""
        escaped = [[self._shown(cell) for cell in row] for row in rows]
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for column in columns:
            justify = "right" if column.figures else "left"
            table.add_column(column.heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # a literal
        for row in escaped:
            table.add_row(*row)
        # Not what rich measures: it would cut cells to make a table fit, and say that it fits.
        cells = zip([column.heading for column in columns], *escaped, strict=True)
        width = sum(max(map(cell_len, column)) + _GAP for column in cells) - _GAP
        if width <= self.console.width:
            self._print_unpadded(table)
            return
        for row in escaped:
            self.console.print(Text(row[0], style="bold"), soft_wrap=True)
            parts = [
                f"{column.heading} {cell}".strip()
                for column, cell in zip(columns[1:], row[1:], strict=True)
                if cell
            ]
            self._say_parts(parts)

    def _shown(self, text: str) -> str:
        """Return the text with what is not printable, or not in the encoding, as escapes."""
        encoding = self.console.encoding
        return printable(text).encode(encoding, "backslashreplace").decode(encoding)

    def _print_unpadded(self, table: Table) -> None:
        """Print a table without the spaces after the last column where lines may be very long."""
        if self._is_terminal:
            self.console.print(table)
            return
        for line in self.console.render_lines(table, pad=False):
            text = "".join(segment.text for segment in line)
            self.console.print(Text(text.rstrip(" ")), soft_wrap=True)

    def _say_parts(self, parts: Sequence[str]) -> None:
        """Print parts side by side, as many as fit in a line; no part is broken."""
        line = ""
        for part in parts:
            if line and cell_len(f"{line}  {part}") > self.console.width:
                self.console.print(Text(line), soft_wrap=True)
                line = ""
            line += f"  {part}"
        if line:
            self.console.print(Text(line), soft_wrap=True)
