"""`make demo` shows right figures, of what it promises; the documents show what is printed."""

from __future__ import annotations

import json
import os
import re
import time
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.docs.__main__ import PICTURES
from tests.docs.blocks import as_built, documents, place_for_demo, read, run, steps_of
from tests.docs.comparing import difference, what_is_unlike_the_documents
from tests.docs.map_picture import draw_map, text_of_map
from tests.docs.sessions import printed_by, shown_in
from tests.docs.terminal_picture import text_of_picture
from tests.support.oracles import du
from tests.support.realconda import demo
from tests.support.realconda.finder import other_conda_origin
from tests.support.repository import TOP

WITH_COMMANDS = [document for document in documents() if steps_of(read(document))]
WITH_PYTHON = [document for document in documents() if shown_in(read(document))]


@pytest.fixture(scope="module")
def built():
    with place_for_demo() as directory:
        yield demo.build(directory)


@pytest.mark.parametrize("option", [(), ("--apparent-size",)])
def test_the_figures_of_the_demo_are_those_of_du(built, option):
    report = json.loads(built.hardlinks("report", "--json", "--du", *option).stdout)
    paths = [row["path"] for row in report["du"]]
    apparent = bool(option)
    assert [row["added_bytes"] for row in report["du"]] == du(*paths, apparent=apparent)
    for row in report["du"]:
        assert [row["alone_bytes"]] == du(row["path"], apparent=apparent)


def test_the_demo_has_what_it_promises(built):
    report = json.loads(built.hardlinks("report", "--json", "--why", env=demo.CLOCK).stdout)
    environments = {row["name"]: row for row in report["environments"]}
    assert environments.keys() == {"base", "webapp", *demo.ENVIRONMENTS}
    assert [name for name, row in environments.items() if row["softlinked"]] == ["webapp"]
    assert [name for name, row in environments.items() if row["private"]["pip"]] == ["velocyto"]
    assert report["totals"]["saved_bytes"] > 0
    (cache,) = report["caches"]
    assert (cache["unused_packages"], cache["kept_packages"]) == (2, 0)


def test_packages_of_the_demo_are_recent_without_its_clock(built):
    (cache,) = json.loads(built.hardlinks("report", "--json").stdout)["caches"]
    assert (cache["unused_packages"], cache["kept_packages"]) == (0, 2)


def test_only_conda_hardlinks_has_the_clock_of_the_demo(built):
    code = "import sys, time; print(time.time(), time.time_ns() / 1e9)"
    python = f"{built.root_prefix}/bin/python"
    ahead_s = {
        arguments: [
            float(clock) - time.time()
            for clock in built.run(python, "-c", code, *arguments, env=demo.CLOCK).stdout.split()
        ]
        for arguments in ((), ("hardlinks",))
    }
    assert all(-60 < ahead < 60 for ahead in ahead_s[()])
    assert all(86_340 < ahead < 86_460 for ahead in ahead_s["hardlinks",])


def test_conda_can_download_the_packages_of_the_demo_again(built):
    options = ("--json", "--dry-run", "--tarballs")
    plan = json.loads(built.hardlinks("clean", *options, env=demo.CLOCK).stdout)
    assert {row["verdict"] for row in plan["keep"]} == {"linked", "softlinked", "recorded"}
    assert sum(row["name"].endswith(".conda") for row in plan["remove"]) > 50
    with demo.serving(built.directory, urlsplit(built.channels[0]).port) as url:
        assert url == built.channels[0]
        with urlopen(f"{url}/noarch/repodata.json") as answer:  # it is http
            assert json.load(answer)["packages.conda"]


def test_a_folder_that_is_not_a_demo_is_not_replaced(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(FileExistsError, match="is no demo"):
        demo.build(str(tmp_path))
    assert (tmp_path / "mine").read_text() == "mine"


def test_there_are_documents_with_commands():
    assert len(WITH_COMMANDS) >= 8
    assert WITH_PYTHON == ["docs/how-to/python.md"]


@pytest.fixture(scope="module")
def documented(built):
    """The demo, where figures are those of the documents."""
    if other_conda_origin() is not None:
        pytest.skip("the documents show what the bundled conda prints")
    if reason := what_is_unlike_the_documents(built.directory):
        pytest.skip(reason)
    return built


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_a_document_shows_what_its_commands_print(documented, document):
    steps = steps_of(read(document))
    with as_built(documented, steps):
        for step in steps:
            differs = difference(step.output, run(documented, step.command))
            assert not differs, f"$ {step.command}\n{differs}\n`make figures` writes it anew"


@pytest.mark.parametrize("document", WITH_PYTHON)
def test_a_document_shows_what_its_python_code_prints(documented, document):
    shown = shown_in(read(document))
    with as_built(documented, []):
        printed = printed_by(documented, read(document))
    assert len(printed) == len(shown)
    assert [difference(*pair) for pair in zip(shown, printed, strict=True)] == [""] * len(shown)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_the_command_prints(documented, name):
    command = PICTURES[name]
    with as_built(documented, []):
        printed = run(documented, command)
    with open(os.path.join(TOP, "docs", "images", f"{name}.svg"), encoding="utf-8") as file:
        shown = text_of_picture(file.read())
    assert difference(shown, f"$ {command}\n{printed}") == ""


def test_the_map_is_the_one_that_the_page_draws(documented):
    with as_built(documented, []):
        drawn = draw_map(documented)
    with open(os.path.join(TOP, "docs", "images", "map.svg"), encoding="utf-8") as file:
        shown = file.read()
    assert text_of_map(drawn).count("\n") > 50
    assert difference(text_of_map(shown), text_of_map(drawn)) == ""
    assert not re.search("href|url\\(|<script", shown)
