"""The figures of a report have the names that their schema and their documentation give them."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from glob import glob

import pytest

from conda_hardlink_plugin.report import model
from conda_hardlink_plugin.report.packages import PackageFigures
from tests.support.repository import TOP

REFERENCE = f"{TOP}/docs/reference"
DEFINITIONS = {
    "environment": model.EnvironmentFigures,
    "cache": model.CacheFigures,
    "totals": model.Totals,
    "device": model.DeviceFigures,
    "du_row": model.DuRow,
    "if_removed": model.IfRemoved,
    "package": PackageFigures,
}
each_kind = pytest.mark.parametrize(
    "figures", [*DEFINITIONS.values(), model.Report], ids=lambda figures: figures.__name__
)


def schema_of(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def names_of(figures):
    return [field.name for field in fields(figures)]


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_the_names_of_figures_are_those_of_the_schema(definition):
    schema = schema_of(f"{REFERENCE}/report.schema.json")
    properties = schema["$defs"][definition]["properties"]
    assert sorted(names_of(DEFINITIONS[definition])) == sorted(properties)


def test_the_parts_of_a_report_are_those_of_the_schema_besides_the_map():
    properties = schema_of(f"{REFERENCE}/report.schema.json")["properties"]
    parts = {"schema_version", "success", *names_of(model.Report)} - {"disk_map"}
    assert parts == set(properties)


def test_every_schema_has_the_version_of_the_model():
    schemas = [schema_of(path) for path in glob(f"{REFERENCE}/*.schema.json")]
    versions = {schema["properties"]["schema_version"]["const"] for schema in schemas}
    assert versions == {model.SCHEMA_VERSION}


@each_kind
def test_every_figure_is_documented_and_no_other(figures):
    """The reference of the API is made of these texts."""
    documented = re.findall(r"^ {8}(\w+): ", figures.__doc__, re.MULTILINE)
    in_one_sentence = figures is model.DuRow
    assert documented == ([] if in_one_sentence else names_of(figures))


@each_kind
def test_every_figure_has_its_unit_in_its_name(figures):
    for field in fields(figures):
        unit = field.name.endswith(("_bytes", "inodes", "links", "packages"))
        assert unit or field.type not in ("int", "int | None") or field.name == "device"
