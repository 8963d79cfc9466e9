"""What is printed: JSON and nothing else, tables that fit, nothing that a terminal obeys."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from tests.support.conda_cleaning import on_terminal
from tests.support.oracles import du
from tests.support.terminal_session import make_prefix, plant, report_of, row_of

FIGURE = re.compile(r"\d[\d,.]* (?:B|[KMGT]iB|%|inodes?|files?)(?![\w])")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*[349]\d(?:;\d+)*m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def report_on_terminal(installation, *options, columns=80, lines=24, env=None):
    """What the report prints on a terminal of this size."""
    command = (f"{installation.root_prefix}/bin/conda", "hardlinks", "report", *options)
    env = {"TERM": "xterm-256color", **(env or {})}
    code, printed = on_terminal(installation, *command, columns=columns, lines=lines, env=env)
    assert code == 0
    return printed


@pytest.fixture
def with_odd_names(changing):
    """Environments and files whose names a terminal would obey, or that are not UTF-8."""
    for name in (b"esc\x1b[31mred", b"new\nline", b"not-utf8-\xff", b"\xe2\x80\xaegnp.exe"):
        prefix = make_prefix(os.fsdecode(os.path.join(os.fsencode(changing.envs_dir), name)))
        plant(os.path.join(prefix, os.fsdecode(b"lib/" + name)))
    return changing


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-v",),
        ("--why", "--packages", "--du"),
        ("-n", "new\nline"),
        ("--if-removed", "esc\x1b[31mred", "new\nline"),
    ],
    ids=repr,
)
def test_names_are_printed_with_escapes(with_odd_names, options):
    text = with_odd_names.hardlinks("report", *options).stdout
    assert all(line.isprintable() for line in text.split("\n"))
    if not any("\n" in option for option in options):
        assert "not-utf8-\\xff" in text
        assert "esc\\x1b[31mred" in text
        assert "\\u202egnp.exe" in text
    assert "new\\nline" in text


def test_names_survive_json(with_odd_names):
    report = report_of(with_odd_names, "--du", "--why")
    names = {os.fsencode(row["name"]) for row in report["environments"]}
    assert {b"esc\x1b[31mred", b"new\nline", b"not-utf8-\xff"} <= names
    prefix = row_of(report, os.fsdecode(b"not-utf8-\xff"))["prefix"]
    done = subprocess.run(
        [b"du", b"-B1", b"-s", b"--", os.fsencode(prefix)], check=True, capture_output=True
    )
    assert row_of(report, os.fsdecode(b"not-utf8-\xff"))["size_bytes"] == int(
        done.stdout.split()[0]
    )


def test_stdout_has_only_json_even_with_warnings(changing):
    os.link(plant(f"{changing.prefix('work')}/held"), f"{changing.directory}/tmp/held")
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{changing.envs_dir}/deleted\n{changing.directory}/no/such/disk\n")
    for options in (("--json",), ("--json", "-v"), ("--json", "-q"), ("--json", "--sort", "name")):
        done = changing.hardlinks("report", *options)
        assert done.stderr == ""
        assert done.stdout.startswith("{\n")
        assert done.stdout.endswith("}\n")
        report = json.loads(done.stdout)
        assert len(report["warnings"]) >= 2
        assert report["success"] is True


@pytest.mark.parametrize(
    "options", [(), ("--why", "--packages", "--du"), ("-n", "work"), ("-v",)], ids=" ".join
)
def test_a_pipe_gets_no_escape_sequence(installation, options):
    for env in ({}, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}):
        assert "\x1b" not in installation.hardlinks("report", *options, env=env).stdout


def test_no_color_gets_no_colour_on_a_terminal(installation):
    coloured = report_on_terminal(installation)
    plain = report_on_terminal(installation, env={"NO_COLOR": "1"})
    assert COLOUR.search(coloured)
    assert not COLOUR.search(plain)
    assert CONTROL.sub("", coloured) == CONTROL.sub("", plain)


def test_a_dumb_terminal_gets_no_escape_sequence(installation):
    assert "\x1b" not in report_on_terminal(installation, env={"TERM": "dumb"})


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize(
    "options",
    [(), ("--why",), ("--packages",), ("-n", "work"), ("--if-removed", "work", "sharing")],
    ids=" ".join,
)
def test_a_narrow_terminal_cuts_no_figure(installation, columns, options):
    wide = installation.hardlinks("report", *options).stdout
    narrow = CONTROL.sub(
        "", report_on_terminal(installation, *options, columns=columns, lines=1000)
    )
    figures, seen = FIGURE.findall(wide), FIGURE.findall(" ".join(narrow.split()))
    assert figures
    assert sorted(seen) == sorted(figures)
    # In a table no figure is apart from its unit either, and no line goes on after the edge.
    for line in narrow.split("\n"):
        too_long = len(line) > columns and len(line.split()) > 1
        assert not (too_long and FIGURE.search(line)), line


def test_columns_limits_the_width_where_the_terminal_does_not_say(installation):
    text = CONTROL.sub("", report_on_terminal(installation, columns=200, env={"COLUMNS": "40"}))
    lines = [line for line in text.split("\n") if FIGURE.search(line)]
    assert lines
    assert max(map(len, lines)) <= 40


def test_the_tables_fit_on_a_screen(changing):
    for number in range(30):
        make_prefix(f"{changing.envs_dir}/more{number}")
    text = report_on_terminal(changing, columns=100, lines=30)
    assert text.count("\n") <= 30
    assert "more environments: -v shows all" in text
    assert text.count("more2") < 11
    everything = report_on_terminal(changing, "-v", columns=100, lines=30)
    assert all(f"more{number} " in everything for number in range(30))


def test_every_row_of_du_is_in_the_text_to_the_byte(installation):
    text = installation.hardlinks("report", "--du").stdout
    for row in report_of(installation, "--du")["du"]:
        line = f"{row['alone_bytes']} {row['added_bytes']} {row['path']}"
        assert line in [" ".join(line.split()) for line in text.splitlines()]
    assert f" {du(installation.prefix('work'))[0]} " in f" {' '.join(text.split())} "


@pytest.mark.parametrize(
    ("options", "words", "heading"),
    [((), "kept: recent", "KEPT"), (("--grace", "0"), "unused", "UNUSED")],
)
def test_kept_packages_have_a_reason_and_a_column(installation, options, words, heading):
    text = installation.hardlinks("report", "--packages", *options).stdout
    (line,) = (line for line in text.splitlines() if line.startswith("forgotten-1.0-0 "))
    assert line.endswith(words)
    tables = installation.hardlinks("report", *options).stdout
    (headings,) = (line for line in tables.splitlines() if line.startswith("PACKAGE CACHE "))
    assert heading in headings.split()
    assert ("KEPT" in headings.split()) is (heading == "KEPT")


def test_quiet_leaves_out_the_next_steps(installation):
    assert "Next: " in installation.hardlinks("report").stdout
    assert "Next: " not in installation.hardlinks("report", "-q").stdout


def test_verbose_shows_inodes_and_links(installation):
    text = installation.hardlinks("report", "-v").stdout
    row = row_of(report_of(installation), "work")
    (line,) = (line.split() for line in text.splitlines() if line.startswith("work "))
    assert str(row["inodes"]) in line
    assert str(row["links"]) in line


@pytest.mark.parametrize("column", ["size", "shared", "exclusive", "with-clean", "name"])
def test_rows_are_sorted_by_the_column_asked_for(installation, column):
    text = installation.hardlinks("report", "--sort", column).stdout
    rows = {row["name"]: row for row in report_of(installation)["environments"]}
    shown = [name for line in text.splitlines() if (name := line.split(" ")[0]) in rows]
    if column == "name":
        assert shown == sorted(rows)
    else:
        figures = [rows[name][f"{column.replace('-', '_')}_bytes"] for name in shown]
        assert len(figures) == len(rows)
        assert figures == sorted(figures, reverse=True)


def test_without_utf_8_everything_is_ascii(with_odd_names):
    env = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    make_prefix(f"{with_odd_names.envs_dir}/日本")
    text = with_odd_names.hardlinks("report", env=env).stdout
    assert text.isascii()
    assert "# hard-linked" in text
