"""What every output does in the same way, and what an output of unlimited length need not do."""

from __future__ import annotations

import pytest

from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.render.output import Column, Output, text_columns


class Recorder(Output):
    """An output that records what is said."""

    def __init__(self):
        self.said = []

    def say(self, sentence="", *, style="", indent=""):
        self.said.append((sentence, style, indent) if style or indent else sentence)

    def table(self, columns, rows):
        self.said.append((columns, rows))


@pytest.fixture
def output():
    return Recorder()


def test_a_warning_is_marked_coloured_and_indented(output):
    output.warn("It is full.")
    assert output.said == [("! It is full.", "yellow", "  ")]


def test_each_problem_is_a_warning_of_its_own(output):
    problems = (PathProblem("/a", "permission denied"), PathProblem("/b\n", "it is gone"))
    output.warn_of(problem for problem in problems)
    assert [sentence for sentence, _, _ in output.said] == [
        *("! /a: permission denied.", "! /b\n: it is gone."),
    ]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], []),
        (["one"], ["one"]),
        (["one", "two", "three"], ["one", "", "two", "", "three"]),
    ],
)
def test_parts_are_separated_by_an_empty_line(output, parts, said):
    output.parts(lambda part=part: output.say(part) for part in parts)
    assert output.said == said


def test_an_output_without_a_limit_prints_nothing_to_count_lines(output):
    assert (output.lines, output.lines_of(output.say), output.draws_blocks) == (None, 0, True)
    assert output.said == []


def test_columns_have_figures_unless_they_are_columns_of_text():
    assert Column("SIZE").figures
    assert text_columns("NAME", "") == [Column("NAME", figures=False), Column("", figures=False)]
    assert text_columns() == []


def test_an_output_has_to_print_sentences_and_tables():
    class Silent(Output):
        def table(self, columns, rows):
            pass

    with pytest.raises(TypeError, match="say"):
        Silent()
