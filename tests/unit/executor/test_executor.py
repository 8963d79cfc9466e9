"""The execution of a plan, when something else happens in between."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from conda_hardlink_plugin.clean.execution import execute_plan
from conda_hardlink_plugin.executor.outcome import Outcome, new_run
from conda_hardlink_plugin.executor.recheck import Checker
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from tests.support.cleaning import executed, move_aside, plan_of
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
        def objection(self, removal):
            found = super().objection(removal)
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


def test_a_removal_that_another_clean_finished_is_not_a_problem(made):
    made.package("other-1-0", {})
    left = move_aside(made, made.package("p-1-0", {}), "purge")
    plan = plan_of(made)
    shutil.rmtree(left)
    outcome = executed(made, plan, lambda: plan_of(made))
    assert outcome.problems == []
    assert [removal.name for removal in outcome.removed] == ["other-1-0"]


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
