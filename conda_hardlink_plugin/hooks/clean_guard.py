"""The guard of `conda clean`: it may remove packages that environments reach by symbolic links."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from conda.base.context import context

from ..formatting import join_names
from ..render.transaction_summary import warning_line, write_lines
from ..settings import Guard, guard

if TYPE_CHECKING:
    from ..filesystem.problems import PathProblem
    from ..scan.inventory import Inventory

_MAX_S = 10.0
_NAMES = 3


class _TooLongError(Exception):
    """Searching the environments takes too long."""


def refusal_of_clean() -> str:
    """Warn of environments that a `conda clean` would break.

    Returns:
        Why it must stop, where the setting `hardlinks_guard` is `block`; else `""`.

    """
    wanted = guard()
    if wanted is Guard.OFF or not _removes_packages():
        return ""
    try:
        sentence = _danger(wanted)
    except Exception as error:
        if wanted is not Guard.BLOCK:
            raise
        sentence = f"Which environments may break is unknown ({type(error).__name__}: {error})."
    if sentence and wanted is Guard.BLOCK:
        return f"{sentence} Nothing was removed: the setting hardlinks_guard is `block`."
    if sentence:
        write_lines([warning_line(sentence)], sys.stderr)
    return ""


def _removes_packages() -> bool:
    """Tell whether this `conda clean` removes extracted packages."""
    asked = context._argparse_args  # noqa: SLF001  # conda has no property for them
    options = ("packages", "all", "force_pkgs_dirs")
    return not context.dry_run and any(asked.get(option) is True for option in options)


def _danger(wanted: Guard) -> str:
    """Return a sentence that names the environments that may break, `""` if none may."""
    try:
        found = _softlinked(None if wanted is Guard.BLOCK else time.monotonic() + _MAX_S)
    except _TooLongError:
        return (
            "whether symbolic links lead into packages that will be removed is unknown after"
            f" {_MAX_S:.0f} seconds: `conda hardlinks clean` checks every environment."
        )
    if isinstance(found, str):
        return found
    if not found:
        return ""
    packages = sorted({package for packages in found.values() for package in packages})
    return (
        f"{join_names(sorted(found), _NAMES)} may break: symbolic links there lead into"
        f" {join_names(packages, _NAMES)} in the cache. `conda hardlinks clean`"
        " removes only what no environment uses."
    )


def _softlinked(deadline_s: float | None) -> dict[str, set[str]] | str:
    """Return for each environment the packages without hard links that its symbolic links reach.

    Where none is found but an environment, or a part of one, cannot be read, return a sentence
    about that.
    """
    from ..analysis.symlinks import follow_symlinks
    from ..analysis.verdicts import unreadable_parts_of_environments
    from ..discovery.finder import find_installation
    from ..scan.inventory import Root, RootKind, UnitKind
    from ..scan.scanner import scan

    def on_progress(_: int) -> None:
        if deadline_s is not None and time.monotonic() > deadline_s:
            raise _TooLongError

    installation = find_installation()
    for problem in (*installation.unreachable, *installation.unsearched):
        return _unseen(problem)
    names = {item.prefix: item.name for item in installation.environments}
    inventory = scan(
        [
            *(Root(RootKind.CACHE, path) for path in installation.caches),
            *(Root(RootKind.ENVIRONMENT, prefix) for prefix in names),
        ],
        on_progress=on_progress,
    )
    keeps = _linked_units(inventory)
    found: dict[str, set[str]] = {}
    followed = follow_symlinks(inventory)
    for root, symlinks in followed.items():
        for unit in symlinks.links.keys() - keeps:
            place = inventory.units[unit]
            cleaned = os.access(
                inventory.roots[place.root].path, os.W_OK
            )  # conda leaves others alone
            if place.kind is UnitKind.PACKAGE and cleaned:
                name = names.get(inventory.roots[root].path, inventory.roots[root].path)
                found.setdefault(name, set()).add(os.path.basename(place.path))
    for problem in () if found else unreadable_parts_of_environments(inventory, followed):
        return _unseen(problem)
    return found


def _unseen(problem: PathProblem) -> str:
    return (
        f"{problem.path} cannot be read ({problem.reason}): symbolic links of environments there"
        " may lead into packages that will be removed. `conda hardlinks clean` has --ignore-env."
    )


def _linked_units(inventory: Inventory) -> set[int]:
    """Return the units that conda itself keeps, because a file in them has several links."""
    asked = context._argparse_args  # noqa: SLF001  # conda has no property for them
    if asked.get("force_pkgs_dirs") is True:
        return set()
    return set().union(*(group.cache_units for group in inventory.groups))
