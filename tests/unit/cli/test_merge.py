"""`conda hardlinks merge`: which files it takes, and which it refuses by name."""

from __future__ import annotations

import codecs
import json
import os
import sys

import pytest

from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.render.json import render_json
from tests.support.figures import MIB, small_report
from tests.support.trees import write

REPORT = render_json(small_report(unreachable=())).encode()


@pytest.fixture
def reports(tmp_path):
    """Files with the reports of two machines."""
    return [write(f"{tmp_path}/{name}.json", REPORT) for name in ("node1", "node2")]


def refusal_of(hardlinks, *files):
    with pytest.raises(HardlinksError) as caught:
        hardlinks("merge", *map(str, files))
    return str(caught.value)


def test_machines_are_named_after_their_files(hardlinks, reports):
    done = hardlinks("merge", *reports)
    assert (done.code, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["node1", "node2"]
    assert "2 machines, 4 environments: 8.0 MiB on disk" in done.stdout
    assert hardlinks("merge", reports[0]).stdout.count("node1") == 1


def test_json_has_the_sums_and_ascii_only(hardlinks, reports, tmp_path):
    odd = write(os.fsdecode(os.fsencode(tmp_path) + b"/new\nline\x1b\xff.json"), REPORT)
    done = hardlinks("merge", "--json", *reports, odd)
    merged = json.loads(done.stdout)
    assert done.stdout.isascii()
    assert merged["together"]["on_disk_bytes"] == 12 * MIB
    names = [os.fsencode(machine["name"]) for machine in merged["machines"]]
    assert names == [b"node1", b"node2", b"new\nline\x1b\xff"]


def test_an_odd_name_is_escaped(hardlinks, tmp_path):
    odd = write(os.fsdecode(os.fsencode(tmp_path) + b"/new\nline\x1b\xff.json"), REPORT)
    assert "new\\nline\\x1b\\xff" in hardlinks("merge", odd).stdout


def test_a_report_may_begin_with_a_byte_order_mark(hardlinks, reports, tmp_path):
    """A shell of Windows writes one."""
    marked = write(f"{tmp_path}/marked.json", codecs.BOM_UTF8 + REPORT)
    assert "3 machines" in hardlinks("merge", *reports, marked).stdout


def test_reports_may_come_from_pipes(hardlinks):
    """As a shell passes the output of commands: `merge <(...) <(...)`."""
    pipes = [os.pipe() for _ in range(2)]
    for _, writable in pipes:
        with open(writable, "wb") as file:
            file.write(REPORT)
    done = hardlinks("merge", *(f"/dev/fd/{readable}" for readable, _ in pipes))
    for readable, _ in pipes:
        os.close(readable)
    assert "2 machines" in done.stdout


@pytest.mark.parametrize("how", ["same", "spelling", "symlink", "hard link"])
def test_a_file_is_not_counted_twice(hardlinks, reports, tmp_path, how):
    again = {"same": reports[0], "spelling": f"{tmp_path}/./node1.json"}.get(how)
    if again is None:
        again = f"{tmp_path}/again"
        (os.symlink if how == "symlink" else os.link)(reports[0], again)
    assert refusal_of(hardlinks, *reports, again) == (
        f"{again} is given twice, before as {reports[0]}: it would be counted twice."
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "cannot be read: no such file or directory."),
        ("folder", "cannot be read: is a directory."),
        ("loop", "cannot be read: too many levels of symbolic links."),
        ("latin", "is not text in UTF-8."),
        ("utf-16", "is not text in UTF-8."),
        ("empty", "is not valid JSON: give the output of `conda hardlinks report --json`."),
    ],
)
def test_a_file_that_is_not_a_report_is_named(hardlinks, reports, tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    write(f"{tmp_path}/latin", b'{"\xe9": 1}')
    write(f"{tmp_path}/utf-16", REPORT.decode().encode("utf-16"))
    write(f"{tmp_path}/empty")
    assert refusal_of(hardlinks, *reports, f"{tmp_path}/{name}") == f"{tmp_path}/{name} {reason}"


def test_a_closed_stdout_ends_with_1_before_anything_is_read(hardlinks, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdout", None)
    done = hardlinks("merge", f"{tmp_path}/gone")
    assert done == (1, "", "stdout is closed: cannot print the sums.\n")
