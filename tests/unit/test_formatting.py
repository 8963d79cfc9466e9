"""Figures as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.formatting import count, percent, size

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
def test_bytes_are_shown_in_the_largest_unit_that_leaves_one_of_it(amount, text):
    assert size(amount) == text


@given(st.integers(0, 2**63))
def test_rounding_never_shows_1024_of_a_unit_and_never_less_than_one(amount):
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
def test_a_count_names_what_is_counted(number, text):
    assert count(number, "file") == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0 %"), (0, 5, "0 %"), (1, 3, "33 %"), (2, 3, "67 %"), (5, 5, "100 %")],
)
def test_a_share_is_in_percent_also_of_nothing(part, whole, text):
    assert percent(part, whole) == text
