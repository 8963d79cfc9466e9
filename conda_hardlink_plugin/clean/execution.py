"""The execution of a plan, with a second plan while the packages are moved aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executor.executor import execute_removals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..executor.outcome import Outcome
    from ..executor.recheck import Checker
    from ..executor.removal_plan import Removal
    from .plan import Plan


def execute_plan(
    plan: Plan,
    checker: Checker,
    replan: Callable[[], Plan],
    outcome: Outcome,
    *,
    hold_until_s: int | None,
    on_step: Callable[[int], None] | None = None,
) -> None:
    """Execute a plan.

    Args:
        plan: The plan.
        checker: Checks that a package is as planned, before it is moved.
        replan: Finds, scans and plans again by the same policy.
        outcome: Receives the result of each step, so that it is correct after Ctrl-C, too.
        hold_until_s: Until when to hold what is removed, in seconds since the epoch; `None` frees
            its space now.
        on_step: Called with the number of removals so far.

    """
    execute_removals(
        plan,
        checker,
        lambda moved: _reasons_to_keep(replan(), moved),
        outcome,
        hold_until_s=hold_until_s,
        on_step=on_step,
    )


def _reasons_to_keep(again: Plan, moved: Sequence[Removal]) -> dict[str, str]:
    """Return the paths that the second plan does not remove, each to the reason to keep it."""
    planned = {removal.path: removal for removal in again.remove}
    reasons = {kept.path: kept.reason for kept in again.keep}
    found = {}
    for removal in moved:
        if removal.package is None:  # links to a left-over or an archive keep working
            continue
        still = planned.get(removal.path)
        if still is None:
            found[removal.path] = reasons.get(removal.path, "it changed in the meantime")
        elif still.package is None or still.package.linked_ns != removal.package.linked_ns:
            found[removal.path] = "another process is about to link it"
    return found
