"""Print the plan of a clean and its outcome."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ..analysis.verdicts import Verdict
from ..executor.removal_plan import Action
from ..formatting import and_more, count, exact_size, size
from ..metadata.quarantine_names import Stage, entry_of
from ..scan.inventory import ARCHIVE_SUFFIXES
from .output import Column, text_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..clean.plan import Kept, Plan
    from ..executor.outcome import Outcome
    from ..executor.removal_plan import Removal
    from .output import Output

_ROWS = 20
_NS = 1_000_000_000
_HINTS = {
    Verdict.LINKED: "linked",
    Verdict.SOFTLINKED: "softlinked",
    Verdict.RECORDED: "recorded in an environment without links (remove copies with --copied)",
    Verdict.UNVERIFIABLE: "not verifiable",
    Verdict.RECENT: "recent (see --grace) or in use by a running conda",
    Verdict.UNOBTAINABLE: "cannot be downloaded again (remove with --unobtainable)",
    Verdict.UNUSED: "unused but kept",
}


def print_plan(plan: Plan, output: Output, *, verbose: bool, refused: bool = False) -> None:
    """Print what a clean removes and what it keeps.

    Args:
        plan: The plan to print.
        output: The output to print to.
        verbose: Whether to list every item.
        refused: Whether the plan will not be executed; then the freed bytes are not printed.

    """
    parts: list[Callable[[], None]] = []
    if plan.remove or plan.trial_links or plan.moving_back:
        parts.append(lambda: _print_changes(plan, output, verbose=verbose))
    if plan.keep and verbose:
        parts.append(lambda: _print_kept_items(plan.keep, output))
    if plan.packages_with_archive:
        have = "has its archive" if plan.packages_with_archive == 1 else "have their archives"
        parts.append(
            lambda: output.warn(
                f"{plan.packages_with_archive:,} of these packages {have} in the cache, and conda"
                " extracts every archive there when it next installs a package."
                f" {_advice_on_archives(plan, verbose=verbose)}"
            )
        )
    if plan.keep or plan.excess_bytes:
        parts.append(lambda: _print_kept(plan, output, verbose=verbose))
    if not refused:
        parts.append(lambda: output.say(_conclusion(plan), style="bold"))
    output.parts(parts)


def _advice_on_archives(plan: Plan, *, verbose: bool) -> str:
    if not plan.archives_chosen:
        return "To remove archives, too, add --tarballs."
    where = "The list above" if verbose else "With -v, the list"
    return f"{where} says why these archives are kept."


def print_outcome(outcome: Outcome, output: Output) -> None:
    """Print the outcome of a plan."""
    for spared in outcome.spared:
        output.say(f"Kept after all: {spared.removal.name}: {spared.reason}.", indent="  ")
    if outcome.moved_back:
        output.say(f"Put back: {count(len(outcome.moved_back), 'package')}.")
    if outcome.held:
        output.say(
            f"Moved aside: {count(len(outcome.held), 'item')}. To restore them: conda hardlinks"
            f" restore {outcome.run}",
            indent="  ",
        )
    output.say(f"Freed {exact_size(outcome.freed_bytes)}.", style="bold")
    output.warn_of(outcome.problems)
    if outcome.problems:
        output.say("The next clean tries these again.")


def _print_changes(plan: Plan, output: Output, *, verbose: bool) -> None:
    if plan.remove:
        _print_removals(plan.remove, output, verbose=verbose)
    for path in plan.trial_links:
        output.say(f"{path}: a trial link that conda left will be removed.")
    if plan.moving_back:
        output.say(
            f"{count(len(plan.moving_back), 'package')} that an interrupted run moved aside will be"
            " put back first."
        )


def _print_kept(plan: Plan, output: Output, *, verbose: bool) -> None:
    if plan.keep:
        hint = "" if verbose else " -v lists them; see also `conda hardlinks explain PACKAGE`."
        output.say(f"Kept: {'; '.join(_kept_by_verdict(plan.keep))}.{hint}", indent="  ")
    for cache, excess_bytes in plan.excess_bytes.items():
        output.say(f"! {cache} is still {size(excess_bytes)} larger than --max-size.")


def _print_kept_items(keep: Sequence[Kept], output: Output) -> None:
    columns = [*text_columns("KEPT ITEM"), Column("SIZE"), *text_columns("REASON")]
    rows = [[kept.name, size(kept.size_bytes), kept.reason] for kept in keep]
    folders = [os.path.dirname(kept.path) for kept in keep]
    if len(set(folders)) > 1:
        columns += text_columns("CACHE")
        rows = [[*row, folder] for row, folder in zip(rows, folders, strict=True)]
    output.table(columns, rows)


def _print_removals(removals: Sequence[Removal], output: Output, *, verbose: bool) -> None:
    largest_first = sorted(removals, key=lambda removal: (-removal.size_bytes, removal.path))
    shown = largest_first if verbose else largest_first[:_ROWS]
    columns = [*text_columns("REMOVAL"), Column("SIZE"), *text_columns("LAST USE", "REASON")]
    rows = [
        [removal.name, size(removal.size_bytes), _last_use(removal), _reason(removal)]
        for removal in shown
    ]
    if len({removal.cache for removal in removals}) > 1:
        columns += text_columns("CACHE")
        rows = [[*row, removal.cache] for row, removal in zip(rows, shown, strict=True)]
    output.table(columns, rows)
    more = len(largest_first) - len(shown)
    if more:
        output.say(and_more(more, "item"))


def _last_use(removal: Removal) -> str:
    if removal.package is None:
        return ""
    return time.strftime("%Y-%m-%d", time.localtime(removal.package.last_use_ns / _NS))


def _reason(removal: Removal) -> str:
    if removal.action is Action.FINISH:
        entry = entry_of(removal.path)
        is_held = entry is not None and entry.stage is Stage.HELD
        return "hold expired" if is_held else "interrupted removal"
    if removal.package is not None:
        return removal.verdict.value
    return "archive" if removal.path.endswith(ARCHIVE_SUFFIXES) else "left-over"


def _kept_by_verdict(keep: Sequence[Kept]) -> Iterator[str]:
    for verdict, hint in _HINTS.items():
        reasons = [kept.reason for kept in keep if kept.verdict is verdict]
        if reasons:
            is_shown = verdict in (Verdict.UNUSED, Verdict.UNVERIFIABLE) and len(set(reasons)) == 1
            yield f"{len(reasons):,} {hint}" + (f" ({reasons[0]})" if is_shown else "")


def _conclusion(plan: Plan) -> str:
    if not plan.does_something:
        return "There is nothing to remove."
    if plan.held_bytes:
        freed_now = size(plan.planned_bytes)
        return f"This moves {exact_size(plan.held_bytes)} aside and frees {freed_now} now."
    return f"This frees {exact_size(plan.planned_bytes)}."
