"""The analysis that reports, plans, and explanations are computed from."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from ..filesystem.paths import is_within
from ..scan.inventory import Inventory, ProblemKind, RootKind
from .symlinks import follow_symlinks
from .usage import Measure, Usage
from .verdicts import PackageUser, Verdicts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .retention import Observations, RetentionPolicy

_UNOPENED = -1  # the device of a root that could not be opened


class Analysis:
    """The scan, the policy, and the results that every part of a report uses.

    Attributes:
        inventory: The result of the scan.
        policy: The user's settings for keeping packages.
        observations: Facts about the machine outside the scanned trees.
        incomplete_roots: Indexes of the roots that are partly unreadable.
        names: Prefix to the name of the environment.
        usage: The arithmetic over the inventory.
        symlinks: For each environment (root index), its symbolic links into caches.
        verdicts: The verdict on each extracted package.
        roots_of_environments: Indexes of the roots that are environments.
        packages: The units that are extracted packages, by path.
        with_clean: For each environment, the bytes freed by removing it and its own packages.

    """

    def __init__(
        self,
        inventory: Inventory,
        names: Mapping[str, str],
        measure: Measure,
        policy: RetentionPolicy,
        observations: Observations,
    ) -> None:
        """Do the arithmetic that several parts need."""
        self.inventory = inventory
        self.policy = policy
        self.observations = observations
        self.incomplete_roots = {
            problem.root for problem in inventory.problems if problem.kind is ProblemKind.UNREADABLE
        }
        self.names = names
        self.usage = Usage(inventory, measure)
        self.symlinks = follow_symlinks(inventory)
        self.verdicts = Verdicts(inventory, self.usage, self.symlinks, policy, observations)
        self.roots_of_environments = [
            index for index, root in enumerate(inventory.roots) if root.kind is RootKind.ENVIRONMENT
        ]
        units = inventory.units
        self.packages = sorted(
            self.verdicts.uses, key=lambda unit: (units[unit].home, units[unit].path)
        )
        only_user = self.verdicts.packages_by_only_user()
        self.with_clean = self.usage.exclusive_with_packages(
            {root: only_user.get(root, set()) for root in self.roots_of_environments}
        )

    def name_of(self, prefix: str) -> str:
        """Return the name of an environment; its path if it has no name."""
        return self.names.get(prefix, prefix)

    def users_of(self, unit: int) -> tuple[PackageUser, ...]:
        """Return the environments that use a package, and how; none for any other unit."""
        package_use = self.verdicts.uses.get(unit)
        if package_use is None:
            return ()
        roots = self.inventory.roots
        return tuple(
            PackageUser(self.name_of(roots[root].path), roots[root].path, use.value)
            for root, use in sorted(package_use.environments.items())
        )

    @cached_property
    def filesystems(self) -> list[str]:
        """The filesystem type of each root, `""` if unknown."""
        mounts = self.observations.mounts
        return [mounts.filesystem(os.path.realpath(root.path)) for root in self.inventory.roots]


def roots_inside(inventory: Inventory, outer: Collection[int]) -> frozenset[int]:
    """Return the roots that lie inside some outer roots and are not outer roots themselves."""
    paths = [os.path.realpath(root.path) for root in inventory.roots]
    return frozenset(
        root
        for root, path in enumerate(paths)
        if root not in outer and any(is_within(path, paths[other]) for other in outer)
    )


def is_on_other_filesystem(inventory: Inventory, root: int) -> bool:
    """Return whether an environment's filesystem is known and no package cache is on it."""
    device, known = inventory.root_devices[root], False
    for cache in inventory.caches():
        if inventory.root_devices[cache] == device:
            return False
        known = known or inventory.root_devices[cache] != _UNOPENED
    return known and device != _UNOPENED
