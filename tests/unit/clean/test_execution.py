"""The execution of a plan: what the second plan, while the packages are aside, can still change."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from conda_hardlink_plugin.clean.execution import execute_plan
from conda_hardlink_plugin.executor.outcome import Outcome, Spared, new_run
from conda_hardlink_plugin.executor.recheck import Checker
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from tests.support.cleaning import executed, plan_of
from tests.support.oracles import du
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, write

UNTIL_S = 4_000_000_000


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def test_a_package_that_both_plans_remove_is_removed(made):
    path = made.package("p-1-0", {"f": b"f"})
    plan, (size_bytes,) = plan_of(made), du(path)
    aside = []

    def replan():
        aside.append(os.path.lexists(path))
        return plan_of(made)

    outcome = executed(made, plan, replan)
    assert aside == [False]
    assert outcome.removed == list(plan.remove)
    assert (outcome.freed_bytes, outcome.spared, outcome.problems) == (size_bytes, [], [])


def test_a_package_that_the_second_plan_keeps_is_moved_back_with_its_reason(made):
    path, other = made.package("p-1-0", {"f": b"f"}), made.package("q-1-0", {})
    plan = plan_of(made)

    def replan():
        made.record(made.environment("env"), "p-1-0", {})
        return plan_of(made)

    outcome = executed(made, plan, replan)
    assert [(one.removal.path, one.reason) for one in outcome.spared] == [(path, "recorded in env")]
    assert [removal.path for removal in outcome.removed] == [other]
    assert os.path.isfile(f"{path}/f")


def test_a_package_that_the_second_plan_does_not_know_is_moved_back(made):
    path = made.package("p-1-0", {"f": b"f"})
    plan = plan_of(made)
    outcome = executed(made, plan, lambda: replace(plan, remove=(), keep=()))
    assert outcome.spared == [Spared(plan.remove[0], "it changed in the meantime")]
    assert os.path.isfile(f"{path}/f")


@pytest.mark.parametrize("change", ["linked again", "not a package"])
def test_a_package_that_is_not_the_planned_one_any_more_is_moved_back(made, change):
    path = made.package("p-1-0", {"f": b"f"})
    plan = plan_of(made)
    (removal,) = plan.remove
    package = replace(removal.package, linked_ns=removal.package.linked_ns + 1)
    again = replace(removal, package=package if change == "linked again" else None)
    outcome = executed(made, plan, lambda: replace(plan, remove=(again,)))
    assert outcome.spared == [Spared(removal, "another process is about to link it")]
    assert os.path.isfile(f"{path}/f")


@pytest.mark.parametrize("hold_until_s", [None, UNTIL_S], ids=["removed", "held"])
def test_archives_and_left_overs_go_whatever_the_second_plan_says(made, hold_until_s):
    """Links to them keep working, so what happens while they are aside does not matter."""
    package = made.package("p-1-0", {"f": b"f"})
    made.install(made.environment("env"), package)
    cache = made.caches[0]
    write(f"{cache}/p-1-0.conda", b"a")
    write(f"{cache}/.trash/f", b"f")
    plan = plan_of(made, tarballs=True, trash=True, unobtainable=True)
    empty = replace(plan, remove=(), keep=())
    outcome = executed(made, plan, lambda: empty, hold_until_s=hold_until_s)
    done = outcome.removed if hold_until_s is None else outcome.held
    assert sorted(removal.name for removal in done) == [".trash", "p-1-0.conda"]
    assert outcome.spared == []
    assert not os.path.lexists(f"{cache}/.trash")


def test_without_anything_aside_nothing_is_planned_again(made):
    made.install(made.environment("env"), made.package("p-1-0", {"f": b"f"}))
    write(f"{made.caches[0]}/p-1-0.conda", b"a")
    plan = plan_of(made, tarballs=True, unobtainable=True)
    outcome = executed(made, plan, None)
    assert [removal.name for removal in outcome.removed] == ["p-1-0.conda"]
    assert outcome.problems == []


def test_after_a_move_back_there_is_another_plan_until_one_keeps_nothing_more(made):
    paths = [made.package(f"{name}-1-0", {"f": b"f"}) for name in "abc"]
    plan = plan_of(made)
    plans = iter([plan.remove[1:], plan.remove[2:], plan.remove[2:]])
    outcome = executed(made, plan, lambda: replace(plan, remove=next(plans)))
    assert [one.removal.path for one in outcome.spared] == paths[:2]
    assert [removal.path for removal in outcome.removed] == paths[2:]
    assert next(plans, None) is None


def test_each_removal_is_counted_as_it_is_completed(made):
    for name in "abc":
        made.package(f"{name}-1-0", {"f": b"f"})
    outcome, counts = Outcome(run=new_run()), []
    checker = Checker(made.prefixes, read_mount_table())

    def count(number):
        counts.append((number, len(outcome.removed)))

    plan = plan_of(made)
    execute_plan(plan, checker, lambda: plan, outcome, hold_until_s=None, on_step=count)
    assert counts == [(1, 1), (2, 2), (3, 3)]


def test_held_packages_are_checked_by_the_second_plan_too(made):
    kept, held = made.package("kept-1-0", {"f": b"f"}), made.package("p-1-0", {"f": b"f"})
    plan = plan_of(made, hold=True)
    again = replace(plan, remove=plan.remove[1:])
    outcome = executed(made, plan, lambda: again, hold_until_s=UNTIL_S)
    assert [one.removal.path for one in outcome.spared] == [kept]
    assert [removal.path for removal in outcome.held] == [held]
    names = os.listdir(f"{made.caches[0]}/{QUARANTINE}")
    assert f"held-{UNTIL_S}-{outcome.run}-p-1-0" in names
    assert outcome.freed_bytes == 0
