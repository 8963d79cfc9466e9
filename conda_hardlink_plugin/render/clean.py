"""What a clean is to do and what came of it, for a person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..analysis.verdicts import Verdict
from ..executor.removal import Action
from ..formatting import count, size
from ..metadata.quarantine_names import Stage, entry_of
from ..scan.inventory import TARBALL_SUFFIXES
from .output import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..clean.plan import Kept, Plan
    from ..executor.outcome import Outcome
    from ..executor.removal import Removal
    from .terminal import Terminal

_ROWS = 20
_NS = 1_000_000_000
_HINTS = {
    Verdict.LINKED: "linked",
    Verdict.SOFTLINKED: "linked by symbolic links",
    Verdict.RECORDED: "only recorded in an environment (--copied removes those that are copies)",
    Verdict.UNVERIFIABLE: "where something cannot be read",
    Verdict.RECENT: "recent (--grace says for how long), or of a conda that runs now",
    Verdict.UNOBTAINABLE: "not to be had again (--unobtainable removes them)",
    Verdict.UNUSED: "unused and kept all the same",
}


def print_plan(plan: Plan, terminal: Terminal, *, verbose: bool, refused: bool = False) -> None:
    """Print what goes and what stays.

    Args:
        plan: What to print.
        terminal: Where to.
        verbose: Everything, one by one.
        refused: It will not be done: no figure is promised.

    """
    parts: list[Callable[[], None]] = []
    if plan.remove or plan.trial_links or plan.returning:
        parts.append(lambda: _print_what_goes(plan, terminal, verbose=verbose))
    if plan.keep and verbose:
        parts.append(lambda: _print_keep(plan, terminal))
    if plan.archived:
        parts.append(lambda: _print_archived(plan, terminal))
    if plan.keep or plan.too_big:
        parts.append(lambda: _print_kept(plan, terminal, verbose=verbose))
    if not refused:
        parts.append(lambda: terminal.say(_conclusion(plan), style="bold"))
    for number, part in enumerate(parts):
        if number:
            terminal.say()
        part()


def print_outcome(outcome: Outcome, terminal: Terminal) -> None:
    """Print what came of a plan."""
    for spared in outcome.spared:
        terminal.say(f"Kept after all: {spared.removal.name}: {spared.reason}.", indent="  ")
    if outcome.returned:
        terminal.say(f"Put back: {count(len(outcome.returned), 'package')}.")
    if outcome.held:
        terminal.say(
            f"Moved aside: {count(len(outcome.held), 'item')}. To bring them back:"
            f" conda hardlinks restore {outcome.run}",
            indent="  ",
        )
    terminal.say(
        f"Freed {size(outcome.freed_bytes)} ({outcome.freed_bytes:,} bytes).", style="bold"
    )
    for problem in outcome.problems:
        terminal.say(f"! {problem.path}: {problem.reason}.", style="yellow", indent="  ")
    if outcome.problems:
        terminal.say("What could not be done is tried again by the next clean.")


def _print_what_goes(plan: Plan, terminal: Terminal, *, verbose: bool) -> None:
    if plan.remove:
        _print_removals(plan, terminal, verbose=verbose)
    for probe in plan.trial_links:
        terminal.say(f"{probe}: a trial link that conda left, will be removed.")
    if plan.returning:
        terminal.say(
            f"{count(len(plan.returning), 'package')} that an interrupted run moved aside will be"
            " put back first."
        )


def _print_keep(plan: Plan, terminal: Terminal) -> None:
    columns = [Column("KEEP", figures=False), Column("SIZE"), Column("WHY", figures=False)]
    rows = [[kept.name, size(kept.size_bytes), kept.reason] for kept in plan.keep]
    terminal.table(columns, rows)


def _print_archived(plan: Plan, terminal: Terminal) -> None:
    have = "has its archive" if plan.archived == 1 else "have their archives"
    terminal.say(
        f"! {plan.archived:,} of them {have} in the cache, and conda unpacks every archive there"
        " when it next installs something: --tarballs removes those, too.",
        style="yellow",
        indent="  ",
    )


def _print_kept(plan: Plan, terminal: Terminal, *, verbose: bool) -> None:
    if plan.keep:
        said = "; ".join(_kept(list(plan.keep)))
        more = "" if verbose else " -v names each, `conda hardlinks explain PACKAGE` says more."
        terminal.say(f"Kept: {said}.{more}", indent="  ")
    for cache, bytes_too_many in plan.too_big.items():
        terminal.say(f"! {cache} is still {size(bytes_too_many)} bigger than --max-size.")


def _print_removals(plan: Plan, terminal: Terminal, *, verbose: bool) -> None:
    largest_first = sorted(plan.remove, key=lambda removal: (-removal.size_bytes, removal.path))
    shown = largest_first if verbose else largest_first[:_ROWS]
    caches = {removal.cache for removal in plan.remove}
    terminal.table(
        [
            Column("REMOVE", figures=False),
            Column("SIZE"),
            Column("LAST USED", figures=False),
            Column("WHY", figures=False),
            *([Column("IN", figures=False)] if len(caches) > 1 else []),
        ],
        [
            [
                removal.name,
                size(removal.size_bytes),
                _last_used(removal),
                _why(removal),
                *([removal.cache] if len(caches) > 1 else []),
            ]
            for removal in shown
        ],
    )
    more = len(largest_first) - len(shown)
    if more:
        terminal.say(f"... and {more:,} smaller: -v shows all.")


def _last_used(removal: Removal) -> str:
    if removal.package is None:
        return ""
    return time.strftime("%Y-%m-%d", time.localtime(removal.package.last_use_ns / _NS))


def _why(removal: Removal) -> str:
    if removal.action is Action.FINISH:
        entry = entry_of(removal.path)
        is_held = entry is not None and entry.stage is Stage.HELD
        return "held long enough" if is_held else "given up before"
    if removal.package is not None:
        return removal.verdict.value
    return "archive" if removal.path.endswith(TARBALL_SUFFIXES) else "left-over"


def _kept(keep: list[Kept]) -> Iterator[str]:
    for verdict, hint in _HINTS.items():
        alike = [kept for kept in keep if kept.verdict is verdict]
        if alike:
            reasons = {kept.reason for kept in alike}
            plain = verdict in (Verdict.UNUSED, Verdict.UNVERIFIABLE) and len(reasons) == 1
            yield f"{len(alike):,} {hint}" + (f" ({reasons.pop()})" if plain else "")


def _conclusion(plan: Plan) -> str:
    if not plan.does_something:
        return "There is nothing to remove."
    if plan.held_bytes:
        return (
            f"This moves {size(plan.held_bytes)} ({plan.held_bytes:,} bytes) aside and frees"
            f" {size(plan.planned_bytes)} now."
        )
    return f"This frees {size(plan.planned_bytes)} ({plan.planned_bytes:,} bytes)."
