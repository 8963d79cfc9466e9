"""What `conda hardlinks` alone prints."""

from __future__ import annotations

import io

import pytest

from conda_hardlink_plugin.index.trailer import Totals
from conda_hardlink_plugin.render.guide import print_guide
from conda_hardlink_plugin.render.terminal import Terminal
from tests.figures import MIB

TOTALS = Totals(4 * MIB, 6 * MIB, caches=1, environments=2, incomplete=0, which_caches=7)


def printed(found, columns=None):
    text = io.StringIO()
    print_guide(found, Terminal(text, columns))
    return text.getvalue()


@pytest.mark.usefixtures("utc")
def test_the_last_report_is_one_line():
    assert printed((TOTALS, 1_790_000_000.5)).splitlines()[0] == (
        "2 environments and 1 package cache took 4.0 MiB on disk on 2026-09-21 14:13; hard links"
        " saved 2.0 MiB (33 %)."
    )


def test_what_was_not_all_read_is_a_bound():
    assert "took at least 4.0 MiB" in printed((TOTALS._replace(incomplete=1), 0))


def test_without_a_report_it_says_how_to_make_one():
    first, *rest = printed(None).splitlines()
    assert first == "No report on this conda was made yet: `conda hardlinks report` makes one."
    assert rest == printed((TOTALS, 0)).splitlines()[1:]


@pytest.mark.parametrize("columns", [60, 80])
def test_it_fits_any_terminal(columns):
    lines = printed((TOTALS, 0), columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.startswith("BEGIN WITH") for line in lines) == (columns == 80)
