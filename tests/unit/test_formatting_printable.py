"""Names from strangers do nothing to a terminal."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.formatting import printable

any_text = st.text(st.characters(codec=None, exclude_categories=()))


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
def test_what_is_not_printable_is_an_escape(text, shown):
    assert printable(text) == shown


@given(any_text)
def test_whatever_comes_in_printable_text_comes_out(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode() is not None


@given(any_text.filter(str.isprintable))
def test_printable_text_stays_as_it_is(text):
    assert printable(text) == text


@given(st.binary())
def test_any_bytes_of_a_name_can_be_printed(name):
    assert printable(os.fsdecode(name)).isprintable()
