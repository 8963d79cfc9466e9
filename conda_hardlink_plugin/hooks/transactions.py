"""The hooks around transactions: before a command, after the solver, during and after it."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from .never_fails import never_fails
from .transaction_state import (
    Process,
    RunningCommand,
    Transaction,
    dist_of_record,
    list_all_records,
    measure_before_unlinking,
    record_transaction,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_REMOVING = frozenset({"remove", "env_remove"})


def before_command(command: str) -> None:
    """Record that a command begins that may link packages."""
    end_command()
    Process.running = RunningCommand(command)
    _take_lease(Process.running)
    _prepare(Process.running)


def after_solve(unlinked: Iterable[Any], linked: Iterable[Any]) -> None:
    """Record what the solver chose, before the user is asked."""
    if Process.running is not None:
        _name_packages(Process.running, list(linked))
        _warn(Process.running, list(linked))
        if Process.running.records is not None:
            _record_solution(Process.running, list(unlinked))


def after_command(command: str) -> None:
    """Print what was linked and unlinked."""
    running = Process.running
    try:
        if running is not None and running.command == command and _may_print():
            _print_summary(running)
    finally:
        end_command()


@never_fails
def end_command() -> None:
    """Forget the command and release its lease."""
    running, Process.running = Process.running, None
    if running is not None and running.lease is not None:
        running.lease.release()


@never_fails
def _take_lease(running: RunningCommand) -> None:
    from ..metadata.leases import HeldLease, lease_folder

    try:
        running.lease = HeldLease(lease_folder(), running.command)
    except (OSError, ImportError):  # the home cannot be written: `clean` still has its grace period
        return
    atexit.register(running.lease.release)


@never_fails
def _prepare(running: RunningCommand) -> None:
    """Look at the environments beforehand where conda has no transaction hooks."""
    from conda.base.context import context

    if not has_transaction_hooks():
        list_all_records(running)
        whole = running.command == "env_remove" or context._argparse_args.get("all")  # noqa: SLF001
        if running.command in _REMOVING and whole:
            _record_removal(running, context.target_prefix)
    if context._argparse_args.get("clone"):  # noqa: SLF001  # conda runs no solver then
        _warn(running, [])


@never_fails
def _record_removal(running: RunningCommand, prefix: str) -> None:
    """Measure an environment that will be removed."""
    from conda.core.prefix_data import PrefixData

    if os.path.isdir(os.path.join(prefix, "conda-meta")):
        names = [record.name for record in PrefixData(prefix).iter_records()]
        transaction = Transaction(prefix, is_new=False, unlinked=tuple(names))
        measure_before_unlinking(transaction)
        running.transactions.append(transaction)


@never_fails
def _record_solution(running: RunningCommand, unlinked: list[Any]) -> None:
    """Measure what the solver wants to unlink."""
    from conda.base.context import context

    wanted = {f"{dist_of_record(record)}.json" for record in unlinked}
    candidates = [prefix for prefix, names in (running.records or {}).items() if wanted <= names]
    if wanted and candidates:  # conda does not say which environment a file names
        target = context.target_prefix if context.target_prefix in candidates else candidates[0]
        names = tuple(record.name for record in unlinked)
        transaction = Transaction(target, is_new=False, unlinked=names)
        if len(candidates) == 1 or target == context.target_prefix:
            measure_before_unlinking(transaction)
        running.transactions = [transaction]


@never_fails
def _name_packages(running: RunningCommand, linked: list[Any]) -> None:
    if running.lease is not None:
        running.lease.name(map(dist_of_record, linked))


@never_fails
def _warn(running: RunningCommand, linked: list[Any]) -> None:
    """Print once what the user should know before the transaction."""
    from ..render.transaction_summary import warning_line, write_lines
    from .preflight import preflight_warning

    if running.warned or not _may_print():
        return
    sentence = preflight_warning(running.command, linked)
    if sentence:
        running.warned = True
        write_lines([warning_line(sentence)], sys.stderr)


@never_fails
def _print_summary(running: RunningCommand) -> None:
    from conda.base.context import context

    from ..render.transaction_summary import summary_lines, write_lines
    from .summary import summarize

    summary = summarize(running, context.pkgs_dirs)
    if summary is not None:
        write_lines(summary_lines(summary), sys.stderr)


def _may_print() -> bool:
    """Tell whether anything may be printed."""
    from conda.base.context import context

    from ..settings import summary_enabled

    silent = context.json or context.quiet or context.dry_run or context.download_only
    return not silent and summary_enabled()


def has_transaction_hooks() -> bool:
    """Tell whether conda has hooks around transactions: since 25.5."""
    from conda.plugins.hookspec import CondaSpecs

    return hasattr(CondaSpecs, "conda_pre_transaction_actions")


def transaction_action() -> type[Any]:
    """Return the class that conda instantiates for each environment that it changes."""
    from conda.core.path_actions import Action

    class RecordingAction(Action):  # type: ignore[misc]  # conda's class at run time
        """Records what is linked and unlinked; it changes nothing."""

        _verified = True

        @never_fails
        def __init__(
            self,
            transaction_context: Any = None,
            target_prefix: Any = None,
            unlink_precs: Any = None,
            link_precs: Any = None,
            *rest: Any,
        ) -> None:
            """Record what conda is about to do."""
            super().__init__(transaction_context, target_prefix, unlink_precs, link_precs, *rest)
            linked, unlinked = list(link_precs or ()), list(unlink_precs or ())
            self.transaction = record_transaction(
                target_prefix,
                [record.name for record in linked],
                [record.name for record in unlinked],
            )
            if Process.running is None:  # a command without a hook of ours
                Process.running = RunningCommand("transaction")
                _take_lease(Process.running)
            _name_packages(Process.running, linked)

        def verify(self) -> None:
            """Accept the transaction."""

        @never_fails
        def execute(self) -> None:
            """Measure what is about to be unlinked."""
            measure_before_unlinking(self.transaction)

        def reverse(self) -> None:
            """Undo nothing."""

        @never_fails
        def cleanup(self) -> None:
            """Record that it happened."""
            self.transaction.happened = True

    return RecordingAction
