"""A clean that is killed at any step: every environment works, and the next run finishes it."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.cleaning import plan_of
from tests.support.faults import at_change, kill_after, kill_before
from tests.support.forking import in_child
from tests.support.scenarios import SCENARIOS, WITH_FEW_STEPS, Scenario, quick_directory
from tests.support.wholeness import CacheContents, Expected, Outside

if TYPE_CHECKING:
    from tests.support.faults import Act
    from tests.support.small_installation import SmallInstallation

scenarios = pytest.mark.parametrize("name", SCENARIOS)
_CHANGING_EVENTS = {
    *("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod"),
    *("os.chown", "os.truncate", "os.utime", "os.setxattr", "os.removexattr", "os.posix_spawn"),
    *("os.fork", "os.exec", "os.system", "subprocess.Popen", "shutil.move", "shutil.rmtree"),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@pytest.fixture
def directory(tmp_path):
    with quick_directory(str(tmp_path)) as directory:
        yield directory


def killed(scenario: Scenario, made: SmallInstallation, number: int, act: Act) -> bool:
    """Clean in a process that is killed at a step; return whether there was such a step."""
    child = os.fork()
    if child == 0:
        try:
            with at_change(number, act):
                scenario.execute_plan(made)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL), "the clean failed"
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize(
    ("name", "act"),
    [
        *((name, kill_before) for name in SCENARIOS),
        *(
            (name, kill_after) for name in WITH_FEW_STEPS
        ),  # the same as before the next step, except for the last
    ],
)
def test_after_a_kill_at_any_step_nothing_is_lost_and_the_next_runs_converge(directory, name, act):
    scenario = SCENARIOS[name]
    expected = Expected(scenario, directory)
    for number in itertools.count(1):
        made = scenario.made(directory)
        outside = Outside(made)
        if not killed(scenario, made, number, act):
            break
        outside.assert_untouched()
        expected.assert_nothing_lost(made)
        for _ in range(2):
            assert scenario.execute_plan(made).problems == []
        expected.assert_reached(made)
        outside.assert_untouched()
    assert number > 5


@scenarios
def test_an_undisturbed_run_leaves_what_the_scenario_lists(directory, name):
    scenario = SCENARIOS[name]
    made = scenario.made(directory)
    assert scenario.execute_plan(made).problems == []
    contents = CacheContents(made).stages.values()
    assert scenario.leaves == {
        f"{stage}{':' if stage else ''}{os.path.basename(home)}" for home, stage in contents
    }


@scenarios
def test_another_run_changes_nothing(directory, name):
    scenario = SCENARIOS[name]
    expected = Expected(scenario, directory)
    made = scenario.made(directory)
    for _ in range(3):
        scenario.execute_plan(made)
        expected.assert_reached(made)


@scenarios
def test_every_change_of_the_disk_is_a_step(directory, name):
    """The tests of crashes and faults rely on this: no change is missed."""
    scenario = SCENARIOS[name]
    made = scenario.made(directory)

    def changes() -> tuple[list[str], list[str]]:
        events = []

        def note(event: str, arguments: tuple) -> None:
            if event in _CHANGING_EVENTS or (event == "open" and arguments[2] & _WRITES):
                events.append(event.replace("os.remove", "os.unlink"))

        with at_change(0, kill_before) as steps:
            sys.addaudithook(note)
            scenario.execute_plan(made)
            return events[:], [f"os.{step}" for step in steps.names]

    events, steps = in_child(changes)
    spelled = {"open": "os.open", "os.chmod": "os.fchmod"}
    assert [spelled.get(event, event) for event in events] == steps
    assert len(steps) > 5


@scenarios
def test_a_plan_changes_nothing(directory, name):
    made = SCENARIOS[name].made(directory)
    with at_change(0, kill_before) as steps:
        plan_of(made, **SCENARIOS[name].choice)
    assert steps.names == []
