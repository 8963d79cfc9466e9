"""A plan carried out: lock, heal; check each package and move it aside; plan again; remove.

What is moved aside cannot be reached by its path any more, so the second plan, made from a new scan
of everything, has the last word: what it would keep goes back.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..filesystem.problems import PathProblem, reason_of
from .cache_executor import CacheExecutor
from .locks import locked_quarantine
from .outcome import RefusedError
from .quarantine import unlink_trial_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .outcome import Outcome
    from .recheck import Checker
    from .removal import Removal, RemovalPlan


def execute_removals(
    plan: RemovalPlan,
    checker: Checker,
    objections: Callable[[Sequence[Removal]], Mapping[str, str]],
    outcome: Outcome,
    *,
    hold_until_s: int | None,
    on_step: Callable[[int], None] | None = None,
) -> None:
    """Do what the plan says.

    Args:
        plan: What to do.
        checker: Asks whether a package is as it was planned, before it is moved.
        objections: Finds, scans and plans again by the same policy; returns the paths of what must
            go back, each with the reason as a phrase.
        outcome: What came of it is added here, step by step: it is right also after Ctrl-C.
        hold_until_s: Keep what is removed until then, in seconds since the epoch; `None` frees its
            space now.
        on_step: Called with the number of things removed so far.

    """
    with ExitStack() as stack:
        executors = list(_locked_executors(stack, plan, checker, outcome, hold_until_s))
        for executor in executors:
            executor.heal()
            executor.take_up()
        try:
            _move_aside(executors, objections)
            for executor in executors:
                executor.give_up()
            for executor in executors:
                executor.unlink()
            for probe in plan.trial_links:  # not before: they are part of the evidence
                _remove_trial_link(probe, outcome)
        except OSError as error:  # the second plan cannot be made
            problem = PathProblem(executors[0].quarantine.path, reason_of(error))
            outcome.problems.append(problem)
        finally:
            for executor in executors:
                executor.put_the_rest_back()
        for executor in executors:
            for _ in executor.purge():
                if on_step is not None:
                    on_step(len(outcome.removed))
            executor.quarantine.remove_if_empty()


def _remove_trial_link(probe: str, outcome: Outcome) -> None:
    try:
        outcome.freed_bytes += unlink_trial_link(probe)
        outcome.trial_links.append(probe)
    except RefusedError as error:
        outcome.problems.append(error.problem)


def _locked_executors(
    stack: ExitStack,
    plan: RemovalPlan,
    checker: Checker,
    outcome: Outcome,
    hold_until_s: int | None,
) -> Iterator[CacheExecutor]:
    """Lock every cache that the plan touches; one that cannot be had is a problem."""
    by_cache: dict[str, list[Removal]] = {cache: [] for cache in plan.caches_to_heal}
    for removal in plan.remove:
        by_cache.setdefault(removal.cache, []).append(removal)
    for cache, removals in sorted(by_cache.items()):  # all cleans in one order
        try:
            paths = (os.path.relpath(removal.path, cache) for removal in removals)
            folders = sorted({os.path.dirname(path) for path in paths} - {""})
            known = plan.cache_identities[cache]
            quarantine = stack.enter_context(locked_quarantine(cache, folders, known))
        except RefusedError as error:  # noqa: PERF203  # once a cache
            outcome.problems.append(error.problem)
        else:
            yield CacheExecutor(quarantine, removals, checker, outcome, hold_until_s)


def _move_aside(
    executors: Sequence[CacheExecutor], objections: Callable[[Sequence[Removal]], Mapping[str, str]]
) -> None:
    """Move aside what may go, and put back what the second plan keeps.

    What is back may lead on to what is not, so that whenever something goes back there is one more.
    """
    for executor in executors:
        executor.move_aside()
    while moved := [removal for executor in executors for removal in executor.moved]:
        back = objections(moved)
        if not back:
            return
        for executor in executors:
            executor.put_back(back)
