"""Render a report as one HTML page: a disk map, and tables to sort and search.

The page loads nothing. Every text in it is made printable and escaped. Its style and script are
constants, and its Content-Security-Policy allows only these two.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from math import isqrt
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..formatting import count, percent, printable, size, timestamp
from ..report.disk_map import AreaKind
from .labels import (
    CAUSE_HEADINGS,
    NO_PACKAGES,
    cache_columns,
    name_suffix,
    report_notes,
    totals_sentence,
    users_of,
)
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
    from ..report.disk_map import DiskMap
    from ..report.model import Report

CANVASES = (Canvas("wide", 1160, 560), Canvas("middle", 720, 520), Canvas("narrow", 360, 560))
_HEAT_LEVELS = 8
_USERS_SHOWN = 4


def render_html(report: Report, written_s: float) -> str:
    """Return the page.

    Args:
        report: The report; it must have a `disk_map`.
        written_s: The time to show, in seconds since the epoch.

    Raises:
        ValueError: The report has no `disk_map`.

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
        written=timestamp(written_s),
        totals_sentence=totals_sentence(report),
        notes=report_notes(report, verbose=True),
        kinds=_kinds(disk_map),
        maps=[(canvas, lay_out(disk_map.holders, canvas)) for canvas in CANVASES],
        kind_of_package={
            area.package: area.kind.value
            for holder in disk_map.holders
            for area in holder.areas
            if area.package is not None
        },
        number_of_prefix={row.prefix: number for number, row in enumerate(report.environments)},
        environments=sorted(
            enumerate(report.environments), key=lambda item: (-item[1].size_bytes, item[1].name)
        ),
        packages=sorted(
            enumerate(disk_map.packages), key=lambda item: (-item[1].size_bytes, item[1].path)
        ),
        no_packages=NO_PACKAGES,
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
        cache_parts=cache_columns(report),
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
    functions = (
        block_title,
        count,
        name_suffix,
        percent,
        tile_label,
        tile_name,
        tile_title,
        users_of,
    )
    environment.globals |= {function.__name__: function for function in functions}
    environment.globals |= {"heading_character": HEADING_CHARACTER, "heat": _heat}
    environment.filters["size"] = size
    return environment


def _printable(value: object) -> object:
    """Escape unprintable characters of a text, except in the style and the script."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _inlined(name: str) -> Markup:
    """Return the content of a template file, to be inserted without escaping."""
    file = files("conda_hardlink_plugin.render") / "templates" / name
    return Markup(file.read_text("utf-8"))  # noqa: S704  # a file of this package


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy that allows only this style and this script."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _kinds(disk_map: DiskMap) -> list[dict[str, Any]]:
    """Return the legend: each kind of area that is not empty, with its bytes and packages."""
    areas = [area for holder in disk_map.holders for area in holder.areas]
    entries = (
        {
            "kind": kind.value,
            "label": KIND_LABELS[kind],
            "amount_bytes": sum(area.amount_bytes for area in areas if area.kind is kind),
            "packages": sum(area.kind is kind for area in areas) if kind in PACKAGE_KINDS else None,
        }
        for kind in AreaKind
    )
    return [entry for entry in entries if entry["amount_bytes"]]


def _heat(amount: int, most: int) -> int:
    """Return the shade of a figure, from 0 for nothing to 8: the square root of its share."""
    return 1 + isqrt((_HEAT_LEVELS - 1) ** 2 * amount // most) if amount else 0
