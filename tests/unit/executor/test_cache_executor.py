"""The steps in one cache: each alone, and what it leaves for the next one."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field

import pytest

from conda_hardlink_plugin.executor.cache_executor import CacheExecutor
from conda_hardlink_plugin.executor.locks import locked_quarantine
from conda_hardlink_plugin.executor.outcome import Outcome, Spared
from conda_hardlink_plugin.executor.recheck import Checker
from conda_hardlink_plugin.executor.removal_plan import Action, Removal
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.cleaning import move_aside, plan_of
from tests.support.faults import at_change, fail
from tests.support.oracles import du
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, link, write

RUN = "r2"  # later than the one of `move_aside`
UNTIL_S = 4_000_000_000


@dataclass
class World(SmallInstallation):
    """An installation with one cache, the removals planned from it, and their outcome."""

    removals: list[Removal] = field(default_factory=list)
    outcome: Outcome = field(default_factory=lambda: Outcome(run=RUN))

    @property
    def cache(self):
        return f"{self.directory}/pkgs"

    def removal(self, dist):
        """Extract a package and plan its removal."""
        path = self.package(dist, {"lib/f": b"f" * 9_000})
        (removal,) = (one for one in plan_of(self).remove if one.path == path)
        self.removals.append(removal)
        return removal

    def removal_of(self, path, action):
        """Plan the removal of something that is not a package."""
        removal = Removal(action, os.path.basename(path), path, self.cache, 4096)
        self.removals.append(removal)
        return removal

    def executor(self, quarantine, hold_until_s=None):
        checker = Checker(self.prefixes, read_mount_table())
        return CacheExecutor(quarantine, self.removals, checker, self.outcome, hold_until_s)

    def aside(self):
        """Return the names in the quarantine besides its lock."""
        return sorted(set(os.listdir(f"{self.cache}/{QUARANTINE}")) - {"lock"})


@pytest.fixture
def made(tmp_path):
    return World(str(tmp_path))


@pytest.fixture
def locked(made):
    os.makedirs(made.cache)
    with locked_quarantine(made.cache) as quarantine:
        yield quarantine


def test_a_removal_goes_through_the_quarantine_and_is_counted_when_it_is_complete(made, locked):
    removal, kept = made.removal("p-1-0"), made.package("kept-1-0", {})
    executor, (size_bytes,) = made.executor(locked), du(removal.path)
    executor.move_aside()
    assert made.aside() == [f"moving-{RUN}-p-1-0"]
    assert list(executor.moved) == [removal]
    executor.give_up()
    assert made.aside() == [f"purge-{RUN}-p-1-0"]
    assert (made.outcome.committed, made.outcome.removed) == ([removal], [])
    assert len(list(executor.purge())) == 1
    assert (made.outcome.removed, made.outcome.freed_bytes) == ([removal], size_bytes)
    assert made.aside() == []
    assert os.path.isdir(kept)


def test_a_cancelled_removal_is_moved_back_with_the_reason(made, locked):
    back, gone = made.removal("back-1-0"), made.removal("gone-1-0")
    executor = made.executor(locked)
    executor.move_aside()
    executor.put_back({back.path: "an environment uses it", "/elsewhere": "no matter"})
    assert os.path.isdir(back.path)
    assert made.outcome.spared == [Spared(back, "an environment uses it")]
    assert list(executor.moved) == [gone]
    executor.give_up()
    assert made.outcome.committed == [gone]


def test_a_package_that_changed_since_the_plan_is_not_moved(made, locked):
    gone, recorded = made.removal("gone-1-0"), made.removal("recorded-1-0")
    linked = made.removal("linked-1-0")
    os.rename(gone.path, f"{made.directory}/gone")
    made.record(env := made.environment("env"), "recorded-1-0", {})
    link(f"{linked.path}/lib/f", f"{made.directory}/outside")
    with at_change(0, None) as steps:
        made.executor(locked).move_aside()
    assert steps.names == []
    assert made.outcome.spared == [
        Spared(gone, "it no longer exists"),
        Spared(recorded, f"it is now installed in {env}"),
        Spared(linked, "its files have new hard links"),
    ]


def test_a_package_is_moved_after_the_one_that_it_shares_inodes_with(made, locked):
    paths = [made.package(dist, {"lib/f": b"f"}) for dist in ("a-1-0", "b-1-0")]
    link(f"{paths[0]}/lib/f", f"{paths[1]}/lib/g")
    made.removals += plan_of(made).remove
    made.executor(locked).move_aside()
    assert made.outcome.spared == []
    assert made.aside() == [f"moving-{RUN}-a-1-0", f"moving-{RUN}-b-1-0"]


def test_single_files_are_removed_in_their_place(made, locked):
    archive = made.removal_of(write(f"{made.cache}/p-1-0.conda", b"a" * 9_000), Action.UNLINK)
    gone = made.removal_of(f"{made.cache}/gone-1-0.conda", Action.UNLINK)
    shared = made.removal_of(write(f"{made.cache}/q-1-0.conda", b"a" * 9_000), Action.UNLINK)
    link(shared.path, f"{made.directory}/outside")
    (size_bytes,) = du(archive.path)
    executor = made.executor(locked)
    executor.move_aside()
    assert (made.aside(), made.outcome.spared) == ([], [])
    executor.unlink()
    assert made.outcome.removed == [archive, shared]
    assert made.outcome.spared == [Spared(gone, "it no longer exists")]
    assert made.outcome.freed_bytes == size_bytes
    assert not os.path.lexists(archive.path)
    assert not os.path.lexists(shared.path)


def test_a_folder_is_not_removed_as_a_single_file(made, locked):
    folder = f"{made.cache}/p-1-0.conda"
    write(f"{folder}/f")
    made.removal_of(folder, Action.UNLINK)
    made.executor(locked).unlink()
    assert made.outcome.problems == [PathProblem(folder, "it was replaced in the meantime")]
    assert (made.outcome.removed, os.listdir(folder)) == ([], ["f"])


def test_held_packages_and_files_are_moved_aside_and_free_nothing(made, locked):
    removal = made.removal("p-1-0")
    archive = made.removal_of(write(f"{made.cache}/p-1-0.conda", b"a"), Action.UNLINK)
    executor = made.executor(locked, UNTIL_S)
    executor.move_aside()
    executor.give_up()
    executor.unlink()
    assert list(executor.purge()) == []
    assert made.aside() == [
        f"held-{UNTIL_S}-{RUN}-p-1-0",
        f"held-{UNTIL_S}-{RUN}-p-1-0.conda",
    ]
    assert made.outcome == Outcome(run=RUN, held=[removal, archive])


def test_healing_moves_back_what_an_interrupted_run_moved_aside(made, locked):
    home = made.package("p-1-0", {"lib/f": b"f"})
    move_aside(made, home, "moving")
    stays = [
        os.path.basename(move_aside(made, made.package("q-1-0", {}), f"held-{UNTIL_S}")),
        os.path.basename(move_aside(made, made.package("r-1-0", {}), "purge")),
    ]
    made.executor(locked).heal()
    assert made.outcome == Outcome(run=RUN, moved_back=[home])
    assert os.path.isfile(f"{home}/lib/f")
    assert made.aside() == stays


def test_healing_finishes_only_what_the_plan_finishes(made, locked):
    """What was extracted again is not moved back, and what another clean finished is no matter."""
    paths = [
        move_aside(made, made.package("p-1-0", {"f": b"f"}), "moving"),
        move_aside(made, made.package("q-1-0", {"f": b"f"}), "purge"),
    ]
    removals = [made.removal_of(path, Action.FINISH) for path in paths]
    made.removal_of(f"{made.cache}/{QUARANTINE}/purge-r1-gone-1-0", Action.FINISH)
    size_bytes = sum(du(*paths))
    executor = made.executor(locked)
    executor.heal()
    assert made.aside() == ["purge-r1-p-1-0", "purge-r1-q-1-0"]
    assert len(list(executor.purge())) == 2
    assert made.outcome == Outcome(
        run=RUN, committed=removals, removed=removals, freed_bytes=size_bytes
    )


def test_if_something_else_is_in_the_place_of_a_moved_package_both_paths_are_named(made, locked):
    home = made.package("p-1-0", {"lib/f": b"f"})
    aside = move_aside(made, home, "moving")
    write(f"{home}/another")
    made.executor(locked).heal()
    (problem,) = made.outcome.problems
    assert problem.path == home
    assert problem.reason == (
        "something else is there now; an interrupted run moved the original to"
        f" {aside}: move one of the two away"
    )
    assert (made.outcome.moved_back, os.path.isdir(aside)) == ([], True)


def test_after_a_failure_only_uncommitted_moves_of_this_run_are_undone(made, locked):
    earlier = move_aside(made, made.package("earlier-1-0", {}), "moving")
    given_up, removal = made.removal("given-up-1-0"), made.removal("p-1-0")
    executor = made.executor(locked)
    executor.move_aside()
    os.rename(f"{locked.path}/moving-{RUN}-given-up-1-0", f"{locked.path}/purge-{RUN}-given-up-1-0")
    executor.put_the_rest_back()
    assert os.path.isdir(removal.path)
    assert not os.path.lexists(given_up.path)
    assert made.aside() == [os.path.basename(earlier), f"purge-{RUN}-given-up-1-0"]
    assert executor.moved == {}


@pytest.mark.parametrize("hold_until_s", [None, UNTIL_S], ids=["given up", "held"])
def test_a_package_that_cannot_be_given_up_or_held_is_moved_back_before_the_next_one(
    made, locked, hold_until_s
):
    """On a full disk its place in the quarantine makes room for the name of the next."""
    first, second = made.removal("a-1-0"), made.removal("b-1-0")
    executor = made.executor(locked, hold_until_s)
    executor.move_aside()
    with at_change(1, fail(errno.ENOSPC)):
        executor.give_up()
    assert made.outcome.problems == [
        PathProblem(f"{locked.path}/moving-{RUN}-a-1-0", "no space left on device")
    ]
    assert os.path.isdir(first.path)
    assert made.outcome.committed + made.outcome.held == [second]


def test_a_removal_that_cannot_be_completed_stays_final_and_counts_what_it_freed(made, locked):
    removal = made.removal("p-1-0")
    executor, (size_bytes,) = made.executor(locked), du(removal.path)
    executor.move_aside()
    executor.give_up()
    with at_change(2, fail(errno.EIO)):
        assert len(list(executor.purge())) == 1
    (left,) = made.aside()
    assert made.outcome.unfinished == 1
    assert made.outcome.freed_bytes == size_bytes - du(f"{locked.path}/{left}")[0] > 0
    assert [problem.path for problem in made.outcome.problems] == [f"{locked.path}/{left}"]
