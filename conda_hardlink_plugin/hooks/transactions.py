"""What the hooks of conda lead to: before a command, after a solver, around and after it."""

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
    note_before_unlinking,
    note_records,
    note_transaction,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_REMOVING = frozenset({"remove", "env_remove"})


def before_command(command: str) -> None:
    """Note that a command begins that may link packages."""
    end_command()
    Process.running = RunningCommand(command)
    _take_lease(Process.running)
    _prepare(Process.running)


def after_solve(unlinked: Iterable[Any], linked: Iterable[Any]) -> None:
    """Take note of what a solver wants, before the user is asked."""
    if Process.running is not None:
        _name_packages(Process.running, list(linked))
        _warn(Process.running, list(linked))
        if Process.running.records is not None:
            _note_solution(Process.running, list(unlinked))


def after_command(command: str) -> None:
    """Say what was linked and unlinked."""
    running = Process.running
    try:
        if running is not None and running.command == command and _is_wanted():
            _say_summary(running)
    finally:
        end_command()


@never_fails
def end_command() -> None:
    """Forget the command, and give its lease back."""
    running, Process.running = Process.running, None
    if running is not None and running.lease is not None:
        running.lease.release()


@never_fails
def _take_lease(running: RunningCommand) -> None:
    from ..metadata.leases import HeldLease, lease_folder

    try:
        running.lease = HeldLease(lease_folder(), running.command)
    except (OSError, ImportError):  # a home that cannot be written: then `clean` has the grace
        return
    atexit.register(running.lease.release)


@never_fails
def _prepare(running: RunningCommand) -> None:
    """Do what has to be done before, where conda does not tell of transactions."""
    from conda.base.context import context

    if not tells_of_transactions():
        note_records(running)
        whole = running.command == "env_remove" or context._argparse_args.get("all")  # noqa: SLF001
        if running.command in _REMOVING and whole:
            _note_removal(running, context.target_prefix)
    if context._argparse_args.get("clone"):  # noqa: SLF001  # no solver is asked then
        _warn(running, [])


@never_fails
def _note_removal(running: RunningCommand, prefix: str) -> None:
    """Measure an environment that is to go."""
    from conda.core.prefix_data import PrefixData

    if os.path.isdir(os.path.join(prefix, "conda-meta")):
        names = [record.name for record in PrefixData(prefix).iter_records()]
        transaction = Transaction(prefix, is_new=False, unlinked=tuple(names))
        note_before_unlinking(transaction)
        running.transactions.append(transaction)


@never_fails
def _note_solution(running: RunningCommand, unlinked: list[Any]) -> None:
    """Measure what a solver wants to unlink."""
    from conda.base.context import context

    wanted = {f"{dist_of_record(record)}.json" for record in unlinked}
    having = [prefix for prefix, there in (running.records or {}).items() if wanted <= there]
    if wanted and having:  # where the environment is named in a file, conda does not say which
        target = context.target_prefix if context.target_prefix in having else having[0]
        names = tuple(record.name for record in unlinked)
        transaction = Transaction(target, is_new=False, unlinked=names)
        if len(having) == 1 or target == context.target_prefix:
            note_before_unlinking(transaction)
        running.transactions = [transaction]


@never_fails
def _name_packages(running: RunningCommand, linked: list[Any]) -> None:
    if running.lease is not None:
        running.lease.name(map(dist_of_record, linked))


@never_fails
def _warn(running: RunningCommand, linked: list[Any]) -> None:
    """Say once what the user should know before the transaction."""
    from ..render.transaction_summary import warning_line, write_lines
    from .preflight import preflight_warning

    if running.warned or not _is_wanted():
        return
    sentence = preflight_warning(running.command, linked)
    if sentence:
        running.warned = True
        write_lines([warning_line(sentence)], sys.stderr)


@never_fails
def _say_summary(running: RunningCommand) -> None:
    from conda.base.context import context

    from ..render.transaction_summary import summary_lines, write_lines
    from .summary import summarize

    summary = summarize(running, context.pkgs_dirs)
    if summary is not None:
        write_lines(summary_lines(summary), sys.stderr)


def _is_wanted() -> bool:
    """Tell whether the user wants to be told anything."""
    from conda.base.context import context

    from ..settings import summary_is_on

    silent = context.json or context.quiet or context.dry_run or context.download_only
    return not silent and summary_is_on()


def tells_of_transactions() -> bool:
    """Tell whether conda has hooks around a transaction: since 25.5."""
    from conda.plugins.hookspec import CondaSpecs

    return hasattr(CondaSpecs, "conda_pre_transaction_actions")


def transaction_action() -> type[Any]:
    """Return the class of which conda makes an instance for each environment it changes."""
    from conda.core.path_actions import Action

    class NotingAction(Action):  # type: ignore[misc]  # conda's class at run time
        """Notes what is linked and unlinked; it changes nothing."""

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
            """Take what conda is about to do."""
            super().__init__(transaction_context, target_prefix, unlink_precs, link_precs, *rest)
            linked, unlinked = list(link_precs or ()), list(unlink_precs or ())
            self.noted = note_transaction(
                target_prefix,
                [record.name for record in linked],
                [record.name for record in unlinked],
            )
            if Process.running is None:  # of a command that is none of those we are told of
                Process.running = RunningCommand("transaction")
                _take_lease(Process.running)
            _name_packages(Process.running, linked)

        def verify(self) -> None:
            """Have no objection."""

        @never_fails
        def execute(self) -> None:
            """Measure what is about to be unlinked."""
            note_before_unlinking(self.noted)

        def reverse(self) -> None:
            """Have nothing to undo."""

        @never_fails
        def cleanup(self) -> None:
            """Note that it happened."""
            self.noted.happened = True

    return NotingAction
