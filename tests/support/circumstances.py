"""What keeps packages besides their users, in one object: a policy and observations."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conda_hardlink_plugin.analysis.analysis import Analysis
from conda_hardlink_plugin.analysis.retention import Observations, RetentionPolicy
from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.filesystem.mounts import Mount, MountTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conda_hardlink_plugin.filesystem.problems import PathProblem
    from conda_hardlink_plugin.metadata.leases import Lease
    from conda_hardlink_plugin.scan.inventory import Inventory

GRACE_NS = RetentionPolicy().grace_ns


@dataclass(frozen=True)
class Circumstances:
    """A policy and observations.

    Attributes:
        mounted: Mount points.
        unseen: Environments that are unreadable.
    """

    now_ns: int
    grace_ns: int = GRACE_NS
    older_than_ns: int | None = None
    ignored: tuple[str, ...] = ()
    leases: tuple[Lease, ...] = ()
    mounted: tuple[str, ...] = ()
    unseen: tuple[PathProblem, ...] = ()
    unreachable_caches: tuple[PathProblem, ...] = ()
    unsearched: tuple[PathProblem, ...] = ()
    stale: tuple[str, ...] = ()
    filesystems: Mapping[str, str] = field(default_factory=dict)

    @property
    def policy(self) -> RetentionPolicy:
        """The user's settings for keeping packages."""
        return RetentionPolicy(
            grace=self.grace_ns,
            older_than=self.older_than_ns,
            ignored_environments=self.ignored,
        )

    @property
    def observations(self) -> Observations:
        """What is known of the machine besides the scanned trees."""
        points = {**dict.fromkeys(self.mounted, "ext4"), **self.filesystems}
        return Observations(
            now_ns=self.now_ns,
            leases=self.leases,
            mounts=MountTable(tuple(Mount(*item) for item in points.items()), known=True),
            unreachable=self.unseen,
            unreachable_caches=self.unreachable_caches,
            unsearched=self.unsearched,
            stale=self.stale,
        )


LATER = Circumstances(now_ns=2**62)  # nothing that a test makes is recent by then


def analysis_of(
    inventory: Inventory,
    names: Mapping[str, str],
    circumstances: Circumstances = LATER,
    measure: Measure = Measure.DISK,
) -> Analysis:
    """Analyze an inventory."""
    return Analysis(inventory, names, measure, circumstances.policy, circumstances.observations)


def filesystems_of(inventory: Inventory, filesystems: Sequence[str]) -> dict[str, str]:
    """Return where the filesystems of an inventory's roots are mounted, one for each root."""
    paths = [os.path.realpath(root.path) for root in inventory.roots]
    return {path: name for path, name in zip(paths, filesystems, strict=False) if name}
