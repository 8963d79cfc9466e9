"""A report as one page: a map of the disk, tables to sort and to search, nothing from elsewhere.

The template gets the report and what is computed here; every text that it prints is made printable
and escaped, whoever wrote it. Style and script are constants, and the page allows those two only.
"""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass
from importlib.resources import files
from math import isqrt
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..formatting import count, percent, printable, size
from ..report.disk_map import AreaKind
from .labels import CAUSE_HEADINGS, mark_of, notes_of, parts_of_caches, totals_sentence, users_of
from .map_labels import (
    HEADING_CHARACTER,
    KIND_LABELS,
    PACKAGE_KINDS,
    block_title,
    tile_label,
    tile_name,
    tile_title,
)
from .treemap import Canvas, lay_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..report.disk_map import DiskMap
    from ..report.model import Report
    from .treemap import Block

CANVASES = (Canvas("wide", 1160, 560), Canvas("middle", 720, 520), Canvas("narrow", 360, 560))
_HEAT_LEVELS = 8
_USERS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class KindFigures:
    """All areas of one kind.

    Attributes:
        kind: Which kind.
        label: What it is called.
        amount_bytes: All of them.
        packages: How many packages; `None` where they are no packages.

    """

    kind: str
    label: str
    amount_bytes: int
    packages: int | None


@dataclass(frozen=True, slots=True)
class MapFigures:
    """The map of the disk for screens of some width."""

    canvas: Canvas
    blocks: Sequence[Block]


def render_html(report: Report, written_s: float) -> str:
    """Return the page.

    Args:
        report: What to show; its `disk_map` was asked for.
        written_s: When, in seconds since the epoch.

    Raises:
        ValueError: The report has no disk_map.

    """
    disk_map = report.disk_map
    if disk_map is None:
        raise ValueError("a page needs a report with a disk_map")
    style, script = _inlined("page.css"), _inlined("page.js")
    template = _templates().get_template("page.html.jinja")
    return template.render(
        report=report,
        disk_map=disk_map,
        style=style,
        script=script,
        policy=_policy(style, script),
        written=time.strftime("%Y-%m-%d %H:%M", time.localtime(written_s)),
        totals_sentence=totals_sentence(report),
        notes=notes_of(report, verbose=True),
        kinds=_kinds(disk_map),
        maps=[MapFigures(canvas, lay_out(disk_map.holders, canvas)) for canvas in CANVASES],
        kind_of_package=_kinds_of_packages(disk_map),
        place_of_prefix={row.prefix: place for place, row in enumerate(report.environments)},
        environments=sorted(
            enumerate(report.environments), key=lambda item: (-item[1].size_bytes, item[1].name)
        ),
        packages=sorted(
            enumerate(disk_map.packages), key=lambda item: (-item[1].size_bytes, item[1].path)
        ),
        longest_bar_bytes=max(
            (row.size_bytes + row.softlinked_bytes for row in report.environments), default=0
        ),
        causes={
            cause: heading
            for cause, heading in CAUSE_HEADINGS.items()
            if any(private and private[cause] for private in disk_map.private)
        },
        most_private_bytes=max(
            (amount for private in disk_map.private if private for amount in private.values()),
            default=0,
        ),
        most_shared_bytes=max(disk_map.sharing.shared_bytes.values(), default=0),
        cache_parts=parts_of_caches(report),
        users_shown=_USERS_SHOWN,
    )


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("conda_hardlink_plugin.render", "templates"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "block_title": block_title,
        "count": count,
        "heading_character": HEADING_CHARACTER,
        "heat": _heat,
        "mark_of": mark_of,
        "percent": percent,
        "tile_label": tile_label,
        "tile_name": tile_name,
        "tile_title": tile_title,
        "users_of": users_of,
    }
    environment.filters["size"] = size
    return environment


def _printable(value: object) -> object:
    """Make a text that a template prints printable, but for our own style and script."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _inlined(name: str) -> Markup:
    """Return a file that is part of the page as it stands."""
    file = files("conda_hardlink_plugin.render") / "templates" / name
    return Markup(file.read_text("utf-8"))  # noqa: S704  # a file of this package


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy that allows this style and this script, and nothing."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _kinds(disk_map: DiskMap) -> list[KindFigures]:
    """Return what each kind of area adds up to, where there is any."""
    amounts = dict.fromkeys(AreaKind, 0)
    packages = dict.fromkeys(AreaKind, 0)
    for holder in disk_map.holders:
        for area in holder.areas:
            amounts[area.kind] += area.amount_bytes
            packages[area.kind] += area.package is not None
    return [
        KindFigures(
            kind.value,
            KIND_LABELS[kind],
            amount,
            packages[kind] if kind in PACKAGE_KINDS else None,
        )
        for kind, amount in amounts.items()
        if amount
    ]


def _kinds_of_packages(disk_map: DiskMap) -> dict[int, str]:
    """Return the kind of the area of each package that has one."""
    return {
        area.package: area.kind.value
        for holder in disk_map.holders
        for area in holder.areas
        if area.package is not None
    }


def _heat(amount: int, most: int) -> int:
    """Return how strongly a figure is shaded, from 0 for nothing to 8: by its square root."""
    return 1 + isqrt((_HEAT_LEVELS - 1) ** 2 * amount // most) if amount else 0
