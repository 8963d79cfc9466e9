"""How health checks print: a mark before each result, and the first few paths."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.hooks.health_checks.output import print_list, say

ODD = os.fsdecode(b"esc\x1b[31m\nnew\xff")
SHOWN = "esc\\x1b[31m\\nnew\\xff"


@pytest.mark.parametrize(("good", "mark"), [(True, "✅"), (False, "❌")])
def test_a_result_has_its_mark_and_an_empty_line_after_it(capsys, good, mark):
    say("Something: none.", good=good)
    assert capsys.readouterr() == (f"{mark} Something: none.\n\n", "")


def test_names_that_a_terminal_would_obey_are_printed_with_escapes(capsys):
    say(f"{ODD} cannot be read.", good=False)
    print_list([ODD], "file", verbose=False)
    assert capsys.readouterr().out == f"❌ {SHOWN} cannot be read.\n\n  {SHOWN}\n"


@pytest.mark.parametrize("verbose", [True, False])
@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_short_list_is_printed_as_a_whole(capsys, number, verbose):
    print_list([f"/env/{index}" for index in range(number)], "environment", verbose=verbose)
    assert capsys.readouterr().out == "".join(f"  /env/{index}\n" for index in range(number))


def test_of_a_long_list_the_first_five_are_printed_and_the_rest_counted(capsys):
    names = [f"/env/{index}" for index in range(7)]
    print_list(names, "environment", verbose=False)
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [f"  {name}" for name in names[:5]]
    assert last == "  ... and 2 more environments: -v shows all."
    print_list(names, "environment", verbose=True)
    assert capsys.readouterr().out == "".join(f"  {name}\n" for name in names)
