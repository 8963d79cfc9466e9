"""Sizes, counts, times and names as people read them."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.formatting import (
    and_more,
    and_others,
    count,
    exact_size,
    join_names,
    percent,
    printable,
    size,
    timestamp,
)

any_text = st.text(st.characters(codec=None, exclude_categories=()))
UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10 * 1024, "10.0 KiB"),
        (100 * 1024, "100 KiB"),
        (1023 * 1024, "1023 KiB"),
        (1048575, "1.0 MiB"),
        (1048576, "1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**3, "1.0 GiB"),
        (2_040_109_466, "1.9 GiB"),
        (1024**6 - 1, "1.0 EiB"),
        (5000 * 1024**6, "5000 EiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_a_size_is_in_the_largest_unit_that_shows_at_least_one(amount, text):
    assert size(amount) == text


@given(st.integers(0, 2**63))
def test_rounding_never_shows_1024_of_a_unit_or_less_than_one(amount):
    figure, unit = re.fullmatch(r"(\d+(?:\.\d)?) (\w+)", size(amount)).groups()
    assert float(figure) < 1024
    assert float(figure) >= 1 or unit == "B"
    scale = 1024 ** UNITS.index(unit)
    assert abs(float(figure) * scale - amount) <= scale * 0.5


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_more_bytes_never_look_like_fewer(one, other):
    def key(amount):
        figure, unit = size(amount).split()
        return UNITS.index(unit), float(figure)

    smaller, larger = sorted([one, other])
    assert key(smaller) <= key(larger)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (12345, "12,345 files")]
)
def test_a_count_has_its_noun(number, text):
    assert count(number, "file") == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0 %"), (0, 5, "0 %"), (1, 3, "33 %"), (2, 3, "67 %"), (5, 5, "100 %")],
)
def test_a_part_of_nothing_is_0_percent(part, whole, text):
    assert percent(part, whole) == text


def test_an_exact_size_ends_with_its_bytes():
    assert exact_size(1536) == "1.5 KiB (1,536 bytes)"


@pytest.mark.usefixtures("utc")
def test_a_timestamp_shows_minutes():
    assert timestamp(1_790_000_000.9) == "2026-09-21 14:13"


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and 1 more")],
)
def test_a_long_list_is_cut(names, text):
    assert join_names(names, 2, " and ") == text


def test_the_line_below_a_cut_list_counts_the_rest_and_names_the_option_that_shows_it():
    assert and_more(1, "file") == "... and 1 more file: -v shows all."
    assert and_more(2_000, "file") == "... and 2,000 more files: -v shows all."
    assert and_more(2, "file", option="") == "... and 2 more files."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain, ünïcödé, 日本 \\x1b", "plain, ünïcödé, 日本 \\x1b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("new\nline\ttab\rreturn", "new\\nline\\ttab\\rreturn"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u202eright to left", "\\u202eright to left"),
        ("zero\u200bwidth\u2028line", "zero\\u200bwidth\\u2028line"),
        ("\U000e0041", "\\U000e0041"),
        (os.fsdecode(b"latin-\xe9\xff"), "latin-\\xe9\\xff"),
        ("\ud800", "\\ud800"),
    ],
)
def test_unprintable_characters_are_escaped(text, shown):
    assert printable(text) == shown


@given(any_text)
def test_any_text_becomes_printable(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode() is not None


@given(any_text.filter(str.isprintable))
def test_printable_text_is_unchanged(text):
    assert printable(text) == text


@given(st.binary())
def test_any_file_name_becomes_printable(name):
    assert printable(os.fsdecode(name)).isprintable()


@pytest.mark.parametrize(
    ("number", "expected"), [(0, ""), (1, " (and 1 more path)"), (1_200, " (and 1,200 more paths)")]
)
def test_the_first_of_several_is_followed_by_how_many_more(number, expected):
    assert and_others(number, "path") == expected
