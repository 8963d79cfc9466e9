"""A clean that cannot read something: no error while reading makes more removable."""

from __future__ import annotations

import errno
import itertools
import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.cleaning import clean, executed, plan_of
from tests.support.faults import (
    at_change,
    at_look,
    fail,
    interrupt_after,
    interrupt_before,
    kill_before,
)
from tests.support.oracles import open_descriptors
from tests.support.scenarios import (
    Scenario,
    cache_known_by_another_path,
    cache_reached_by_two_paths,
    everything_at_once,
    quick_directory,
    softlinked_through_a_folder,
    softlinked_through_a_link_to_the_cache,
)
from tests.support.trees import QUARANTINE, link, symlink, write
from tests.support.wholeness import Outside, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conda_hardlink_plugin.clean.plan import Plan
    from conda_hardlink_plugin.executor.outcome import Outcome
    from tests.support.faults import Steps
    from tests.support.small_installation import SmallInstallation

EVERYTHING = {"tarballs": True, "trash": True}
USED = ("hard-1-0", "soft-1-0", "bare-1-0", "copy-1-0")


pytestmark = pytest.mark.usefixtures("read_in_python")


@pytest.fixture
def directory(tmp_path):
    with quick_directory(str(tmp_path)) as directory:
        yield directory


def planned(plan: Plan) -> set[str]:
    return {*(removal.path for removal in plan.remove), *plan.trial_links}


def plans(made: SmallInstallation, error: int, *, from_then_on: bool = False) -> Iterator[Plan]:
    """Yield the plan that is made when each read in turn fails."""
    descriptors = open_descriptors()
    for number in itertools.count(1, 5 if from_then_on else 1):
        with at_look(number, fail(error), from_then_on=from_then_on) as steps:
            plan = plan_of(made, **EVERYTHING)
        assert open_descriptors() == descriptors
        if not steps.reached:
            break
        yield plan
    assert number > 50


@pytest.mark.parametrize(
    ("error", "from_then_on"), [(errno.EIO, False), (errno.EIO, True), (errno.EACCES, True)]
)
def test_an_unreadable_path_never_makes_more_removable(directory, error, from_then_on):
    made = Scenario(everything_at_once).made(directory)
    removed = planned(plan_of(made, **EVERYTHING))
    for plan in plans(made, error, from_then_on=from_then_on):
        assert planned(plan) <= removed


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES])
@pytest.mark.parametrize(
    "make",
    [
        cache_reached_by_two_paths,
        cache_known_by_another_path,
        softlinked_through_a_folder,
        softlinked_through_a_link_to_the_cache,
    ],
)
def test_a_path_that_cannot_be_resolved_never_makes_more_removable(directory, make, error):
    made = Scenario(make).made(directory)
    assert planned(plan_of(made, **EVERYTHING)) == set()
    for plan in plans(made, error):
        assert planned(plan) == set()


class Used:
    """An installation in which an environment begins to use packages that a plan removes.

    It uses them by a hard link, by symbolic links with and without a record, and by copies with a
    record; `unused-1-0` stays unused.

    Attributes:
        made: The installation.
        plan: The plan, made before that.
    """

    def __init__(self, directory: str) -> None:
        """Create it, and plan."""
        self.made = Scenario(self._make).made(directory)
        self.plan = plan_of(self.made)
        self._cache, self._prefix = self.made.caches[0], self.made.prefixes[0]
        self._is_used = False
        self._content = {dist: tree(f"{self._cache}/{dist}") for dist in USED}
        assert len(self.plan.remove) == len(USED) + 1

    def _make(self, made: SmallInstallation) -> None:
        made.environment("work")
        for dist in (*USED, "unused-1-0"):
            made.package(dist, {f"lib/{dist}": dist.encode() * 100})

    def begin(self) -> None:
        """Begin to use the packages, wherever they are."""
        if self._is_used:
            return
        self._is_used = True
        prefix = self._prefix
        for dist, path in self.paths().items():
            file = f"lib/{dist}"
            if dist == "hard-1-0":
                link(f"{path}/{file}", f"{prefix}/{file}")
            elif dist == "copy-1-0":
                write(f"{prefix}/{file}", self._content[dist][f"/{file}"][1])
                self.made.record(prefix, dist, {file: {}}, "copy")
            else:
                symlink(f"{self._cache}/{file.replace('lib', f'{dist}/lib')}", f"{prefix}/{file}")
            if dist == "soft-1-0":
                self.made.record(prefix, dist, {file: {}}, "softlink")

    def paths(self) -> dict[str, str]:
        """Return the path of each package that was not given up."""
        found = {}
        for folder in (f"{self._cache}/{QUARANTINE}", self._cache):
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                for dist in USED:
                    if name.endswith(dist) and not name.startswith("purge-"):
                        found[dist] = f"{folder}/{name}"
        return found

    def assert_whole(self) -> None:
        """Assert that every package that was not given up is whole."""
        paths = self.paths()
        assert {dist: tree(paths[dist]) for dist in USED if dist in paths} == self._content

    def assert_in_place(self) -> None:
        """Assert that all are in their place and work from the environment."""
        self.assert_whole()
        assert set(self.paths().values()) == {f"{self._cache}/{dist}" for dist in USED}
        for dist in USED if self._is_used else ():
            with open(f"{self._prefix}/lib/{dist}", "rb") as file:
                assert file.read() == dist.encode() * 100

    def assert_converges(self) -> None:
        """Assert that the next runs keep what is used, and remove what is not."""
        self.begin()
        for _ in range(2):
            assert clean(self.made).problems == []
        self.assert_in_place()
        assert not os.path.lexists(f"{self._cache}/unused-1-0")


def test_packages_used_since_the_plan_are_kept_whatever_cannot_be_read(directory):
    descriptors = open_descriptors()
    for number in itertools.count(1):
        used = Used(directory)
        used.begin()
        outside = Outside(used.made)
        error = (errno.EIO, errno.EACCES)[number % 2]
        with at_look(number, fail(error)) as steps:
            outcome = executed(used.made, used.plan, partial(plan_of, used.made))
        if not steps.reached:
            break
        assert open_descriptors() == descriptors
        used.assert_in_place()
        outside.assert_untouched()
        if outcome.problems:
            assert outcome.problems[0].path.startswith(used.made.directory)
            used.assert_converges()
    assert number > 50


def execute_and_use_meanwhile(used: Used, steps: Steps) -> Outcome:
    """Execute the plan; the environment begins to use the packages while they are moved aside."""

    def replan() -> Plan:
        with steps.paused():
            used.begin()
            return plan_of(used.made)

    return executed(used.made, used.plan, replan)


@pytest.mark.parametrize("act", [fail(errno.EIO), fail(errno.ENOSPC), fail(errno.EACCES)])
def test_packages_used_while_moved_aside_are_not_lost_whichever_step_fails(directory, act):
    for number in itertools.count(1):
        used = Used(directory)
        with at_change(number, act) as steps:
            outcome = execute_and_use_meanwhile(used, steps)
        if not steps.reached:
            break
        used.assert_whole()
        if not outcome.problems:
            used.assert_in_place()
        used.assert_converges()
    assert number > 10


@pytest.mark.parametrize("act", [interrupt_before, interrupt_after])
def test_packages_used_while_moved_aside_are_back_after_ctrl_c(directory, act):
    for number in itertools.count(1):
        used = Used(directory)
        with at_change(number, act) as steps:
            try:
                execute_and_use_meanwhile(used, steps)
            except KeyboardInterrupt:
                assert steps.reached
            else:
                break
        used.assert_whole()
        used.assert_in_place()
        used.assert_converges()
    assert number > 10


def test_packages_used_while_moved_aside_are_kept(directory):
    used = Used(directory)
    with at_change(0, kill_before) as steps:
        outcome = execute_and_use_meanwhile(used, steps)
    used.assert_in_place()
    assert [removal.name for removal in outcome.removed] == ["unused-1-0"]
    assert {spared.removal.name for spared in outcome.spared} == set(USED)
