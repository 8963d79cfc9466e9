"""The published schemas of clean, explain, merge and restore describe what is really printed."""

from __future__ import annotations

import json
import os

import pytest
from jsonschema import Draft202012Validator

from conda_hardlink_plugin.analysis.verdicts import Use, Verdict
from conda_hardlink_plugin.executor.removal_plan import Action
from tests.conda.test_schema import descriptions_of, places_in, places_of
from tests.support.conda_cleaning import NOW, YES, clean, clean_while, explain, plan, restore
from tests.support.repository import TOP
from tests.support.terminal_session import plant

REFERENCE = os.path.join(TOP, "docs", "reference")
VERBS = ("clean", "explain", "merge", "restore")
EVERYTHING = ("--tarballs", "--unobtainable", "--copied", "--trash", "--max-size", "1")


def schema_of(verb):
    with open(os.path.join(REFERENCE, f"{verb}.schema.json"), encoding="utf-8") as file:
        return json.load(file)


def assert_all_occurs(verb, *answers):
    """That each is as the schema says, and that together they have every property of it."""
    schema = schema_of(verb)
    there = set()
    for answer in answers:
        Draft202012Validator(schema).validate(answer)
        there |= set(places_in(schema, schema, answer))
    assert set(places_of(schema, schema)) - there == set()
    assert there - set(places_of(schema, schema)) == set()


@pytest.mark.parametrize("verb", VERBS)
def test_a_schema_describes_every_field_and_the_reference_names_it(verb):
    schema = schema_of(verb)
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"conda hardlinks {verb} --json"
    for part in descriptions_of(schema):
        if part.get("properties") is None or part.get("type") == "object":
            assert part["description"].strip(), part
            assert "\n" not in part["description"]
        if part.get("type") == "object":
            assert "additionalProperties" in part
        if "properties" in part and part is not schema:
            assert part["required"] == list(part["properties"])
        for name, below in part.get("properties", {}).items():
            assert not name.endswith("_bytes") or below["type"] == "integer"
    with open(os.path.join(REFERENCE, f"{verb}.md"), encoding="utf-8") as file:
        reference = file.read()
    assert {name for name in schema["properties"] if name not in reference} == set()


def test_the_schemas_have_all_verdicts_actions_and_uses():
    clean_schema, explain_schema = schema_of("clean"), schema_of("explain")
    verdicts = [verdict.value for verdict in Verdict]
    for part in ("removal", "kept"):
        assert clean_schema["$defs"][part]["properties"]["verdict"]["enum"] == verdicts
    assert explain_schema["properties"]["verdict"]["enum"] == verdicts
    removal = clean_schema["$defs"]["removal"]["properties"]
    assert removal["action"]["enum"] == [action.value for action in Action]
    uses = [use.value for use in Use]
    witness = clean_schema["$defs"]["kept"]["properties"]["environments"]["items"]
    assert witness["properties"]["use"]["enum"] == uses
    witness = explain_schema["properties"]["witnesses"]["items"]
    assert witness["properties"]["use"]["enum"] == uses


def test_every_property_of_the_schema_of_clean_occurs(changing):
    cache, quarantine = changing.pkgs_dir, f"{changing.pkgs_dir}/.conda-hardlinks"
    plant(f"{cache}/left.c~", 10)
    plant(f"{changing.prefix('work')}/.tmp.index.json.0123abcd", 10)
    os.mkdir(quarantine, 0o700)
    os.rename(f"{cache}/library-1.0-0", f"{quarantine}/moving-r1-library-1.0-0")
    link = f"os.link('{cache}/forgotten-1.0-0/lib/forgotten.bin', '{changing.directory}/outside')"
    done = clean_while(changing, link, "os.rename:2", "--json", "--name", "forgotten")
    spared = json.loads(done.stdout)
    assert [row["name"] for row in spared["spared"]] == ["forgotten-1.0-0"]
    assert spared["returned"]
    os.unlink(f"{changing.directory}/outside")
    planned = plan(changing, *EVERYTHING)
    assert {row["action"] for row in planned["remove"]} == {"move", "unlink"}
    held = clean(changing, *YES, "--keep", "0", "--name", "forgotten")
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{changing.directory}/no-such-disk/env\n")
    refused = clean(changing, *YES, code=1)
    ignore = ("--ignore-env", f"{changing.directory}/no-such-disk")
    done = clean(changing, *YES, *EVERYTHING, *ignore)
    assert {row["action"] for row in done["remove"]} == {"finish", "move", "unlink"}
    assert_all_occurs("clean", spared, planned, held, refused, done)


def test_every_property_of_the_schema_of_explain_occurs(changing):
    library = f"{changing.prefix('work')}/lib/liblibrary.so"
    os.link(library, f"{changing.directory}/outside.so")
    answers = [
        explain(changing, subject, *NOW)
        for subject in (library, "entry", "metapackage", f"{changing.directory}/.condarc")
    ]
    answers.append(explain(changing, "forgotten"))
    answers.append(explain(changing, f"{changing.prefix('softlinked')}/lib/liblibrary.so"))
    assert_all_occurs("explain", *answers)
    validator = Draft202012Validator(schema_of("explain"))
    package, file = explain(changing, "entry"), explain(changing, "./.condarc")
    for key in package.keys() - {"schema_version", "success"}:
        assert not validator.is_valid({name: package[name] for name in package if name != key})
    assert not validator.is_valid({name: file[name] for name in file if name != "file"})


def test_every_property_of_the_schema_of_restore_occurs(changing):
    cache = changing.pkgs_dir
    run = clean(changing, *YES, "--keep", "1d")["run"]
    held = restore(changing)
    os.mkdir(f"{cache}/forgotten-1.0-0")
    plant(f"{cache}/forgotten-1.0-0/something", 10)
    failed = restore(changing, run, code=1)
    os.unlink(f"{cache}/forgotten-1.0-0/something")
    restored = restore(changing, run)
    assert_all_occurs("restore", held, failed, restored)


def test_a_schema_refuses_unknown_fields(installation):
    answers = {
        "clean": plan(installation),
        "explain": explain(installation, "entry"),
        "restore": restore(installation),
    }
    for verb, answer in answers.items():
        validator = Draft202012Validator(schema_of(verb))
        assert validator.is_valid(answer)
        assert not validator.is_valid({**answer, "unknown": 1})
        assert not validator.is_valid({**answer, "schema_version": 2})
        for key in schema_of(verb)["required"]:
            assert not validator.is_valid({name: answer[name] for name in answer if name != key})
