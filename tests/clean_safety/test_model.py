"""After any history of an installation, a clean removes what the oracle says and breaks nothing.

It takes a few thousand steps, or `MODEL_STEPS`: `make test-long` takes a hundred thousand.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from typing import ClassVar

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from conda_hardlink_plugin.clean.plan import CleanChoice
from conda_hardlink_plugin.executor.restore import Restored, held_runs, restore
from tests.support.cleaning_oracle import Oracle, Question
from tests.support.model_checks import check_clean, contents
from tests.support.model_world import DISTS, World

STEPS = int(os.environ.get("MODEL_STEPS", "3000"))
STEPS_OF_ONE = 40
SECOND_NS = 10**9

number = st.integers(0, 11)
few = st.integers(0, 3)
spellings = st.sampled_from(["absolute", "relative", "folder"])
hops = st.builds(
    lambda on_the_way, spelling: [*on_the_way, ("environment", spelling)],
    st.lists(
        st.tuples(st.sampled_from(["outside", "other", "environment"]), spellings), max_size=3
    ),
    spellings,
)
hours = st.sampled_from([0, 0, 0, 1, 24, 24 * 7])
choices = st.lists(
    st.one_of(
        *(
            st.tuples(st.just(name), values)
            for name, values in {
                "older_than_ns": st.sampled_from([0, 3600 * SECOND_NS]),
                "keep_newest": st.integers(0, 2),
                "max_size_bytes": st.integers(0, 15).map(lambda blocks: blocks * 8192),
                "name_glob": st.sampled_from(["alpha*", "*-1-*", "beta", "*"]),
                "copied": st.just(True),
                "unobtainable": st.just(True),
                "tarballs": st.just(True),
                "trash": st.just(True),
                "hold": st.just(True),
            }.items()
        )
    ),
    max_size=4,
).map(dict)


class CleanMachine(RuleBasedStateMachine):
    """An installation, and everything that users, conda and crashes do to it between cleans."""

    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self):
        super().__init__()
        self.top = os.path.realpath(tempfile.mkdtemp(prefix="model-"))
        self.world = World(self.top)
        self.advanced_ns = 0
        self.broken_by_crash = {}

    def teardown(self):
        shutil.rmtree(self.top)

    def count(self, name):
        self.steps[name] += 1

    def package(self, number):
        packages = self.world.packages()
        return packages[number % len(packages)] if packages else None

    def environment(self, number):
        """Return an environment that exists."""
        prefix = self.world.environment_at(number)
        return f"{self.top}/base" if prefix in self.world.lost else prefix

    @initialize(dists=st.lists(st.sampled_from(DISTS), min_size=4, max_size=8), prefix=few)
    def begin(self, dists, prefix):
        """Extract some packages, and install every second one."""
        for index, dist in enumerate(dists):
            self.world.extract(dist, index // 4, 0, "")
        for package in range(0, len(dists), 2):
            self.install(prefix, package, "hardlink", corrupt=False)

    @rule(
        dists=st.lists(st.sampled_from(DISTS), min_size=1, max_size=4),
        folder=few,
        url=few,
        flaw=st.sampled_from(["", "", "", "unfinished", "corrupt"]),
    )
    def extract(self, dists, folder, url, flaw):
        self.count("extract")
        for dist in dists:
            self.world.extract(dist, folder, url, flaw)
        self.broken_by_crash.clear()

    @rule(
        package=number,
        other=st.one_of(st.none(), st.none(), st.sampled_from(DISTS)),
        suffix=st.sampled_from([".conda", ".tar.bz2"]),
        known=st.booleans(),
    )
    def fetch(self, package, other, suffix, known):
        self.count("fetch")
        if path := self.package(package):
            self.world.archive(path, suffix, other=other, known=known)

    @rule(
        prefix=few,
        package=number,
        how=st.sampled_from(["hardlink", "softlink", "copy", "clone"]),
        corrupt=st.booleans(),
    )
    def install(self, prefix, package, how, corrupt):
        self.count("install")
        self.broken_by_crash.clear()
        path = self.package(package)
        if path is not None:
            self.world.link_package(self.environment(prefix), path, how, corrupt=corrupt)

    @rule(prefix=few)
    def remove_environment(self, prefix):
        self.count("remove an environment")
        self.broken_by_crash.clear()
        self.world.remove_environment(self.environment(prefix))

    @rule(prefix=few, path=number, by_rename=st.booleans())
    def overwrite(self, prefix, path, by_rename):
        self.count("overwrite")
        self.broken_by_crash.clear()
        self.world.overwrite(self.environment(prefix), path, by_rename=by_rename)

    @rule(prefix=few)
    def lose_or_find(self, prefix):
        self.count("lose or find an environment")
        self.broken_by_crash.clear()
        self.world.lose_or_find(self.world.environment_at(prefix))

    @rule(package=number, path=number)
    def link_outside(self, package, path):
        self.count("link outside")
        if self.package(package):
            self.world.link_outside(self.package(package), path)

    @rule(path=number)
    def forget_outside(self, path):
        self.count("forget outside")
        self.broken_by_crash.clear()
        self.world.forget_outside(path)

    @rule(package=number, source=number, path=number)
    def link_into(self, package, source, path):
        self.count("link into a package")
        if self.package(package):
            self.world.link_into(self.package(package), self.package(source), path)

    @rule(
        prefix=few,
        thing=number,
        what=st.sampled_from(["file", "folder", "itself", "missing", "trash", "archive"]),
        through=hops,
        other=number,
    )
    def chain(self, prefix, thing, what, through, other):
        self.count("chain of symbolic links")
        world = self.world
        things = {"trash": world.trash, "archive": world.archives}.get(what, world.packages)()
        if not things:
            return
        target = things[thing % len(things)]
        below = {"file": "info/index.json", "folder": "info", "missing": "nothing"}
        target = os.path.join(target, below.get(what, "")).rstrip("/")
        others = [*world.packages(), self.environment(other)]
        world.chain(self.environment(prefix), target, through, others[other % len(others)])

    @rule(package=number, kind=few, path=number)
    def leave_trash(self, package, kind, path):
        self.count("leave trash")
        if self.package(package):
            self.world.leave_trash(self.package(package), kind, path)
            self.broken_by_crash.clear()

    @rule(prefix=few, package=number, suffix=few)
    def leave_trial_link(self, prefix, package, suffix):
        self.count("leave a trial link")
        if self.package(package):
            self.world.leave_trial_link(self.environment(prefix), self.package(package), suffix)

    @rule(thing=number, what=st.sampled_from(["package", "package", "trash", "archive"]))
    def crash_while_moving(self, thing, what):
        self.count("crash while moving")
        world = self.world
        things = {"trash": world.trash, "archive": world.archives}.get(what, world.packages)()
        if things:
            before = contents(world)
            path = things[thing % len(things)]
            world.interrupt(path, world.cache_of(path), "moving")
            after = contents(world)
            self.broken_by_crash |= {
                path: before[path] for path in before if after[path] != before[path]
            }

    @rule(thing=number)
    def crash_while_purging(self, thing):
        self.count("crash while purging")
        oracle = self.oracle(CleanChoice())
        unused = sorted(unit.path for unit in oracle.packages if oracle.verdict(unit) == "unused")
        is_healed = all(unit.path == unit.home or unit.kind == "held" for unit in oracle.units)
        if unused and is_healed:
            path = unused[thing % len(unused)]
            self.world.interrupt(path, self.world.cache_of(path), "purge")

    @rule(run=number)
    def restore(self, run):
        self.count("restore")
        runs, problems = held_runs([self.world.pkgs, self.world.more])
        assert not problems
        if not runs:
            return
        held = runs[run % len(runs)]
        homes = [f"{held.cache}/{home}" for home in held.homes]
        taken = {home for home in homes if os.path.lexists(home)}
        restored = Restored()
        restore(held.cache, held.run, restored)
        assert sorted(restored.paths) == sorted(set(homes) - taken)
        assert {problem.path for problem in restored.problems} == taken
        assert all(os.path.lexists(home) for home in homes)

    @rule(choice=choices, hours=hours)
    def clean_all(self, choice, hours):
        """Clean without grace, which removes the most."""
        self.clean(choice, hours, None, 0, 0, 0, unseen=False, ignored=True)

    @rule()
    def clean_simply(self):
        self.clean({}, 0, None, 0, 0, 0, unseen=False, ignored=True)

    @rule(
        choice=choices,
        hours=hours,
        since=st.one_of(st.none(), number),
        grace_ns=st.sampled_from([0, 1, 60 * SECOND_NS, 10**18]),
        spelling=few,
        closed=st.sampled_from([0, 0, 0, 1, 2]),
        unseen=st.sampled_from([False] * 5 + [True]),
        ignored=st.booleans(),
    )
    def clean(self, choice, hours, since, grace_ns, spelling, closed, unseen, ignored):
        self.count("clean")
        self.advanced_ns += hours * 3600 * SECOND_NS
        world = self.world
        world.caches = world.caches_as(spelling)
        now_ns = time.time_ns() + self.advanced_ns
        if since is not None and (package := self.package(since)):
            grace_ns += now_ns - os.lstat(f"{package}/info/index.json").st_ctime_ns
        closed_caches = {
            path
            for path in world.caches
            if os.path.realpath(path) == (None, world.pkgs, world.more)[closed]
        }
        options = dict(choice)
        older_than_ns = options.pop("older_than_ns", None)
        question = Question(
            caches=tuple(world.caches),
            prefixes=tuple(world.prefixes_as(spelling)),
            now_ns=now_ns,
            grace_ns=grace_ns,
            unseen=unseen,
            ignored=tuple(world.lost) if ignored else (),
            closed=frozenset(closed_caches),
            choice=CleanChoice(**options),
            older_than_ns=older_than_ns,
        )
        known = world.prefixes
        world.prefixes = list(question.prefixes)
        self.check(question)
        world.prefixes = known

    def check(self, question):
        outcome = check_clean(self.world, question)
        if outcome is None:
            return
        for _ in range(bool(outcome.trial_links or outcome.moved_back)):
            check_clean(self.world, question)
        again = check_clean(self.world, question)
        if outcome.held and question.choice.max_size_bytes is not None:
            return  # the quarantine counts now, too, and may make the cache too big
        assert (again.removed, again.held, again.moved_back) == ([], [], [])
        if all(unit.path == unit.home or unit.kind == "held" for unit in Oracle(question).units):
            after = contents(self.world)
            repaired, self.broken_by_crash = self.broken_by_crash, {}
            assert {path: after.get(path) for path in repaired} == repaired

    def oracle(self, choice):
        world = self.world
        caches, prefixes = tuple(world.both_caches), tuple(world.prefixes)
        return Oracle(Question(caches, prefixes, time.time_ns(), 0, False, (), frozenset(), choice))


def test_a_clean_removes_what_the_oracle_says_and_breaks_nothing():
    CleanMachine.steps.clear()
    while CleanMachine.steps.total() < STEPS:
        run_state_machine_as_test(
            CleanMachine,
            settings=hypothesis.settings(
                max_examples=max(1, min(200, STEPS // STEPS_OF_ONE)),
                stateful_step_count=STEPS_OF_ONE,
                deadline=None,
                report_multiple_bugs=False,
                suppress_health_check=list(hypothesis.HealthCheck),
            ),
        )
