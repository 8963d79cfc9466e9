"""The figures of the lines after a transaction, measured within a time budget."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ..analysis.transaction_figures import (
    Budget,
    OverBudgetError,
    measure_added,
    measure_left,
    measure_linked,
    measure_unheld,
)
from ..report.transaction_summary import TransactionSummary
from ..scan.index.trailer import checksum_of, index_folder, read_totals
from .copy_reasons import why_copied
from .transaction_state import compare_records, installed_packages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..analysis.transaction_figures import UnlinkFigures
    from .transaction_state import RunningCommand, Transaction

_MIN_S, _MAX_S = 0.05, 0.25
_MAX_SHARE = 0.04  # what is recorded before the command takes the rest of 5 %
_MAX_AGE_S = 24 * 3600


def summarize(running: RunningCommand, caches: Iterable[str] = ()) -> TransactionSummary | None:
    """Measure what a command did; `None` if it linked and unlinked nothing.

    Args:
        running: The command.
        caches: The package caches of this conda.

    """
    elapsed_s = time.monotonic() - running.began_s
    budget = Budget(min(_MAX_S, max(_MIN_S, _MAX_SHARE * elapsed_s)))
    if running.records is not None:
        compare_records(running)
    done = [item for item in running.transactions if item.happened]
    if not any(item.linked or item.unlinked for item in done):
        return None
    summary = TransactionSummary(warned=running.warned)
    summary.unlinked_packages = sum(len(item.unlinked) for item in done)
    try:
        for transaction in done:
            _add_unlinked(summary, transaction, budget)
        for transaction in done:
            _add_linked(summary, transaction, budget)
        _add_left(summary, done, budget)
    except OverBudgetError:
        summary.over_budget = True
    if summary.added_bytes is not None:
        _add_totals(summary, running.began_s, caches)
    return summary


def _add_totals(summary: TransactionSummary, began_s: float, caches: Iterable[str]) -> None:
    """Add the totals of the last report on these caches, if it was shortly before the command."""
    found = read_totals(index_folder())
    if found is None:
        return
    totals, taken_s = found
    is_recent = time.monotonic() - began_s < time.time() - taken_s < _MAX_AGE_S
    there = [path for path in caches if os.path.isdir(path)]
    if is_recent and totals.caches_checksum == checksum_of(there):
        summary.totals, summary.totals_taken_s = totals, taken_s


def _add_linked(summary: TransactionSummary, transaction: Transaction, budget: Budget) -> None:
    packages = installed_packages(transaction.prefix, transaction.linked)
    figures = measure_linked(transaction.prefix, packages, budget)
    linked = summary.linked
    linked.packages += figures.packages
    linked.hardlinked_bytes += figures.hardlinked_bytes
    for cause, amount in figures.by_cause.items():
        linked.by_cause[cause] = linked.by_cause.get(cause, 0) + amount
    linked.copied += [package for package in figures.copied if package.hard_link_requested]
    linked.softlinked += figures.softlinked
    if linked.copied and not summary.why_copied:
        summary.why_copied = why_copied(transaction.prefix, linked.copied[0].extracted)
    if transaction.is_new and packages:
        added_bytes = measure_added(transaction.prefix, budget)
        summary.added_bytes = (summary.added_bytes or 0) + added_bytes


def _add_unlinked(summary: TransactionSummary, transaction: Transaction, budget: Budget) -> None:
    before = transaction.before
    if before is None:
        return
    around_bytes = _bytes_around(before)
    left_bytes, not_freed_bytes = measure_left(before, budget)
    removed_bytes = before.size_bytes + around_bytes - left_bytes
    freed_bytes = before.freed_bytes + around_bytes - not_freed_bytes
    summary.unlinked_bytes = (summary.unlinked_bytes or 0) + removed_bytes
    summary.freed_bytes = (summary.freed_bytes or 0) + freed_bytes


def _bytes_around(before: UnlinkFigures) -> int:
    """Return the bytes to be removed with the packages: their folders, or all of the rest."""
    if before.rest_bytes is not None:
        return before.rest_bytes
    gone = [path for path in before.folders if not os.path.lexists(path)]
    return sum(before.folders[path] for path in gone)


def _add_left(summary: TransactionSummary, done: list[Transaction], budget: Budget) -> None:
    packages = [
        package
        for transaction in done
        if transaction.before is not None
        for package in transaction.before.packages
    ]
    if packages:
        summary.left_bytes = measure_unheld(packages, budget)
