"""Render a report as CSV: a row for each environment and cache, or for each package."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..formatting import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..report.model import EnvironmentFigures, Report
    from ..report.packages import PackageFigures

_COLUMNS = (
    *("kind", "name", "path", "size_bytes", "inodes", "links", "incomplete"),
    *("shared_bytes", "exclusive_bytes", "with_clean_bytes", "softlinked_bytes"),
    *("used_bytes", "kept_bytes", "unused_bytes", "tarball_bytes"),
    *("quarantine_bytes", "other_bytes"),
)
_PACKAGE_COLUMNS = ("package", "path", "size_bytes", "verdict", "used_outside", "environments")
_FORMULA_STARTS = ("=", "+", "-", "@")


def render_csv(report: Report, environments: Sequence[EnvironmentFigures]) -> str:
    """Return the report as CSV with headings: RFC 4180, but lines end in LF.

    If the packages were requested, they replace the environments and caches. Otherwise the last row
    is the total, which counts each inode once: the columns do not add up to it.

    Names are escaped as in the table. A name that a spreadsheet would read as a formula gets an
    apostrophe in front.

    Args:
        report: The report to render.
        environments: Its environments, in the order to render them in.

    """
    if report.packages is not None:
        packages = (
            {**asdict(package), "package": package.name, "environments": _prefixes_of(package)}
            for package in report.packages
        )
        return _csv_text(_PACKAGE_COLUMNS, packages)
    total = {
        "kind": "total",
        "size_bytes": report.totals.on_disk_bytes,
        "inodes": report.totals.inodes,
        "links": report.totals.links,
        "incomplete": report.incomplete or bool(report.unreachable),
    }
    rows = [
        *(_environment_row(row) for row in environments),
        *({"kind": "cache", **asdict(cache)} for cache in report.caches),
        total,
    ]
    causes = next((row.private for row in environments if row.private is not None), {})
    return _csv_text((*_COLUMNS, *map(_column_of_cause, causes)), rows)


def _prefixes_of(package: PackageFigures) -> str:
    return ";".join(user.prefix for user in package.environments)


def _environment_row(row: EnvironmentFigures) -> dict[str, object]:
    causes = {_column_of_cause(cause): amount for cause, amount in (row.private or {}).items()}
    return {"kind": "environment", "path": row.prefix, **asdict(row), **causes}


def _column_of_cause(cause: str) -> str:
    return f"private_{cause}_bytes"


def _csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({column: _cell(value) for column, value in row.items()})
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    shown = printable(value)
    return f"'{shown}" if shown.startswith(_FORMULA_STARTS) else shown
