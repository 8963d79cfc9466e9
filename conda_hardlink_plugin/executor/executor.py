"""The execution of a plan: lock, heal, check and move each package, plan again, remove.

No path leads to a package that was moved aside. A second plan, from a new scan of everything, then
decides: the packages that it keeps are moved back.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..filesystem.problems import PathProblem, reason_of
from .cache_executor import CacheExecutor
from .errors import noting_refusals
from .locks import locked_quarantine
from .quarantine import unlink_trial_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .outcome import Outcome
    from .quarantine import Quarantine
    from .recheck import Checker
    from .removal_plan import Removal, RemovalPlan


def execute_removals(
    plan: RemovalPlan,
    checker: Checker,
    reasons_to_keep: Callable[[Sequence[Removal]], Mapping[str, str]],
    outcome: Outcome,
    *,
    hold_until_s: int | None,
    on_step: Callable[[int], None] | None = None,
) -> None:
    """Execute a plan.

    Args:
        plan: What to remove.
        checker: Checks that a package is as planned, before it is moved.
        reasons_to_keep: Takes the removals that were moved aside, finds, scans and plans again by
            the same policy, and returns the path of each that must be moved back with the reason
            as a phrase.
        outcome: Receives the result of each step, so that it is correct after Ctrl-C, too.
        hold_until_s: Until when to hold what is removed, in seconds since the epoch; `None` frees
            its space now.
        on_step: Called with the number of removals so far.

    """
    with ExitStack() as stack:
        executors = [
            CacheExecutor(quarantine, removals, checker, outcome, hold_until_s)
            for quarantine, removals in _locked_quarantines(stack, plan, outcome.problems)
        ]
        for executor in executors:
            executor.heal()
        try:
            _move_aside(executors, reasons_to_keep)
            for executor in executors:
                executor.give_up()
            for executor in executors:
                executor.unlink()
            for trial_link in plan.trial_links:  # last, because they are part of the evidence
                with noting_refusals(outcome.problems):
                    outcome.freed_bytes += unlink_trial_link(trial_link)
                    outcome.trial_links.append(trial_link)
        except OSError as error:  # the second plan cannot be made
            outcome.problems.append(PathProblem(executors[0].quarantine.path, reason_of(error)))
        finally:
            for executor in executors:
                executor.put_the_rest_back()
        for executor in executors:
            for _ in executor.purge():
                if on_step is not None:
                    on_step(len(outcome.removed))
            executor.quarantine.remove_if_empty()


def _locked_quarantines(
    stack: ExitStack, plan: RemovalPlan, problems: list[PathProblem]
) -> list[tuple[Quarantine, list[Removal]]]:
    """Lock every cache that the plan changes; return their quarantines and removals.

    A cache that cannot be locked is added to the problems.
    """
    by_cache: dict[str, list[Removal]] = {cache: [] for cache in plan.caches_to_heal}
    for removal in plan.remove:
        by_cache.setdefault(removal.cache, []).append(removal)
    found = []
    for cache, removals in sorted(by_cache.items()):  # every clean locks in the same order
        folders = sorted({os.path.dirname(removal.relative) for removal in removals} - {""})
        known = plan.cache_identities[cache]
        with noting_refusals(problems):
            quarantine = stack.enter_context(locked_quarantine(cache, folders, known))
            found.append((quarantine, removals))
    return found


def _move_aside(
    executors: Sequence[CacheExecutor],
    reasons_to_keep: Callable[[Sequence[Removal]], Mapping[str, str]],
) -> None:
    """Move packages aside, and move back those that the second plan keeps.

    A package that is back may link to one that is still aside, so each move back needs another
    plan.
    """
    for executor in executors:
        executor.move_aside()
    while moved := [removal for executor in executors for removal in executor.moved]:
        reasons = reasons_to_keep(moved)
        if not reasons:
            return
        for executor in executors:
            executor.put_back(reasons)
