"""The report as Markdown renders like the report on a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conda_hardlink_plugin.formatting import printable
from conda_hardlink_plugin.render.markdown import MarkdownOutput
from conda_hardlink_plugin.render.output import Column
from conda_hardlink_plugin.render.table import print_report
from tests.support.figures import environment, report, small_report

BLOCKS = {"table", "thead", "tbody", "tr", "th", "td", "paragraph", "blockquote"}
COLUMNS = [Column("NAME", figures=False), Column("SIZE")]


def drawn(text):
    """Return the texts of cells and paragraphs, and the kinds of blocks, in rendered Markdown."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    texts = []
    for token in tokens:
        if token.type == "inline":
            assert {child.type for child in token.children} <= {
                *("text", "softbreak", "text_special"),
                *("strong_open", "strong_close", "em_open", "em_close"),
            }, text
            texts.append("".join(child.content for child in token.children))
    return texts, {token.type.removesuffix("_open") for token in tokens if token.nesting == 1}


def page_of(made, **more):
    page = MarkdownOutput()
    print_report(made, page, quiet=True, **more)
    return page.text


def test_a_report_has_tables_a_sentence_and_warnings():
    texts, kinds = drawn(page_of(small_report()))
    assert kinds == BLOCKS
    assert texts[:6] == ["ENVIRONMENT", "SIZE", "SHARED", "EXCLUSIVE", "WITH CLEAN", ""]
    assert texts[6:11] == ["work", "2.0 MiB", "1.5 MiB", "512 KiB", "1.5 MiB"]
    assert "/conda/pkgs" in texts
    assert (
        "4.0 MiB on disk; 6.0 MiB as copies: hard links save 2.0 MiB (33 %) and 20 inodes." in texts
    )
    assert "! 1 file is also linked from outside the scanned trees." in texts


def test_figures_are_aligned_right():
    page = MarkdownOutput()
    page.table(COLUMNS, [["a", "1 B"]])
    assert page.text == "| NAME | SIZE |\n| :--- | ---: |\n| a | 1 B |\n"


@pytest.mark.parametrize(
    "name",
    [
        "a|b",
        "<img src=x onerror=alert(1)>",
        "[text](javascript:alert(1))",
        "`code`",
        "**bold** __strong__ ~~gone~~",
        "&lt;b&gt;",
        "# heading",
        "- item",
        "1. item",
        "---",
        "back\\slash\\",
        "new\nline",
        "$math$",
    ],
)
def test_a_hostile_name_is_rendered_literally(name):
    page = MarkdownOutput()
    page.table(COLUMNS, [[name, "1 B"]])
    page.say(f"{name}")
    page.say(f"! {name}", style="yellow")
    shown = printable(name)
    texts, kinds = drawn(page.text)
    assert texts == ["NAME", "SIZE", shown, "1 B", shown, f"! {shown}"]
    assert kinds == BLOCKS


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_is_rendered_literally(name):
    page = MarkdownOutput()
    page.table(COLUMNS, [[f"x{name}x", "1 B"]])
    page.say(f"{name}x")
    shown = printable(name)
    texts, _ = drawn(page.text)
    assert texts == ["NAME", "SIZE", f"x{shown}x", "1 B", re.sub("^ +", "", f"{shown}x")]


def test_every_environment_has_a_row():
    made = report(*(environment(f"e{number}") for number in range(500)))
    texts, _ = drawn(page_of(made))
    assert sum(text.startswith("e") for text in texts) == 500
