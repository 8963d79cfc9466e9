"""Inventory and records to evidence: which environments use each extracted package, and how."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from .inventory import RootKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .inventory import Inventory
    from .softlinks import SoftlinksOfEnvironment
    from .usage import Usage


_ORIGIN = re.compile(r"-[0-9a-f]{64}$")


class Use(Enum):
    """How an environment uses an extracted package, the strongest evidence first."""

    HARDLINK = "hardlink"
    SOFTLINK = "softlink"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class PackageUse:
    """Who uses an extracted package.

    Attributes:
        unit: Index into `Inventory.units`.
        environments: Each environment (root index) that uses it, and how: it holds a link to an
            inode of the package, a symbolic link into it, or at least a record of that name.
        outside: An inode of the package has a link that the scan did not see.

    """

    unit: int
    environments: Mapping[int, Use]
    outside: bool

    @property
    def unused(self) -> bool:
        """Nobody is known to use it."""
        return not self.environments and not self.outside


def find_package_uses(
    inventory: Inventory, usage: Usage, softlinks: Mapping[int, SoftlinksOfEnvironment]
) -> dict[int, PackageUse]:
    """Find the users of every extracted package.

    A record counts by the name of its file alone: `NAME-VERSION-BUILD.json` is of the packages in
    directories of that name, in whichever cache they are; but where the environment has links into
    one of them, it is of that one.

    Args:
        inventory: What the scan found.
        usage: Its arithmetic.
        softlinks: What `softlinks.follow_softlinks` found.

    Returns:
        For each unit that is a package, its users.

    """
    packages = {
        index for index, unit in enumerate(inventory.units) if unit.kind is UnitKind.PACKAGE
    }
    users: dict[int, dict[int, Use]] = {index: {} for index in packages}
    weakest_first = [
        (Use.RECORD, _recorded(inventory, packages)),
        (Use.SOFTLINK, {root: set(found.links) for root, found in softlinks.items()}),
        (Use.HARDLINK, _hardlinked(inventory, usage)),
    ]
    for use, found in weakest_first:
        for root, units in found.items():
            for index in units & packages:
                users[index][root] = use
    _drop_records_of_linked(inventory, users)
    outside = usage.cache_units_linked_from_outside
    return {index: PackageUse(index, used, index in outside) for index, used in users.items()}


def dist_of(package_path: str) -> str:
    """Return the `NAME-VERSION-BUILD` of an extracted package by the name of its directory.

    rattler may add the sha256 of the package's origin to it (rattler_cache, `cache_key.rs`).
    """
    return _ORIGIN.sub("", os.path.basename(package_path))


def _drop_records_of_linked(inventory: Inventory, users: dict[int, dict[int, Use]]) -> None:
    """Take a record as evidence only where no package of its name is linked."""
    linked = {
        (root, dist_of(inventory.units[index].path))
        for index, used in users.items()
        for root, use in used.items()
        if use is not Use.RECORD
    }
    for index, used in users.items():
        dist = dist_of(inventory.units[index].path)
        for root in [root for root, use in used.items() if use is Use.RECORD]:
            if (root, dist) in linked:
                del used[root]


def _recorded(inventory: Inventory, packages: set[int]) -> dict[int, set[int]]:
    """Return the packages that each environment's records name."""
    by_name: dict[str, set[int]] = {}
    for index in packages:
        by_name.setdefault(dist_of(inventory.units[index].path), set()).add(index)
    return {
        root: set().union(*(by_name.get(name.removesuffix(".json"), ()) for name in names))
        for root, names in inventory.records.items()
    }


def _hardlinked(inventory: Inventory, usage: Usage) -> dict[int, set[int]]:
    """Return the cache units that each environment shares an inode with."""
    return {
        root: usage.cache_units_linked_from[root]
        for root, place in enumerate(inventory.roots)
        if place.kind is RootKind.ENVIRONMENT
    }


def packages_only_used_by(roots: frozenset[int], uses: Mapping[int, PackageUse]) -> set[int]:
    """Return the packages that some of these environments use and nobody else does."""
    return {
        index
        for index, use in uses.items()
        if use.environments and not use.outside and use.environments.keys() <= roots
    }


def packages_by_only_user(uses: Mapping[int, PackageUse]) -> dict[int, set[int]]:
    """Return for each environment the packages that it uses and nobody else does."""
    packages: dict[int, set[int]] = {}
    for index, use in uses.items():
        if len(use.environments) == 1 and not use.outside:
            (root,) = use.environments
            packages.setdefault(root, set()).add(index)
    return packages
