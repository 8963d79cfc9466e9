"""A function that never fails: its result, or a line in conda's log."""

from __future__ import annotations

import pytest

from conda_hardlink_plugin.hooks.never_fails import never_fails

ERRORS = [ValueError("why"), KeyboardInterrupt("why"), SystemExit("why"), MemoryError("why")]


class UnprintableError(Exception):
    """An error that not even has a text."""

    def __str__(self):
        raise KeyboardInterrupt


@never_fails
def fail(error):
    """Raise an error."""
    raise error


def test_a_function_that_works_returns_what_it_returns(logged):
    @never_fails
    def function(*args, **options):
        return args, options

    assert function(1, 2, three=3) == ((1, 2), {"three": 3})
    assert logged() == []


@pytest.mark.parametrize("error", ERRORS, ids=type)
def test_every_exception_becomes_none_and_a_line_in_the_log(logged, error):
    """Also Ctrl-C: it would have conda remove the new environment."""
    assert fail(error) is None
    assert logged() == [f"hardlinks: fail failed: {type(error).__name__}: why"]


def test_only_the_first_line_of_an_error_is_logged(logged):
    fail(ValueError("first\nsecond"))
    assert logged() == ["hardlinks: fail failed: ValueError: first"]


def test_an_error_without_a_text_is_named(logged):
    fail(KeyboardInterrupt())
    assert logged() == ["hardlinks: fail failed: KeyboardInterrupt: "]


def test_an_error_that_cannot_be_logged_is_not_raised_either(logged):
    assert fail(UnprintableError()) is None
    assert logged() == []


def test_the_method_of_a_class_is_named_with_its_class(logged):
    class Action:
        @never_fails
        def execute(self):
            raise ValueError("why")

    assert Action().execute() is None
    (line,) = logged()
    assert line.endswith("Action.execute failed: ValueError: why")


def test_a_function_keeps_its_name_and_documentation():
    assert (fail.__name__, fail.__doc__) == ("fail", "Raise an error.")
