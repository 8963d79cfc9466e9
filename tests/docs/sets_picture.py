"""Two environments and a package cache as overlapping sets of inodes, with the figures of a report.

The example has one file in each region that there is; a real report is made of it, and all figures
of the picture are that report's.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from tests.support import trees
from tests.support.realconda.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024**2
# Every inode: its size, what it is, and where it is named from.
INODES = {
    "own of a": (1, "prefix rewritten"),
    "own of b": (1, "bytecode"),
    "tool": (2, "a package of a"),
    "lib": (4, "a package of both"),
    "gone": (2, "no longer cached"),
    "old": (3, "unused"),
}
_PLACES = {
    "own of a": (132, 190),
    "own of b": (468, 190),
    "tool": (207, 326),
    "lib": (300, 266),
    "gone": (300, 146),
    "old": (300, 470),
}
_STYLE = """\
text { font-family: system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1d2129; }
.set { font-size: 19px; font-weight: bold; }
.inode { font-size: 15px; font-weight: bold; text-anchor: middle; }
.what { font-size: 12px; text-anchor: middle; }
.head { font-size: 13px; font-weight: bold; text-anchor: end; fill: #5a6270; }
.row { font-size: 15px; font-weight: bold; }
.figure { font-size: 15px; text-anchor: end; }
.note { font-size: 14px; }"""


def build_example(directory: str) -> Installation:
    """Make the environments `a` and `b`, and a cache, in an installation of their own."""
    made = Installation.new(directory)
    bytes_of = {name: os.urandom(size * MIB) for name, (size, _) in INODES.items()}
    packages = {
        name: trees.package(made.pkgs_dir, f"{name}-1-0", {f"lib/{name}": bytes_of[name]})
        for name in ("tool", "lib", "gone", "old")
    }
    for environment, names in {"a": ("tool", "lib", "gone"), "b": ("lib", "gone")}.items():
        prefix = made.prefix(environment)
        for name in names:
            trees.install(packages[name], prefix)
        trees.write(f"{prefix}/lib/own", bytes_of[f"own of {environment}"])
    shutil.rmtree(packages["gone"])
    return made


def draw_sets(example: Installation) -> str:
    """Return the picture of the example as SVG."""
    done = example.hardlinks(
        *("report", "--json", "--no-index", "--grace", "0", "--if-removed", "a", "b")
    )
    return "\n".join(_svg(json.loads(done.stdout))) + "\n"


def _svg(report: dict[str, Any]) -> Iterator[str]:
    yield '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1060 560">'
    yield "<title>Two environments and a package cache as overlapping sets of inodes</title>"
    yield f"<style>\n{_STYLE}\n</style>"
    yield '<rect x="1" y="1" width="1058" height="558" rx="8" fill="#ffffff" stroke="#c8ccd2"/>'
    for x, y, colour in ((220, 210, "#3b82c4"), (380, 210, "#d98324"), (300, 365, "#6b7280")):
        yield (
            f'<circle cx="{x}" cy="{y}" r="160" fill="{colour}" fill-opacity="0.18"'
            f' stroke="{colour}" stroke-width="2"/>'
        )
    yield _text(40, 48, "set", "environment a")
    yield _text(430, 48, "set", "environment b")
    yield _text(40, 524, "set", "package cache")
    for name, (x, y) in _PLACES.items():
        size, what = INODES[name]
        yield f'<circle cx="{x}" cy="{y - 24}" r="5" fill="#1d2129"/>'
        yield _text(x, y, "inode", f"{name.split()[0]} {size} MiB")
        yield _text(x, y + 17, "what", what)
    yield from _figures(report)
    yield "</svg>"


def _figures(report: dict[str, Any]) -> Iterator[str]:
    rows = {row["name"]: row for row in report["environments"]}
    (cache,) = report["caches"]
    removed, totals = report["if_removed"], report["totals"]
    columns = (740, 830, 935, 1040)
    names = ("size_bytes", "shared_bytes", "exclusive_bytes", "with_clean_bytes")
    yield from _row(70, "", ("SIZE", "SHARED", "EXCLUSIVE", "WITH CLEAN"), columns, "head")
    for y, name in ((100, "a"), (130, "b")):
        yield from _row(y, name, [_mib(rows[name][key]) for key in names], columns)
    together = [_mib(removed[key]) for key in ("exclusive_bytes", "with_clean_bytes")]
    yield from _row(160, "a and b", together, columns[2:])
    yield from _row(220, "", ("SIZE", "USED", "UNUSED"), columns[:3], "head")
    cached = [_mib(cache[key]) for key in ("size_bytes", "used_bytes", "unused_bytes")]
    yield from _row(250, "cache", cached, columns[:3])
    on_disk, copies = _mib(totals["on_disk_bytes"]), _mib(totals["as_copies_bytes"])
    for number, line in enumerate(
        (
            "EXCLUSIVE: the files of one set alone.",
            "WITH CLEAN: plus the cached packages that only this",
            "environment uses, which is tool for a.",
            "gone is exclusive to neither. Removing both frees it, so",
            "“a and b” is more than the sum of the two rows.",
            "old is in no environment: a clean removes it.",
            f"On disk: {on_disk}, each inode once. As copies: {copies},",
            f"each set alone, added up. Hard links save {_mib(totals['saved_bytes'])}.",
        )
    ):
        yield _text(620, 320 + 28 * number, "note", line)


def _row(y: int, name: str, figures: Any, columns: Any, style: str = "figure") -> Iterator[str]:
    if name:
        yield _text(620, y, "row", name)
    for x, figure in zip(columns, figures, strict=True):
        yield _text(x, y, style, figure)


def _text(x: int, y: int, style: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{text}</text>'


def _mib(amount_bytes: int) -> str:
    """Return an amount in whole MiB: folders and records are left out of the picture."""
    mib = round(amount_bytes / MIB)
    if abs(amount_bytes - mib * MIB) > MIB / 3:
        raise ValueError(f"{amount_bytes} bytes are more than folders and records make up")
    return f"{mib} MiB"
