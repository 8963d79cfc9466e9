"""The report as HTML for a notebook: tables, sentences and the disk map."""

from __future__ import annotations

import os
from html.parser import HTMLParser

import pytest

from conda_hardlink_plugin.formatting import printable
from conda_hardlink_plugin.render.notebook import NotebookOutput, render_notebook
from conda_hardlink_plugin.render.output import Column
from tests.support.figures import environment, report, small_report
from tests.support.pages import page_report

COLUMNS = [Column("NAME", figures=False), Column("SIZE")]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</td></table><script>alert(1)</script>",
    "\" onmouseover=alert(1) x='",
    "&lt;b&gt;",
    "{}{0}",
    "esc\x1b[31m\nnew",
    os.fsdecode(b"not-utf8-\xff"),
]


class Parsed(HTMLParser):
    """The elements of some HTML with their attributes, and its texts."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data)

    @property
    def tags(self):
        return {tag for tag, _ in self.elements}


def test_a_report_has_tables_sentences_and_notes():
    parsed = Parsed(render_notebook(small_report()))
    assert parsed.tags == {"table", "tr", "th", "td", "p", "b", "small", "em"}
    assert parsed.texts[:5] == ["ENVIRONMENT", "SIZE", "SHARED", "EXCLUSIVE", "WITH CLEAN"]
    assert parsed.texts[5:10] == ["work", "2.0 MiB", "1.5 MiB", "512 KiB", "1.5 MiB"]
    assert "! 1 file is also linked from outside the scanned trees." in parsed.texts
    assert not [text for text in parsed.texts if text.startswith("Next:")]


def test_every_environment_has_a_row():
    parsed = Parsed(render_notebook(report(*(environment(f"e{number}") for number in range(500)))))
    assert sum(text.startswith("e") for text in parsed.texts) == 500


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_text(name):
    output = NotebookOutput()
    output.table([Column(name, figures=False), Column("SIZE")], [[name, name]])
    output.say(name)
    output.warn(name)
    parsed = Parsed(output.html)
    assert parsed.tags == {"table", "tr", "th", "td", "p", "span", "em"}
    shown = printable(name)
    assert parsed.texts == [shown, "SIZE", shown, shown, shown, f"! {shown}"]
    assert all(attributes.keys() <= {"style"} for _, attributes in parsed.elements)


def test_hostile_names_in_a_report_are_texts():
    rows = [environment(name) for name in HOSTILE]
    parsed = Parsed(render_notebook(report(*rows, warnings=tuple(HOSTILE))))
    assert parsed.tags <= {"table", "tr", "th", "td", "p", "b", "small", "em", "span"}
    for name in HOSTILE:
        assert printable(name) in parsed.texts
        assert f"! {printable(name)}" in parsed.texts


def test_figures_are_aligned_right():
    output = NotebookOutput()
    output.table(COLUMNS, [["a", "1 B"]])
    sides = [(tag, attributes["style"]) for tag, attributes in Parsed(output.html).elements[2:4]]
    assert sides == [("th", "text-align: left"), ("th", "text-align: right")]
    cells = [attributes["style"] for tag, attributes in Parsed(output.html).elements if tag == "td"]
    assert cells == ["text-align: left", "text-align: right"]


def test_an_empty_sentence_is_left_out():
    output = NotebookOutput()
    output.say()
    output.say("one", style="bold")
    assert output.html == "<p><b>one</b></p>"


def test_a_frame_shows_the_page_only_with_a_map():
    shown = page_report(3, 20, warnings=(HOSTILE[1],))
    parsed = Parsed(render_notebook(shown))
    (frame,) = (attributes for tag, attributes in parsed.elements if tag == "iframe")
    assert frame["srcdoc"].startswith("<!DOCTYPE html>")
    assert Parsed(frame["srcdoc"]).tags >= {"svg", "table", "script"}
    assert not parsed.tags & {"svg", "script"}
    assert "iframe" not in Parsed(render_notebook(small_report())).tags
