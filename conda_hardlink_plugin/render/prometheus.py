"""Render a report as Prometheus metrics, for the textfile collector of node-exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ..formatting import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..report.model import Report

    Sample = tuple[tuple[str, ...], float]  # the values of the labels, and the value

_INCOMPLETE = "1 if something in it could not be read: its figures are lower bounds."
_OF_ENVIRONMENTS = {
    "size_bytes": "Unique usage of the environment, as from du -s.",
    "shared_bytes": "Inodes that also have a link elsewhere: removing the environment keeps them.",
    "exclusive_bytes": "What removing the environment frees.",
    "with_clean_bytes": "What removing it and the cached packages that only it uses frees.",
    "softlinked_bytes": "Files in package caches that its symbolic links resolve to.",
    "inodes": "Inodes with a link in the environment.",
    "links": "Directory entries in the environment.",
    "incomplete": _INCOMPLETE,
}
_OF_CACHES = {
    "size_bytes": "Unique usage of the package cache, as from du -s.",
    "used_bytes": "Extracted packages with a user, in the scanned trees or outside.",
    "kept_bytes": "Extracted packages without a known user that are kept for another reason.",
    "unused_bytes": "Extracted packages that conda hardlinks clean removes.",
    "tarball_bytes": "Archives of packages.",
    "quarantine_bytes": "Packages that conda hardlinks clean has moved aside.",
    "other_bytes": "Everything else in the cache.",
    "packages": "Number of extracted packages in the cache.",
    "unused_packages": "Number of extracted packages that conda hardlinks clean removes.",
    "incomplete": _INCOMPLETE,
}
_OF_ALL = {
    "on_disk_bytes": "All caches and environments together, each inode once.",
    "as_copies_bytes": "The sum of the sizes of all: their disk usage without hard links.",
    "saved_bytes": "Bytes that hard links save.",
    "saved_inodes": "Inodes that hard links save.",
}
_REPORT_INCOMPLETE = "1 if something in the trees could not be read: sizes are lower bounds."
_UNREACHABLE = "Number of listed environments and caches that could not be scanned."


def render_prometheus(report: Report, *, version: str, taken_s: float) -> str:
    """Return the report as metrics.

    All metrics are gauges whose names start with `conda_hardlinks_`. Do not add up those of caches
    and environments: bytes that two of them share are part of both. Names are escaped as in the
    table.

    Args:
        report: The report to render.
        version: The version of this program.
        taken_s: The time of the report, in seconds since the epoch.

    """
    registry = CollectorRegistry()

    def add(name: str, help_text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> None:
        gauge = Gauge(f"conda_hardlinks_{name}", help_text, labels, registry=registry)
        for values, value in samples:
            (gauge.labels(*values) if labels else gauge).set(value)

    def add_fields(
        prefix: str,
        labels: tuple[str, ...],
        help_texts: Mapping[str, str],
        rows: Mapping[tuple[str, ...], object],
    ) -> None:
        for field, help_text in help_texts.items():
            samples = [(values, getattr(row, field)) for values, row in rows.items()]
            add(f"{prefix}{field}", help_text, labels, samples)

    environments: dict[tuple[str, ...], object] = {
        (_label(row.name), _label(row.prefix)): row for row in report.environments
    }
    caches: dict[tuple[str, ...], object] = {(_label(row.path),): row for row in report.caches}
    add_fields("environment_", ("environment", "prefix"), _OF_ENVIRONMENTS, environments)
    add_fields("cache_", ("cache",), _OF_CACHES, caches)
    add_fields("", (), _OF_ALL, {(): report.totals})
    causes = [
        ((_label(row.name), _label(row.prefix), cause), amount)
        for row in report.environments
        for cause, amount in (row.private or {}).items()
    ]
    if causes:
        labels = ("environment", "prefix", "cause")
        add("environment_private_bytes", "Private bytes by cause.", labels, causes)
    of_report = {
        "environments": ("Number of scanned environments.", len(report.environments)),
        "unreachable": (_UNREACHABLE, len(report.unreachable)),
        "warnings": ("Number of warnings in the report.", len(report.warnings)),
        "report_incomplete": (_REPORT_INCOMPLETE, report.incomplete),
        "report_timestamp_seconds": ("Time of the report.", taken_s),
    }
    for name, (help_text, value) in of_report.items():
        add(name, help_text, (), [((), value)])
    build = (version, report.measure.value, report.reading.mode.value)
    labels = ("version", "measure", "reading")
    add("build_info", "The program that wrote these metrics.", labels, [(build, 1)])
    return generate_latest(registry).decode()


def _label(name: str) -> str:
    """Return a name escaped as in the table, and unique: a backslash is escaped, too."""
    return printable(name.replace("\\", "\\\\"))
