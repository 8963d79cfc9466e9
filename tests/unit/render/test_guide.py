"""The output of `conda hardlinks` without a command."""

from __future__ import annotations

import io

import pytest

from conda_hardlink_plugin.render.guide import print_guide
from conda_hardlink_plugin.render.terminal import Terminal
from conda_hardlink_plugin.scan.index.trailer import IndexTotals
from tests.support.figures import MIB

TOTALS = IndexTotals(4 * MIB, 6 * MIB, caches=1, environments=2, incomplete=0, caches_checksum=7)


def printed(found, columns=None):
    text = io.StringIO()
    print_guide(found, Terminal(text, columns))
    return text.getvalue()


@pytest.mark.usefixtures("utc")
def test_the_last_report_is_one_line():
    assert printed((TOTALS, 1_790_000_000.5, True)).splitlines()[0] == (
        "The last report found 2 environments and 1 package cache, 4.0 MiB on disk, on 2026-09-21"
        " 14:13: hard links saved 2.0 MiB (33 %)."
    )


def test_the_size_of_an_incomplete_report_is_a_bound():
    assert "at least 4.0 MiB on disk" in printed((TOTALS._replace(incomplete=1), 0, True))


def test_without_a_report_the_guide_says_how_to_make_one():
    first, *rest = printed(None).splitlines()
    assert first.startswith("There is no report yet: ")
    assert rest == printed((TOTALS, 0, True)).splitlines()[1:]


def test_a_report_on_other_caches_does_not_count():
    text = printed((TOTALS, 0, False))
    assert text.startswith("The last report covered other package caches: ")


@pytest.mark.parametrize("columns", [60, 80])
def test_the_guide_fits_any_terminal(columns):
    lines = printed((TOTALS, 0, True), columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.startswith("COMMAND ") for line in lines) == (columns == 80)
