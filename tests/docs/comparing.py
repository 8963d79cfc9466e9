"""Whether a document shows what is printed, but for what differs from run to run."""

from __future__ import annotations

import os
import re
import sys
import tempfile

KIB, MIB = 1024, 1024**2

_SLACK_BYTES = 96 * KIB  # of directories, records and bytecode, which name where they are
# Every environment of the demo with python has a copy of the interpreter, and bytecode of it.
_PYTHON = (3, 11)
_MOST_OF_AN_INTERPRETER_BYTES = 64 * KIB  # one that has nearly all of it in a shared library

_HEADINGS = re.compile(r" *[A-Z][A-Z `-]*(?: {2,}[A-Z][A-Za-z0-9 `-]*)+")
_CELL = re.compile(r"\S+(?: \S+)*")
_BAR = re.compile("[█▒░]")
_LEGEND = re.compile("[█▒░] [a-z]")  # of the bars, below a table

_UNITS = {"B": 1, "bytes": 1, "KiB": KIB, "MiB": MIB, "GiB": 1024**3}
_UNITS |= {"K": KIB, "M": MIB, "G": 1024**3}  # as du has them
_FIGURE = re.compile(
    r"(?<![\w./:-])(?P<number>\d[\d,]*(?:\.\d+)?)"
    r"(?:(?: (?P<unit>[KMG]iB|B|bytes|%))|(?P<du>[KMG]))(?!\w)"
    r"|(?<![\w./:-])(?P<bare>\d{5,})(?![\w./:-])"
)
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?"), "DATE"),
    (re.compile(r"\b\d{8}T\d{6}Z?_?\w*|\b[0-9a-f]{12,}\b"), "ID"),
    (re.compile("█+"), "█"),
    (re.compile("▒+"), "▒"),
    (re.compile("░+"), "░"),
)


def difference(shown: str, printed: str) -> str:
    """Say what differs between a text that is shown and one that is printed, `""` if nothing does.

    Lines may be folded elsewhere, and figures may be a little off: see above.
    """
    shown_words, shown_figures = _taken_apart(shown)
    words, figures = _taken_apart(printed)
    if shown_words != words:
        return f"shown:   {shown_words}\nprinted: {words}"
    for expected, figure in zip(shown_figures, figures, strict=True):
        if not _is_near(expected, figure):
            return f"shown: {expected[0]}, printed: {figure[0]}"
    return ""


def is_laid_out_alike(shown: str, printed: str) -> bool:
    """Whether two texts that say the same have their words in the same columns."""
    return _layout(shown) == _layout(printed)


def columns_out_of_line(text: str) -> list[str]:
    """Return the rows of tables with a cell that aligns with neither end of a heading.

    A table is a line of headings in capitals, at least two, and what follows up to an empty line.
    """
    found = []
    columns: list[tuple[int, int]] = []
    for line in text.splitlines():
        if not line:
            columns = []
        elif _HEADINGS.fullmatch(line):
            columns = [heading.span() for heading in _CELL.finditer(line)]
        elif columns and not _LEGEND.match(line) and not _is_in_line(line, columns):
            found.append(line)
    return found


def what_is_unlike_the_documents(directory: str) -> str:
    """Say why figures, and with them the order of rows, are others on this machine; else `""`.

    Args:
        directory: Where a demo is to be.

    """
    if sys.version_info[:2] != _PYTHON:
        return f"bytecode is that of Python {'.'.join(map(str, _PYTHON))} in the documents"
    interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    if os.stat(interpreter).st_blocks * 512 > _MOST_OF_AN_INTERPRETER_BYTES:
        return f"{interpreter} is larger than the interpreter in the documents"
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        with open(os.path.join(folder, "file"), "xb") as file:
            file.write(b"small")
            file.flush()
            os.fsync(file.fileno())
        os.symlink("file", os.path.join(folder, "link"))
        names = (".", "file", "link")
        blocks = [os.lstat(os.path.join(folder, name)).st_blocks for name in names]
    if blocks != [8, 8, 0]:
        return f"{directory} gives folders and files other blocks than in the documents"
    return ""


def _layout(text: str) -> str:
    for pattern, name in _VARYING[:2]:
        text = pattern.sub(name, text)
    return re.sub(r"\d", "0", _BAR.sub("█", text))


def _is_in_line(line: str, columns: list[tuple[int, int]]) -> bool:
    """Whether each cell below a heading begins or ends where the heading does."""
    begins, ends = ({column[side] for column in columns} for side in (0, 1))
    cells = [cell for cell in _CELL.finditer(line) if cell.start() < columns[-1][1]]
    return all(cell.start() in begins or cell.end() in ends for cell in cells)


def _taken_apart(text: str) -> tuple[str, list[re.Match[str]]]:
    """Return a text without its figures, and the figures."""
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    text = " ".join(text.split())
    return _FIGURE.sub("#", text), list(_FIGURE.finditer(text))


def _is_near(expected: re.Match[str], figure: re.Match[str]) -> bool:
    if "%" in (expected["unit"], figure["unit"]):
        percents = float(expected["number"]), float(figure["number"])
        return expected["unit"] == figure["unit"] and abs(percents[0] - percents[1]) <= 1
    (size, step), (other, other_step) = _bytes(expected), _bytes(figure)
    if size == 0 or other == 0:
        return size == other
    return abs(size - other) <= _SLACK_BYTES + max(step, other_step)


def _bytes(figure: re.Match[str]) -> tuple[float, float]:
    """Return what a figure says, and the step of its last digit."""
    if figure["bare"]:
        return float(figure["bare"]), 1
    number = figure["number"].replace(",", "")
    unit = _UNITS[figure["unit"] or figure["du"]]
    decimals = len(number.partition(".")[2])
    return float(number) * unit, unit / 10**decimals
