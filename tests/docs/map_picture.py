"""The map of the disk of a page, as a picture of its own."""

from __future__ import annotations

import os
import re
import tempfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tests.docs.blocks import SHOWN, run

if TYPE_CHECKING:
    from tests.support.realconda.installation import Installation

_SVG = "{http://www.w3.org/2000/svg}"
# What of the page's style is about the map; the rest is about the page around it.
_RULES = re.compile(r"^(?::root|@media \(prefers|\.map \{|\.tile|\.edge|\.heading|\.k-|  )")
_FONT = "svg { font-family: system-ui, 'DejaVu Sans', sans-serif; display: block !important; }"


def draw_map(demo: Installation) -> str:
    """Return the map that a report draws of a demo, as SVG."""
    with tempfile.TemporaryDirectory() as directory:
        page = os.path.join(directory, "page.html")
        run(demo, f"conda hardlinks report --quiet --html {page}")
        with open(page, encoding="utf-8") as file:
            text = file.read().replace(demo.directory, SHOWN)
    begin = text.index('<svg class="map wide"')
    drawn = text[begin : text.index('<svg class="map middle"')].rstrip()
    style = text[text.index("<style>") + len("<style>") : text.index("</style>")]
    rules = _map_rules(style)
    opening, rest = drawn.split(">", 1)
    opening = re.sub(r' (?:class|role)="[^"]*"', "", opening)
    opening = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg" class="map"', 1)
    lines = (line.rstrip() for line in f"{opening}>\n<style>\n{rules}</style>{rest}".splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def text_of_map(svg: str) -> str:
    """Return what a map says of each of its areas, a line each, in the order of the alphabet."""
    titles = ET.fromstring(svg).iter(f"{_SVG}title")
    return "".join(sorted(f"{title.text}\n" for title in titles))


def _map_rules(style: str) -> str:
    """Return the rules of a style that a map needs; each begins a line, and goes on indented."""
    kept, keeps = [_FONT], False
    for line in style.splitlines():
        if not line.startswith((" ", "}")):
            keeps = _RULES.match(line) is not None
        if keeps:
            kept.append(line)
    return "\n".join(kept) + "\n"
