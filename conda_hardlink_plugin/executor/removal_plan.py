"""The part of a plan that the executor executes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..analysis.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..filesystem.protocol import Identity
    from ..metadata.cached_package import CachedPackage


class Action(Enum):
    """How something is removed.

    Attributes:
        MOVE: Move it to the quarantine, check it there, then remove it.
        UNLINK: Remove a single file in its place.
        FINISH: Complete the removal that an earlier run began.

    """

    MOVE = "move"
    UNLINK = "unlink"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Removal:
    """A package, archive or left-over to remove.

    Attributes:
        action: How to remove it.
        name: `NAME-VERSION-BUILD` of a package; otherwise the name of the file or folder.
        path: Absolute path; for a package that was moved aside before, the path it came from.
        cache: Absolute path of its cache.
        size_bytes: Its own unique usage.
        verdict: The verdict on the package; `UNUSED` if it is not a package.
        package: The package's own metadata; `None` if it is not a package.
        partners: Absolute paths in caches that share inodes with it: packages, and the whole cache
            where the other link is not in a package.
        recorded_by: Prefixes of the environments that have a record of it.

    """

    action: Action
    name: str
    path: str
    cache: str
    size_bytes: int
    verdict: Verdict = Verdict.UNUSED
    package: CachedPackage | None = None
    partners: tuple[str, ...] = ()
    recorded_by: frozenset[str] = frozenset()

    @property
    def relative(self) -> str:
        """The path, relative to the cache."""
        return self.path[len(self.cache) + 1 :]


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """What to remove, and where an interrupted run left something.

    Attributes:
        remove: The removals, in this order.
        trial_links: Absolute paths of conda's trial links in environments, to remove.
        caches_to_heal: Absolute paths of the caches where an interrupted run left something.
        cache_identities: Absolute path of each cache to its device and inode.

    """

    remove: tuple[Removal, ...]
    trial_links: tuple[str, ...]
    caches_to_heal: tuple[str, ...]
    cache_identities: Mapping[str, Identity]
