"""Verdicts on extracted packages: their users and other keep reasons."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..filesystem.paths import is_within, real_path
from ..filesystem.problems import PathProblem
from ..metadata.cached_package import CachedPackage, read_cached_package, read_cached_packages
from ..metadata.conda_meta import Record, read_record
from ..metadata.quarantine_names import Stage
from ..scan.inventory import ARCHIVE_SUFFIXES, ProblemKind, RootKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from ..metadata.leases import Lease
    from ..scan.inventory import Inventory, Unit
    from .retention import Observations, RetentionPolicy
    from .symlinks import EnvironmentSymlinks
    from .usage import Usage

UNFINISHED_NS = 24 * 3600 * 10**9
"""How long a package whose extraction was killed may still be continued."""
HOLDS_ROOT = "it contains an environment or a package cache"


class Use(Enum):
    """How an environment uses an extracted package, the strongest evidence first."""

    HARDLINK = "hardlink"
    SOFTLINK = "softlink"
    RECORD = "record"


class Verdict(Enum):
    """Whether an extracted package may be removed, or what keeps it, the strongest reason first.

    Attributes:
        LINKED: An inode of the package has a link in an environment, or one outside the scan.
        SOFTLINKED: A symbolic link of an environment passes through it.
        RECORDED: An environment's `conda-meta` names it, and the environment has no link into it:
            the environment has copies of its files, or it has none.
        UNVERIFIABLE: Evidence is unreadable.
        RECENT: Extracted or about to be linked within the grace period, or not fully extracted and
            changed within a day.
        UNOBTAINABLE: It cannot be downloaded again: no archive and no http(s) URL is known.
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
        environments: Each environment (root index) that uses it, and how: it has a link to an inode
            of the package, a symbolic link into it, or only a record of its name.
        outside: An inode of the package has a link outside the scan.

    """

    environments: Mapping[int, Use]
    outside: bool

    @property
    def keeping_verdicts(self) -> list[Verdict]:
        """The verdicts that follow from its users, the strongest first."""
        uses = self.environments.values()
        return [
            verdict
            for use, verdict in VERDICT_OF_USE.items()
            if use in uses or (self.outside and use is Use.HARDLINK)
        ]


@dataclass(frozen=True, slots=True)
class KeepReason:
    """A reason to keep a package besides its known users, or to keep an archive or a left-over.

    Attributes:
        verdict: The verdict that follows from it; of a package `UNVERIFIABLE`, `RECENT` or
            `UNOBTAINABLE`.
        reason: Details, as a phrase.
        passes: Whether it will soon be gone by itself: the grace period, or a running conda.

    """

    verdict: Verdict
    reason: str
    passes: bool = False


class Verdicts:
    """The verdict on every extracted package, with the evidence for it.

    Attributes:
        uses: For each unit that is a package, its users.
        unseen: Unreadable paths that may use any package.

    """

    def __init__(
        self,
        inventory: Inventory,
        usage: Usage,
        symlinks: Mapping[int, EnvironmentSymlinks],
        policy: RetentionPolicy,
        observations: Observations,
    ) -> None:
        """Find the users of every package. Other evidence is read on demand.

        Args:
            inventory: The result of the scan.
            usage: The arithmetic over the inventory.
            symlinks: The result of `symlinks.follow_symlinks`.
            policy: The user's settings for keeping packages.
            observations: Facts about the machine outside the scanned trees.

        """
        self._inventory = inventory
        self._policy = policy
        self._observations = observations
        self._packages: dict[int, CachedPackage | PathProblem] = {}
        self._archives = {unit.home for unit in inventory.units if _is_archive(unit)}
        self._unreadable = [
            PathProblem(problem.path, problem.reason.lower())
            for problem in inventory.problems
            if problem.kind is ProblemKind.UNREADABLE
        ]
        caches = [
            real_path(root.path) or root.path
            for root in inventory.roots
            if root.kind is RootKind.CACHE
        ]
        self._mount_points = [
            mount.mount_point
            for mount in observations.mounts.mounts
            if any(is_within(mount.mount_point, cache) for cache in caches)
        ]
        unseen = (
            *observations.unreachable,
            *observations.unsearched,
            *unreadable_parts_of_environments(inventory, symlinks),
        )
        self.unseen = tuple(problem for problem in unseen if not policy.ignores(problem.path))
        self.uses = find_package_uses(inventory, usage, symlinks)

    def package(self, unit: int) -> CachedPackage | PathProblem:
        """Return the metadata of a package; it is read once, with that of others like it."""
        if not self._packages:
            self._packages = self._packages_with_few_users()
        if unit not in self._packages:
            self._packages[unit] = read_cached_package(self._inventory.units[unit].path)
        return self._packages[unit]

    def keep_reasons(self, unit: int) -> list[KeepReason]:
        """Return the reasons to keep a package besides its users, the strongest first."""
        path = self._inventory.units[unit].path
        problems = [problem for problem in self._unreadable if is_within(problem.path, path)]
        package = self.package(unit)
        if isinstance(package, PathProblem):
            problems.append(package)
        if unit in self._inventory.units_with_roots_inside:
            problems.append(PathProblem(path, HOLDS_ROOT))
        problems += [
            PathProblem(mount_point, "something is mounted there")
            for mount_point in self._mount_points
            if is_within(mount_point, real_path(path) or path)
        ]
        problems += self.unseen
        found = [
            KeepReason(Verdict.UNVERIFIABLE, f"{problem.path}: {problem.reason}")
            for problem in problems[:1]
        ]
        if isinstance(package, CachedPackage):
            found += self._own_keep_reasons(unit, package)
        return found

    def records_against_copies(self, unit: int) -> list[PathProblem]:
        """Return the records that do not confirm that their environment has copies of a package.

        Such a record requests symbolic links, which may lead to the package by a path that the scan
        did not find; or it is unreadable.
        """
        name = f"{self._inventory.units[unit].dist}.json"
        found = []
        for root in self.uses[unit].environments:
            path = os.path.join(self._inventory.roots[root].path, "conda-meta", name)
            match read_record(path):
                case PathProblem() as problem:
                    found.append(problem)
                case Record(soft_link_requested=True):
                    found.append(PathProblem(path, "it records symbolic links to the package"))
        return found

    def verdict(self, unit: int) -> Verdict:
        """Return the verdict on a package."""
        return next(iter(self.keeping_verdicts(unit)), Verdict.UNUSED)

    def keeping_verdicts(self, unit: int) -> list[Verdict]:
        """Return every verdict except `UNUSED` that holds, the strongest first.

        The keep reasons of a linked package are not evaluated.
        """
        by_use = self.uses[unit].keeping_verdicts
        if by_use and by_use[0] in (Verdict.LINKED, Verdict.SOFTLINKED):
            return by_use
        return by_use + [reason.verdict for reason in self.keep_reasons(unit)]

    def unused(self) -> set[int]:
        """Return the packages that nothing keeps."""
        return {unit for unit in self.uses if self.verdict(unit) is Verdict.UNUSED}

    def used(self) -> set[int]:
        """Return the packages with known users."""
        return {unit for unit, use in self.uses.items() if use.keeping_verdicts}

    def only_used_by(self, roots: AbstractSet[int]) -> set[int]:
        """Return the packages that nothing keeps once these environments are removed.

        Packages without users are not among them. A recent package counts as not kept, because the
        grace period is short.
        """
        return {
            unit
            for unit, use in self.uses.items()
            if use.environments
            and not use.outside
            and use.environments.keys() <= roots
            and self._is_only_recent(unit)
        }

    def packages_by_only_user(self) -> dict[int, set[int]]:
        """Return for each environment the packages that nothing keeps once it is removed."""
        packages: dict[int, set[int]] = {}
        for unit, use in self.uses.items():
            if len(use.environments) == 1 and not use.outside and self._is_only_recent(unit):
                (root,) = use.environments
                packages.setdefault(root, set()).add(unit)
        return packages

    def active_leases(self, dist: str) -> list[Lease]:
        """Return the leases that keep a package, except those that the policy ignores."""
        return [
            lease
            for lease in self._observations.leases
            if lease.covers(dist) and not self._policy.ignores(lease.path)
        ]

    def _packages_with_few_users(self) -> dict[int, CachedPackage | PathProblem]:
        """Return the metadata of the packages whose keep reasons every report needs."""
        units = [
            unit
            for unit, use in self.uses.items()
            if len(use.environments) < 2 and not use.outside  # noqa: PLR2004  # no user, or one
        ]
        paths = [self._inventory.units[unit].path for unit in units]
        return dict(zip(units, read_cached_packages(paths), strict=True))

    def _is_only_recent(self, unit: int) -> bool:
        return all(reason.passes for reason in self.keep_reasons(unit))

    def _own_keep_reasons(self, unit: int, package: CachedPackage) -> Iterator[KeepReason]:
        age_ns = self._observations.now_ns - package.last_use_ns
        if package.finished_ns is None:
            if age_ns < max(self._policy.grace_ns, UNFINISHED_NS):
                reason = (
                    "not fully extracted (it has no repodata_record.json): it is kept for a day"
                    " after its last change"
                )
                yield KeepReason(Verdict.RECENT, reason)
        elif age_ns < self._policy.grace_ns:
            reason = "extracted or about to be linked a moment ago"
            yield KeepReason(Verdict.RECENT, reason, passes=True)
        home, dist = self._inventory.units[unit].home, self._inventory.units[unit].dist
        for lease in self.active_leases(dist)[:1]:
            reason = f"{lease.holder} may be about to link it ({lease.path})"
            yield KeepReason(Verdict.RECENT, reason, passes=True)
        if package.finished_ns is None:
            return  # there is nothing whole to be lost
        has_url = package.url.startswith(("http://", "https://"))
        if not has_url and not any(home + suffix in self._archives for suffix in ARCHIVE_SUFFIXES):
            reason = "it cannot be downloaded again: it has no archive and no http(s) URL"
            yield KeepReason(Verdict.UNOBTAINABLE, reason)


def unreadable_parts_of_environments(
    inventory: Inventory, symlinks: Mapping[int, EnvironmentSymlinks]
) -> list[PathProblem]:
    """Return the unreadable parts of environments, which may hide symbolic links or records.

    Args:
        inventory: The result of the scan.
        symlinks: The result of `symlinks.follow_symlinks`.

    """
    roots = inventory.roots
    found = [
        PathProblem(problem.path, problem.reason.lower())
        for problem in inventory.problems
        if roots[problem.root].kind is RootKind.ENVIRONMENT
        and problem.kind is ProblemKind.UNREADABLE
    ]
    found += [problem for links in symlinks.values() for problem in links.unresolved]
    found += [
        PathProblem(os.path.join(root.path, "conda-meta"), "cannot be listed")
        for index, root in enumerate(roots)
        if root.kind is RootKind.ENVIRONMENT and index not in inventory.records
    ]
    return found


def find_package_uses(
    inventory: Inventory, usage: Usage, symlinks: Mapping[int, EnvironmentSymlinks]
) -> dict[int, PackageUse]:
    """Return the users of each unit that is an extracted package.

    A record counts by its file name alone: `NAME-VERSION-BUILD.json` belongs to the packages in
    directories of that name, in any cache. If the environment has links into one of them, the
    record belongs to that one.

    Args:
        inventory: The result of the scan.
        usage: The arithmetic over the inventory.
        symlinks: The result of `symlinks.follow_symlinks`.

    """
    users: dict[int, dict[int, Use]] = {
        index: {} for index, unit in enumerate(inventory.units) if unit.kind is UnitKind.PACKAGE
    }
    hardlinked = {
        index: usage.cache_units_linked_from[index]
        for index, root in enumerate(inventory.roots)
        if root.kind is RootKind.ENVIRONMENT
    }
    weakest_first = [
        (Use.RECORD, _recorded(inventory, users)),
        (Use.SOFTLINK, {root: set(found.links) for root, found in symlinks.items()}),
        (Use.HARDLINK, hardlinked),
    ]
    for use, found in weakest_first:
        for root, units in found.items():
            for index in units & users.keys():
                users[index][root] = use
    _drop_records_of_linked(inventory, users)
    outside = usage.cache_units_linked_from_outside
    return {index: PackageUse(used, index in outside) for index, used in users.items()}


def _is_archive(unit: Unit) -> bool:
    """Return whether a unit is an archive, or may be a quarantined one that can be restored."""
    is_moving = unit.entry is not None and unit.entry.stage is Stage.MOVING
    return unit.kind is UnitKind.ARCHIVE or is_moving


def _drop_records_of_linked(inventory: Inventory, users: dict[int, dict[int, Use]]) -> None:
    """Drop records as evidence if the environment has links into a package of the same name.

    A quarantined package whose original path has a package again does not count: it is on its way
    out.
    """
    paths = {inventory.units[index].path for index in users}
    linked = {
        (root, unit.dist)
        for index, used in users.items()
        for unit in [inventory.units[index]]
        if unit.path == unit.home or unit.home not in paths
        for root, use in used.items()
        if use is not Use.RECORD
    }
    for index, used in users.items():
        dist = inventory.units[index].dist
        for root, use in list(used.items()):
            if use is Use.RECORD and (root, dist) in linked:
                del used[root]


def _recorded(inventory: Inventory, packages: Iterable[int]) -> dict[int, set[int]]:
    """Return the packages that each environment's records name."""
    by_name: dict[str, set[int]] = {}
    for index in packages:
        by_name.setdefault(inventory.units[index].dist, set()).add(index)
    return {
        root: set().union(*(by_name.get(name.removesuffix(".json"), ()) for name in names))
        for root, names in inventory.records.items()
    }


@dataclass(frozen=True, slots=True)
class PackageUser:
    """An environment that uses a package.

    Attributes:
        name: Name of the environment.
        prefix: Absolute path of the environment.
        use: `hardlink`, `softlink`, or only `record`: value of `Use`.

    """

    name: str
    prefix: str
    use: str
