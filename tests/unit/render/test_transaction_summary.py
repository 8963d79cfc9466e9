"""The lines about transactions."""

from __future__ import annotations

import io
import os

import pytest

from conda_hardlink_plugin.analysis.causes import Cause
from conda_hardlink_plugin.analysis.transaction_figures import InstalledPackage, LinkFigures
from conda_hardlink_plugin.metadata.conda_meta import FileRole
from conda_hardlink_plugin.render.transaction_summary import (
    summary_lines,
    warning_line,
    write_lines,
)
from conda_hardlink_plugin.report.transaction_summary import TransactionSummary
from conda_hardlink_plugin.scan.index.trailer import IndexTotals
from tests.support.figures import KIB, MIB

ODD = os.fsdecode(b"esc\x1b[31m\nnew\xff")
SHOWN = "esc\\x1b[31m\\nnew\\xff"
OVER = "hardlinks: measuring took too long; `conda hardlinks report` shows the figures"
WHY = "/e and /c are on different filesystems"
SOFT = (
    "linked by symbolic links: `conda clean --packages` may break this environment,"
    " `conda hardlinks clean` does not"
)
LEFT = (
    "4 B of them are left in the cache without hard links from an environment: `conda hardlinks"
    " clean` removes unused packages"
)
UNKNOWN = "`conda hardlinks report` shows what is left in the cache"


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


def installed(dist):
    return InstalledPackage(dist, (), lambda _: FileRole.LINKABLE, True, False, "")


def linked(packages=1, hardlinked=0, *, copied=(), softlinked=(), **causes):
    by_cause = {Cause[name.upper()]: amount for name, amount in causes.items()}
    copied, softlinked = list(map(installed, copied)), list(map(installed, softlinked))
    return LinkFigures(packages, hardlinked, by_cause, copied, softlinked)


def lines(figures=None, **more):
    return summary_lines(TransactionSummary(linked=figures or LinkFigures(), **more))


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (linked(), "1 package, 0 B"),
        (linked(symlinks=0), "1 package, 0 B"),
        (linked(2, 3 * MIB), "2 packages, 3.0 MiB: 3.0 MiB hard-linked to the cache"),
        (
            linked(1200, prefix_rewritten=KIB, bytecode=0),
            "1,200 packages, 1.0 KiB: 1.0 KiB private (prefix 1.0 KiB)",
        ),
        (
            linked(
                *(3, 300 * MIB),
                no_link=6 * MIB,
                symlinks=5 * MIB,
                conda_own=4 * MIB,
                copied=("a-1-0",),
                bytecode=2 * MIB,
                prefix_rewritten=MIB,
            ),
            (
                "3 packages, 318 MiB: 300 MiB hard-linked to the cache, 18.0 MiB private (prefix"
                " 1.0 MiB, bytecode 2.0 MiB, entry points 4.0 MiB, symbolic links 5.0 MiB, not"
                " linkable 6.0 MiB)"
            ),
        ),
    ],
)
def test_linked_packages_are_a_line(figures, line):
    assert lines(figures) == [f"hardlinks: {line}"]


def test_every_cause_of_a_file_that_conda_linked_has_a_name():
    """The causes in the parentheses add up to the private bytes."""
    causes = {"prefix_rewritten", "bytecode", "conda_own", "symlinks", "no_link"}
    for cause in causes:
        (line,) = lines(linked(**{cause: 7}))
        assert line.endswith(" 7 B)")
        assert line.startswith("hardlinks: 1 package, 7 B: 7 B private (")
    figures = LinkFigures(1, 0, {Cause.COPIED: 7})
    assert lines(figures) == ["hardlinks: 1 package, 7 B: 7 B private (copies 7 B)"]


@pytest.mark.parametrize(
    ("packages", "unlinked", "freed", "left", "line"),
    [
        (1, 0, 0, 0, "1 package, 0 B: freed 0 B"),
        (2000, 2 * MIB, KIB, None, "2,000 packages, 2.0 MiB: freed 1.0 KiB"),
        (2, 9, 5, 4, f"2 packages, 9 B: freed 5 B; {LEFT}"),
        (2, None, None, None, f"2 packages; {UNKNOWN}"),
        (1, 9, None, 4, f"1 package; {UNKNOWN}"),
    ],
)
def test_unlinked_packages_are_a_line(packages, unlinked, freed, left, line):
    figures = {"unlinked_bytes": unlinked, "freed_bytes": freed, "left_bytes": left}
    assert lines(unlinked_packages=packages, **figures) == [f"hardlinks: removed {line}"]


def test_a_new_environment_is_a_line_even_if_it_adds_nothing():
    assert lines(added_bytes=5 * MIB) == ["hardlinks: the environment adds 5.0 MiB to the disk"]
    assert lines(added_bytes=0) == ["hardlinks: the environment adds 0 B to the disk"]


@pytest.mark.usefixtures("utc")
def test_the_last_report_is_quoted_beside_it():
    of_report = {
        "totals": IndexTotals(3 * MIB, 5 * MIB, 1, 1, 0, 0),
        "totals_taken_s": 1_000_000_000.9,
    }
    beside = "in the report of 2001-09-09 01:46 1 environment and the cache used 3.0 MiB, 5.0 MiB"
    line = f"hardlinks: the environment adds 5.0 MiB to the disk; {beside} as copies"
    assert lines(added_bytes=5 * MIB, **of_report) == [line]
    of_report["totals"] = IndexTotals(3 * MIB, 5 * MIB, 2, 1_200, 0, 0)
    assert "1,200 environments and 2 caches used" in lines(added_bytes=5 * MIB, **of_report)[0]
    of_report["totals"] = IndexTotals(3 * MIB, 5 * MIB, 1, 1, 1, 0)  # incomplete
    assert lines(added_bytes=5 * MIB, **of_report) == lines(added_bytes=5 * MIB)
    assert lines(**of_report) == []


@pytest.mark.parametrize(
    ("dists", "subject"),
    [
        (("a-1-0",), "a-1-0 was"),
        (("b-1-0", "a-1-0"), "2 packages were"),
        (("a-1-0",) * 1200, "1,200 packages were"),
    ],
)
def test_warnings_name_the_package_or_count_them(dists, subject):
    first = "hardlinks: 1 package, 0 B"
    copied = f"hardlinks: warning: {subject} copied instead of hard-linked: {WHY}"
    soft = f"hardlinks: warning: {subject} {SOFT}"
    assert lines(linked(copied=dists), why_copied=WHY) == [first, copied]
    assert lines(linked(softlinked=dists)) == [first, soft]
    assert lines(linked(copied=dists, softlinked=dists), why_copied=WHY) == [first, copied, soft]


def test_no_warning_is_repeated_or_lacks_its_reason():
    figures = linked(copied=["a-1-0"], softlinked=["b-1-0"])
    assert len(lines(figures, why_copied=WHY, warned=True)) == 1
    assert len(lines(linked(copied=["a-1-0"]))) == 1
    assert lines(figures, why_copied=WHY, warned=True, over_budget=True)[1:] == [OVER]


def test_there_are_at_most_four_lines_and_the_figures_come_first():
    figures = linked(copied=["a-1-0"], softlinked=["b-1-0"])
    unlinked = {"unlinked_packages": 1, "unlinked_bytes": 9, "freed_bytes": 5}
    shown = lines(figures, **unlinked, added_bytes=7, why_copied=WHY)
    assert [line.split()[1] for line in shown] == ["1", "removed", "the", "warning:"]
    assert "copied instead" in shown[3]
    assert lines(figures, **unlinked, added_bytes=7, over_budget=True)[3] == OVER
    assert len(lines(figures, **unlinked, added_bytes=7, warned=True, over_budget=True)) == 3


def test_no_transaction_has_no_line():
    assert lines() == []
    assert lines(over_budget=True) == [OVER]


def test_hostile_names_are_escaped():
    shown = lines(linked(copied=[ODD]), why_copied=f"/{ODD} is elsewhere")
    assert shown[1] == (
        f"hardlinks: warning: {SHOWN} was copied instead of hard-linked: /{SHOWN} is elsewhere"
    )
    assert warning_line(f"see {ODD}") == f"hardlinks: warning: see {SHOWN}"
    assert all(line.isprintable() for line in shown)


def test_lines_are_folded_between_words_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    path = "/a-folder/that-is/longer-than/the-terminal"
    texts = [f"hardlinks: one two three four {path} five", "hardlinks: short"]
    file, terminal = io.StringIO(), Terminal()
    write_lines(texts, file)
    write_lines(texts, terminal)
    assert file.getvalue() == "".join(f"{text}\n" for text in texts)
    assert terminal.getvalue() == (
        f"hardlinks: one two three four\n  {path}\n  five\nhardlinks: short\n"
    )


def test_lines_are_written_at_once(tmp_path):
    with open(tmp_path / "lines", "w", encoding="utf-8") as file:
        write_lines(["hardlinks: one"], file)
        assert (tmp_path / "lines").read_text() == "hardlinks: one\n"
