"""A clean in which a step fails: it is reported, nothing is lost, and the next run finishes it."""

from __future__ import annotations

import errno
import itertools
import os
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import at_change, fail, fail_after, interrupt_after, interrupt_before
from tests.support.oracles import open_descriptors
from tests.support.scenarios import SCENARIOS, WITH_FEW_STEPS, quick_directory
from tests.support.wholeness import CacheContents, Expected, Outside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.faults import Act
    from tests.support.scenarios import Scenario
    from tests.support.small_installation import SmallInstallation

ERRORS = ("ENOSPC", "EIO", "EACCES", "EMLINK", "EXDEV", "EROFS", "EBUSY")
# They consist of steps that other scenarios have, too.
_LONGEST = ("deep_folders", "everything_at_once")


@pytest.fixture
def directory(tmp_path):
    with quick_directory(str(tmp_path)) as directory:
        yield directory


def moving(made: SmallInstallation) -> set[str]:
    """Return the paths in the quarantine that are neither given up nor held."""
    return {path for path, (_, stage) in CacheContents(made).stages.items() if stage == "moving"}


def assert_reported(
    expected: Expected, made: SmallInstallation, outcome: object, error: int
) -> None:
    """Assert that every failure is reported, and that nothing is reported that was not done."""
    # If a mode cannot be changed, the next step fails.
    reasons = [os.strerror(number).lower() for number in (error, errno.EACCES)]
    for removal in [*getattr(outcome, "removed", ()), *getattr(outcome, "held", ())]:
        assert not os.path.lexists(removal.path)
    for path in getattr(outcome, "paths", ()):
        assert os.path.lexists(path)
    if not expected.is_reached(made):
        assert any(reason in outcome.problems[0].reason for reason in reasons)
        for problem in outcome.problems:
            assert problem.path.startswith(f"{made.directory}/")
            assert problem.path not in made.caches, "the problem does not name the package"


def each_step_failing(scenario: Scenario, directory: str, acts: Sequence[tuple[int, Act]]) -> int:
    """Let each step of a clean fail in turn; return the number of steps.

    Args:
        scenario: The installation to clean.
        directory: Where to create it.
        acts: Each errno with the act that fails with it, used in turn.

    """
    expected = Expected(scenario, directory)
    descriptors = open_descriptors()
    for number in itertools.count(1):
        made = scenario.made(directory)
        outside, moved_before = Outside(made), moving(made)
        error, act = acts[number % len(acts)]
        with at_change(number, act) as steps:
            outcome = scenario.execute_plan(made)
        if not steps.reached:
            return number - 1
        assert open_descriptors() == descriptors
        outside.assert_untouched()
        expected.assert_nothing_lost(made)
        assert_reported(expected, made, outcome, error)
        assert moving(made) <= moved_before
        assert scenario.execute_plan(made).problems == []
        expected.assert_reached(made)
        outside.assert_untouched()
    raise AssertionError


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "everything_at_once"])
def test_a_failed_step_is_reported_and_the_next_run_converges(directory, name):
    numbers = [getattr(errno, error) for error in ERRORS]
    acts = [(number, fail(number)) for number in numbers]
    assert each_step_failing(SCENARIOS[name], directory, acts) > 5


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", WITH_FEW_STEPS)
def test_every_kind_of_failure_is_reported_and_the_next_run_converges(directory, name, error):
    number = getattr(errno, error)
    assert each_step_failing(SCENARIOS[name], directory, [(number, fail(number))]) > 5


@pytest.mark.parametrize("name", WITH_FEW_STEPS)
def test_a_step_that_is_done_and_reports_a_failure_loses_nothing(directory, name):
    acts = [(errno.EIO, fail_after(errno.EIO))]
    assert each_step_failing(SCENARIOS[name], directory, acts) > 5


@pytest.mark.parametrize("act", [interrupt_before, interrupt_after])
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in _LONGEST])
def test_after_ctrl_c_at_any_step_nothing_is_left_moved_aside(directory, name, act):
    scenario = SCENARIOS[name]
    expected = Expected(scenario, directory)
    descriptors = open_descriptors()
    for number in itertools.count(1):
        made = scenario.made(directory)
        outside, moved_before = Outside(made), moving(made)
        with at_change(number, act) as steps:
            try:
                scenario.execute_plan(made)
            except KeyboardInterrupt:
                pass
            else:
                assert not steps.reached, "Ctrl-C was ignored"
                break
        assert open_descriptors() == descriptors, "a lock is still held"
        assert moving(made) <= moved_before
        outside.assert_untouched()
        expected.assert_nothing_lost(made)
        assert scenario.execute_plan(made).problems == []
        expected.assert_reached(made)
    assert number > 5
