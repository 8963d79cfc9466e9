"""A report as one JSON object, as `docs/reference/report.schema.json` describes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..report.model import Report

SCHEMA_VERSION = 1  # of every output; a field that is added does not change it


def json_text(content: Mapping[str, Any], *, success: bool = True) -> str:
    """Return one JSON object as every verb prints it, as text that ends with a newline."""
    envelope = {"schema_version": SCHEMA_VERSION, "success": success}
    return json.dumps(envelope | dict(content), indent=2) + "\n"


def render_json(report: Report) -> str:
    r"""Return the report as JSON text that ends with a newline.

    A byte of a name that was not UTF-8 is a lone surrogate `\udcNN`, as Python's `os.fsdecode`
    gives it.
    """
    return json_text(report_object(report))


def report_object(report: Report) -> dict[str, Any]:
    """Return the report as what `json.dumps` takes; parts that were not asked for are left out."""
    environments = [asdict(environment) for environment in report.environments]
    for environment in environments:
        if environment["private"] is None:
            del environment["private"], environment["private_bytes"]
    content: dict[str, Any] = {
        "measure": report.measure.value,
        "environments": environments,
        "caches": [asdict(cache) for cache in report.caches],
        "totals": asdict(report.totals),
        "devices": [asdict(device) for device in report.devices],
        "unreachable": [asdict(problem) for problem in report.unreachable],
        "unreadable": [asdict(problem) for problem in report.unreadable],
        "stale": list(report.stale),
        "aliases": dict(report.aliases),
        "incomplete": report.incomplete,
        "warnings": list(report.warnings),
        "reading": {"mode": report.reading.mode.value, "taken_s": report.reading.taken_s},
    }
    if report.packages is not None:
        content["packages"] = [asdict(package) for package in report.packages]
    if report.du is not None:
        content["du"] = [asdict(row) for row in report.du]
    if report.if_removed is not None:
        content["if_removed"] = asdict(report.if_removed)
    if report.detail is not None:
        content["detail"] = asdict(report.detail)
    return content
