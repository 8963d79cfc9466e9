"""The status of the report index, as text and as JSON."""

from __future__ import annotations

import io
import json
import os

import pytest

from conda_hardlink_plugin.render.index import print_status, render_status
from conda_hardlink_plugin.render.terminal import Terminal
from conda_hardlink_plugin.scan.index.status import IndexStatus

PATH = "/home/me/.cache/conda/hardlinks/report.index"
WHOLE = IndexStatus(
    PATH,
    size_bytes=3 << 20,
    usable=True,
    taken_s=1_600_000_000,
    caches=1,
    environments=12,
    links=1_234_567,
)
DAMAGED = IndexStatus(PATH, size_bytes=4096)
MISSING = IndexStatus(PATH)

pytestmark = pytest.mark.usefixtures("utc")


def printed(status, *, cleared=False):
    stream = io.StringIO()
    print_status(status, Terminal(stream), cleared=cleared)
    return stream.getvalue()


def test_an_index_is_described_with_the_time_of_its_last_check():
    assert printed(WHOLE) == (
        f"{PATH}: 3.0 MiB\n"
        "1,234,567 paths in 1 package cache and 12 environments, last checked on"
        " 2020-09-13 12:26.\n"
    )


def test_a_damaged_index_is_replaced_by_the_next_report():
    assert printed(DAMAGED) == (
        f"{PATH}: 4.0 KiB\n"
        "The index is damaged or from another version: the next report replaces it.\n"
    )


@pytest.mark.parametrize(("status", "size"), [(WHOLE, "3.0 MiB"), (DAMAGED, "4.0 KiB")])
def test_a_removed_index_is_named_with_its_size(status, size):
    assert printed(status, cleared=True) == f"{PATH}: removed, {size}.\n"


@pytest.mark.parametrize("cleared", [False, True])
def test_a_missing_index_is_neither_described_nor_removed(cleared):
    assert printed(MISSING, cleared=cleared) == f"There is no report index at {PATH}.\n"
    assert json.loads(render_status(MISSING, cleared=cleared))["cleared"] is False


def test_an_index_of_nothing_has_zero_of_everything():
    empty = IndexStatus(PATH, 4096, usable=True, taken_s=0, caches=0, environments=0, links=0)
    assert printed(empty).endswith(
        "\n0 paths in 0 package caches and 0 environments, last checked on 1970-01-01 00:00.\n"
    )


def test_json_has_every_field_and_says_whether_the_index_was_removed():
    for status in (WHOLE, DAMAGED):
        for cleared in (False, True):
            answer = json.loads(render_status(status, cleared=cleared))
            assert answer["cleared"] is cleared
    assert json.loads(render_status(WHOLE, cleared=False)) == {
        "schema_version": 1,
        "success": True,
        "index": {
            "path": PATH,
            "size_bytes": 3 << 20,
            "usable": True,
            "taken_s": 1_600_000_000,
            "caches": 1,
            "environments": 12,
            "links": 1_234_567,
        },
        "cleared": False,
    }


def test_a_hostile_path_is_escaped_on_a_terminal_and_kept_in_json():
    path = os.fsdecode(b"/esc\x1b[31m\nnew\xff")
    for status in (IndexStatus(path), IndexStatus(path, 4096)):
        assert "/esc\\x1b[31m\\nnew\\xff" in printed(status)
        assert "\x1b" not in printed(status)
        text = render_status(status, cleared=False)
        assert text.isascii()
        assert json.loads(text)["index"]["path"] == path
