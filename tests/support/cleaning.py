"""A clean of a small installation, in this process."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from conda_hardlink_plugin.clean.execution import execute_plan
from conda_hardlink_plugin.clean.plan import CleanChoice, Plan
from conda_hardlink_plugin.clean.planner import make_plan
from conda_hardlink_plugin.executor.outcome import Outcome, new_run
from conda_hardlink_plugin.executor.recheck import Checker
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from tests.support.circumstances import Circumstances, analysis_of
from tests.support.trees import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conda_hardlink_plugin.filesystem.problems import PathProblem
    from tests.support.small_installation import SmallInstallation


RECORD = "info/repodata_record.json"  # in an extracted package


def version_key(version: str) -> list[tuple[int, int | str]]:
    """Sort `1.10` after `1.9`."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in version.split(".")]


def plan_of(
    made: SmallInstallation,
    *,
    grace_ns: int = 0,
    now_ns: int | None = None,
    closed: Mapping[str, str] | None = None,
    unseen: Sequence[PathProblem] = (),
    ignored: Sequence[str] = (),
    trial_links: Sequence[str] = (),
    older_than_ns: int | None = None,
    **choice: object,
) -> Plan:
    """Scan and plan; without a grace, new packages do not count as recent."""
    circumstances = Circumstances(
        now_ns=time.time_ns() if now_ns is None else now_ns,
        grace_ns=grace_ns,
        unseen=tuple(unseen),
        ignored=tuple(ignored),
        older_than_ns=older_than_ns,
    )
    analysis = analysis_of(made.scan(), made.names(), circumstances)
    return make_plan(
        analysis,
        CleanChoice(**choice),
        closed=closed or {},
        version_key=version_key,
        trial_links=tuple(trial_links),
    )


def executed(
    made: SmallInstallation,
    plan: Plan,
    replan: Callable[[], Plan],
    *,
    hold_until_s: int | None = None,
) -> Outcome:
    """Execute a plan; return its outcome."""
    outcome = Outcome(run=new_run())
    checker = Checker(made.prefixes, read_mount_table())
    execute_plan(plan, checker, replan, outcome, hold_until_s=hold_until_s)
    return outcome


def clean(
    made: SmallInstallation, *, hold_until_s: int | None = None, **options: object
) -> Outcome:
    """Scan, plan and execute the plan; return the outcome."""

    def plan() -> Plan:
        return plan_of(made, hold=hold_until_s is not None, **options)

    return executed(made, plan(), plan, hold_until_s=hold_until_s)


def move_aside(made: SmallInstallation, path: str, stage: str) -> str:
    """Move something to the quarantine of its cache, as an earlier run did; return its new path."""
    cache = made.caches[0]
    moved = f"{cache}/{QUARANTINE}/{stage}-r1-{os.path.relpath(path, cache)}"
    os.makedirs(f"{cache}/{QUARANTINE}", 0o700, exist_ok=True)
    os.rename(path, moved)
    return moved
