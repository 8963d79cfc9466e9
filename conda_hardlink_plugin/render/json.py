"""Render a report as one JSON object, which `docs/reference/report.schema.json` describes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..report.model import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..report.model import Report


def json_text(content: Mapping[str, Any], *, success: bool = True) -> str:
    """Return the JSON object that a verb prints, as text that ends with a newline."""
    envelope = {"schema_version": SCHEMA_VERSION, "success": success}
    return json.dumps(envelope | dict(content), indent=2) + "\n"


def render_json(report: Report) -> str:
    r"""Return the report as JSON text that ends with a newline.

    A byte of a name that is not valid UTF-8 is a lone surrogate `\udcNN`, as from `os.fsdecode`.
    """
    return json_text(report_object(report))


def report_object(report: Report) -> dict[str, Any]:
    """Return the report as an object for `json.dumps`, without parts that were not requested."""
    # The disk map is not part of the JSON, and large.
    parts = asdict(replace(report, disk_map=None)).items()
    content: dict[str, Any] = {
        name: list(part) if isinstance(part, tuple) else part
        for name, part in parts
        if part is not None
    }
    content["measure"] = report.measure.value
    content["reading"]["mode"] = report.reading.mode.value
    content["reading"]["reader"] = report.reading.reader.value
    for environment in content["environments"]:
        if environment["private"] is None:
            del environment["private"], environment["private_bytes"]
    return content
