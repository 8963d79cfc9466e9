"""The documents say what there is: options, causes, fields; and links lead somewhere."""

from __future__ import annotations

import argparse
import json
import os
import re

import pytest

from conda_hardlink_plugin.analysis.causes import Cause
from conda_hardlink_plugin.cli import VERBS, verb
from conda_hardlink_plugin.render.labels import CAUSE_HEADINGS
from tests.support.repository import TOP

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(
        os.path.relpath(os.path.join(folder, name), TOP)
        for folder, _, names in os.walk(os.path.join(TOP, "docs"))
        for name in names
        if name.endswith(".md")
    ),
]


def text_of(document):
    with open(os.path.join(TOP, document), encoding="utf-8") as file:
        return file.read()


def options_of(name):
    parser = argparse.ArgumentParser(add_help=False)
    verb(name).configure_parser(parser)
    # conda adds these to every command, and says what they do
    of_conda = {"--console", "--debug", "--trace"}
    return {
        option
        for action in parser._actions  # noqa: SLF001  # argparse has no other way to ask
        for option in action.option_strings
        if option not in of_conda
    }


@pytest.mark.parametrize("name", VERBS)
def test_every_option_is_in_the_reference_and_the_command_in_the_readme(name):
    reference = text_of(f"docs/reference/{name}.md")
    assert {option for option in options_of(name) if f"`{option}" not in reference} == set()
    assert f"`{name}`" in text_of("README.md") or f"`conda hardlinks {name}" in text_of("README.md")


def test_every_cause_has_a_heading_and_is_explained():
    assert {cause.value for cause in Cause} == set(CAUSE_HEADINGS)
    explained = text_of("docs/explanation/accounting.md").lower()
    for heading in CAUSE_HEADINGS.values():
        assert f"| {heading.lower()} |" in explained, heading


def test_every_field_of_the_schema_is_in_the_reference():
    schema = json.loads(text_of("docs/reference/report.schema.json"))
    reference = text_of("docs/reference/report.md")
    assert {name for name in schema["properties"] if f"`{name}" not in reference} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_targets_of_links_exist(document):
    folder = os.path.dirname(os.path.join(TOP, document))
    for target in re.findall(r"\]\(([^)]+)\)", text_of(document)):
        if "://" not in target:
            path = target.split("#")[0]
            assert os.path.exists(os.path.join(folder, path)), target
