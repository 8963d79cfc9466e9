"""Tables and sentences on terminals of any width, in pipes, and in any encoding."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from conda_hardlink_plugin.render.output import Column
from conda_hardlink_plugin.render.terminal import Terminal


class Screen(io.TextIOWrapper):
    """A stream that is a terminal."""

    def isatty(self):
        return True


class Pipe(io.TextIOWrapper):
    """A stream that is not a terminal."""


def written_to(stream):
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)


def stream_of(kind, encoding="utf-8"):
    return kind(io.BytesIO(), encoding=encoding, newline="")


def table(columns, rows, width=None, stream=None):
    stream = stream or stream_of(Pipe)
    headings = [Column(name.lstrip("<"), figures=not name.startswith("<")) for name in columns]
    Terminal(stream, width).table(headings, rows)
    return written_to(stream)


def say(*sentence, width=None, stream=None, **options):
    stream = stream or stream_of(Pipe)
    Terminal(stream, width).say(*sentence, **options)
    return written_to(stream)


COLUMNS = ["<NAME", "SIZE", "OF IT", "<"]
ROWS = [["one", "1.0 KiB", "5 B", "##"], ["another", "100 KiB", "", "="]]


def test_figures_are_aligned_right_and_lines_are_not_padded():
    assert table(COLUMNS, ROWS) == (
        "NAME        SIZE  OF IT\none      1.0 KiB    5 B  ##\nanother  100 KiB         =\n"
    )


def test_a_table_that_just_fits_is_a_table():
    assert table(COLUMNS, ROWS, 27) == table(COLUMNS, ROWS)


def test_a_table_that_does_not_fit_becomes_a_block_for_each_row():
    assert table(COLUMNS, ROWS, 26) == (
        "one\n  SIZE 1.0 KiB  OF IT 5 B\n  ##\nanother\n  SIZE 100 KiB  =\n"
    )


def test_a_table_in_a_pipe_may_be_of_any_width():
    name = "/a/very/long/path" * 40
    assert table(["<NAME", "SIZE"], [[name, "5 B"]]) == (
        f"NAME{' ' * (len(name) - 4)}  SIZE\n{name}   5 B\n"
    )


cells = st.text(st.characters(codec="utf-8"), max_size=30)
figures = st.integers(0, 10**12).map(lambda number: f"{number:,} B")


@given(st.integers(1, 150), st.lists(st.tuples(cells, figures, figures), max_size=4))
def test_no_figure_is_ever_cut(width, rows):
    shown = table(["<NAME", "SIZE", "WITH CLEAN"], rows, width)
    for row in rows:
        for figure in row[1:]:
            assert re.search(rf"(^|\s){figure}(\s|$)", shown)


@given(st.integers(1, 150), st.lists(st.tuples(cells, figures, cells), max_size=4))
def test_no_line_ends_in_spaces_or_holds_control_characters(width, rows):
    shown = table(["<NAME", "SIZE", "<USED BY"], rows, width)
    for line in shown.split("\n"):
        assert line.isprintable()
        assert not line.endswith("  ")


def test_wide_characters_count_as_two():
    name = "日本"
    shown = table(["<NAME", "SIZE"], [[name, "5 B"], ["abcd", "5 B"]], 10)
    assert shown == "NAME  SIZE\n日本   5 B\nabcd   5 B\n"
    assert {cell_len(line) for line in shown.splitlines()} == {10}
    assert table(["<NAME", "SIZE"], [[name + name, "5 B"]], 10) == "日本日本\n  SIZE 5 B\n"


def test_markup_and_emoji_codes_in_names_are_names():
    name = "[bold]x[/bold] :smile: [/]"
    assert table(["<NAME", "SIZE"], [[name, "5 B"]]).splitlines()[1] == f"{name}   5 B"
    assert say(name) == f"{name}\n"
    assert table(["<NAME", "SIZE"], [[name, "5 B"]], 12) == f"{name}\n  SIZE 5 B\n"


def test_a_sentence_is_folded_between_words_and_indented():
    assert say("! one two three four five six", width=24, indent="  ") == (
        "! one two three four\n  five six\n"
    )


def test_a_word_longer_than_a_line_is_not_broken():
    path = "/a" * 30
    assert say(f"From {path} and on.", width=24) == f"From\n{path}\nand on.\n"


def test_a_sentence_in_a_pipe_is_one_line():
    sentence = "word " * 500 + "end"
    assert say(sentence) == f"{sentence}\n"


def test_an_empty_sentence_is_an_empty_line():
    assert say() == "\n"


@given(cells)
def test_any_sentence_is_one_printable_line(text):
    assert say(f"x{text}x")[:-1].isprintable()


def test_a_pipe_gets_no_colour():
    assert say("warning", style="bold yellow") == "warning\n"
    assert "\x1b" not in table(COLUMNS, ROWS)


def test_a_terminal_gets_colour_without_no_color(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert say("warning", style="yellow", stream=stream_of(Screen)) == "\x1b[33mwarning\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert say("warning", style="yellow", stream=stream_of(Screen)) == "warning\n"
    bold = table(["<NAME", "SIZE"], [["x", "5 B"]], stream=stream_of(Screen))
    assert "\x1b[3" not in bold


def test_escape_sequences_in_names_are_inert(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    name = "\x1b[31mred\x1b]0;title\x07\n"
    for width in (80, 20):
        shown = table(["<NAME", "SIZE"], [[name, "5 B"]], width, stream_of(Screen))
        assert "\\x1b[31mred\\x1b]0;title\\x07\\n" in shown
        assert "\x1b[31m" not in shown
        assert "\x07" not in shown


@pytest.mark.parametrize(
    ("encoding", "blocks", "shown"),
    [
        ("utf-8", True, "ünïcödé 日本"),
        ("latin-1", False, "ünïcödé \\u65e5\\u672c"),
        ("ascii", False, "\\xfcn\\xefc\\xf6d\\xe9 \\u65e5\\u672c"),
    ],
)
def test_unencodable_characters_are_escaped(encoding, blocks, shown):
    stream = stream_of(Pipe, encoding)
    assert Terminal(stream).draws_blocks is blocks
    assert say("ünïcödé 日本", stream=stream) == f"{shown}\n"
    stream = stream_of(Pipe, encoding)
    assert table(["<NAME", "SIZE"], [["ünïcödé 日本", "5 B"]], None, stream).endswith(
        f"{shown}   5 B\n"
    )


def test_only_a_terminal_has_a_height(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "33")
    assert Terminal(stream_of(Screen)).lines == 33
    assert Terminal(stream_of(Pipe)).lines is None
