"""Installs at every moment of a clean, one by one and in a tight loop.

What a clean can do to an environment:

- A hard link survives the removal of the package, and an install that misses a file fails and rolls
  back. So no clean takes a file from a hard-linked environment. A clean without a second plan
  removes packages that environments have (`stripped`): the next install uses their space again.
- A symbolic link does not survive. A clean without a second plan breaks environments (`broken`, and
  `missing` if the install was not finished). A clean with one breaks no environment that it can
  find. Only the grace protects an environment that it cannot find, such as a new one outside
  conda's folders that conda has not registered yet.
- A package that is moved aside and put back is away for a moment. conda takes a package without
  `info/paths.json` for an old one without files. If the package is back when conda tests for hard
  links, the install succeeds without any files (`empty`). This is a fault of conda and needs two
  installs of the package at once. It is why a clean checks a package before it moves it.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack

import pytest

from conda_hardlink_plugin.clean.execution import execute_plan
from conda_hardlink_plugin.executor.locks import locked_quarantine
from conda_hardlink_plugin.executor.outcome import Outcome, new_run
from conda_hardlink_plugin.executor.recheck import Checker
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from tests.support.cleaning import clean, plan_of
from tests.support.forking import forked
from tests.support.installers import Installer, InstallFailedError, extract
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, link, write

INSTALLS = int(os.environ.get("RACE_INSTALLS", "3000"))
DISTS = [f"package{number}-1.0-0" for number in range(16)]
DIST = DISTS[0]
LOST = ("missing", "broken", "stripped", "left", "empty")
TAKEN = "something else is there now"


class NeverObjects(Checker):
    """Takes every package for unchanged since the plan."""

    def reason_to_keep(self, removal):  # noqa: ARG002  # the signature of `Checker`
        return None


class Race:
    """A cache, a clean of it, and two environments to install into."""

    def __init__(self, directory, *, hidden=False, **how):
        self.made = SmallInstallation(str(directory))
        self.cache, locks = f"{directory}/pkgs", f"{directory}/locks"
        os.mkdir(self.cache)
        os.mkdir(locks)
        self.made.caches.append(self.cache)
        self.installers = [
            Installer(self.cache, self.made.environment(name), locks, **how)
            for name in ("first", "second")
        ]
        if hidden:
            self.made.prefixes.pop()

    def execute_plan(self, plan, *, checker=Checker, replan=None):
        outcome = Outcome(run=new_run())
        asked = checker(self.made.prefixes, read_mount_table())
        execute_plan(plan, asked, replan or self.plan, outcome, hold_until_s=None)
        return outcome

    def plan(self):
        return plan_of(self.made)

    def run(self, installs, *, plans_again=True):
        """Install and clean at the same time; return the counts of both outcomes."""
        over = mmap.mmap(-1, 1)
        with ExitStack() as stack:
            cleaning = stack.enter_context(forked(lambda: self._clean_often(over, plans_again)))
            installing = [
                stack.enter_context(
                    forked(lambda i=i, seed=seed: i.install_often(DISTS, installs // 2, seed))
                )
                for seed, i in enumerate(self.installers)
            ]
            installed = sum((process.result() for process in installing), Counter())
            over[0] = 1
            return installed, cleaning.result()

    def _clean_often(self, over, plans_again):
        seen = Counter()
        while not over[0]:
            plan = self.plan()
            if plans_again:
                outcome = self.execute_plan(plan)
            else:
                outcome = self.execute_plan(
                    plan, checker=NeverObjects, replan=lambda plan=plan: plan
                )
            seen["removed"] += len(outcome.removed)
            seen["spared"] += len(outcome.spared)
            seen.update(problem.reason for problem in outcome.problems)
        return seen


@pytest.fixture
def quick(tmp_path):
    """A folder in memory if possible: no test waits for a disk there."""
    shm = "/dev/shm"
    if not os.access(shm, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shm, prefix="race-") as folder:
        yield folder


def entries(race):
    """Return the entries of the quarantine, to finish or to move back."""
    folder = f"{race.cache}/{QUARANTINE}"
    return [name for name in os.listdir(folder) if name != "lock"] if os.path.exists(folder) else []


def lost(installed):
    return {what: installed[what] for what in LOST if installed[what]}


@pytest.mark.parametrize(
    ("how", "losses"),
    [({"hidden": True}, set()), ({"softlink": True}, set()), ({"trusting": True}, {"empty"})],
    ids=str,
)
def test_concurrent_installs_and_cleans_lose_nothing(quick, how, losses, record_property):
    race = Race(quick, **how)
    installed, cleaned = race.run(INSTALLS)
    record_property("installed", dict(installed))
    record_property("cleaned", dict(cleaned))
    assert installed["installed"] + installed["failed"] == INSTALLS
    assert cleaned["removed"], "there was no race"
    assert set(lost(installed)) <= losses
    reported = {reason.partition(";")[0] for reason in cleaned}  # before the path of the original
    assert reported <= {"removed", "spared", TAKEN}
    clean(race.made)
    assert set(os.listdir(race.cache)) <= {"pkgs.lock", ".cache.lock", QUARANTINE}
    assert entries(race) == []


@pytest.mark.usefixtures("read_in_python")  # a reader that is fast enough loses nothing
@pytest.mark.parametrize(
    ("how", "losses", "installs"),
    [({"hidden": True}, {"stripped"}, 3000), ({"softlink": True}, {"broken", "missing"}, 800)],
    ids=["hidden", "softlink"],
)
def test_without_a_second_plan_something_is_lost(quick, how, losses, installs, record_property):
    installed, cleaned = Race(quick, **how).run(installs, plans_again=False)
    record_property("installed", dict(installed))
    record_property("cleaned", dict(cleaned))
    assert lost(installed)
    assert set(lost(installed)) <= losses


STEPS = ("read", "probe", "verify", "link 1", "link 2", "link 5", "record")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", [{}, {"hidden": True}, {"softlink": True}], ids=str)
def test_an_install_during_a_clean_does_all_or_nothing(tmp_path, how, step):
    race = Race(tmp_path, **how)
    extract(race.cache, DIST)
    outcomes = []
    installer = race.installers[-1]

    def clean_once(now):
        if now == step and not outcomes:
            outcomes.append(clean(race.made))

    installer.before = clean_once
    try:
        installed = installer.install(DIST)
    except InstallFailedError:
        assert installer.left(DIST) == []
        assert outcomes[0].removed
        installed = installer.install(DIST)
    assert installer.missing(DIST) == []
    assert not installed.is_stripped
    assert outcomes
    assert clean(race.made).removed == []


def test_conda_installs_a_package_that_was_away_for_a_moment_without_files(tmp_path):
    """The documentation says so of conda; this plugin does not promise it."""
    race = Race(tmp_path, trusting=True)
    extract(race.cache, DIST)
    status = os.stat(f"{race.cache}/{DIST}")
    with locked_quarantine(race.cache) as quarantine:
        entries = []

        def move_and_put_back(step):
            if step == "read":
                entries.append(quarantine.move(DIST, "run", (status.st_dev, status.st_ino)))
            elif step == "probe":
                quarantine.back(entries.pop())

        race.installers[0].before = move_and_put_back
        assert race.installers[0].install(DIST).files == []


@pytest.fixture(params=["hardlink", "softlink"])
def how(request):
    return {"softlink": request.param == "softlink"}


@pytest.fixture(params=["known", "new"])
def meeting(request, tmp_path, how):
    """A race with one package and an install of it, in a known or a new environment."""
    race = Race(tmp_path, **how)
    extract(race.cache, DIST)
    installer = race.installers[1]
    if request.param == "new":
        race.made.prefixes.remove(installer.prefix)

    def install():
        if installer.prefix not in race.made.prefixes:
            race.made.prefixes.append(installer.prefix)
        return installer.install(DIST)

    race.install = install
    return race


def assert_kept(race, outcome):
    package = f"{race.cache}/{DIST}"
    assert [spared.removal.path for spared in outcome.spared] == [package]
    assert outcome.removed == []
    assert outcome.problems == []
    assert race.installers[1].missing(DIST) == []
    assert os.listdir(race.cache).count(DIST) == 1
    assert entries(race) == []


def test_an_install_after_the_plan_keeps_its_package(meeting):
    plan = meeting.plan()
    meeting.install()
    assert_kept(meeting, meeting.execute_plan(plan))


def test_an_install_just_before_its_package_is_moved_brings_it_back(meeting):
    class Late(Checker):
        def reason_to_keep(self, removal):
            found = super().reason_to_keep(removal)
            meeting.install()
            return found

    assert_kept(meeting, meeting.execute_plan(meeting.plan(), checker=Late))


def test_an_install_while_its_package_is_away_extracts_it_again(meeting):
    def replan():
        if meeting.installers[1].missing(DIST):
            meeting.install()
        return meeting.plan()

    outcome = meeting.execute_plan(meeting.plan(), replan=replan)
    assert {problem.reason for problem in outcome.problems} == {TAKEN}
    assert meeting.installers[1].missing(DIST) == []
    clean(meeting.made)
    assert meeting.installers[1].missing(DIST) == []
    assert entries(meeting) == []


def test_a_moved_package_is_not_given_up_for_a_partial_new_one(tmp_path):
    """A clean was killed, and then a conda that extracted the package again."""
    race = Race(tmp_path, softlink=True)
    package = extract(race.cache, DIST)
    race.installers[0].install(DIST)
    os.mkdir(f"{race.cache}/{QUARANTINE}", 0o700)
    os.rename(package, f"{race.cache}/{QUARANTINE}/moving-run_1-{DIST}")
    write(f"{package}/info/index.json", b"{}")
    clean(race.made)
    if race.installers[0].missing(DIST):  # until the user removes the partial one
        shutil.rmtree(package)
        clean(race.made)
    assert race.installers[0].missing(DIST) == []


def test_a_package_that_is_linked_during_its_check_is_not_moved(tmp_path):
    """To move a package and put it back is not harmless, so the check comes first."""
    race = Race(tmp_path)
    package = extract(race.cache, DIST)
    plan = race.plan()
    moved_ns = os.stat(package).st_ctime_ns

    class Prefixes(list):
        """When the checker asks for the environments, another process begins to install."""

        def __iter__(self):
            if os.path.exists(package):
                link(f"{package}/info/index.json", f"{tmp_path}/probe")
                os.unlink(f"{tmp_path}/probe")
            return super().__iter__()

    race.made.prefixes = Prefixes(race.made.prefixes)
    outcome = race.execute_plan(plan)
    assert [spared.reason for spared in outcome.spared] == ["another process is about to link it"]
    assert os.stat(package).st_ctime_ns == moved_ns
