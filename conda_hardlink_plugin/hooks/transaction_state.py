"""What the command in this process links and unlinks, kept in memory only.

Since 25.5 conda reports it (`conda_pre_transaction_actions`). With older condas, the records of the
environments are listed before and after, and packages are measured when the solver unlinks them.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from ..analysis.transaction_figures import (
    Budget,
    InstalledPackage,
    OverBudgetError,
    measure_unlinked,
)
from ..filesystem import fs
from ..filesystem.problems import PathProblem
from ..metadata.conda_meta import (
    HARD_LINK_REQUESTED,
    SOFT_LINK_REQUESTED,
    FileRole,
    files_of_paths,
    list_records,
    role_of_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..analysis.transaction_figures import UnlinkFigures
    from ..metadata.leases import HeldLease

UNLINK_BUDGET_S = 0.15


@dataclass(slots=True)
class Transaction:
    """What is linked and unlinked in one environment.

    Attributes:
        prefix: Of the environment.
        is_new: Nothing was there before.
        linked: Names of the packages that are linked.
        unlinked: Names of the packages that are unlinked.
        before: What the unlinked packages held; `None` if not measured.
        happened: conda has done it.

    """

    prefix: str
    is_new: bool
    linked: tuple[str, ...] = ()
    unlinked: tuple[str, ...] = ()
    before: UnlinkFigures | None = None
    happened: bool = False


@dataclass(slots=True)
class RunningCommand:
    """A command of conda that is running.

    Attributes:
        command: Its name, as conda has it.
        began_s: When it began, by `time.monotonic`.
        began_ns: When it began, in nanoseconds since the epoch.
        lease: Keeps `conda hardlinks clean` from removing what it may link.
        records: Where conda has no transaction hooks, the names of the records that each
            environment had.
        transactions: What it links and unlinks.
        warned: A warning was printed.

    """

    command: str
    began_s: float = field(default_factory=time.monotonic)
    began_ns: int = field(default_factory=time.time_ns)
    lease: HeldLease | None = None
    records: Mapping[str, frozenset[str]] | None = None
    transactions: list[Transaction] = field(default_factory=list)
    warned: bool = False


class Process:
    """The command that runs in this process; conda runs one at a time."""

    running: RunningCommand | None = None


def record_transaction(prefix: str, linked: Iterable[str], unlinked: Iterable[str]) -> Transaction:
    """Record what conda is about to do in an environment, by names of packages."""
    is_new = _is_empty(prefix) and (
        Process.running is None or Process.running.command != "rename"  # it only moves bytes
    )
    transaction = Transaction(prefix, is_new, tuple(linked), tuple(unlinked))
    if Process.running is not None:
        Process.running.transactions.append(transaction)
    return transaction


def measure_before_unlinking(transaction: Transaction) -> None:
    """Measure what is about to be unlinked, unless that takes too long."""
    if not transaction.unlinked or transaction.before is not None:
        return
    packages = installed_packages(transaction.prefix, transaction.unlinked)
    everything = not transaction.linked and len(packages) >= _count_records(transaction.prefix)
    try:
        transaction.before = measure_unlinked(
            transaction.prefix, packages, Budget(UNLINK_BUDGET_S), everything=everything
        )
    except OverBudgetError:
        return


def list_all_records(running: RunningCommand) -> None:
    """List the records of all environments that conda knows by name, and of the target."""
    running.records = {
        prefix: _records_of(prefix) for prefix in _prefixes() if not _is_empty(prefix)
    }


def compare_records(running: RunningCommand) -> None:
    """Turn the differences from what `list_all_records` found into transactions."""
    if running.records is None:
        return
    measured = {transaction.prefix: transaction.before for transaction in running.transactions}
    running.transactions = []
    for prefix in _loaded_prefixes():
        before, after = running.records.get(prefix, frozenset()), _records_of(prefix)
        again = [name for name in before & after if _is_newer(prefix, name, running.began_ns)]
        linked, unlinked = [*(after - before), *again], [*(before - after), *again]
        if running.command == "rename":  # it only moves what it removes
            unlinked = []
        if linked or unlinked:
            transaction = Transaction(
                prefix,
                is_new=prefix not in running.records and running.command != "rename",
                linked=tuple(sorted(map(_name_of, linked))),
                unlinked=tuple(sorted(map(_name_of, unlinked))),
                before=measured.get(prefix),
                happened=True,
            )
            running.transactions.append(transaction)


def installed_packages(prefix: str, names: Iterable[str]) -> list[InstalledPackage]:
    """Return packages of an environment, as conda has their records in memory."""
    from conda.core.prefix_data import PrefixData

    data = PrefixData(prefix)
    found = []
    for name in names:
        record = data.get(name, None)
        if record is not None:
            link = getattr(record, "link", None)
            found.append(
                InstalledPackage(
                    dist=dist_of_record(record),
                    files=record.files,
                    role_of=_roles_of(record),
                    hard_link_requested=link is not None and link.type.value == HARD_LINK_REQUESTED,
                    soft_link_requested=link is not None and link.type.value == SOFT_LINK_REQUESTED,
                    extracted=getattr(record, "extracted_package_dir", None) or "",
                )
            )
    return found


def dist_of_record(record: Any) -> str:
    """Return the `NAME-VERSION-BUILD` of a record of conda: of the folder and of the record."""
    name: str = record.fn
    return name.removesuffix(".conda").removesuffix(".tar.bz2")


def _roles_of(record: Any) -> Callable[[int], FileRole]:
    """Return what tells the role of a file by its index in the record."""

    @cache  # it is rarely asked for
    def path_of_file() -> dict[int | None, Any]:
        paths = record.paths_data.paths if record.paths_data else ()
        indexes = files_of_paths(record.files, [path._path for path in paths])  # noqa: SLF001
        return dict(zip(indexes, paths, strict=True))

    def role_of(index: int) -> FileRole:
        path = path_of_file().get(index)
        return FileRole.LINKABLE if path is None else role_of_path(path.dump())

    return role_of


def _prefixes() -> list[str]:
    """Return the target of the command and every environment that has a name."""
    from conda.base.context import context

    found = {context.target_prefix: None}
    for folder in context.envs_dirs:
        with suppress(OSError):
            found |= dict.fromkeys(os.path.join(folder, name) for name in os.listdir(folder))
    return list(found)


def _loaded_prefixes() -> list[str]:
    """Return the environments of which this process has read or written records.

    Others may be changed by another conda meanwhile. conda before 25.5 keeps them in `_cache_`.
    """
    from conda.core.prefix_data import PrefixData

    return sorted({os.fspath(data.prefix_path) for data in PrefixData._cache_.values()})


def _is_empty(prefix: str) -> bool:
    """Tell whether nothing but what conda has just made is in a folder, or no folder is there."""
    try:
        return set(os.listdir(prefix)) <= {"conda-meta"} and not os.path.lexists(
            os.path.join(prefix, "conda-meta", "history")
        )
    except OSError:
        return True


def _records_of(prefix: str) -> frozenset[str]:
    names = list_records(prefix)
    return frozenset() if isinstance(names, PathProblem) else names


def _is_newer(prefix: str, name: str, than_ns: int) -> bool:
    try:
        return fs.status(os.path.join(prefix, "conda-meta", name)).mtime_ns >= than_ns
    except OSError:
        return False


def _name_of(record_name: str) -> str:
    """Return the name of a package by the name of its record's file."""
    return record_name.rsplit("-", 2)[0]


def _count_records(prefix: str) -> int:
    return len(_records_of(prefix))
