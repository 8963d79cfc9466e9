"""The plan of a clean: what to remove, what to keep and why, and the space that this frees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..executor.removal_plan import RemovalPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..analysis.verdicts import PackageUser, Verdict


@dataclass(frozen=True, slots=True)
class CleanChoice:
    """What the user wants to remove. The evidence decides what may be removed.

    Attributes:
        keep_newest: How many of the newest versions of each package in each cache to keep.
        max_size_bytes: Remove only as many packages, least recently used first, as each cache needs
            to fit.
        name_glob: Only packages whose name, or `NAME-VERSION-BUILD`, matches.
        copied: Also packages that environments record and have no link into.
        unobtainable: Also packages and archives that cannot be downloaded again.
        tarballs: Also archives whose package is extracted or unused.
        trash: Also files that conda and mamba renamed out of the way and left behind.
        hold: Hold what is removed for a while, which frees no space yet.

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
    """A package, archive or left-over that is kept.

    Attributes:
        name: Its name, as of a `Removal`.
        path: Absolute path.
        size_bytes: Its own unique usage.
        verdict: The verdict on the package.
        reason: Why it is kept, as a phrase.
        environments: The environments that use it.

    """

    name: str
    path: str
    size_bytes: int
    verdict: Verdict
    reason: str
    environments: tuple[PackageUser, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan(RemovalPlan):
    """The plan of a clean.

    Attributes:
        keep: What is kept, with the reasons.
        planned_bytes: What the plan frees now.
        held_bytes: What it will free when the packages that it holds expire.
        moving_back: Paths that packages return to, after an interrupted run moved them aside.
        excess_bytes: Each cache that still exceeds the limit, to the excess in bytes.
        packages_with_archive: How many removed packages have an archive that is kept: conda
            extracts it when it next reads the cache (`PackageCacheData.load`).
        archives_chosen: Whether archives were to be removed as well.

    """

    keep: tuple[Kept, ...]
    planned_bytes: int
    held_bytes: int
    moving_back: tuple[str, ...]
    excess_bytes: Mapping[str, int]
    packages_with_archive: int = 0
    archives_chosen: bool = False

    @property
    def does_something(self) -> bool:
        """Whether there is anything to remove or to move back."""
        return bool(self.remove or self.trial_links or self.moving_back)
