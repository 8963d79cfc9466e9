"""`conda hardlinks report`: what its options show, and where it writes."""

from __future__ import annotations

import json
import os
import sys

import pytest
from conda.base.context import Context

from conda_hardlink_plugin.exceptions import HardlinksError, NotFoundError, StoppedError
from tests.support.disk import snapshot
from tests.support.oracles import du
from tests.support.trees import package, write

INDEX = ".cache/conda/hardlinks/report.index"


def report_of(hardlinks, *options):
    done = hardlinks("report", "--json", *options)
    assert (done.code, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_the_figures_are_those_of_du(hardlinks, made):
    report = report_of(hardlinks)
    (row,) = report["environments"]
    assert (row["name"], row["size_bytes"]) == ("env", du(made.prefixes[0])[0])
    assert report["totals"]["on_disk_bytes"] == sum(du(*made.caches, *made.prefixes))
    assert not {"packages", "du", "detail", "if_removed"} & report.keys()
    assert "private" not in row


def test_an_option_adds_its_part(hardlinks, made):
    report = report_of(hardlinks, "--packages", "--du", "--why", "--if-removed", "env")
    assert {row["name"] for row in report["packages"]} == {"used-1-0", "unused-1-0"}
    assert sum(report["environments"][0]["private"].values()) > 0
    assert report["if_removed"]["environments"] == ["env"]
    assert {row["path"] for row in report["du"]} == {*made.caches, *made.prefixes}


def test_a_name_and_a_path_mean_the_same_environment(hardlinks, made):
    (prefix,) = made.prefixes
    by_name = report_of(hardlinks, "-n", "env")
    assert by_name["detail"]["prefix"] == prefix
    assert report_of(hardlinks, "-p", prefix)["detail"] == by_name["detail"]


def test_a_path_without_a_slash_is_not_a_name(hardlinks, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError, match=f"There is no environment at {tmp_path}/env: give"):
        hardlinks("report", "-p", "env")
    write(f"{tmp_path}/env/conda-meta/history")
    assert report_of(hardlinks, "-p", "env")["detail"]["prefix"] == f"{tmp_path}/env"


def test_a_report_writes_its_index_and_nothing_else(hardlinks, made, isolated):
    before = snapshot(made.directory)
    hardlinks("report", "--no-index")
    assert os.listdir(isolated) == []
    hardlinks("report")
    assert os.path.isfile(f"{isolated}/{INDEX}")
    assert snapshot(made.directory) == before


def test_a_report_goes_to_a_file_instead_of_stdout(hardlinks, tmp_path):
    shown = hardlinks("report", "--quiet", "--no-index").stdout
    for _ in range(2):
        done = hardlinks("report", "--no-index", "--output", f"{tmp_path}/out")
        assert done == (0, "", "")
        assert (tmp_path / "out").read_text() == shown


def test_the_place_of_a_page_is_escaped_on_stderr_unless_it_is_quiet(hardlinks, tmp_path):
    page = f"{tmp_path}/new\nline\x1b"
    done = hardlinks("report", "--html", page)
    assert done.stderr == f"The page is in {tmp_path}/new\\nline\\x1b.\n"
    assert done.stdout.startswith("ENVIRONMENT")
    with open(page, encoding="utf-8") as file:
        assert file.read().startswith("<!DOCTYPE html>")
    for option in ("--quiet", "--json"):
        assert hardlinks("report", option, "--html", page).stderr == ""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--html", "{}/page", "--output", "{}/./page"), "are both {}/page: name two files"),
        (("--output", "{}/gone/out"), "the folder {}/gone does not exist"),
        (("--html", "{}"), "a folder. Name a file in it"),
        (("--format", "csv", "--du", "--output", "{}/out"), "cannot show --du"),
        (("--if-removed", "env", "gone", "--output", "{}/out"), "No environment named 'gone'"),
    ],
    ids=str,
)
def test_an_error_writes_nothing(hardlinks, isolated, tmp_path, options, sentence):
    before = snapshot(tmp_path)
    with pytest.raises(HardlinksError) as caught:
        hardlinks("report", *(option.format(tmp_path) for option in options))
    assert sentence.format(tmp_path) in str(caught.value)
    assert snapshot(tmp_path) == before
    assert not os.path.exists(f"{isolated}/{INDEX}")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Interrupted. Nothing was changed."),
        (["--output", "{}/out"], "Interrupted. Each file is complete."),
        (["--html", "{}/page"], "Interrupted. Each file is complete."),
    ],
)
def test_ctrl_c_says_what_became_of_the_files(hardlinks, tmp_path, mocker, options, sentence):
    mocker.patch.object(Context, "pkgs_dirs", mocker.PropertyMock(side_effect=KeyboardInterrupt))
    before = os.listdir(tmp_path)
    with pytest.raises(StoppedError) as caught:
        hardlinks("report", *(option.format(tmp_path) for option in options))
    assert str(caught.value) == sentence
    assert os.listdir(tmp_path) == before


def test_a_closed_stdout_ends_with_1_unless_the_report_goes_to_a_file(
    hardlinks, monkeypatch, tmp_path
):
    monkeypatch.setattr(sys, "stdout", None)
    done = hardlinks("report", "--html", f"{tmp_path}/page")
    assert done == (1, "", "stdout is closed: cannot print the report.\n")
    assert not os.path.exists(f"{tmp_path}/page")
    assert hardlinks("report", "--output", f"{tmp_path}/out") == (0, "", "")
    assert (tmp_path / "out").read_text().startswith("ENVIRONMENT")


def test_a_named_cache_is_included(hardlinks, made):
    package(f"{made.directory}/other", "more-1-0")
    report = report_of(hardlinks, "--cache", f"{made.directory}/other")
    assert [row["path"] for row in report["caches"]] == [*made.caches, f"{made.directory}/other"]


@pytest.mark.parametrize("option", ["--html", "--output", "--prefix"])
def test_an_empty_path_is_wrong_usage(hardlinks, capsys, option):
    with pytest.raises(SystemExit) as stop:
        hardlinks("report", option, "")
    assert stop.value.code == 2
    assert "the path is empty, as an unset variable is" in capsys.readouterr().err
