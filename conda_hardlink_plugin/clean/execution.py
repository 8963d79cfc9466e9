"""A plan is executed; a second plan, made once packages are out of the way, has the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executor.executor import execute_removals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..executor.outcome import Outcome
    from ..executor.recheck import Checker
    from ..executor.removal import Removal
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
    """Do what a plan says.

    Args:
        plan: What to do.
        checker: Checks that a package is as it was planned, before it is moved.
        replan: Finds, scans and plans again by the same policy.
        outcome: The result of each step is added here: it is right after Ctrl-C, too.
        hold_until_s: Keep what is removed until then, in seconds since the epoch; `None` frees its
            space now.
        on_step: Called with the number of removals so far.

    """
    execute_removals(
        plan,
        checker,
        lambda moved: _objections(replan(), moved),
        outcome,
        hold_until_s=hold_until_s,
        on_step=on_step,
    )


def _objections(again: Plan, moved: Sequence[Removal]) -> dict[str, str]:
    """Return what goes back, by its path, and why: what the second plan does not remove."""
    goes = {removal.path: removal for removal in again.remove}
    why = {kept.path: kept.reason for kept in again.keep}
    found = {}
    for removal in moved:
        if removal.package is None:  # whoever has links to a left-over or an archive keeps them
            continue
        still = goes.get(removal.path)
        if still is None:
            found[removal.path] = why.get(removal.path, "it changed meanwhile")
        elif still.package is None or still.package.linked_ns != removal.package.linked_ns:
            found[removal.path] = "somebody is about to link it"
    return found
