"""The checks that hold for every clean of any installation with any options."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING

from conda_hardlink_plugin.clean.trial_links import find_trial_links
from conda_hardlink_plugin.executor.removal_plan import Action
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.cleaning import executed, plan_of
from tests.support.cleaning_oracle import Oracle, Question
from tests.support.oracles import du

if TYPE_CHECKING:
    from collections.abc import Collection

    from conda_hardlink_plugin.clean.plan import Plan
    from conda_hardlink_plugin.executor.outcome import Outcome
    from tests.support.cleaning_oracle import Answer, Unit
    from tests.support.model_world import World

HELD_S = 7 * 24 * 3600


def check_clean(world: World, question: Question) -> Outcome | None:
    """Clean, and check the invariants of section 5 of the design.

    Returns:
        The outcome; `None` if the clean must refuse to remove anything.
    """
    everything = fingerprint(world.directory)
    oracle = Oracle(question)
    plan = _plan(world, question)
    assert fingerprint(world.directory) == everything, "planning changed something"
    answer = oracle.answer()
    _check_plan(plan, oracle, answer)
    if oracle.unseen:
        return None
    trial_links = set(map(_real, plan.trial_links))
    files, others = contents(world), _outside(world, trial_links)
    used_bytes = _disk_usage(world)
    hold_until_s = question.now_ns // 10**9 + HELD_S if question.choice.hold else None
    outcome = executed(world, plan, lambda: _plan(world, question), hold_until_s=hold_until_s)
    assert {_real(problem.path) for problem in outcome.problems} == answer.blocked
    assert _disk_usage(world) == used_bytes - outcome.freed_bytes
    reached = {path for path, content in files.items() if content is not None} - trial_links
    now = contents(world)
    assert {path: now.get(path) for path in reached} == {path: files[path] for path in reached}
    assert _outside(world, trial_links) == others
    after = Oracle(question)
    if outcome.spared:
        assert outcome.moved_back, (
            "only a package that was moved back may link to one that was unused before"
        )
        spared = {_real(item.removal.path) for item in outcome.spared}
        back = [unit for unit in after.packages if unit.home in spared]
        assert [unit for unit in back if after.verdict(unit) != "softlinked"] == []
        return outcome
    assert outcome.freed_bytes == plan.planned_bytes
    _check_what_is_left(oracle, answer, plan, after)
    return outcome


def contents(world: World) -> dict[str, object]:
    """Return the content behind each file and symbolic link of the environments, or `None`."""
    found: dict[str, object] = {}
    for prefix in set(map(os.path.realpath, world.prefixes)):
        for folder, folders, names in os.walk(prefix):
            folders[:] = [name for name in folders if f"{folder}/{name}" not in _roots(world)]
            for name in (*names, *folders):
                path = f"{folder}/{name}"
                if not os.path.exists(path):
                    found[path] = None
                elif not os.path.isdir(path):
                    with open(path, "rb") as file:
                        found[path] = file.read()
                elif os.path.islink(path):
                    found[path] = os.stat(path).st_ino
    return found


def fingerprint(top: str, without: Collection[str] = ()) -> dict[str, tuple[object, ...]]:
    """Return everything about the files below a folder that writing would change."""
    found = {}
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if f"{folder}/{name}" not in without]
        for name in (".", *names, *folders):
            status = os.lstat(f"{folder}/{name}")
            found[f"{folder}/{name}"] = (
                status.st_ino,
                status.st_mode,
                status.st_nlink,
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
            )
    return found


def _outside(world: World, trial_links: Collection[str]) -> dict[str, tuple[int, ...]]:
    """Return mode, size and time of everything outside the caches."""
    changing = {*trial_links, *map(os.path.dirname, trial_links)}
    found = {}
    for folder, folders, names in os.walk(world.directory):
        folders[:] = [name for name in folders if f"{folder}/{name}" not in world.both_caches]
        for path in (folder, *(f"{folder}/{name}" for name in (*names, *folders))):
            if path not in changing:
                status = os.lstat(path)
                found[path] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
    return found


def _disk_usage(world: World) -> int:
    """Return the disk usage of everything without the quarantine folders themselves."""
    ours = [path for path in world.quarantines() if os.path.isdir(path)]
    return du(world.directory)[0] - sum(os.lstat(path).st_blocks * 512 for path in ours)


def _plan(world: World, question: Question) -> Plan:
    trash = question.choice.trash
    return plan_of(
        world,
        grace_ns=question.grace_ns,
        now_ns=question.now_ns,
        closed=dict.fromkeys(question.closed, "closed"),
        unseen=[PathProblem("/gone", "it is not mounted")] if question.unseen else (),
        ignored=question.ignored,
        older_than_ns=question.older_than_ns,
        trial_links=find_trial_links(world.prefixes, question.now_ns, question.grace_ns)
        if trash
        else (),
        **asdict(question.choice),
    )


def _check_plan(plan: Plan, oracle: Oracle, answer: Answer) -> None:
    choice = oracle.question.choice
    by_action: dict[str, set[str]] = {name: set() for name in ("finish", "unlink", "trash", "move")}
    for removal in plan.remove:
        is_trash = removal.action is Action.MOVE and removal.package is None
        by_action["trash" if is_trash else removal.action.value].add(_real(removal.path))
    packages = by_action.pop("move")
    assert by_action == {
        "finish": answer.finished,
        "unlink": answer.archives,
        "trash": answer.trash,
    }
    assert set(map(_real, plan.moving_back)) == answer.returned | answer.blocked
    assert set(map(_real, plan.trial_links)) == answer.trial_links
    if choice.max_size_bytes is None:
        assert packages == answer.packages
    else:
        _check_fit(plan, oracle, answer, packages)
    allowed = {"recorded"} if choice.copied else set()
    allowed |= {"unobtainable"} if choice.unobtainable else set()
    verdicts = defaultdict(set)  # several if a package was extracted again in a closed cache
    for kept in plan.keep:
        verdicts[_real(kept.path)].add(kept.verdict.value)
    for unit in oracle.packages:
        if unit.path in answer.aside:
            continue
        assert (unit.home in packages) != (unit.home in verdicts)
        if unit.home in verdicts:
            assert verdicts[unit.home] & _verdicts_of_kept(oracle, unit, allowed)


def _verdicts_of_kept(oracle: Oracle, unit: Unit, allowed: Collection[str]) -> set[str]:
    """Return the verdicts that the plan may report for a package that is kept."""
    reasons = oracle.reasons_to_keep(unit)
    kept_for = [reason for reason in reasons if reason not in allowed]
    return {(*kept_for, *reasons, "unused")[0]}


def _check_fit(plan: Plan, oracle: Oracle, answer: Answer, packages: set[str]) -> None:
    """Check that the least recently used packages are removed, and no more than needed."""
    assert packages <= answer.packages
    limit_bytes = oracle.question.choice.max_size_bytes
    others = answer.archives | answer.trash | answer.finished
    judged = [unit for unit in oracle.packages if unit.path not in answer.aside]
    last_use_ns = {unit.home: oracle.last_use_ns(unit) for unit in judged}
    too_big = {os.path.realpath(cache): count for cache, count in plan.excess_bytes.items()}
    for cache in {unit.cache for unit in oracle.packages} - oracle.closed:
        gone = {home for home in packages if home.startswith(f"{cache}/")}
        may_go = {home for home in answer.packages if home.startswith(f"{cache}/")}
        kept = may_go - gone
        rest_bytes = oracle.cache_bytes_without(cache, packages, others)
        assert too_big.get(cache, 0) == max(rest_bytes - limit_bytes, 0)
        if rest_bytes > limit_bytes:
            assert not kept
        if gone:
            latest_ns = max(last_use_ns[home] for home in gone)
            assert all(last_use_ns[home] >= latest_ns for home in kept)
            assert any(
                oracle.cache_bytes_without(cache, packages - {home}, others) > limit_bytes
                for home in gone
                if last_use_ns[home] == latest_ns
            )


def _check_what_is_left(before: Oracle, answer: Answer, plan: Plan, after: Oracle) -> None:
    """Check that what is planned is removed or held, and everything else is in its place."""
    gone = {_real(removal.path) for removal in plan.remove} - answer.finished
    stays = {
        unit.home if unit.kind != "held" and unit.home in answer.returned else unit.path
        for unit in before.units
        if unit.path not in answer.finished
    }
    known = {unit.path for unit in before.units}
    newly_held = [unit for unit in after.units if unit.kind == "held" and unit.path not in known]
    assert {unit.path for unit in after.units if unit not in newly_held} == stays - gone
    assert {unit.home for unit in newly_held} == (gone if before.question.choice.hold else set())
    assert _links_only_in(after, newly_held) == plan.held_bytes


def _links_only_in(oracle: Oracle, units: Collection[Unit]) -> int:
    """Return the disk usage of the inodes whose links are all in some units."""
    inside = {path for unit in units for path in unit.paths}
    figure = 0
    for paths in oracle.paths_of.values():
        status = oracle.status[paths[0]]
        is_complete = stat.S_ISDIR(status.st_mode) or status.st_nlink == len(paths)
        if is_complete and inside.issuperset(paths):
            figure += status.st_blocks * 512
    return figure


def _roots(world: World) -> set[str]:
    return {*world.prefixes, *world.both_caches}


def _real(path: str) -> str:
    """Resolve the symbolic links in the folder of a path, but not the path itself."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)
