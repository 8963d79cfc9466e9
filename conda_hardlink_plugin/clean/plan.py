"""What a clean is to do: what is removed, what is kept and why, and what that frees."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..evidence import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..records import CachedPackage


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
class Choice:
    """What the user wants removed; the evidence says what may be.

    Attributes:
        older_than_ns: Only packages whose last use is at least so long ago.
        keep_newest: So many of each package's versions in a cache are kept.
        max_size_bytes: Only as many packages as it takes for each cache to fit, least recently used
            first.
        name_glob: Only packages whose name, or `NAME-VERSION-BUILD`, matches.
        copied: Also packages that environments record and have no link into.
        unobtainable: Also what could not be had again.
        tarballs: Also archives whose package is extracted or unused.
        trash: Also what conda and mamba renamed out of the way and left.
        hold: What goes is kept for a while, so that nothing is freed yet.

    """

    older_than_ns: int | None = None
    keep_newest: int | None = None
    max_size_bytes: int | None = None
    name_glob: str | None = None
    copied: bool = False
    unobtainable: bool = False
    tarballs: bool = False
    trash: bool = False
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Witness:
    """An environment that uses a package: by `hardlink`, by `softlink`, or only by `record`."""

    name: str
    prefix: str
    use: str


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


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that stays.

    Attributes:
        name: As of a removal.
        path: Absolute path.
        size_bytes: Unique usage of it alone.
        verdict: What the evidence says.
        reason: What keeps it, as a phrase.
        witnesses: The environments that use it.

    """

    name: str
    path: str
    size_bytes: int
    verdict: Verdict
    reason: str
    witnesses: tuple[Witness, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a clean is to do.

    Attributes:
        remove: What is removed, in this order.
        keep: What stays.
        probes: Absolute paths of conda's trial links in environments that are removed.
        planned_bytes: What removing frees now.
        held_bytes: What the removal of what is kept for a while will free.
        returning: Paths of packages that an interrupted run moved aside and that go back.
        caches_to_heal: Absolute paths of the caches where those, or what was given up, are.
        cache_identities: Absolute path of each cache to its device and inode.
        too_big: Caches that do not fit even so, to how many bytes they are too big.
        archived: How many of the packages that go have an archive that stays: conda unpacks it
            the next time that it looks into the cache (`PackageCacheData.load`).

    """

    remove: tuple[Removal, ...]
    keep: tuple[Kept, ...]
    probes: tuple[str, ...]
    planned_bytes: int
    held_bytes: int
    returning: tuple[str, ...]
    caches_to_heal: tuple[str, ...]
    cache_identities: Mapping[str, tuple[int, int]]
    too_big: Mapping[str, int]
    archived: int = 0

    @property
    def does_something(self) -> bool:
        """Whether there is anything to remove or to bring back."""
        return bool(self.remove or self.probes or self.returning)
