"""Reports from an index, on a real installation: they say what a full one says."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.support.disk import index_folder_of, indexes_of
from tests.support.oracles import du
from tests.support.terminal_session import report_of

RACE_NS = 2_000_000_000


@pytest.fixture
def settled(changing):
    """An installation in which nothing was changed in the last seconds, with its index."""
    while time.time_ns() < newest_ns(changing.root_prefix) + RACE_NS:
        os.sched_yield()
    report = report_of(changing)
    assert report["reading"] == {"mode": "full", "taken_s": None, "reader": "native"}
    return changing


def newest_ns(top):
    """When a directory was changed last."""
    return max(os.stat(folder).st_ctime_ns for folder, _, _ in os.walk(top))


def figures(report):
    return {key: value for key, value in report.items() if key != "reading"}


def mode(report):
    return report["reading"]["mode"]


OPTIONS = [(), ("--packages",), ("--why",), ("-n", "work"), ("--du",), ("--apparent-size",)]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_a_second_report_is_exact_and_the_same(settled, options):
    full = report_of(settled, "--no-index", *options)
    exact = report_of(settled, *options)
    assert mode(full) == "full"
    assert mode(exact) == ("full" if "--why" in options else "exact")  # that reads all files
    assert figures(exact) == figures(full)


def test_a_quick_report_has_the_time_of_the_last_exact_check(settled):
    before = time.time()
    report = report_of(settled, "--quick")
    assert mode(report) == "quick"
    assert report["reading"]["taken_s"] <= before
    assert figures(report) == figures(report_of(settled, "--no-index"))
    printed = settled.hardlinks("report", "--quick").stdout
    assert "Quick: only directories were checked." in printed
    assert "Exact: every directory and inode was checked" in settled.hardlinks("report").stdout
    assert "Exact" not in settled.hardlinks("report", "--no-index").stdout


def test_only_an_exact_report_notices_that_a_file_has_grown(settled):
    with open(f"{settled.envs_dir}/work/conda-meta/history", "ab") as file:
        file.write(b"# grown\n" * 10_000)
    full = figures(report_of(settled, "--no-index"))
    quick, exact = report_of(settled, "--quick"), report_of(settled)
    assert (mode(quick), mode(exact)) == ("quick", "exact")
    assert figures(quick) != full
    assert figures(exact) == full


def test_after_each_transaction_a_report_equals_a_full_one(settled):
    prefix = f"{settled.envs_dir}/new"
    for command in (
        ("create", "-n", "new", "library=1.0"),
        ("install", "-n", "new", "self-linked"),
        ("update", "-n", "new", "library"),
        ("remove", "-n", "new", "self-linked"),
        ("hardlinks", "clean", "--yes", "--grace", "0"),
        ("env", "remove", "-n", "new"),
        ("clean", "--tarballs", "--yes"),
    ):
        settled.conda(*command)
        full = report_of(settled, "--no-index", "--packages", "--grace", "0")
        for options in (("--quick",), (), ("--quick",)):
            report = report_of(settled, *options, "--packages", "--grace", "0")
            assert figures(report) == figures(full), command
        if os.path.isdir(prefix):
            rows = {row["prefix"]: row["size_bytes"] for row in full["environments"]}
            assert rows[prefix] == du(prefix)[0]


def test_hooks_write_no_index(changing):
    changing.conda("create", "-n", "hooked", "library=1.0")
    changing.conda("remove", "-n", "hooked", "library")
    changing.conda("env", "remove", "-n", "hooked")
    assert indexes_of(changing) == []


def test_the_index_is_shown_and_removed(settled):
    path = f"{index_folder_of(settled)}/report.index"
    told = json.loads(settled.hardlinks("index", "--json").stdout)
    assert told["index"]["path"] == path
    assert told["index"]["environments"] == len(report_of(settled)["environments"])
    assert told["cleared"] is False
    assert path in settled.hardlinks("index").stdout
    assert "removed" in settled.hardlinks("index", "--clear").stdout
    assert not os.path.exists(path)
    assert "There is no report index at " in settled.hardlinks("index").stdout
    told = json.loads(settled.hardlinks("index", "--clear", "--json").stdout)
    assert (told["cleared"], told["index"]["size_bytes"]) == (False, None)


def test_a_failed_removal_of_the_index_is_an_error(settled):
    folder = index_folder_of(settled)
    os.unlink(f"{folder}/report.index")
    os.makedirs(f"{folder}/report.index/in-the-way")
    done = settled.hardlinks("index", "--clear", check=False)
    assert done.returncode == 1
    assert "cannot be removed" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_quick_and_without_an_index_is_refused(installation):
    done = installation.hardlinks("report", "--quick", "--no-index", check=False)
    assert done.returncode == 2
    assert "not allowed with" in done.stderr
