"""Errors: their lines, their text and their exit codes."""

from __future__ import annotations

import copy
import pickle

import pytest

from conda_hardlink_plugin.exceptions import (
    CleanRefusedError,
    HardlinksError,
    NotFoundError,
    StoppedError,
)


def test_an_error_has_one_line_whatever_characters_a_name_in_it_has():
    error = NotFoundError("No environment named 'a\nb\x1b' was found")
    assert error.lines == ["No environment named 'a\nb\x1b' was found"]


@pytest.mark.parametrize(
    ("refusals", "lines"),
    [
        (["a"], ["a."]),
        (["a", "b", "c", "d"], ["a.", "b.", "c.", "d."]),
        (["a", "b", "c", "d", "e"], ["a.", "b.", "c.", "d.", "And 1 more."]),
        ([str(n) for n in range(40)], ["0.", "1.", "2.", "3.", "And 36 more."]),
        (["new\nline"], ["new\nline."]),
    ],
    ids=len,
)
def test_a_refused_clean_shows_four_reasons_and_counts_the_others(refusals, lines):
    error = CleanRefusedError(refusals)
    assert error.lines == lines
    assert str(error) == "\n".join(lines)
    assert error.refusals == refusals


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HardlinksError("a"), 1),
        (NotFoundError("a"), 1),
        (CleanRefusedError(["a"]), 1),
        (StoppedError("a"), 130),
    ],
    ids=repr,
)
def test_only_ctrl_c_has_an_exit_code_of_its_own(error, code):
    assert error.exit_code == code
    assert isinstance(error, HardlinksError)


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("there is no such environment"),
        CleanRefusedError(["one", "two"]),
        StoppedError("Interrupted."),
    ],
    ids=repr,
)
@pytest.mark.parametrize("same", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copy_of_an_error_and_one_of_another_process_have_the_same_text(error, same):
    again = same(error)
    assert (str(again), again.lines) == (str(error), error.lines)
    assert vars(again) == vars(error)
