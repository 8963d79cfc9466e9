"""The output for a terminal or a pipe: folded sentences, and tables that never cut a figure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..formatting import printable
from .output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO

    from .output import Column

_GAP = 2  # characters between two columns of a table
_PIPE_COLUMNS = 100_000  # so that lines for a pipe are not folded
_FEWEST_COLUMNS = 20


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError for the command to handle; rich would end the process."""
        raise  # noqa: PLE0704  # rich calls this while it handles the BrokenPipeError


class Terminal(Output):
    """A terminal, a pipe or a text stream."""

    def __init__(self, file: TextIO | None = None, columns: int | None = None) -> None:
        """Print to a file.

        Args:
            file: The text stream; stdout by default.
            columns: The width in characters; by default the width of the terminal, or no limit.

        """
        # A variable may force colour in a pipe, but a stream that was passed in stays plain text.
        is_a_file = file is not None and not file.isatty()
        console = _Console(
            file=file,
            force_terminal=False if is_a_file else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._is_terminal = console.file.isatty()
        if columns is not None or not self._is_terminal:
            console.width = columns or _PIPE_COLUMNS
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

        A word that is longer than a line, such as a path, is not broken, so that it can be copied.
        """
        if not sentence.strip():
            self.console.print()
            return
        width = max(self.console.width - len(indent), _FEWEST_COLUMNS)
        words = re.findall(r" *[^ ]+", self._escaped(sentence))
        for number, line in enumerate(_folded(words, width)):
            self._print(indent * bool(number) + line, style)

    def lines_of(self, printing: Callable[[], None]) -> int:
        """Return the number of lines that a function prints, without printing them."""
        with self.console.capture() as capture:
            printing()
        return capture.get().count("\n")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Print a table, or a block of lines for each row if the table is too wide."""
        escaped = [[self._escaped(cell) for cell in row] for row in rows]
        # rich would measure less: it cuts cells until a table fits.
        cells = zip([column.heading for column in columns], *escaped, strict=True)
        width = sum(max(map(cell_len, column)) + _GAP for column in cells) - _GAP
        if width <= self.console.width:
            self._print_table(columns, escaped)
            return
        for row in escaped:
            self._print(row[0], "bold")
            parts = [
                f"  {f'{column.heading} {cell}'.strip()}"
                for column, cell in zip(columns[1:], row[1:], strict=True)
                if cell
            ]
            for line in _folded(parts, self.console.width, begin="  "):
                self._print(line)

    def _escaped(self, text: str) -> str:
        """Return the text with unprintable and unencodable characters escaped."""
        encoding = self.console.encoding
        return printable(text).encode(encoding, "backslashreplace").decode(encoding)

    def _print(self, line: str, style: str = "") -> None:
        self.console.print(Text(line, style=style), soft_wrap=True)

    def _print_table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Print a table that fits; in a pipe, lines do not end in spaces."""
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for column in columns:
            justify = "right" if column.figures else "left"
            table.add_column(column.heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # a literal
        for row in rows:
            table.add_row(*row)
        if self._is_terminal:
            self.console.print(table)
            return
        for line in self.console.render_lines(table, pad=False):
            self._print("".join(segment.text for segment in line).rstrip(" "))


def _folded(pieces: Iterable[str], width: int, begin: str = "") -> list[str]:
    """Return lines of as many pieces as fit into a width.

    Args:
        pieces: Texts that are not broken, with the spaces in front of each.
        width: The width in cells.
        begin: The start of each line after the first, instead of the spaces of its first piece.

    """
    lines: list[str] = []
    for piece in pieces:
        if lines and cell_len(lines[-1] + piece) <= width:
            lines[-1] += piece
        else:
            lines.append(begin + piece.lstrip(" ") if lines else piece)
    return lines
