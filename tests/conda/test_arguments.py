"""What cannot be done is said in one sentence, with what to do, and an exit code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil

import pytest
from conda.cli.conda_argparse import ArgumentParser

from conda_hardlink_plugin.cli import VERBS, configure_parser
from conda_hardlink_plugin.formatting import size
from tests.support.disk import indexes_of
from tests.support.terminal_session import make_prefix, plant, report_of

NOT_THERE = [
    (("-n", "nope"), "No environment named 'nope'"),
    (("-n", "nope", "--why"), "No environment named 'nope'"),
    (("-p", "nope/nope"), "There is no environment at"),
    (("-p", "."), "There is no environment at"),
    (("--if-removed", "nope"), "No environment named 'nope'"),
    (("--if-removed", "work", "nope"), "No environment named 'nope'"),
    (("--if-removed", "./nope"), "There is no environment at"),
    (("--search", "nope"), "Searched folder nope: there is no such folder"),
    (("--cache", "nope"), "Package cache nope: there is no such folder"),
    (("--search", ".condarc"), "Searched folder .condarc: there is no such folder"),
    (("--search", ""), "there is no such folder"),
    (("--cache", ""), "there is no such folder"),
    (("-n", ""), "environment"),
    (("--if-removed", ""), "environment"),
]


def assert_one_sentence(text, sentence):
    """That the text is one paragraph with the sentence in it, and that it can be printed."""
    assert sentence in text
    assert "Traceback" not in text
    assert len([line for line in text.splitlines() if line.strip()]) == 1
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize(("options", "sentence"), NOT_THERE, ids=str)
def test_an_unknown_name_gives_one_sentence_and_exit_code_1(installation, options, sentence):
    done = installation.hardlinks("report", *options, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert_one_sentence(done.stderr, sentence)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [case for case in NOT_THERE if case[0][-1] == "nope"],
    ids=str,
)
def test_an_unknown_name_gives_an_object_with_json(installation, options, sentence):
    done = installation.hardlinks("report", "--json", *options, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    error = json.loads(done.stdout)
    assert sentence in error["message"]
    assert error["exception_name"] == "NotFoundError"


@pytest.mark.parametrize(
    "options",
    [
        ("report", "--no-such-option"),
        ("report", "--no-such-option", "--json"),
        ("report", "work"),
        ("report", "-n", "work", "-p", "work"),
        ("report", "-n"),
        ("report", "--if-removed"),
        ("report", "--sort", "colour"),
        ("report", "--grace", "15"),
        ("report", "--grace", "-1d"),
        ("report", "--ignore-env"),
        ("report", "--pack"),
        ("no-such-verb",),
    ],
    ids=" ".join,
)
def test_wrong_usage_gives_exit_code_2(installation, options):
    done = installation.hardlinks(*options, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage: conda" in done.stderr
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_name_is_printed_with_escapes(installation):
    done = installation.hardlinks("report", "-n", "a\x1b[31m\nb", check=False)
    assert done.returncode == 1
    assert_one_sentence(done.stderr, "'a\\x1b[31m\\nb'")


def test_percent_signs_and_braces_in_a_name_are_printed_as_they_are(installation):
    done = installation.hardlinks("report", "-n", "100%(name)s{x}", check=False)
    assert done.returncode == 1
    assert_one_sentence(done.stderr, "'100%(name)s{x}'")


class TestAlone:
    """`conda hardlinks` without a verb."""

    def test_the_guide_says_how_to_begin(self, changing):
        done = changing.hardlinks()
        assert done.stdout.startswith("There is no report yet")
        assert "conda hardlinks clean --dry-run" in done.stdout
        assert done.stderr == ""
        assert indexes_of(changing) == []

    def test_the_guide_shows_the_totals_of_the_last_report(self, changing):
        totals = report_of(changing)["totals"]
        (line, *_) = changing.hardlinks().stdout.splitlines()
        assert line.startswith("The last report found 4 environments and 1 package cache, ")
        assert f", {size(totals['on_disk_bytes'])} on disk, on 2" in line
        assert f"hard links saved {size(totals['saved_bytes'])} (" in line

    def test_the_guide_shows_no_totals_of_other_caches(self, changing):
        changing.hardlinks("report")
        done = changing.hardlinks(env={"CONDA_PKGS_DIRS": f"{changing.directory}/other"})
        assert done.stdout.startswith("The last report covered other package caches: ")

    def test_a_closed_stdout_is_an_error(self, installation):
        conda = f"{installation.root_prefix}/bin/conda"
        done = installation.run("bash", "-c", f"{conda} hardlinks >&-", check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "cannot print the guide" in done.stderr


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_the_examples_of_each_help_are_right(installation, verb):
    words = [] if verb is None else [verb]
    text = installation.hardlinks(*words, "--help").stdout
    lines = text[text.index("\nexamples:\n") :].splitlines()[2:]
    parser = conda_parser()
    assert lines
    for line in lines:
        command = re.split(r"  +|>", line.strip())[0]
        _, *arguments = shlex.split(command)
        parsed = parser.parse_args(arguments)
        assert [getattr(parsed, "hardlinks_verb", None)] == (arguments[1:2] or [None])
        assert len(line) <= 80
    assert verb is None or any(f"conda hardlinks {verb}" in line for line in lines)


def conda_parser():
    """The parser of `conda hardlinks`, as conda makes it."""
    parser = ArgumentParser(prog="conda")
    configure_parser(parser.add_subparsers().add_parser("hardlinks"))
    return parser


def test_help_names_every_option(installation):
    text = installation.hardlinks("report", "--help").stdout
    for option in (
        *("--name", "--prefix", "--packages", "--why", "--if-removed", "--du", "--search"),
        *("--cache", "--apparent-size", "--sort", "--json", "--quiet", "--verbose"),
        *("--grace", "--ignore-env", "--html"),
    ):
        assert option in text


@pytest.fixture
def emptied(changing):
    """Conda runs there, and has neither a cache nor an environment, not even base."""
    shutil.rmtree(changing.pkgs_dir)
    shutil.rmtree(changing.envs_dir)
    shutil.rmtree(os.path.join(changing.root_prefix, "conda-meta"))
    os.unlink(changing.environments_txt)
    return changing


def test_without_an_installation_one_sentence_says_what_to_do(emptied):
    done = emptied.hardlinks("report", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert_one_sentence(done.stderr, "There is no package cache")
    assert "--search" in done.stderr
    done = emptied.hardlinks("report", "--json", check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["exception_name"] == "HardlinksError"


def test_a_cache_without_environments_has_a_report(emptied):
    plant(f"{emptied.pkgs_dir}/made-up-1.0-0/info/index.json")
    text = emptied.hardlinks("report").stdout
    assert "No environments were found." in text
    everything = ("--packages", "--why", "--du", "--apparent-size")
    report = report_of(emptied, *everything)
    assert report["environments"] == []
    assert [row["name"] for row in report["packages"]] == ["made-up-1.0-0"]
    emptied.hardlinks("report", *everything)


def test_an_environment_without_a_cache_has_a_report(emptied):
    prefix = make_prefix(f"{emptied.envs_dir}/alone")
    text = emptied.hardlinks("report").stdout
    assert "No package caches were found." in text
    everything = ("--packages", "--why", "--du", "--if-removed", "alone", "-n", "alone")
    report = report_of(emptied, *everything)
    assert report["caches"] == report["packages"] == []
    assert report["detail"]["prefix"] == prefix
    emptied.hardlinks("report", *everything)
