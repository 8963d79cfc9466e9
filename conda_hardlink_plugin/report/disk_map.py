"""The disk map of a page: every byte of the disk once, and what each two environments share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..analysis.usage import CachePart
from ..scan.inventory import RootKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..analysis.analysis import Analysis
    from .environment_detail import PrivateUsage
    from .packages import PackageFigures

MOST_IN_MATRIX = 60


class AreaKind(Enum):
    """The use of an area of the disk.

    Attributes:
        SEVERAL: A hard-linked package with several users.
        ONE: A hard-linked package that one environment uses.
        UNLINKED: A package that is used through symbolic links or as copies only.
        KEPT: A package without a known user that `conda hardlinks clean` keeps.
        UNUSED: A package that `conda hardlinks clean` removes.
        ARCHIVES: `.conda` and `.tar.bz2` files.
        REST: Everything else in a cache, including the quarantine and left-overs.
        BETWEEN: Inodes that several environments hold, but no cache.
        OUTSIDE: Inodes of one environment that also have a link outside the scanned trees, or a
            package that is used only from there.
        OWN: Inodes that only one environment holds.

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
    """The kind of a holder of areas."""

    CACHE = "cache"
    BETWEEN = "between"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Area:
    """Bytes of the disk that are drawn as one rectangle. Areas do not overlap.

    Attributes:
        kind: The use of the bytes.
        amount_bytes: The number of bytes.
        package: Index into `DiskMap.packages`, if the bytes belong to a package.
        environments: Indexes into `Report.environments`: the environments that hold or use them.
        cause: Value of `causes.Cause`, if it is known why the bytes are private.

    """

    kind: AreaKind
    amount_bytes: int
    package: int | None = None
    environments: tuple[int, ...] = ()
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A cache, an environment, or the group of inodes that only environments share.

    Attributes:
        kind: The kind of the holder.
        name: Path of the cache, or name of the environment; empty for `BETWEEN`.
        areas: Its areas, none of them empty.

    """

    kind: HolderKind
    name: str
    areas: tuple[Area, ...]

    @property
    def amount_bytes(self) -> int:
        """The bytes of all its areas."""
        return sum(area.amount_bytes for area in self.areas)


@dataclass(frozen=True, slots=True)
class Sharing:
    """The bytes that each two environments share.

    Attributes:
        environments: Indexes into `Report.environments`, ordered so that environments that share
            many bytes are neighbours.
        shared_bytes: The bytes of the inodes that two environments hold, for two such indexes, the
            smaller first; pairs that share nothing are left out.

    """

    environments: tuple[int, ...]
    shared_bytes: Mapping[tuple[int, int], int]

    def between(self, one: int, other: int) -> int:
        """Return the bytes of the inodes that both environments hold."""
        return self.shared_bytes.get((min(one, other), max(one, other)), 0)


@dataclass(frozen=True, slots=True)
class DiskMap:
    """The parts of a page besides the tables of a report.

    Attributes:
        holders: Everything on the disk; all areas add up to `Totals.on_disk_bytes`.
        packages: Every extracted package.
        private: The exclusive bytes by cause of each of `Report.environments`; `None` if it could
            not be read.
        sharing: The bytes shared among the environments that share most.

    """

    holders: tuple[Holder, ...]
    packages: tuple[PackageFigures, ...]
    private: tuple[Mapping[str, int] | None, ...]
    sharing: Sharing


def build_disk_map(
    analysis: Analysis,
    private_by_root: Mapping[int, PrivateUsage],
    packages: Sequence[PackageFigures],
) -> DiskMap:
    """Return the disk map of an analysis.

    Each inode belongs to one area. An inode with links in caches belongs to a cache: to the package
    or part that counts it there, the first in the order of `usage.CachePart`. An inode whose links
    are all in one environment belongs to that environment. Any other inode is shared by several
    environments, or by one environment and something outside the scanned trees.

    Args:
        analysis: The analysis to draw.
        private_by_root: The private bytes by cause of each environment (root index).
        packages: The figures of `analysis.packages`, in that order.

    """
    used, unused = analysis.verdicts.used(), analysis.verdicts.unused()
    parts = analysis.usage.parts_of_units(used, unused)
    by_unit, by_roots = analysis.usage.assign_inodes({u: part.value for u, part in parts.items()})
    number_of = {root: number for number, root in enumerate(analysis.roots_of_environments)}
    between: dict[tuple[int, ...], int] = {}
    outside: dict[int, int] = {}
    for (roots, is_complete), amount in by_roots.items():
        environments = tuple(number_of[root] for root in roots)
        if len(environments) > 1:
            between[environments] = between.get(environments, 0) + amount
        elif not is_complete:
            outside[environments[0]] = amount
    areas_between = [
        Area(AreaKind.BETWEEN, amount, environments=environments)
        for environments, amount in between.items()
    ]
    holders = [
        *_caches(analysis, parts, by_unit, packages, number_of),
        _holder(HolderKind.BETWEEN, "", areas_between),
        *_environments(analysis, private_by_root, by_unit, outside),
    ]
    return DiskMap(
        holders=tuple(holder for holder in holders if holder.areas),
        packages=tuple(packages),
        private=tuple(
            private_by_root[root].by_cause if root in private_by_root else None
            for root in analysis.roots_of_environments
        ),
        sharing=_sharing(analysis, number_of),
    )


def _holder(kind: HolderKind, name: str, areas: Iterable[Area]) -> Holder:
    """Return a holder without the areas that are empty."""
    return Holder(kind, name, tuple(area for area in areas if area.amount_bytes))


def _caches(
    analysis: Analysis,
    parts: Mapping[int, CachePart],
    by_unit: Sequence[int],
    packages: Sequence[PackageFigures],
    number_of: Mapping[int, int],
) -> Iterator[Holder]:
    index_of = {unit: index for index, unit in enumerate(analysis.packages)}
    for root, cache in enumerate(analysis.inventory.roots):
        if cache.kind is not RootKind.CACHE:
            continue
        areas, archives_bytes, rest_bytes = [], 0, 0
        for unit in analysis.usage.units_of_root[root]:
            if unit in index_of:
                index, users = index_of[unit], sorted(analysis.verdicts.uses[unit].environments)
                environments = tuple(number_of[user] for user in users)
                kind = _kind_of(packages[index])
                areas.append(Area(kind, by_unit[unit], index, environments))
            elif parts[unit] is CachePart.ARCHIVES:
                archives_bytes += by_unit[unit]
            else:
                rest_bytes += by_unit[unit]
        areas.append(Area(AreaKind.ARCHIVES, archives_bytes))
        areas.append(Area(AreaKind.REST, rest_bytes))
        yield _holder(HolderKind.CACHE, cache.path, areas)


def _kind_of(package: PackageFigures) -> AreaKind:
    if package.used_outside or any(user.use == "hardlink" for user in package.environments):
        if len(package.environments) + package.used_outside > 1:
            return AreaKind.SEVERAL
        return AreaKind.ONE if package.environments else AreaKind.OUTSIDE
    if package.environments:
        return AreaKind.UNLINKED
    return AreaKind.UNUSED if package.unused else AreaKind.KEPT


def _environments(
    analysis: Analysis,
    private_by_root: Mapping[int, PrivateUsage],
    by_unit: Sequence[int],
    outside: Mapping[int, int],
) -> Iterator[Holder]:
    for number, root in enumerate(analysis.roots_of_environments):
        own: Iterable[tuple[str | None, int]]
        if root in private_by_root:
            own = private_by_root[root].by_cause.items()
        else:
            own = [(None, sum(by_unit[unit] for unit in analysis.usage.units_of_root[root]))]
        areas = [
            Area(AreaKind.OWN, amount, environments=(number,), cause=cause) for cause, amount in own
        ]
        areas.append(Area(AreaKind.OUTSIDE, outside.get(number, 0), environments=(number,)))
        name = analysis.name_of(analysis.inventory.roots[root].path)
        yield _holder(HolderKind.ENVIRONMENT, name, areas)


def _sharing(analysis: Analysis, number_of: Mapping[int, int]) -> Sharing:
    """Choose the environments that share most, each next to the one with which it shares most."""
    usage, roots = analysis.usage, analysis.roots_of_environments
    shared = {root: usage.unique_by_root[root] - usage.exclusive_by_root[root] for root in roots}
    chosen = sorted(roots, key=lambda root: (-shared[root], root))[:MOST_IN_MATRIX]
    pairs = {
        (number_of[one], number_of[other]): amount
        for (one, other), amount in usage.shared_by_pair(frozenset(chosen)).items()
    }
    left = [number_of[root] for root in chosen]
    sharing = Sharing(tuple(left), pairs)
    chain = left[:1]
    while left := [number for number in left if number != chain[-1]]:
        chain.append(max(left, key=lambda number: sharing.between(chain[-1], number)))
    return Sharing(tuple(chain), pairs)
