"""Inventory and records to evidence: who uses each extracted package, and what else keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..metadata.conda_meta import CachedPackage
    from .retention import Observations, RetentionPolicy


import os
from typing import TYPE_CHECKING

from ..filesystem.paths import is_within, real_path
from ..filesystem.problems import PathProblem
from ..metadata.conda_meta import CachedPackage, Record, read_cached_package, read_record
from ..metadata.quarantine_names import Stage
from ..scan.inventory import TARBALL_SUFFIXES, ProblemKind, RootKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from ..metadata.leases import Lease
    from ..scan.inventory import Inventory, Unit
    from .symlinks import EnvironmentSymlinks
    from .usage import Usage

HOLDS_ROOT = "an environment or a package cache is in it"


class Use(Enum):
    """How an environment uses an extracted package, the strongest evidence first."""

    HARDLINK = "hardlink"
    SOFTLINK = "softlink"
    RECORD = "record"


class Verdict(Enum):
    """Whether an extracted package may be removed, or what keeps it, the strongest reason first.

    Attributes:
        LINKED: An inode of it has a link in an environment, or one that no scanned tree holds.
        SOFTLINKED: A symbolic link of an environment passes through it.
        RECORDED: An environment's `conda-meta` names it and has no link into it: its files there
            are copies, or it has none.
        UNVERIFIABLE: Something that could have told could not be read.
        RECENT: Extracted or about to be linked within the grace, or not finished.
        UNOBTAINABLE: There is no archive of it and no http(s) URL to get it again.
        UNUSED: None of these.

    """

    LINKED = "linked"
    SOFTLINKED = "softlinked"
    RECORDED = "recorded"
    UNVERIFIABLE = "unverifiable"
    RECENT = "recent"
    UNOBTAINABLE = "unobtainable"
    UNUSED = "unused"


VERDICT_OF_USE = {  # the strongest first
    Use.HARDLINK: Verdict.LINKED,
    Use.SOFTLINK: Verdict.SOFTLINKED,
    Use.RECORD: Verdict.RECORDED,
}


@dataclass(frozen=True, slots=True)
class PackageUse:
    """Who uses an extracted package.

    Attributes:
        unit: Index into `Inventory.units`.
        environments: Each environment (root index) that uses it, and how: it holds a link to an
            inode of the package, a symbolic link into it, or at least a record of that name.
        outside: An inode of the package has a link that the scan did not see.

    """

    unit: int
    environments: Mapping[int, Use]
    outside: bool

    @property
    def keeping_verdicts(self) -> list[Verdict]:
        """The verdicts that its users stand for, the strongest first."""
        uses = self.environments.values()
        return [
            verdict
            for use, verdict in VERDICT_OF_USE.items()
            if use in uses or (self.outside and verdict is Verdict.LINKED)
        ]


@dataclass(frozen=True, slots=True)
class KeepReason:
    """What keeps a package although nobody is known to use it.

    Attributes:
        verdict: `UNVERIFIABLE`, `RECENT` or `UNOBTAINABLE`.
        reason: A phrase that says more.

    """

    verdict: Verdict
    reason: str


class Evidence:
    """The verdict on every extracted package, with what it rests on.

    Attributes:
        uses: For each unit that is a package, its users.
        unseen: What could not be looked at and might use any package without a link to count.

    """

    def __init__(
        self,
        inventory: Inventory,
        usage: Usage,
        softlinks: Mapping[int, EnvironmentSymlinks],
        policy: RetentionPolicy,
        observations: Observations,
        read: Callable[[str], CachedPackage | PathProblem] = read_cached_package,
    ) -> None:
        """Find the users of every package. What else may keep one is read when it is asked for.

        Args:
            inventory: What the scan found.
            usage: Its arithmetic.
            softlinks: What `softlinks.follow_softlinks` found.
            policy: What the user sets about keeping them.
            observations: What was seen beside the trees.
            read: Reads what a package says of itself, given its path.

        """
        self._inventory = inventory
        self._policy = policy
        self._observations = observations
        self._read = read
        self._packages: dict[int, CachedPackage | PathProblem] = {}
        self._archives = {unit.home for unit in inventory.units if _is_archive(unit)}
        self._unreadable = [
            problem for problem in inventory.problems if problem.kind is ProblemKind.UNREADABLE
        ]
        caches = [root.path for root in inventory.roots if root.kind is RootKind.CACHE]
        mount_points = [mount.mount_point for mount in observations.mounts.mounts]
        places = [real_path(path) or path for path in caches] if mount_points else []
        self._mounted = [
            point for point in mount_points if any(is_within(point, place) for place in places)
        ]
        unseen = (*observations.unseen, *unread_parts_of_environments(inventory, softlinks))
        self.unseen = tuple(problem for problem in unseen if not policy.ignores(problem.path))
        self.uses = find_package_uses(inventory, usage, softlinks)

    def package(self, unit: int) -> CachedPackage | PathProblem:
        """Return what a package says of itself; it is read once."""
        if unit not in self._packages:
            self._packages[unit] = self._read(self._inventory.units[unit].path)
        return self._packages[unit]

    def keep_reasons(self, unit: int) -> list[KeepReason]:
        """Return what keeps a package besides its users, the strongest reason first."""
        path = self._inventory.units[unit].path
        problems = [
            PathProblem(problem.path, problem.reason.lower())
            for problem in self._unreadable
            if is_within(problem.path, path)
        ]
        package = self.package(unit)
        if isinstance(package, PathProblem):
            problems.append(package)
        if unit in self._inventory.holding:
            problems.append(PathProblem(path, HOLDS_ROOT))
        if self._mounted:
            real = real_path(path) or path
            problems += [
                PathProblem(point, "something is mounted there")
                for point in self._mounted
                if is_within(point, real)
            ]
        problems += self.unseen
        found = [
            KeepReason(Verdict.UNVERIFIABLE, f"{problem.path}: {problem.reason}")
            for problem in problems[:1]
        ]
        if isinstance(package, CachedPackage):
            found += self._own_keep_reasons(unit, package)
        return found

    def against_copies(self, unit: int) -> list[PathProblem]:
        """Return the records that do not say that their environment has a package as copies.

        conda asked for symbolic links there, which may lead here by a way that was not found; or
        the record cannot be read.
        """
        name = f"{self._inventory.units[unit].dist}.json"
        found = []
        for root in self.uses[unit].environments:
            path = os.path.join(self._inventory.roots[root].path, "conda-meta", name)
            match read_record(path):
                case PathProblem() as problem:
                    found.append(problem)
                case Record(soft_link_asked_for=True):
                    found.append(PathProblem(path, "it says that symbolic links lead here"))
        return found

    def verdict(self, unit: int) -> Verdict:
        """Return the verdict on a package."""
        keeping_verdicts = self.keeping_verdicts(unit)
        return keeping_verdicts[0] if keeping_verdicts else Verdict.UNUSED

    def keeping_verdicts(self, unit: int) -> list[Verdict]:
        """Return every verdict but `UNUSED` that holds, the strongest first.

        What is linked is not looked at any further.
        """
        by_use = self.uses[unit].keeping_verdicts
        if by_use and by_use[0] in (Verdict.LINKED, Verdict.SOFTLINKED):
            return by_use
        return by_use + [doubt.verdict for doubt in self.keep_reasons(unit)]

    def unused(self) -> set[int]:
        """Return the packages that nothing keeps."""
        return {unit for unit in self.uses if self.verdict(unit) is Verdict.UNUSED}

    def used(self) -> set[int]:
        """Return the packages that somebody is known to use."""
        return {unit for unit, use in self.uses.items() if use.keeping_verdicts}

    def only_used_by(self, roots: AbstractSet[int]) -> set[int]:
        """Return the packages that nothing keeps once these environments are gone.

        Those that nobody uses already are not among them. That one is recent does not keep it here:
        it will not be for long.
        """
        return {
            unit
            for unit, use in self.uses.items()
            if use.environments
            and not use.outside
            and use.environments.keys() <= roots
            and self._may_go(unit)
        }

    def by_only_user(self) -> dict[int, set[int]]:
        """Return for each environment the packages that nothing keeps once it is gone."""
        packages: dict[int, set[int]] = {}
        for unit, use in self.uses.items():
            if len(use.environments) == 1 and not use.outside and self._may_go(unit):
                (root,) = use.environments
                packages.setdefault(root, set()).add(unit)
        return packages

    def living_leases(self, dist: str) -> list[Lease]:
        """Return the leases that keep a package, except those in a folder that is ignored."""
        if not self._policy.honors_leases:
            return []
        return [
            lease
            for lease in self._observations.leases
            if lease.covers(dist) and not self._policy.ignores(lease.path)
        ]

    def _may_go(self, unit: int) -> bool:
        return all(doubt.verdict is Verdict.RECENT for doubt in self.keep_reasons(unit))

    def _own_keep_reasons(self, unit: int, package: CachedPackage) -> list[KeepReason]:
        found = []
        age_ns = self._observations.now_ns - package.last_use_ns
        if package.finished_ns is None:
            found.append(KeepReason(Verdict.RECENT, "not finished: it has no repodata_record.json"))
        elif age_ns < self._policy.grace_ns:
            found.append(KeepReason(Verdict.RECENT, "extracted or about to be linked a moment ago"))
        place = self._inventory.units[unit]
        for lease in self.living_leases(place.dist)[:1]:
            reason = f"{lease.holder} may be about to link it ({lease.path})"
            found.append(KeepReason(Verdict.RECENT, reason))
        has_url = package.url.startswith(("http://", "https://"))
        if not has_url and not any(
            place.home + suffix in self._archives for suffix in TARBALL_SUFFIXES
        ):
            reason = "there is no archive of it and no http(s) URL to get it again"
            found.append(KeepReason(Verdict.UNOBTAINABLE, reason))
        return found


def unread_parts_of_environments(
    inventory: Inventory, softlinks: Mapping[int, EnvironmentSymlinks]
) -> list[PathProblem]:
    """Return what might hide a symbolic link of an environment into a cache, or a record.

    Args:
        inventory: What the scan found.
        softlinks: What `softlinks.follow_softlinks` found.

    """
    roots = inventory.roots
    found = [
        PathProblem(problem.path, problem.reason.lower())
        for problem in inventory.problems
        if roots[problem.root].kind is RootKind.ENVIRONMENT
        and problem.kind is ProblemKind.UNREADABLE
    ]
    found += [problem for links in softlinks.values() for problem in links.unresolved]
    found += [
        PathProblem(os.path.join(root.path, "conda-meta"), "it cannot be listed")
        for index, root in enumerate(roots)
        if root.kind is RootKind.ENVIRONMENT and index not in inventory.records
    ]
    return found


def find_package_uses(
    inventory: Inventory, usage: Usage, softlinks: Mapping[int, EnvironmentSymlinks]
) -> dict[int, PackageUse]:
    """Find the users of every extracted package.

    A record counts by the name of its file alone: `NAME-VERSION-BUILD.json` is of the packages in
    directories of that name, in whichever cache they are; but where the environment has links into
    one of them, it is of that one.

    Args:
        inventory: What the scan found.
        usage: Its arithmetic.
        softlinks: What `softlinks.follow_softlinks` found.

    Returns:
        For each unit that is a package, its users.

    """
    packages = {
        index for index, unit in enumerate(inventory.units) if unit.kind is UnitKind.PACKAGE
    }
    users: dict[int, dict[int, Use]] = {index: {} for index in packages}
    weakest_first = [
        (Use.RECORD, _recorded(inventory, packages)),
        (Use.SOFTLINK, {root: set(found.links) for root, found in softlinks.items()}),
        (Use.HARDLINK, _hardlinked(inventory, usage)),
    ]
    for use, found in weakest_first:
        for root, units in found.items():
            for index in units & packages:
                users[index][root] = use
    _drop_records_of_linked(inventory, users)
    outside = usage.cache_units_linked_from_outside
    return {index: PackageUse(index, used, index in outside) for index, used in users.items()}


def _is_archive(unit: Unit) -> bool:
    """Tell whether a unit is an archive, or may be one that was moved aside and can come back."""
    is_moving = unit.entry is not None and unit.entry.stage is Stage.MOVING
    return unit.kind is UnitKind.TARBALL or is_moving


def _drop_records_of_linked(inventory: Inventory, users: dict[int, dict[int, Use]]) -> None:
    """Take a record as evidence only where no package of its name is linked.

    What was moved aside and has come again at its place is on its way out: it does not count.
    """
    places = {inventory.units[index].path for index in users}
    linked = {
        (root, unit.dist)
        for index, used in users.items()
        for unit in [inventory.units[index]]
        if unit.path == unit.home or unit.home not in places
        for root, use in used.items()
        if use is not Use.RECORD
    }
    for index, used in users.items():
        dist = inventory.units[index].dist
        for root in [root for root, use in used.items() if use is Use.RECORD]:
            if (root, dist) in linked:
                del used[root]


def _recorded(inventory: Inventory, packages: set[int]) -> dict[int, set[int]]:
    """Return the packages that each environment's records name."""
    by_name: dict[str, set[int]] = {}
    for index in packages:
        by_name.setdefault(inventory.units[index].dist, set()).add(index)
    return {
        root: set().union(*(by_name.get(name.removesuffix(".json"), ()) for name in names))
        for root, names in inventory.records.items()
    }


def _hardlinked(inventory: Inventory, usage: Usage) -> dict[int, set[int]]:
    """Return the cache units that each environment shares an inode with."""
    return {
        root: usage.cache_units_linked_from[root]
        for root, place in enumerate(inventory.roots)
        if place.kind is RootKind.ENVIRONMENT
    }


@dataclass(frozen=True, slots=True)
class PackageUser:
    """An environment that uses a package: by `hardlink`, by `softlink`, or only by `record`."""

    name: str
    prefix: str
    use: str
