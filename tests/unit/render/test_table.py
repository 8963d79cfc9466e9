"""A whole report as text."""

from __future__ import annotations

import io
import re
from dataclasses import fields, replace

import pytest

from conda_hardlink_plugin.cli.report import SORT_COLUMNS
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.render.table import SORT_KEYS, print_report
from conda_hardlink_plugin.render.terminal import Terminal
from conda_hardlink_plugin.report.model import CacheFigures
from tests.support.figures import environment, report, small_report


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


def printed(shown, columns=None, stream=None, **options):
    stream = stream or io.StringIO()
    print_report(shown, Terminal(stream, columns), **options)
    return stream.getvalue()


ENVIRONMENTS = """\
ENVIRONMENT           SIZE   SHARED  EXCLUSIVE  WITH CLEAN
work               2.0 MiB  1.5 MiB    512 KiB     1.5 MiB  ███████▒▒▒
soft (softlinked)  1.5 KiB      0 B    1.5 KiB     1.5 KiB  ▒▒▒▒▒▒▒░░░
█ hard-linked  ▒ private  ░ softlinked
"""
CACHES_AND_TOTALS = """
PACKAGE CACHE     SIZE     USED   UNUSED  TARBALLS    OTHER
/conda/pkgs    3.0 MiB  1.0 MiB  512 KiB   1.0 MiB  512 KiB

4.0 MiB on disk; 6.0 MiB as copies: hard links save 2.0 MiB (33 %) and 20 inodes.
"""
NEXT = (
    "\nNext: conda hardlinks report -n NAME (one environment), --packages (users of"
    " packages), --why (private bytes by cause), --if-removed ENV... (what removing them frees)\n"
)
NOTES = """
! 1 file is also linked from outside the scanned trees.
! /disk/env: not scanned, its folder cannot be reached.
! /gone is in environments.txt but no longer an environment.
"""


def test_a_report_has_environments_caches_totals_next_steps_and_notes():
    assert printed(small_report()) == ENVIRONMENTS + CACHES_AND_TOTALS + NEXT + NOTES


def test_quiet_leaves_out_only_the_next_steps():
    assert printed(small_report(), quiet=True) == ENVIRONMENTS + CACHES_AND_TOTALS + NOTES


def test_verbose_adds_inodes_links_and_every_path():
    shown = small_report(
        unreadable=(PathProblem("/conda/envs/work/x", "Permission denied"),), incomplete=True
    )
    assert printed(shown, verbose=True, quiet=True) == (
        """\
ENVIRONMENT           SIZE   SHARED  EXCLUSIVE  WITH CLEAN  INODES  LINKS
work               2.0 MiB  1.5 MiB    512 KiB     1.5 MiB   1,200  1,234  ███████▒▒▒
soft (softlinked)  1.5 KiB      0 B    1.5 KiB     1.5 KiB       3      3  ▒▒▒▒▒▒▒░░░
█ hard-linked  ▒ private  ░ softlinked
"""
        + CACHES_AND_TOTALS.replace("4.0 MiB on", "at least 4.0 MiB on").replace(
            "6.0 MiB as", "at least 6.0 MiB as"
        )
        + NOTES
        + "! /conda/envs/work/x: permission denied.\n"
        + "! /cache is the same folder as /conda/pkgs.\n"
        + "The disk was read in Python, without the compiled module.\n"
    )


def test_a_narrow_terminal_gets_a_block_for_each_row():
    assert printed(small_report(warnings=(), unreachable=(), stale=()), 40, quiet=True) == (
        """\
work
  SIZE 2.0 MiB  SHARED 1.5 MiB
  EXCLUSIVE 512 KiB  WITH CLEAN 1.5 MiB
  ███████▒▒▒
soft (softlinked)
  SIZE 1.5 KiB  SHARED 0 B
  EXCLUSIVE 1.5 KiB  WITH CLEAN 1.5 KiB
  ▒▒▒▒▒▒▒░░░
█ hard-linked  ▒ private  ░ softlinked

/conda/pkgs
  SIZE 3.0 MiB  USED 1.0 MiB
  UNUSED 512 KiB  TARBALLS 1.0 MiB
  OTHER 512 KiB

4.0 MiB on disk; 6.0 MiB as copies: hard
links save 2.0 MiB (33 %) and 20 inodes.
"""
    )


@pytest.mark.parametrize(
    ("kept", "quarantine", "table"),
    [
        (
            512,
            0,
            """
PACKAGE CACHE     SIZE     USED   KEPT   UNUSED  TARBALLS    OTHER
/conda/pkgs    3.0 MiB  1.0 MiB  512 B  512 KiB   1.0 MiB  512 KiB
/empty             0 B      0 B    0 B      0 B       0 B      0 B
""",
        ),
        (
            0,
            512,
            """
PACKAGE CACHE     SIZE     USED   UNUSED  TARBALLS  QUARANTINE    OTHER
/conda/pkgs    3.0 MiB  1.0 MiB  512 KiB   1.0 MiB       512 B  512 KiB
/empty             0 B      0 B      0 B       0 B         0 B      0 B
""",
        ),
    ],
)
def test_kept_and_quarantine_have_columns_only_if_a_cache_has_any(kept, quarantine, table):
    (cache,) = small_report().caches
    cache = replace(cache, kept_bytes=kept, quarantine_bytes=quarantine)
    empty = CacheFigures("/empty", *[0] * (len(fields(CacheFigures)) - 1))
    assert table in printed(small_report(caches=(cache, empty)))


def test_a_partly_unreadable_cache_is_marked():
    (cache,) = small_report().caches
    shown = printed(small_report(caches=(cache, replace(cache, path="/half", incomplete=True))))
    assert re.findall(r"^(/\S+(?: \(incomplete\))?) +3\.0 MiB", shown, re.MULTILINE) == [
        "/conda/pkgs",
        "/half (incomplete)",
    ]


def test_letters_replace_blocks_that_the_encoding_lacks():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_report(small_report(), Terminal(stream), quiet=True)
    stream.flush()
    assert stream.buffer.getvalue().decode("ascii") == (
        (ENVIRONMENTS + CACHES_AND_TOTALS + NOTES)
        .replace("█", "#")
        .replace("▒", "=")
        .replace("░", "-")
    )


@pytest.mark.parametrize("sort", ["size", "shared", "exclusive", "with-clean", "name"])
def test_environments_are_sorted_by_a_column_then_by_name(sort):
    orders = {
        "size": ["b", "c", "d", "a"],
        "shared": ["d", "a", "b", "c"],
        "exclusive": ["b", "c", "a", "d"],
        "with-clean": ["c", "d", "b", "a"],
        "name": ["a", "b", "c", "d"],
    }
    shown = report(
        environment("d", 20, 1, with_clean_bytes=40),
        environment("c", 30, 30, with_clean_bytes=50),
        environment("b", 30, 30, with_clean_bytes=30),
        environment("a", 10, 10, with_clean_bytes=10),
    )
    lines = printed(shown, sort=sort).splitlines()[1:5]
    assert [line[0] for line in lines] == orders[sort]


def test_every_sort_column_of_the_command_line_has_a_key():
    assert set(SORT_COLUMNS) == set(SORT_KEYS)


@pytest.mark.parametrize(("lines", "rows"), [(10, 5), (24, 10), (36, 22), (40, 25)])
def test_environments_fit_on_the_screen(monkeypatch, lines, rows):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LINES", str(lines))
    shown = replace(
        small_report(warnings=(), unreachable=(), stale=()),
        environments=[environment(f"env{number:02}", 1000 - number) for number in range(25)],
    )
    text = printed(shown, 100, Screen())
    listed = [line for line in text.splitlines() if line.startswith(("env", "\x1b[1menv"))]
    assert len(listed) == rows
    rest = f"... and {25 - rows} more environments: -v shows all.\n"
    assert (rest in text) is (rows < 25)
    assert text.count("\n") <= max(lines - 1, 17)
    assert "-v shows all" not in printed(shown, 100, Screen(), verbose=True)


def test_warnings_and_caches_leave_fewer_lines_for_environments(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "40")
    environments = [environment(f"env{number:02}", 1000 - number) for number in range(40)]
    shown = small_report(environments=environments, unreachable=(), stale=())
    several = replace(shown, caches=shown.caches * 3, warnings=("w " * 70,) * 6)
    for each in (shown, several):
        text = printed(each, 100, Screen())
        assert text.count("\n") <= 40
        assert "more environments: -v shows all" in text


def test_a_pipe_gets_every_environment():
    shown = report(*(environment(f"env{number:03}", 1) for number in range(500)))
    assert printed(shown).count("\nenv") == 500


def test_an_empty_report():
    assert printed(report(), quiet=True) == (
        """\
No environments were found.

No package caches were found.

0 B on disk; 0 B as copies: hard links save 0 B (0 %) and 0 inodes.
"""
    )


def test_hostile_names_are_escaped_everywhere():
    odd = "\x1b[2J\n"
    shown = small_report(
        environments=(environment(odd, 1, 1),),
        caches=(replace(small_report().caches[0], path=f"/{odd}"),),
        warnings=(odd,),
        unreachable=(PathProblem(odd, odd),),
        unreadable=(PathProblem(odd, odd),),
        stale=(odd,),
        aliases={odd: odd},
    )
    text = printed(shown, verbose=True)
    assert "\x1b" not in text
    assert text.count("\\x1b[2J\\n") == 10
