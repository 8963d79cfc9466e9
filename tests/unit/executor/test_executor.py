"""The execution of a plan, when something else happens in between."""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import suppress

import pytest

from conda_hardlink_plugin.analysis.verdicts import Verdict
from conda_hardlink_plugin.clean.execution import execute_plan
from conda_hardlink_plugin.clean.trial_links import find_trial_links
from conda_hardlink_plugin.executor.errors import RefusedError
from conda_hardlink_plugin.executor.outcome import Outcome, new_run
from conda_hardlink_plugin.executor.quarantine import unlink_trial_link
from conda_hardlink_plugin.executor.recheck import Checker
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from tests.support.cleaning import clean, executed, move_aside, plan_of
from tests.support.small_installation import SmallInstallation
from tests.support.trees import link, symlink, write


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def test_a_package_that_goes_back_keeps_the_packages_that_it_links_to(made):
    behind = made.package("behind-1-0", {"lib/f": b"f"})
    front = made.package("front-1-0", {})
    symlink(f"{behind}/lib", f"{front}/lib")
    env = made.environment("env")

    def replan():
        if not os.path.lexists(f"{env}/f"):
            symlink(f"{front}/lib/f", f"{env}/f")
        return plan_of(made)

    outcome = executed(made, plan_of(made), replan)
    assert outcome.removed == []
    assert {spared.removal.path for spared in outcome.spared} == {behind, front}
    with open(f"{env}/f", "rb") as file:
        assert file.read() == b"f"


def test_a_trial_link_just_before_a_package_is_moved_brings_it_back(made):
    """Nothing else shows that another process is about to link it."""
    path = made.package("p-1-0", {"f": b"f"})
    index = f"{path}/info/index.json"
    linked_ns = os.stat(index).st_ctime_ns

    class Late(Checker):
        def reason_to_keep(self, removal):
            found = super().reason_to_keep(removal)
            while os.stat(index).st_ctime_ns == linked_ns:  # clocks of filesystems are coarse
                os.unlink(link(index, f"{made.directory}/probe"))
            return found

    outcome = Outcome(run=new_run())
    checker = Late(made.prefixes, read_mount_table())
    execute_plan(plan_of(made), checker, lambda: plan_of(made), outcome, hold_until_s=None)
    assert [spared.reason for spared in outcome.spared] == ["another process is about to link it"]
    assert os.path.isdir(path)


def test_an_archive_is_kept_if_its_package_cannot_be_checked(made):
    path = made.package("p-1-0", {"f": b"f"})
    archive = write(f"{path}.conda", b"a")
    write(f"{made.caches[0]}/urls.txt", b"https://made.up/p-1-0.conda\n")

    def replan():
        raise OSError(errno.EIO, "no")

    outcome = executed(made, plan_of(made, tarballs=True), replan)
    assert [problem.reason for problem in outcome.problems] == ["no"]
    assert outcome.removed == []
    assert os.path.isfile(archive)
    assert os.path.isdir(path)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "no"), KeyboardInterrupt()], ids=type)
def test_trial_links_are_kept_if_the_packages_cannot_be_checked(made, error):
    """They pin their package: the second plan must see it as the first one did."""
    prefix = made.environment("env")
    unused, pinned = made.package("p-1-0", {"f": b"f"}), made.package("q-1-0", {})
    trial_link = link(f"{pinned}/info/index.json", f"{prefix}/.tmp.index.json.0123abcd")
    plan = plan_of(made, trash=True, trial_links=[trial_link])
    assert [kept.verdict for kept in plan.keep] == [Verdict.LINKED]
    outcome, checker = Outcome(run=new_run()), Checker(made.prefixes, read_mount_table())
    again = []

    def replan():
        again.append(plan_of(made, trash=True, trial_links=[trial_link]))
        raise error

    with suppress(KeyboardInterrupt):
        execute_plan(plan, checker, replan, outcome, hold_until_s=None)
    assert [second.keep for second in again] == [plan.keep]
    assert (outcome.trial_links, outcome.removed) == ([], [])
    assert os.path.isfile(trial_link)
    assert os.path.isdir(unused)


def test_a_package_that_cannot_move_back_is_reported_once(made):
    """At its end, a clean moves back only what it moved aside itself."""
    home = made.package("p-1-0", {"f": b"f"})
    moved = move_aside(made, home, "moving")
    write(f"{home}/info/index.json", b"{}")  # another conda was killed during the extraction
    made.package("other-1-0", {})
    outcome = clean(made)
    assert [removal.name for removal in outcome.removed] == ["other-1-0"]
    (problem,) = outcome.problems
    assert problem.path == home
    assert moved in problem.reason
    assert os.path.isfile(f"{moved}/f")


def test_a_package_of_an_interrupted_run_is_not_moved_back_without_a_report(made):
    """Its place becomes free during the clean: the next one moves it back, and reports it."""
    home = made.package("p-1-0", {"f": b"f"})
    moved = move_aside(made, home, "moving")
    write(f"{home}/info/index.json", b"{}")
    made.package("other-1-0", {})

    def replan():
        shutil.rmtree(home, ignore_errors=True)
        return plan_of(made)

    outcome = executed(made, plan_of(made), replan)
    assert outcome.moved_back == []
    assert os.path.isfile(f"{moved}/f")
    outcome = clean(made)
    assert outcome.problems == []
    assert outcome.moved_back == [home]


def test_a_removal_that_another_clean_finished_is_not_a_problem(made):
    made.package("other-1-0", {})
    left = move_aside(made, made.package("p-1-0", {}), "purge")
    plan = plan_of(made)
    shutil.rmtree(left)
    outcome = executed(made, plan, lambda: plan_of(made))
    assert outcome.problems == []
    assert [removal.name for removal in outcome.removed] == ["other-1-0"]


def test_a_trial_link_is_removed_from_an_environment_known_by_a_symlink(made):
    prefix, package = made.environment("env"), made.package("p-1-0", {"f": b"f" * 9_000})
    trial_link = link(f"{package}/info/index.json", f"{prefix}/.tmp.index.json.0123abcd")
    alias = symlink(prefix, f"{made.directory}/alias")
    assert find_trial_links([alias, prefix], time.time_ns(), 0) == (trial_link,)
    assert unlink_trial_link(trial_link) == 0
    assert not os.path.lexists(trial_link)


@pytest.mark.parametrize("replacement", ["folder", "environment"])
def test_a_replaced_trial_link_is_not_removed(made, replacement):
    prefix, other = made.environment("env"), made.environment("other")
    trial_link = write(f"{prefix}/.tmp.index.json.0123abcd", b"x")
    of_other = write(f"{other}/.tmp.index.json.0123abcd", b"x")
    if replacement == "folder":
        os.unlink(trial_link)
        os.mkdir(trial_link)
    else:
        os.rename(prefix, f"{prefix}-before")
        symlink(other, prefix)
    with pytest.raises(RefusedError):
        unlink_trial_link(trial_link)
    assert os.path.lexists(trial_link)
    assert os.path.isfile(of_other)


@pytest.mark.parametrize("what", ["archive", "left-over", "trial link"])
def test_a_file_with_other_links_frees_nothing(made, what):
    prefix = made.environment("env")
    package = made.package("p-1-0", {"f": b"f" * 9_000})
    made.install(prefix, package)
    cache, trial_links = made.caches[0], ()
    if what == "archive":
        link(write(f"{cache}/q-1-0.conda", b"a" * 9_000), f"{made.directory}/outside")
    elif what == "left-over":
        link(f"{package}/f", f"{cache}/old.c~")
    else:
        trial_links = (link(f"{package}/info/index.json", f"{prefix}/.tmp.index.json.0123abcd"),)
    options = {"tarballs": True, "trash": True, "unobtainable": True, "trial_links": trial_links}
    plan = plan_of(made, **options)
    outcome = executed(made, plan, lambda: plan_of(made, **options))
    assert len(outcome.removed) + len(outcome.trial_links) == 1
    assert (plan.planned_bytes, outcome.freed_bytes) == (0, 0)


def test_a_left_over_folder_frees_only_files_without_other_links(made):
    package = made.package("p-1-0", {"f": b"f" * 9_000})
    made.install(made.environment("env"), package)
    link(f"{package}/f", f"{made.caches[0]}/.trash/f")
    write(f"{made.caches[0]}/.trash/g", b"g" * 9_000)
    plan = plan_of(made, trash=True)
    outcome = executed(made, plan, lambda: plan_of(made, trash=True))
    assert outcome.freed_bytes == plan.planned_bytes > 9_000
