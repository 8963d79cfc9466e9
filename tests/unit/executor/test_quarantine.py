"""What is moved, put back and removed when something else happens at that moment."""

from __future__ import annotations

import errno
import itertools
import os
import shutil

import pytest

from conda_hardlink_plugin.clean.execution import execute_plan
from conda_hardlink_plugin.executor.errors import RefusedError
from conda_hardlink_plugin.executor.locks import locked_quarantine
from conda_hardlink_plugin.executor.outcome import Outcome, new_run
from conda_hardlink_plugin.executor.quarantine import opened
from conda_hardlink_plugin.executor.recheck import Checker, identity
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from tests.support.cleaning import aside, carried_out, clean, plan_of
from tests.support.faults import at_look, fail
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, link, symlink, write


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def checked(made, removal):
    return Checker(made.prefixes, read_mount_table()).objection(removal)


def test_what_changed_since_the_plan_is_seen_before_a_package_is_moved(made):
    """Being away for a moment is a hazard in itself: the second plan comes too late for that."""
    path, env = made.package("p-1-0", {"f": b"f"}), made.environment("env")
    (removal,) = plan_of(made).remove
    assert checked(made, removal) is None
    made.record(env, "p-1-0", {})
    assert checked(made, removal) == f"it is now installed in {env}"
    os.unlink(f"{env}/conda-meta/p-1-0.json")
    link(f"{path}/f", f"{made.directory}/outside")
    assert checked(made, removal) == "its files have new hard links"


def test_what_cannot_be_looked_at_again_is_not_moved(made):
    path = made.package("p-1-0", {"lib/f": b"f"})
    (removal,) = plan_of(made).remove
    link(f"{path}/lib/f", f"{made.directory}/outside")
    for number in itertools.count(1):
        with at_look(number, fail(errno.EIO)) as steps:
            objection = checked(made, removal)
        if not steps.reached:
            break
        assert objection is not None
    assert number > 5


def test_what_goes_back_may_lead_on_to_what_is_still_away(made):
    behind = made.package("behind-1-0", {"lib/f": b"f"})
    front = made.package("front-1-0", {})
    symlink(f"{behind}/lib", f"{front}/lib")
    env = made.environment("env")

    def replan():
        if not os.path.lexists(f"{env}/f"):
            symlink(f"{front}/lib/f", f"{env}/f")
        return plan_of(made)

    outcome = carried_out(made, plan_of(made), replan)
    assert outcome.removed == []
    assert {spared.removal.path for spared in outcome.spared} == {behind, front}
    with open(f"{env}/f", "rb") as file:
        assert file.read() == b"f"


def test_a_trial_link_just_before_a_package_is_moved_brings_it_back(made):
    """Nothing else says that another process is about to link it."""
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


def test_an_archive_stays_if_its_package_cannot_be_checked(made):
    path = made.package("p-1-0", {"f": b"f"})
    archive = write(f"{path}.conda", b"a")
    write(f"{made.caches[0]}/urls.txt", b"https://made.up/p-1-0.conda\n")

    def replan():
        raise OSError(errno.EIO, "no")

    outcome = carried_out(made, plan_of(made, tarballs=True), replan)
    assert [problem.reason for problem in outcome.problems] == ["no"]
    assert outcome.removed == []
    assert os.path.isfile(archive)
    assert os.path.isdir(path)


def test_what_another_clean_has_finished_meanwhile_is_no_trouble(made):
    made.package("other-1-0", {})
    left = aside(made, made.package("p-1-0", {}), "purge")
    plan = plan_of(made)
    shutil.rmtree(left)
    outcome = carried_out(made, plan, lambda: plan_of(made))
    assert outcome.problems == []
    assert [removal.name for removal in outcome.removed] == ["other-1-0"]


def test_a_quarantine_that_another_has_made_anew_is_not_in_place(made):
    made.package("p-1-0", {})
    with opened(made.caches[0]) as quarantine:
        assert quarantine.is_in_place()
        os.rename(quarantine.path, f"{quarantine.path}-before")
        assert not quarantine.is_in_place()
        os.mkdir(quarantine.path, 0o700)
        assert not quarantine.is_in_place()


def test_the_lock_stays_with_what_waits_in_the_quarantine(made):
    """Who waits for it holds on to that file."""
    made.package("p-1-0", {})
    assert len(clean(made, hold_until_s=4_000_000_000).held) == 1
    assert "lock" in os.listdir(f"{made.caches[0]}/{QUARANTINE}")


def test_what_goes_back_takes_the_place_of_nothing(made):
    made.package("p-1-0", {})
    cache = made.caches[0]
    for name in ("a.conda", "folder"):
        path = write(f"{cache}/a.conda", b"old") if name == "a.conda" else f"{cache}/folder"
        if name == "folder":
            write(f"{path}/f", b"old")
        with locked_quarantine(cache) as quarantine:
            entry = quarantine.move(name, "run", identity(path))
            write(path if name == "a.conda" else f"{path}/f", b"new")
            with pytest.raises(RefusedError, match="something else is there now"):
                quarantine.back(entry)
            assert entry in quarantine.entries()
        with open(path if name == "a.conda" else f"{path}/f", "rb") as file:
            assert file.read() == b"new"


@pytest.mark.parametrize("what", ["archive", "left-over", "trial link"])
def test_what_has_other_links_frees_nothing(made, what):
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
    outcome = carried_out(made, plan, lambda: plan_of(made, **options))
    assert len(outcome.removed) + len(outcome.trial_links) == 1
    assert (plan.planned_bytes, outcome.freed_bytes) == (0, 0)


def test_a_left_over_folder_frees_what_has_no_other_links(made):
    package = made.package("p-1-0", {"f": b"f" * 9_000})
    made.install(made.environment("env"), package)
    link(f"{package}/f", f"{made.caches[0]}/.trash/f")
    write(f"{made.caches[0]}/.trash/g", b"g" * 9_000)
    plan = plan_of(made, trash=True)
    outcome = carried_out(made, plan, lambda: plan_of(made, trash=True))
    assert outcome.freed_bytes == plan.planned_bytes > 9_000
