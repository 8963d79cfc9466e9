"""The policy and the observations that keep packages besides their users."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..filesystem.mounts import MountTable
from ..filesystem.paths import expand, is_within
from ..formatting import natural_number, one_or_more, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..filesystem.problems import PathProblem
    from ..formatting import Text
    from ..metadata.leases import Lease

DEFAULT_GRACE = "15m"


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """The user's settings for keeping packages.

    Attributes:
        grace: How long to keep a package after it was extracted or about to be linked: a duration
            such as `15m`, or nanoseconds.
        older_than: Remove only packages and archives unused for at least this duration; `None` for
            no limit.
        ignored_environments: A path, or several, that the user declares deleted: unreadable files
            there keep no packages. `~` and variables in them are replaced.

    Raises:
        ValueError: A duration is malformed or negative, or a path is empty.

    """

    grace: str | int = DEFAULT_GRACE
    older_than: str | int | None = None
    ignored_environments: Text | Iterable[Text] = ()
    ignored_paths: tuple[str, ...] = field(init=False, repr=False)
    grace_ns: int = field(init=False, repr=False)
    older_than_ns: int | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Parse the durations and paths."""
        given = one_or_more(self.ignored_environments)
        if "" in given:
            raise ValueError("a path in ignored_environments is empty")
        ignored = tuple(name for path in given for name in (path, expand(path)))
        object.__setattr__(self, "ignored_environments", given)
        object.__setattr__(self, "ignored_paths", ignored)
        older_than_ns = None if self.older_than is None else _in_ns(self.older_than)
        object.__setattr__(self, "grace_ns", _in_ns(self.grace))
        object.__setattr__(self, "older_than_ns", older_than_ns)

    def ignores(self, path: str) -> bool:
        """Return whether a path lies in an environment that the user declares deleted."""
        return any(is_within(path, ignored) for ignored in self.ignored_paths)


def _in_ns(duration: str | int) -> int:
    return parse_duration(duration) if isinstance(duration, str) else natural_number(duration)


@dataclass(frozen=True, slots=True)
class Observations:
    """Facts about the machine outside the scanned trees.

    Attributes:
        now_ns: The time, in nanoseconds since the epoch.
        leases: The leases of running conda processes.
        mounts: The mount table.
        unreachable: Environments, or lists of them, that are unreadable.
        unreachable_caches: Package caches that are unreadable.
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
