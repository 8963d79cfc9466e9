"""What a report, a plan and an explanation are computed from."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from ..scan.inventory import ProblemKind, RootKind
from .verdicts import PackageUser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..scan.inventory import Inventory
    from .retention import Observations, RetentionPolicy
    from .usage import Usage
    from .verdicts import Evidence

from typing import TYPE_CHECKING

from ..filesystem.paths import is_within
from .symlinks import follow_symlinks
from .usage import Measure, Usage
from .verdicts import Evidence

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..scan.inventory import Inventory


class Analysis:
    """What every part of a report is computed from.

    Attributes:
        inventory: What the scan found.
        policy: What the user sets about keeping packages.
        observations: What was seen beside the trees.
        incomplete_roots: Indexes of the roots in which something could not be read.
        names: Prefix to the name of the environment.
        usage: Its arithmetic.
        softlinks: For each environment, where its symbolic links into caches lead.
        evidence: The verdict on each extracted package.
        roots_of_environments: Indexes of the roots that are environments.
        packages: The units that are extracted packages, by path.
        with_clean: For each environment, what removing it and its own packages frees.

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
        self.softlinks = follow_symlinks(inventory)
        self.evidence = Evidence(inventory, self.usage, self.softlinks, policy, observations)
        self.roots_of_environments = [
            index for index, root in enumerate(inventory.roots) if root.kind is RootKind.ENVIRONMENT
        ]
        self.packages = sorted(self.evidence.uses, key=lambda unit: inventory.units[unit].path)
        only_user = self.evidence.by_only_user()
        self.with_clean = self.usage.exclusive_with_packages(
            {root: only_user.get(root, set()) for root in self.roots_of_environments}
        )

    def name_of(self, prefix: str) -> str:
        """Return the name of an environment; its path where it has none."""
        return self.names.get(prefix, prefix)

    def users_of(self, unit: int) -> tuple[PackageUser, ...]:
        """Return the environments that use a package, and how."""
        uses = self.evidence.uses.get(unit)
        environments = {} if uses is None else uses.environments
        return tuple(
            PackageUser(self.name_of(path), path, environments[root].value)
            for root in sorted(environments)
            for path in [self.inventory.roots[root].path]
        )

    @cached_property
    def filesystems(self) -> list[str]:
        """The filesystem type of each root, `""` where unknown."""
        mounts = self.observations.mounts
        return [mounts.filesystem(os.path.realpath(root.path)) for root in self.inventory.roots]


def roots_inside(inventory: Inventory, outer: Collection[int]) -> frozenset[int]:
    """Return the roots that lie inside some roots, and are not among them."""
    paths = [os.path.realpath(root.path) for root in inventory.roots]
    return frozenset(
        root
        for root, path in enumerate(paths)
        if root not in outer and any(is_within(path, paths[other]) for other in outer)
    )


_UNOPENED = -1  # a root's device when it could not be opened


def is_on_other_filesystem(inventory: Inventory, root: int) -> bool:
    """Tell whether no package cache is on the environment's filesystem, so far as is known."""
    caches = {
        device
        for device, place in zip(inventory.root_devices, inventory.roots, strict=True)
        if place.kind is RootKind.CACHE
    } - {_UNOPENED}
    device = inventory.root_devices[root]
    return device != _UNOPENED and bool(caches) and device not in caches
