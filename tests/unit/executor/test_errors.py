"""Errors of the system become refusals that name a path, and refusals become problems."""

from __future__ import annotations

import errno
import os
import pickle

import pytest

from conda_hardlink_plugin.executor.errors import RefusedError, naming_path, noting_refusals
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.trees import ODD_NAMES


def test_a_refusal_names_the_path_and_the_reason():
    refused = RefusedError("/pkgs/a-1-0", "it was replaced")
    assert str(refused) == "/pkgs/a-1-0: it was replaced"
    assert refused.problem == PathProblem("/pkgs/a-1-0", "it was replaced")


def test_a_refusal_of_another_process_is_the_same():
    refused = RefusedError("/pkgs/a-1-0", "it was replaced")
    again = pickle.loads(pickle.dumps(refused))
    assert (str(again), again.problem) == (str(refused), refused.problem)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_refusal_has_the_path_as_it_is_on_disk(name):
    with pytest.raises(RefusedError) as refused, naming_path(f"/pkgs/{name}"):
        os.stat(f"/no-such-folder/{name}")
    assert refused.value.problem == PathProblem(f"/pkgs/{name}", "no such file or directory")
    assert refused.value.__suppress_context__  # the refusal says it all


def test_an_error_of_the_system_without_a_message_has_its_own_text_as_reason():
    with pytest.raises(RefusedError) as refused, naming_path("/pkgs"):
        raise OSError("The disk went away")
    assert refused.value.problem.reason == "the disk went away"


@pytest.mark.parametrize(
    "error", [RefusedError("/inner", "why"), KeyboardInterrupt(), ValueError("no")], ids=type
)
def test_only_errors_of_the_system_are_renamed(error):
    with pytest.raises(type(error)) as raised, naming_path("/outer"):
        raise error
    assert raised.value is error


def test_each_refusal_is_noted_once():
    problems = []
    for path, reason in (("/a", "x"), ("/b", "x"), ("/a", "x"), ("/a", "y")):
        with noting_refusals(problems):
            raise RefusedError(path, reason)
    assert problems == [PathProblem("/a", "x"), PathProblem("/b", "x"), PathProblem("/a", "y")]


def test_a_step_that_works_adds_no_problem():
    problems = []
    with noting_refusals(problems), naming_path("/pkgs"):
        pass
    assert problems == []


@pytest.mark.parametrize("error", [OSError(errno.EIO, "no"), KeyboardInterrupt()], ids=type)
def test_an_error_that_is_not_a_refusal_is_not_swallowed(error):
    problems = []
    with pytest.raises(type(error)), noting_refusals(problems):
        raise error
    assert problems == []
