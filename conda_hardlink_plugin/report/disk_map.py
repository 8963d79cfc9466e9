"""What a page draws: every byte of the disk once, and what each two environments share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..analysis.usage import CachePart
from ..scan.inventory import RootKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..analysis.analysis import Analysis
    from .environment_detail import Breakdown
    from .packages import PackageFigures

MOST_IN_MATRIX = 60


class AreaKind(Enum):
    """What an area of the disk is there for.

    Attributes:
        SEVERAL: A package with hard links that has several users.
        ONE: A package with hard links that one environment uses.
        UNLINKED: A package that is used, and not by hard links: by symbolic links, or as copies.
        KEPT: A package that nobody is known to use and that `conda hardlinks clean` keeps.
        UNUSED: A package that nothing keeps.
        ARCHIVES: `.conda` and `.tar.bz2` files.
        REST: What else is in a cache, quarantine and left-overs included.
        BETWEEN: Inodes that several environments hold and no cache.
        OUTSIDE: What no environment holds alone because somebody who was not scanned has a link.
        OWN: What an environment alone holds.

    """

    SEVERAL = "several"
    ONE = "one"
    UNLINKED = "unlinked"
    KEPT = "kept"
    UNUSED = "unused"
    ARCHIVES = "archives"
    REST = "rest"
    BETWEEN = "between"
    OUTSIDE = "outside"
    OWN = "own"


class HolderKind(Enum):
    """What an area lies in."""

    CACHE = "cache"
    BETWEEN = "between"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Area:
    """Some bytes of the disk that are drawn as one; no other area has them.

    Attributes:
        kind: What they are there for.
        amount_bytes: How many.
        package: Index into `Picture.packages`, if they are a package's.
        environments: Indexes into `Report.environments`: who holds or uses them.
        cause: Value of `causes.Cause`, where it is known why an environment has them alone.

    """

    kind: AreaKind
    amount_bytes: int
    package: int | None = None
    environments: tuple[int, ...] = ()
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A cache, an environment, or all environments for what they share and no cache has.

    Attributes:
        kind: Which of them.
        name: Path of the cache, or name of the environment; empty for what lies between.
        areas: Its areas, none of them empty.

    """

    kind: HolderKind
    name: str
    areas: tuple[Area, ...]

    @property
    def amount_bytes(self) -> int:
        """All of its areas."""
        return sum(area.amount_bytes for area in self.areas)


@dataclass(frozen=True, slots=True)
class Sharing:
    """What environments share, two by two.

    Attributes:
        environments: Indexes into `Report.environments`, those that share much side by side.
        shared_bytes: For two such indexes, the smaller first, the inodes that both hold; pairs that
            have nothing in common are left out.

    """

    environments: tuple[int, ...]
    shared_bytes: Mapping[tuple[int, int], int]

    def between(self, one: int, other: int) -> int:
        """Return the bytes of the inodes that two environments hold."""
        return self.shared_bytes.get((min(one, other), max(one, other)), 0)


@dataclass(frozen=True, slots=True)
class DiskMap:
    """What a page draws besides the tables of a report.

    Attributes:
        holders: Everything on the disk; all areas together are `Totals.on_disk_bytes`.
        packages: Every extracted package.
        private: For each of `Report.environments` its exclusive bytes by cause; `None` where it
            could not be looked into.
        sharing: What the environments that share most have in common.

    """

    holders: tuple[Holder, ...]
    packages: tuple[PackageFigures, ...]
    private: tuple[Mapping[str, int] | None, ...]
    sharing: Sharing


def build_disk_map(
    analysis: Analysis, breakdowns: Mapping[int, Breakdown], packages: Sequence[PackageFigures]
) -> DiskMap:
    """Compute what a page draws.

    Each inode is in one area. One with links in caches is in the cache: in the package or part that
    it is counted for there, the first in the order of `usage.CachePart`. One that only one
    environment holds, with all of its links, is that environment's. What is left is held by several
    environments, or by one and by somebody who was not scanned.

    Args:
        analysis: What a report is computed from.
        breakdowns: For each environment (root index) its private bytes by cause.
        packages: The figures of `Facts.packages`, in that order.

    """
    used, unused = analysis.evidence.used(), analysis.evidence.unused()
    parts = analysis.usage.parts_of_units(used, unused)
    by_unit, between = analysis.usage.each_inode_once({u: part.value for u, part in parts.items()})
    place_of = {root: place for place, root in enumerate(analysis.roots_of_environments)}
    places_between = {
        (tuple(place_of[root] for root in roots), complete): amount
        for (roots, complete), amount in between.items()
    }
    holders = [
        *_caches(analysis, parts, by_unit, packages),
        *_between(places_between),
        *_environments(analysis, breakdowns, by_unit, places_between),
    ]
    return DiskMap(
        holders=tuple(holder for holder in holders if holder.areas),
        packages=tuple(packages),
        private=tuple(
            breakdowns[root].by_cause if root in breakdowns else None
            for root in analysis.roots_of_environments
        ),
        sharing=_sharing(analysis),
    )


def _caches(
    analysis: Analysis,
    parts: Mapping[int, CachePart],
    by_unit: Sequence[int],
    packages: Sequence[PackageFigures],
) -> Iterator[Holder]:
    index_of = {unit: index for index, unit in enumerate(analysis.packages)}
    root_of = {root.path: root_index for root_index, root in enumerate(analysis.inventory.roots)}
    place_of = {root: place for place, root in enumerate(analysis.roots_of_environments)}
    for root, cache in enumerate(analysis.inventory.roots):
        if cache.kind is not RootKind.CACHE:
            continue
        areas, archives_bytes, rest_bytes = [], 0, 0
        for unit in analysis.usage.units_of_root[root]:
            if unit in index_of:
                package = packages[index_of[unit]]
                users = sorted(place_of[root_of[user.prefix]] for user in package.environments)
                areas.append(Area(_kind_of(package), by_unit[unit], index_of[unit], tuple(users)))
            elif parts[unit] is CachePart.TARBALLS:
                archives_bytes += by_unit[unit]
            else:
                rest_bytes += by_unit[unit]
        areas.append(Area(AreaKind.ARCHIVES, archives_bytes))
        areas.append(Area(AreaKind.REST, rest_bytes))
        yield Holder(HolderKind.CACHE, cache.path, _but_empty(areas))


def _kind_of(package: PackageFigures) -> AreaKind:
    linked = package.used_outside or any(user.use == "hardlink" for user in package.environments)
    if linked and len(package.environments) + package.used_outside > 1:
        return AreaKind.SEVERAL
    if linked:
        return AreaKind.ONE if package.environments else AreaKind.OUTSIDE
    if package.environments:
        return AreaKind.UNLINKED
    return AreaKind.UNUSED if package.unused else AreaKind.KEPT


def _between(places: Mapping[tuple[tuple[int, ...], bool], int]) -> Iterator[Holder]:
    amounts: dict[tuple[int, ...], int] = {}
    for (environments, _), amount in places.items():
        if len(environments) > 1:
            amounts[environments] = amounts.get(environments, 0) + amount
    areas = [
        Area(AreaKind.BETWEEN, amount, environments=environments)
        for environments, amount in amounts.items()
    ]
    yield Holder(HolderKind.BETWEEN, "", _but_empty(areas))


def _environments(
    analysis: Analysis,
    breakdowns: Mapping[int, Breakdown],
    by_unit: Sequence[int],
    places: Mapping[tuple[tuple[int, ...], bool], int],
) -> Iterator[Holder]:
    for place, root in enumerate(analysis.roots_of_environments):
        prefix, here = analysis.inventory.roots[root].path, (place,)
        if root in breakdowns:
            areas = [
                Area(AreaKind.OWN, amount, environments=here, cause=cause)
                for cause, amount in breakdowns[root].by_cause.items()
            ]
        else:
            own_bytes = sum(by_unit[unit] for unit in analysis.usage.units_of_root[root])
            areas = [Area(AreaKind.OWN, own_bytes, environments=here)]
        areas.append(Area(AreaKind.OUTSIDE, places.get((here, False), 0), environments=here))
        name = analysis.name_of(prefix)
        yield Holder(HolderKind.ENVIRONMENT, name, _but_empty(areas))


def _sharing(analysis: Analysis) -> Sharing:
    """Choose the environments that share most, and put beside each the one it shares most with."""
    usage, roots = analysis.usage, analysis.roots_of_environments
    shared = {root: usage.unique_by_root[root] - usage.exclusive_by_root[root] for root in roots}
    chosen = sorted(roots, key=lambda root: (-shared[root], root))[:MOST_IN_MATRIX]
    place_of = {root: place for place, root in enumerate(roots)}
    pairs = {
        (place_of[one], place_of[other]): amount
        for (one, other), amount in usage.shared_by_pair(frozenset(chosen)).items()
    }
    sharing = Sharing(tuple(place_of[root] for root in chosen), pairs)
    left = list(sharing.environments)
    chain = left[:1]
    while left := [place for place in left if place != chain[-1]]:
        chain.append(max(left, key=lambda place: sharing.between(chain[-1], place)))
    return Sharing(tuple(chain), pairs)


def _but_empty(areas: Sequence[Area]) -> tuple[Area, ...]:
    return tuple(area for area in areas if area.amount_bytes)
