"""What is to be removed, as the executor takes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from ..analysis.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..metadata.conda_meta import CachedPackage


class Action(Enum):
    """What happens to what is removed.

    Attributes:
        MOVE: Moved to the quarantine, checked there, and removed.
        UNLINK: A single file, removed where it is.
        FINISH: Given up by an earlier run; what is left of it is removed.

    """

    MOVE = "move"
    UNLINK = "unlink"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that is to be removed.

    Attributes:
        action: How.
        name: `NAME-VERSION-BUILD` of a package, else the name of the file or folder.
        path: Absolute path; of a package that was moved aside before, where it belongs.
        cache: Absolute path of its cache.
        size_bytes: Unique usage of it alone.
        verdict: What the evidence says; of what is no package, `UNUSED`.
        package: What a package said of itself.
        partners: Absolute paths of what in a cache holds links to some inode of it, too: packages,
            and whole caches where it is something else.
        recorded_by: Prefixes of the environments that record it.

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


class RemovalPlan(Protocol):
    """What the executor needs to know of a plan."""

    @property
    def remove(self) -> Sequence[Removal]:
        """What is removed, in this order."""

    @property
    def trial_links(self) -> Sequence[str]:
        """Absolute paths of conda's trial links in environments that are removed."""

    @property
    def caches_to_heal(self) -> Sequence[str]:
        """Absolute paths of the caches where an interrupted run left something."""

    @property
    def cache_identities(self) -> Mapping[str, tuple[int, int]]:
        """Absolute path of each cache to its device and inode."""
