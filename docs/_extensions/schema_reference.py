"""The directive `json-schema FILE`: a list of the fields in a JSON schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

Schema = dict[str, Any]


class SchemaFields(SphinxDirective):
    """A list with the path, the type and the description of each field."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the list for a schema in the folder of the document."""
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        with open(path, encoding="utf-8") as file:
            schema = json.load(file)
        listed = nodes.definition_list(classes=["json-fields"])
        for field, kind, meaning in fields(schema, schema):
            listed += nodes.definition_list_item(
                "",
                nodes.term("", "", nodes.literal(field, field), nodes.Text(f"  {kind}")),
                nodes.definition("", _paragraph(meaning)),
            )
        return [listed]


def fields(schema: Schema, whole: Schema, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield path, type and description of each field below a schema.

    Args:
        schema: The schema of an object.
        whole: The whole schema, which `$ref` points into.
        path: The path of the object.

    """
    required = schema.get("required", ())
    for name, value in schema.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        target = _resolved(value, whole)
        optional = "" if name in required else "optional; "
        meaning = value.get("description") or target.get("description", "")
        yield place, optional + _kind(target, whole), meaning
        yield from _below(target, whole, place)


def _below(schema: Schema, whole: Schema, place: str) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of an object, of the items of a list, or of the values of an object."""
    yield from fields(schema, whole, place)
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        inner = schema.get(key)
        if isinstance(inner, dict):
            yield from _below(_resolved(inner, whole), whole, f"{place}{suffix}")


def _resolved(schema: Schema, whole: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return _resolved(found, whole)


def _kind(schema: Schema, whole: Schema) -> str:
    """Describe the type of a value in a phrase."""
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return ", ".join(json.dumps(value) for value in schema["enum"])
    kinds = schema.get("type", [])
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    if names == ["array"] and isinstance(schema.get("items"), dict):
        return f"list of {_kind(_resolved(schema['items'], whole), whole)}"
    return " or ".join(names)


def _paragraph(text: str) -> nodes.paragraph:
    """Return a paragraph with text in backticks as code."""
    paragraph = nodes.paragraph()
    for number, part in enumerate(text.split("`")):
        if part:
            paragraph += nodes.literal(part, part) if number % 2 else nodes.Text(part)
    return paragraph


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("json-schema", SchemaFields)
    return {"parallel_read_safe": True}
