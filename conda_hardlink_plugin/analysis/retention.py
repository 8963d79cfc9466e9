"""What keeps packages besides their users: what the user sets, and what was observed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..filesystem.mounts import MountTable
from ..filesystem.paths import is_within
from ..formatting import parse_duration

if TYPE_CHECKING:
    from ..filesystem.problems import PathProblem
    from ..metadata.leases import Lease

DEFAULT_GRACE = "15m"


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What the user sets about keeping packages.

    Attributes:
        grace: How long a package is kept after it was extracted or about to be linked: a duration
            such as `15m`, or nanoseconds.
        older_than: Only packages and archives unused for at least that long are removed; `None` for
            all.
        honors_leases: A package that a running conda may be about to link is kept.
        ignored_environments: Paths of environments that are gone for good, as the user says: what
            cannot be read of them keeps nothing.

    Raises:
        ValueError: A duration is not one.

    """

    grace: str | int = DEFAULT_GRACE
    older_than: str | int | None = None
    honors_leases: bool = True
    ignored_environments: tuple[str, ...] = ()
    grace_ns: int = field(init=False, repr=False)
    older_than_ns: int | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Parse the durations."""
        older_than_ns = None if self.older_than is None else _in_ns(self.older_than)
        object.__setattr__(self, "grace_ns", _in_ns(self.grace))
        object.__setattr__(self, "older_than_ns", older_than_ns)

    def ignores(self, path: str) -> bool:
        """Tell whether a path lies in an environment that is gone for good."""
        return any(is_within(path, ignored) for ignored in self.ignored_environments)


def _in_ns(duration: str | int) -> int:
    return duration if isinstance(duration, int) else parse_duration(duration)


@dataclass(frozen=True, slots=True)
class Observations:
    """What was seen of the machine beside the trees themselves.

    Attributes:
        now_ns: The time, in nanoseconds since the epoch.
        leases: What conda processes that run now may be about to link.
        mounts: What is mounted where.
        unreachable: Environments, or lists of them, that cannot be looked at.
        unreachable_caches: Package caches that cannot be looked at.
        unsearched: Folders that cannot be searched for environments.
        stale: Listed prefixes that were deleted.

    """

    now_ns: int
    leases: tuple[Lease, ...] = ()
    mounts: MountTable = field(default_factory=lambda: MountTable((), known=False))
    unreachable: tuple[PathProblem, ...] = ()
    unreachable_caches: tuple[PathProblem, ...] = ()
    unsearched: tuple[PathProblem, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def unseen(self) -> tuple[PathProblem, ...]:
        """What might use any package and cannot be looked at."""
        return (*self.unreachable, *self.unsearched)
