"""What a clean is to do: what is removed, what is kept and why, and what that frees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..analysis.verdicts import PackageUser, Verdict
    from ..executor.removal import Removal


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user wants removed; the evidence says what may be.

    Attributes:
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

    keep_newest: int | None = None
    max_size_bytes: int | None = None
    name_glob: str | None = None
    copied: bool = False
    unobtainable: bool = False
    tarballs: bool = False
    trash: bool = False
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that stays.

    Attributes:
        name: As of a removal.
        path: Absolute path.
        size_bytes: Unique usage of it alone.
        verdict: What the evidence says.
        reason: What keeps it, as a phrase.
        environments: The environments that use it.

    """

    name: str
    path: str
    size_bytes: int
    verdict: Verdict
    reason: str
    environments: tuple[PackageUser, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a clean is to do.

    Attributes:
        remove: What is removed, in this order.
        keep: What stays.
        trial_links: Absolute paths of conda's trial links in environments that are removed.
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
    trial_links: tuple[str, ...]
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
        return bool(self.remove or self.trial_links or self.returning)
