"""What a command prints on a terminal, as a picture."""

from __future__ import annotations

import io
from html import escape
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.docs.blocks import COLUMNS

# Readable on light and on dark pages: the picture brings its own background.
_THEME = TerminalTheme(
    (24, 26, 32),
    (222, 224, 228),
    [
        (24, 26, 32),
        (240, 113, 120),
        (150, 200, 110),
        (240, 190, 90),
        (110, 170, 240),
        (200, 150, 230),
        (100, 200, 200),
        (222, 224, 228),
    ],
)
# As rich has it, but with fonts of the reader's and nothing from the network.
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <title>TITLE</title>
  <style>
    .{unique_id}-matrix {{
      font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
      font-size: {char_height}px;
      line-height: {line_height}px;
      font-variant-ligatures: none;
    }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
"""


def draw_terminal(name: str, command: str, printed: str) -> str:
    """Return an SVG of a terminal on which a command was given.

    Args:
        name: What the picture is called.
        command: The command.
        printed: What it prints, with the escape sequences of colours.

    """
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    shown = Text.assemble(("$ ", "dim"), (command, "bold"), "\n", Text.from_ansi(printed.rstrip()))
    console.print(shown, no_wrap=True, overflow="ignore", crop=False)
    title = escape(f"What `{command}` prints").replace("{", "{{").replace("}", "}}")
    return console.export_svg(
        title="", theme=_THEME, code_format=_FORMAT.replace("TITLE", title), unique_id=name
    )


def text_of_picture(svg: str) -> str:
    """Return the text that a picture shows, a line for each of its lines."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        place = float(element.get("y", "0"))
        lines.setdefault(place, []).append(
            (float(element.get("x", "0")), (element.text or "").strip("\n"))
        )
    return "".join(
        " ".join(text for _, text in sorted(lines[place])).replace("\xa0", " ") + "\n"
        for place in sorted(lines)
    )
