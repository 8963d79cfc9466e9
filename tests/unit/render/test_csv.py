"""The report as comma-separated values."""

from __future__ import annotations

import csv
import io

import pytest

from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.render.csv import render_csv
from conda_hardlink_plugin.report.packages import PackageFigures
from tests.support.figures import KIB, MIB, environment, report, small_report


def rows_of(made):
    return list(csv.DictReader(io.StringIO(render_csv(made, made.environments))))


def test_environments_caches_and_the_total_have_rows():
    soft, work, cache, total = rows_of(small_report(incomplete=True))
    assert {name: value for name, value in work.items() if value} == {
        "kind": "environment",
        "name": "work",
        "path": "/conda/envs/work",
        "size_bytes": str(2 * MIB),
        "inodes": "1200",
        "links": "1234",
        "incomplete": "false",
        "shared_bytes": str(1536 * KIB),
        "exclusive_bytes": str(512 * KIB),
        "with_clean_bytes": str(1536 * KIB),
        "softlinked_bytes": "0",
    }
    assert soft["softlinked_bytes"] == "512"
    assert {name: value for name, value in cache.items() if value} == {
        "kind": "cache",
        "path": "/conda/pkgs",
        "size_bytes": str(3 * MIB),
        "inodes": "30",
        "links": "31",
        "incomplete": "false",
        "used_bytes": str(MIB),
        "kept_bytes": "0",
        "unused_bytes": str(MIB // 2),
        "tarball_bytes": str(MIB),
        "quarantine_bytes": "0",
        "other_bytes": str(MIB // 2),
    }
    assert {name: value for name, value in total.items() if value} == {
        "kind": "total",
        "size_bytes": str(4 * MIB),
        "inodes": "40",
        "links": "62",
        "incomplete": "true",
    }


def test_environments_keep_their_order():
    made = report(environment("b"), environment("a"))
    lines = render_csv(made, sorted(made.environments, key=lambda row: row.name)).splitlines()
    assert [line.split(",")[1] for line in lines] == ["name", "a", "b", ""]


def test_requested_causes_are_columns():
    private = {"pip": 70, "bytecode": 30}
    made = report(environment("e", 300, 100, private=private, private_bytes=100))
    (row, _total) = rows_of(made)
    assert (row["private_pip_bytes"], row["private_bytecode_bytes"]) == ("70", "30")


def test_packages_replace_the_tables():
    users = (PackageUser("a", "/envs/a", "hardlink"), PackageUser("b", "/envs/b", "record"))
    package = PackageFigures("x-1-0", "/pkgs/x-1-0", 4096, users, True, "used", False)
    assert rows_of(small_report(packages=(package,))) == [
        {
            "package": "x-1-0",
            "path": "/pkgs/x-1-0",
            "size_bytes": "4096",
            "verdict": "used",
            "used_outside": "true",
            "environments": "/envs/a;/envs/b",
        }
    ]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\\t=1"),
        ("a,b\"c'\nd", "a,b\"c'\\nd"),
        ("not-utf8-\udcff", "not-utf8-\\xff"),
    ],
)
def test_a_hostile_name_is_neither_a_formula_nor_a_second_line(name, written):
    made = report(environment(name))
    assert rows_of(made)[0]["name"] == written
    assert len(render_csv(made, made.environments).splitlines()) == 3
