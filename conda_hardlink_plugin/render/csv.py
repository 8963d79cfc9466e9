"""A report as comma-separated values: a row for each environment and cache, or each package."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ..formatting import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..report.model import CacheFigures, EnvironmentFigures, Report
    from ..report.packages import PackageFigures

_OF_ALL = ("size_bytes", "inodes", "links")
_OF_ENVIRONMENTS = ("shared_bytes", "exclusive_bytes", "with_clean_bytes", "softlinked_bytes")
_OF_CACHES = (
    "used_bytes",
    "kept_bytes",
    "unused_bytes",
    "tarball_bytes",
    "quarantine_bytes",
    "other_bytes",
)
_COLUMNS = ("kind", "name", "path", *_OF_ALL, "incomplete", *_OF_ENVIRONMENTS, *_OF_CACHES)
_PACKAGE_COLUMNS = ("package", "path", "size_bytes", "verdict", "used_outside", "environments")
_BEGINS_FORMULA = ("=", "+", "-", "@")


def render_csv(report: Report, environments: Sequence[EnvironmentFigures]) -> str:
    """Return the report as CSV with a heading, as RFC 4180 has it but for lines that end in LF.

    The packages take the place of the environments and caches where they were asked for. The last
    row but for those is the total, each inode once: no column adds up to it.

    A name is written as the table shows it, and one that a spreadsheet would take for a formula
    has an apostrophe before it.

    Args:
        report: What to write.
        environments: Its environments, in the order in which they are to come.

    """
    if report.packages is not None:
        return _written(_PACKAGE_COLUMNS, map(_row_of_package, report.packages))
    causes = _causes(environments)
    rows = [
        *(_row_of_environment(row) for row in environments),
        *map(_row_of_cache, report.caches),
        {
            "kind": "total",
            "size_bytes": report.totals.on_disk_bytes,
            "inodes": report.totals.inodes,
            "links": report.totals.links,
            "incomplete": _yes_or_no(report.incomplete or bool(report.unreachable)),
        },
    ]
    return _written((*_COLUMNS, *causes), rows)


def _causes(environments: Iterable[EnvironmentFigures]) -> list[str]:
    """Return the columns of the causes, where they were asked for."""
    private = next((row.private for row in environments if row.private is not None), {})
    return [f"private_{cause}_bytes" for cause in private]


def _row_of_environment(row: EnvironmentFigures) -> dict[str, object]:
    return {
        "kind": "environment",
        "name": row.name,
        "path": row.prefix,
        "incomplete": _yes_or_no(row.incomplete),
        **{name: getattr(row, name) for name in (*_OF_ALL, *_OF_ENVIRONMENTS)},
        **{f"private_{cause}_bytes": amount for cause, amount in (row.private or {}).items()},
    }


def _row_of_cache(cache: CacheFigures) -> dict[str, object]:
    return {
        "kind": "cache",
        "path": cache.path,
        "incomplete": _yes_or_no(cache.incomplete),
        **{name: getattr(cache, name) for name in (*_OF_ALL, *_OF_CACHES)},
    }


def _row_of_package(package: PackageFigures) -> dict[str, object]:
    return {
        "package": package.name,
        "path": package.path,
        "size_bytes": package.size_bytes,
        "verdict": package.verdict,
        "used_outside": _yes_or_no(package.used_outside),
        "environments": ";".join(user.prefix for user in package.environments),
    }


def _yes_or_no(value: bool) -> str:
    return "true" if value else "false"


def _written(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({column: _cell(value) for column, value in row.items()})
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    shown = printable(value)
    return f"'{shown}" if shown.startswith(_BEGINS_FORMULA) else shown
