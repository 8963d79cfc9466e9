"""Render a report as one JSON object, which `docs/reference/report.schema.json` describes."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..report.model import SCHEMA_VERSION, EnvironmentFigures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..report.model import Report


def json_text(content: Mapping[str, Any], *, success: bool = True) -> str:
    """Return the JSON object that a verb prints, as text that ends with a newline.

    Args:
        content: What is in it besides the envelope; data classes become objects, and enumerations
            their values.
        success: Whether the verb did what it was asked to do.

    """
    envelope = {"schema_version": SCHEMA_VERSION, "success": success}
    return json.dumps(envelope | dict(content), indent=2, default=_json_value) + "\n"


def render_json(report: Report) -> str:
    r"""Return the report as JSON text that ends with a newline, without parts not requested.

    A byte of a name that is not valid UTF-8 is a lone surrogate `\udcNN`, as from `os.fsdecode`.
    """
    parts = _object_of(report)
    del parts["disk_map"]  # it is large
    return json_text({name: part for name, part in parts.items() if part is not None})


def _json_value(part: object) -> Any:  # what `json` can write
    if isinstance(part, Enum):
        return part.value
    content = _object_of(part)
    if isinstance(part, EnvironmentFigures) and part.private is None:
        del content["private"], content["private_bytes"]
    return content


def _object_of(part: object) -> dict[str, Any]:
    if not is_dataclass(part):
        raise TypeError(f"{type(part).__name__} has no JSON")
    return {field.name: getattr(part, field.name) for field in fields(part)}
