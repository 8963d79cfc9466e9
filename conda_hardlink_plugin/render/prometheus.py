"""A report as metrics in the text format of Prometheus, for node-exporter's textfile collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ..formatting import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..report.model import EnvironmentFigures, Report

_INCOMPLETE = "1 if something in it could not be read: its figures are at least so much."
_OF_ENVIRONMENTS = {
    "size_bytes": "Unique usage of the environment alone, as du -s has it.",
    "shared_bytes": "Inodes that also have a link elsewhere: they stay when it is removed.",
    "exclusive_bytes": "What removing the environment frees.",
    "with_clean_bytes": "What removing it and then the cached packages only it used frees.",
    "softlinked_bytes": "Files in package caches that its symbolic links lead to.",
    "inodes": "Inodes with a link in the environment.",
    "links": "Directory entries in the environment.",
    "incomplete": _INCOMPLETE,
}
_OF_CACHES = {
    "size_bytes": "Unique usage of the package cache alone, as du -s has it.",
    "used_bytes": "Extracted packages that an environment, or somebody unseen, uses.",
    "kept_bytes": "Extracted packages without a known user that are kept for another reason.",
    "unused_bytes": "Extracted packages that conda hardlinks clean removes.",
    "tarball_bytes": "Archives of packages.",
    "quarantine_bytes": "What conda hardlinks clean has moved aside.",
    "other_bytes": "Everything else in the cache.",
    "packages": "Extracted packages in the cache.",
    "unused_packages": "Extracted packages that conda hardlinks clean removes.",
    "incomplete": _INCOMPLETE,
}
_OF_ALL = {
    "on_disk_bytes": "All caches and environments together, each inode once.",
    "as_copies_bytes": "Each of them alone, added up: what they would take without hard links.",
    "saved_bytes": "What hard links save.",
    "saved_inodes": "How many inodes hard links save.",
}


def render_prometheus(report: Report, *, version: str, taken_s: float) -> str:
    """Return the report as metrics.

    All are gauges whose names begin with `conda_hardlinks_`. Those of caches and environments must
    not be added up: what two of them share is in both. A name is written as the table shows it.

    Args:
        report: What to write.
        version: The version of this program.
        taken_s: When the report was made, in seconds since the epoch.

    """
    metrics = _Metrics()
    by_environment: dict[tuple[str, ...], object] = {
        (row.name, row.prefix): row for row in report.environments
    }
    by_cache: dict[tuple[str, ...], object] = {(row.path,): row for row in report.caches}
    metrics.add("environment", ("environment", "prefix"), _OF_ENVIRONMENTS, by_environment)
    metrics.add("cache", ("cache",), _OF_CACHES, by_cache)
    metrics.add("", (), _OF_ALL, {(): report.totals})
    metrics.add_causes(report.environments)
    metrics.set("environments", "Environments that were looked at.", len(report.environments))
    metrics.set(
        "unreachable",
        "Environments and caches that are listed and could not be looked at.",
        len(report.unreachable),
    )
    metrics.set("warnings", "What the report warns of.", len(report.warnings))
    metrics.set(
        "report_incomplete",
        "1 if something below the trees could not be read: sizes are at least so much.",
        report.incomplete,
    )
    metrics.set("report_timestamp_seconds", "When the report was made.", taken_s)
    metrics.gauge(
        "build_info", "The program that wrote this.", ("version", "measure", "reading")
    ).labels(version, report.measure.value, report.reading.mode.value).set(1)
    return generate_latest(metrics.registry).decode()


class _Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def gauge(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"conda_hardlinks_{name}", meaning, labels, registry=self.registry)

    def set(self, name: str, meaning: str, value: float) -> None:
        self.gauge(name, meaning).set(value)

    def add(
        self,
        of: str,
        labels: tuple[str, ...],
        meanings: Mapping[str, str],
        rows: Mapping[tuple[str, ...], object],
    ) -> None:
        """Add a metric for each field of some rows; each row has its values of the labels."""
        for field, meaning in meanings.items():
            gauge = self.gauge(f"{of}_{field}" if of else field, meaning, labels)
            for values, row in rows.items():
                labelled = gauge.labels(*map(_label, values)) if labels else gauge
                labelled.set(getattr(row, field))

    def add_causes(self, environments: Iterable[EnvironmentFigures]) -> None:
        """Add the causes of private bytes, where they were asked for."""
        rows = [row for row in environments if row.private is not None]
        if not rows:
            return
        labels = ("environment", "prefix", "cause")
        gauge = self.gauge("environment_private_bytes", "Private bytes by their cause.", labels)
        for row in rows:
            for cause, amount in (row.private or {}).items():
                gauge.labels(_label(row.name), _label(row.prefix), cause).set(amount)


def _label(name: str) -> str:
    """Return a name as the table shows it, but that no two names are shown alike."""
    return printable(name.replace("\\", "\\\\"))
