"""The guard of `conda clean`: it may remove packages that environments reach by symbolic links."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from conda.base.context import context

from ..exceptions import HardlinksError
from ..formatting import and_others, join_names
from ..render.transaction_summary import warning_line, write_lines
from ..settings import Guard, guard
from ..settings import search as searched_folders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..discovery.installation import FoundInstallation
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
    if context.dry_run:  # it removes nothing: a careful user looks there first
        wanted = Guard.WARN
    try:
        searched_folders()
    except HardlinksError as error:
        return f"{error} Until then, environments may break unseen. Nothing was removed."
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
    return any(asked.get(option) is True for option in options)


def _danger(wanted: Guard) -> str:
    """Return sentences that name the environments that may break, `""` if none may."""
    from ..discovery.finder import find_installation

    installation = find_installation()
    unseen = [*installation.unreachable, *installation.unsearched]
    deadline_s = None if wanted is Guard.BLOCK else time.monotonic() + _MAX_S
    sentences = []
    try:
        found, unread = _softlinked(installation, deadline_s)
    except _TooLongError:
        sentences.append(
            "whether symbolic links lead into packages that will be removed is unknown after"
            f" {_MAX_S:.0f} seconds: `conda hardlinks clean` checks every environment."
        )
    else:
        unseen += unread
        if found:
            sentences.append(_breaking(found))
    if unseen:
        sentences.append(_unseen(unseen))
    return " ".join(sentences)


def _breaking(found: Mapping[str, set[str]]) -> str:
    packages = sorted({package for packages in found.values() for package in packages})
    return (
        f"{join_names(sorted(found), _NAMES)} may break: symbolic links there lead into"
        f" {join_names(packages, _NAMES)} in the cache. `conda hardlinks clean`"
        " removes only what no environment uses."
    )


def _unseen(problems: Sequence[PathProblem]) -> str:
    others = and_others(len(problems) - 1, "path")
    return (
        f"{problems[0].path} cannot be read ({problems[0].reason}){others}: symbolic links of"
        " environments there may lead into packages that will be removed. `conda hardlinks clean`"
        " has --ignore-env."
    )


def _softlinked(
    installation: FoundInstallation, deadline_s: float | None
) -> tuple[dict[str, set[str]], list[PathProblem]]:
    """Find the packages without hard links that symbolic links of environments reach.

    Returns:
        The packages of each environment, and the parts of environments that cannot be read.

    Raises:
        _TooLongError: The deadline passed.

    """
    from ..analysis.symlinks import follow_symlinks
    from ..analysis.verdicts import unreadable_parts_of_environments
    from ..scan.inventory import Root, RootKind, UnitKind
    from ..scan.scanner import scan

    def on_progress(_: int) -> None:
        if deadline_s is not None and time.monotonic() > deadline_s:
            raise _TooLongError

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
    return found, unreadable_parts_of_environments(inventory, followed)


def _linked_units(inventory: Inventory) -> set[int]:
    """Return the units that conda itself keeps, because a file in them has several links."""
    asked = context._argparse_args  # noqa: SLF001  # conda has no property for them
    if asked.get("force_pkgs_dirs") is True:
        return set()
    return set().union(*(group.cache_units for group in inventory.groups))
