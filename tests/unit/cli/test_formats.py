"""Formats of a report: which one is meant, what it has no place for, and what it prints."""

from __future__ import annotations

import json
import os
import re
import sys
from argparse import ArgumentParser

import pytest

from conda_hardlink_plugin import Installation, analyze
from conda_hardlink_plugin.cli.formats import FORMATS, format_of, render
from conda_hardlink_plugin.cli.report import configure_parser
from conda_hardlink_plugin.exceptions import HardlinksError
from tests.support.oracles import du

ODD = os.fsdecode(b"new\nline\x1b\xff")


def parse(*options):
    parser = ArgumentParser()
    configure_parser(parser)
    return parser.parse_args(options)


def format_asked_for(*options, json=False):
    return format_of(parse(*options), json=json)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_the_one_that_is_named(name):
    assert format_asked_for("--format", name) == name
    assert format_asked_for("--format", "csv", "--format", name) == name


def test_without_a_format_it_is_a_table_or_what_conda_is_asked_for():
    assert format_asked_for() == "table"
    assert format_asked_for(json=True) == format_asked_for("--json", json=True) == "json"


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_wins_over_json_in_the_configuration(name):
    assert format_asked_for("--format", name, json=True) == name


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "json"])
def test_json_and_another_format_contradict_each_other(name):
    with pytest.raises(HardlinksError) as caught:
        format_asked_for("--format", name, "--json", json=True)
    assert str(caught.value) == (
        f"--json and --format {name} contradict each other: use one of them."
    )


def test_conda_reports_errors_in_json_only_if_the_last_format_is_json():
    assert parse("--format", "json").json is True
    default = parse().json
    assert default is not True
    assert parse("--format", "json", "--format", "csv").json is default
    assert parse("--format", "csv", "--format", "json").json is True
    assert parse("--json", "--format", "csv").json is True


@pytest.mark.parametrize(
    ("name", "options", "refused"),
    [
        *(("csv", options, "-n and -p") for options in (["-n", "a"], ["-p", "/a"], ["-n", ""])),
        *(
            (name, options, options[0])
            for name in ("csv", "ncdu", "prometheus")
            for options in (["--if-removed", "a"], ["--du"])
        ),
        ("ncdu", ["--packages"], "--packages"),
        ("ncdu", ["--why"], "--why"),
        ("prometheus", ["--packages"], "--packages"),
    ],
)
def test_an_option_that_a_format_has_no_place_for_is_refused(name, options, refused):
    with pytest.raises(HardlinksError) as caught:
        format_asked_for("--format", name, *options)
    assert str(caught.value) == (
        f"--format {name} cannot show {refused}: leave that out, or use --format json."
    )


@pytest.mark.parametrize("name", ["table", "json", "markdown"])
def test_three_formats_have_a_place_for_everything(name):
    everything = ("-n", "a", "--packages", "--why", "--if-removed", "a", "b", "--du")
    assert format_asked_for("--format", name, *everything) == name


def test_csv_has_one_table():
    assert format_asked_for("--format", "csv", "--packages") == "csv"
    assert format_asked_for("--format", "csv", "--why") == "csv"
    with pytest.raises(HardlinksError, match="--format csv prints one table: use --packages for"):
        format_asked_for("--format", "csv", "--packages", "--why")


def test_metrics_without_their_library_are_refused_before_anything_is_read(monkeypatch):
    assert format_asked_for("--format", "prometheus", "--why") == "prometheus"
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(HardlinksError, match="run conda install --name base prometheus_client"):
        format_asked_for("--format", "prometheus")
    assert format_asked_for("--format", "csv") == "csv"


class TestRender:
    """The text of a report."""

    @pytest.fixture
    def analysis(self, made):
        """The small installation with a large environment whose name is odd."""
        prefix = made.environment(ODD)
        with open(f"{prefix}/large", "wb") as file:
            file.write(b"x" * 50_000)
        return analyze(Installation(caches=made.caches, prefixes=made.prefixes))

    def text(self, analysis, name, **options):
        options = {"sort": "size", "verbose": False, **options}
        return render(name, analysis.report(), analysis, **options)

    @pytest.mark.parametrize("name", FORMATS)
    def test_an_odd_name_is_escaped_and_no_format_is_empty(self, analysis, name):
        text = self.text(analysis, name)
        assert "\x1b" not in text
        assert "new\nline" not in text
        assert text.endswith("\n") or name == "ncdu"
        assert "envs" in text

    def test_json_has_the_name_as_it_is(self, analysis):
        rows = json.loads(self.text(analysis, "json"))["environments"]
        assert {row["prefix"]: row["size_bytes"] for row in rows} == {
            prefix: du(prefix)[0] for prefix in analysis.names
        }

    @pytest.mark.parametrize("name", ["table", "csv", "markdown"])
    def test_environments_are_sorted_by_a_column(self, analysis, name):
        small, odd = r"/env[ ,]", r"/new\\+nline"
        by_size, by_name = (self.text(analysis, name, sort=sort) for sort in ("size", "name"))
        assert re.search(odd, by_size).start() < re.search(small, by_size).start()
        assert re.search(small, by_name).start() < re.search(odd, by_name).start()

    @pytest.mark.parametrize("name", ["table", "markdown"])
    def test_verbose_shows_inodes(self, analysis, name):
        assert "INODES" in self.text(analysis, name, verbose=True)
        assert "INODES" not in self.text(analysis, name)

    def test_a_table_does_not_say_what_to_do_next(self, analysis):
        assert "Next:" not in self.text(analysis, "table")
