"""The published schema describes what is really printed, all of it and nothing more."""

from __future__ import annotations

import json
import os

import pytest
from jsonschema import Draft202012Validator

from conda_hardlink_plugin.analysis.verdicts import Verdict
from tests.support.repository import TOP
from tests.support.terminal_session import make_prefix, plant, report_of

SCHEMA = os.path.join(TOP, "docs", "reference", "report.schema.json")
EVERYTHING = ("--packages", "--why", "--du", "--if-removed", "work", "sharing", "-n", "work")


@pytest.fixture(scope="module")
def schema():
    with open(SCHEMA, encoding="utf-8") as file:
        return json.load(file)


def resolved(schema, part):
    """The part of the schema that a reference in it leads to."""
    reference = part.get("$ref")
    return schema["$defs"][reference.removeprefix("#/$defs/")] if reference else part


def places_of(schema, part, place=""):
    """Every property that the schema has, at every place where it may stand."""
    part = resolved(schema, part)
    for name, below in part.get("properties", {}).items():
        yield f"{place}/{name}"
        yield from places_of(schema, below, f"{place}/{name}")
    if "items" in part:
        yield f"{place}/*"
        yield from places_of(schema, part["items"], f"{place}/*")
    if isinstance(part.get("additionalProperties"), dict):
        yield f"{place}/*"


def places_in(schema, part, value, place=""):
    """The same of a value: what is really there."""
    part = resolved(schema, part)
    if isinstance(value, list):
        for item in value:
            yield f"{place}/*"
            yield from places_in(schema, part["items"], item, f"{place}/*")
    elif isinstance(value, dict):
        for name, below in value.items():
            known = name in part.get("properties", {})
            yield f"{place}/{name if known else '*'}"
            if known:
                yield from places_in(schema, part["properties"][name], below, f"{place}/{name}")


def descriptions_of(part):
    """Every object in the schema that describes a value, with what it says."""
    if isinstance(part, dict):
        if "type" in part or "const" in part:
            yield part
        for name, below in part.items():
            if name != "dependentRequired":
                yield from descriptions_of(below)


def test_the_schema_is_valid_and_describes_every_field(schema):
    Draft202012Validator.check_schema(schema)
    for part in descriptions_of(schema):
        if part.get("properties") is None or part.get("type") == "object":
            assert part["description"].strip(), part
            assert "\n" not in part["description"]
        if part.get("type") == "object":
            assert "additionalProperties" in part


def test_the_schema_has_all_verdicts(schema):
    described = schema["$defs"]["package"]["properties"]["verdict"]["enum"]
    assert described == [verdict.value for verdict in Verdict]


def test_bytes_are_integers(schema):
    for part in descriptions_of(schema):
        for name, below in part.get("properties", {}).items():
            if name.endswith("_bytes"):
                assert below["type"] == "integer"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--packages",),
        ("--why",),
        ("--du", "--apparent-size"),
        ("--if-removed", "softlinked"),
        ("-n", "softlinked"),
        ("-v", "--sort", "name"),
        EVERYTHING,
    ],
    ids=" ".join,
)
def test_printed_reports_follow_the_schema(installation, schema, options):
    report = report_of(installation, *options)
    Draft202012Validator(schema).validate(report)
    asked_for = {
        "packages": "--packages",
        "du": "--du",
        "if_removed": "--if-removed",
        "detail": "-n",
    }
    assert {part for part in asked_for if part in report} == {
        part for part, option in asked_for.items() if option in options
    }
    assert all(("private" in row) == ("--why" in options) for row in report["environments"])


def test_every_property_of_the_schema_occurs(changing, schema):
    os.symlink(changing.pkgs_dir, f"{changing.directory}/another-way")
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{changing.envs_dir}/deleted\n{changing.directory}/no-such-disk/env\n")
    plant(f"{changing.prefix('work')}/conda-meta/bad-1.0-0.json")
    library = f"{changing.prefix('work')}/lib/liblibrary.so"
    os.unlink(library)
    plant(library)
    make_prefix(f"{changing.prefix('work')}/envs/inside")
    where = ("--search", changing.prefix("work"), "--cache", f"{changing.directory}/another-way")
    report = report_of(changing, *EVERYTHING, *where)
    Draft202012Validator(schema).validate(report)
    there = set(places_in(schema, schema, report))
    assert set(places_of(schema, schema)) - there == set()
    assert there - set(places_of(schema, schema)) == set()


def test_the_schema_refuses_unknown_fields(installation, schema):
    report = report_of(installation)
    for wrong in (
        {**report, "unknown": 1},
        {**report, "totals": {**report["totals"], "on_disk_bytes": 1.5}},
        {key: value for key, value in report.items() if key != "warnings"},
    ):
        assert not Draft202012Validator(schema).is_valid(wrong)
