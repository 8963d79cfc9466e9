"""The plan of a clean, from the verdicts. It reads only archives, their URLs and trial links."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from ..analysis.symlinks import units_on_symlink_paths
from ..analysis.verdicts import HOLDS_ROOT, VERDICT_OF_USE, KeepReason, Use, Verdict
from ..executor.removal_plan import Action, Removal
from ..metadata.cached_package import CachedPackage
from ..metadata.quarantine_names import Stage
from ..scan.inventory import ARCHIVE_SUFFIXES, RootKind, UnitKind
from .archives import Archives
from .permissions import NOT_NAMED
from .plan import CleanChoice, Kept, Plan
from .trial_links import bytes_of_trial_links

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..analysis.analysis import Analysis

_LEADS = {
    Verdict.LINKED: "hard links in",
    Verdict.SOFTLINKED: "symbolic links in",
    Verdict.RECORDED: "recorded in",
}


def make_plan(
    analysis: Analysis,
    choice: CleanChoice,
    *,
    closed: Mapping[str, str],
    version_key: Callable[[str], Any],
    trial_links: tuple[str, ...] = (),
) -> Plan:
    """Decide what to remove.

    Args:
        analysis: The verdicts, from the scan and the records.
        choice: What the user wants to remove.
        closed: Caches that must not be changed, each to the reason.
        version_key: Sort key for the versions of a package.
        trial_links: Absolute paths of the trial links that conda left in environments.

    """
    chosen_links = trial_links if choice.trash else ()
    return _Planner(analysis, choice, closed, version_key, chosen_links).plan()


@dataclass
class _Planner:
    analysis: Analysis
    choice: CleanChoice
    closed: Mapping[str, str]
    version_key: Callable[[str], Any]
    trial_links: tuple[str, ...]

    def __post_init__(self) -> None:
        self.inventory = self.analysis.inventory
        self.units = self.inventory.units
        self.verdicts = self.analysis.verdicts
        self.usage = self.analysis.usage
        self.archives = Archives(self.analysis)
        self.allowed = {Verdict.RECORDED} if self.choice.copied else set()
        if self.choice.unobtainable:
            self.allowed.add(Verdict.UNOBTAINABLE)
        self.keep: dict[int, Kept] = {}

    def plan(self) -> Plan:
        finishing = self._finishing()
        returning = [
            index
            for index in self._at_stage(Stage.MOVING)
            if self._is_open(index) and index not in finishing
        ]
        occupied = {unit.path for unit in self.units}
        blocked = (index for index in returning if self.units[index].home in occupied)
        packages = self.verdicts.uses.keys() - {*finishing, *blocked}
        asked = (index for index in packages if self._is_asked_for(index))
        wanted = self._wanted(sorted(asked, key=lambda index: self.units[index].home))
        trash = self._removable(self.choice.trash, UnitKind.TRASH, self.archives.recent)
        tarballs = self._removable(
            self.choice.tarballs, UnitKind.ARCHIVE, self._reason_to_keep_archive
        )
        others = [*finishing, *trash, *tarballs]
        on_their_way = frozenset([*others, *self._at_stage(Stage.HELD)])
        wanted, too_big = self._as_far_as_needed(wanted, on_their_way)
        chosen = [*others, *wanted]
        planned_bytes = self._freed_bytes(finishing if self.choice.hold else chosen)
        to_heal = {self._cache(index) for index in [*returning, *finishing]}
        return Plan(
            remove=(
                *(self._removal(index, Action.FINISH) for index in finishing),
                *(self._removal(index, Action.MOVE) for index in trash),
                *(self._removal(index, Action.UNLINK) for index in tarballs),
                *(self._removal_of_package(index) for index in wanted),
            ),
            keep=tuple(sorted(self.keep.values(), key=lambda kept: kept.path)),
            trial_links=self.trial_links,
            planned_bytes=planned_bytes,
            held_bytes=self._freed_bytes(chosen) - planned_bytes,
            moving_back=tuple(self.units[index].home for index in returning),
            caches_to_heal=tuple(sorted(to_heal)),
            cache_identities={
                root.path: identity
                for index, root in enumerate(self.inventory.roots)
                if root.kind is RootKind.CACHE
                and (identity := self.inventory.identity(index)) is not None
            },
            excess_bytes=too_big,
            packages_with_archive=self._count_archived(wanted, frozenset(tarballs)),
            archives_chosen=self.choice.tarballs,
        )

    def _cache(self, index: int) -> str:
        return self.inventory.roots[self.units[index].root].path

    def _is_open(self, index: int) -> bool:
        return self._cache(index) not in self.closed

    def _package(self, index: int) -> CachedPackage | None:
        package = self.verdicts.package(index)
        return package if isinstance(package, CachedPackage) else None

    def _finishing(self) -> list[int]:
        """Return the entries that were given up, have expired, or were extracted again."""
        index_of = {unit.path: index for index, unit in enumerate(self.units)}
        finishing = []
        for index, unit in enumerate(self.units):
            entry = unit.entry
            if (
                entry is None
                or not self._is_open(index)
                or index in self.inventory.units_with_roots_inside
            ):
                continue
            expired = entry.has_expired(self.analysis.observations.now_ns)
            came_again = entry.stage is Stage.MOVING and self._is_whole(index_of.get(unit.home))
            if entry.stage is Stage.PURGE or expired or came_again:
                finishing.append(index)
        return finishing

    def _is_whole(self, index: int | None) -> bool:
        """Return whether a unit exists and, if it is a package, its extraction was finished."""
        if index is None or index not in self.verdicts.uses:
            return index is not None
        package = self._package(index)
        return package is not None and package.finished_ns is not None

    def _is_asked_for(self, index: int) -> bool:
        """Return whether a unit is in a cache that the user asked to clean."""
        return self.closed.get(self._cache(index)) != NOT_NAMED

    def _at_stage(self, stage: Stage) -> list[int]:
        """Return the entries of a quarantine at a stage."""
        return [
            index
            for index, unit in enumerate(self.units)
            if unit.entry is not None and unit.entry.stage is stage
        ]

    def _wanted(self, packages: Collection[int]) -> list[int]:
        """Return the packages that may be removed and are chosen; note why others are kept."""
        newest = self._newest(packages)
        wanted = []
        for index in packages:
            verdict, reason = self._verdict_and_reason(index)
            if not reason and index in newest:
                reason = f"kept by --keep-newest {self.choice.keep_newest}"
            if reason:
                self._note_kept(index, verdict, reason)
            else:
                wanted.append(index)
        return wanted

    def _verdict_and_reason(self, index: int) -> tuple[Verdict, str]:
        """Return the verdict on a package, and why it is kept as a phrase; `""` if it is not."""
        for keeping in self.verdicts.keeping_verdicts(index):
            if keeping not in self.allowed:
                return keeping, self._phrase(index, keeping)
        verdict = self.verdicts.verdict(index)
        if not self._is_open(index):
            return verdict, f"its cache is not cleaned: {self.closed[self._cache(index)]}"
        package = self.verdicts.package(index)
        if not isinstance(package, CachedPackage):
            return Verdict.UNVERIFIABLE, package.reason
        if verdict is Verdict.RECORDED:
            for problem in self.verdicts.records_against_copies(index)[:1]:
                return verdict, f"{problem.path}: {problem.reason}"
        names = (self.units[index].dist, package.name)
        return verdict, self._not_chosen(names, package.last_use_ns)

    def _phrase(self, index: int, verdict: Verdict) -> str:
        for keep_reason in self.verdicts.keep_reasons(index):
            if keep_reason.verdict is verdict:
                return keep_reason.reason
        users = [
            user.name
            for user in self.analysis.users_of(index)
            if VERDICT_OF_USE[Use(user.use)] is verdict
        ]
        if verdict is Verdict.LINKED and self.verdicts.uses[index].outside:
            users.append("a folder that was not scanned")
        return f"{_LEADS[verdict]} {', '.join(users)}"

    def _not_chosen(self, names: Collection[str], last_use_ns: int) -> str:
        """Return which option keeps what may be removed, as a phrase; `""` if none does."""
        name_glob, older_than_ns = self.choice.name_glob, self.analysis.policy.older_than_ns
        if name_glob is not None and not any(fnmatchcase(name, name_glob) for name in names):
            return f"does not match --name {name_glob}"
        age_ns = self.analysis.observations.now_ns - last_use_ns
        if older_than_ns is not None and age_ns < older_than_ns:
            return "used too recently for --older-than"
        return ""

    def _newest(self, packages: Collection[int]) -> set[int]:
        """Return the newest packages of each name in each cache, as many as to keep."""
        if self.choice.keep_newest is None:
            return set()
        by_name = defaultdict(list)
        for index in packages:
            if package := self._package(index):
                version = self.version_key(package.version)
                order = (version, package.build_number, package.last_use_ns)
                by_name[self.units[index].root, package.name].append((order, index))
        return {
            index
            for found in by_name.values()
            for _, index in nlargest(self.choice.keep_newest, found, key=lambda item: item[0])
        }

    def _as_far_as_needed(
        self, wanted: list[int], others: frozenset[int]
    ) -> tuple[list[int], dict[str, int]]:
        """Keep the most recently used packages with which every cache fits the limit.

        Args:
            wanted: The packages that may be removed.
            others: What else is removed, or held.

        Returns:
            The packages to remove, and each cache that is too big without them to the excess in
            bytes.

        """
        limit_bytes = self.choice.max_size_bytes
        if limit_bytes is None:
            return wanted, {}
        needed: list[int] = []
        too_big = {}
        for number, root in enumerate(self.inventory.roots):
            if root.kind is not RootKind.CACHE or root.path in self.closed:
                continue
            here = [index for index in wanted if self.units[index].root == number]
            here.sort(key=self._last_use_ns)
            few = bisect_left(
                range(len(here)),
                -limit_bytes,
                key=lambda count: -self.usage.unique_without(number, others.union(here[:count])),
            )
            needed += here[:few]
            for index in here[few:]:
                verdict = self.verdicts.verdict(index)
                self._note_kept(index, verdict, "its cache fits --max-size without removing it")
            rest_bytes = self.usage.unique_without(number, others.union(here[:few]))
            if rest_bytes > limit_bytes:
                too_big[root.path] = rest_bytes - limit_bytes
        return needed, too_big

    def _removable(
        self, is_chosen: bool, kind: UnitKind, reason_to_keep: Callable[[str], KeepReason | None]
    ) -> list[int]:
        """Return the left-overs or archives that may be removed; note why others are kept."""
        found = []
        for index, unit in enumerate(self.units):
            if is_chosen and unit.kind is kind and self._is_open(index):
                kept = self._used_by_environment(index) or reason_to_keep(unit.path)
                if kept is None:
                    found.append(index)
                else:
                    self._note_kept(index, kept.verdict, kept.reason)
        return found

    def _used_by_environment(self, index: int) -> KeepReason | None:
        """Return the reason to keep a unit that an environment is in or links to."""
        if index in self.inventory.units_with_roots_inside:
            return KeepReason(Verdict.UNVERIFIABLE, HOLDS_ROOT)
        if index in self._passed:
            reason = "a symbolic link in an environment leads to it"
            return KeepReason(Verdict.SOFTLINKED, reason)
        return None

    def _reason_to_keep_archive(self, path: str) -> KeepReason | None:
        kept = self.archives.reason_to_keep(path, self.allowed)
        if kept is None:
            dist = self.archives.dist(path)
            names = (dist, dist.rpartition("-")[0].rpartition("-")[0])
            if reason := self._not_chosen(names, self.archives.fetched_ns(path)):
                return KeepReason(Verdict.UNUSED, reason)
        return kept

    def _freed_bytes(self, indexes: Collection[int]) -> int:
        """Return what removing some units frees, with the trial links that are removed."""
        paths = [self.units[index].path for index in indexes]
        return self.usage.exclusive(indexes) + bytes_of_trial_links(self.trial_links, paths)

    def _count_archived(self, wanted: Collection[int], removed: Collection[int]) -> int:
        """Return how many packages to remove have an archive that is kept."""
        kept = {
            unit.path
            for index, unit in enumerate(self.units)
            if unit.kind is UnitKind.ARCHIVE and index not in removed
        }
        homes = (self.units[index].home for index in wanted)
        return sum(any(home + suffix in kept for suffix in ARCHIVE_SUFFIXES) for home in homes)

    @cached_property
    def _passed(self) -> set[int]:
        return units_on_symlink_paths(self.inventory)

    def _last_use_ns(self, index: int) -> int:
        package = self._package(index)
        return package.last_use_ns if package else 0

    def _note_kept(self, index: int, verdict: Verdict, reason: str) -> None:
        path = self.units[index].home
        size_bytes = self.usage.unique_by_unit[index]
        users = self.analysis.users_of(index)
        self.keep[index] = Kept(os.path.basename(path), path, size_bytes, verdict, reason, users)

    def _removal(self, index: int, action: Action) -> Removal:
        unit = self.units[index]
        name, size_bytes = os.path.basename(unit.home), self.usage.unique_by_unit[index]
        return Removal(action, name, unit.path, self._cache(index), size_bytes)

    def _removal_of_package(self, index: int) -> Removal:
        unit = self.units[index]
        partners = {
            other.path
            if other.kind is UnitKind.PACKAGE and other.entry is None
            else self._cache(number)  # the link may be anywhere in the cache by then
            for number in self.usage.cache_units_sharing_with(index)
            for other in [self.units[number]]
        }
        return replace(
            self._removal(index, Action.MOVE),
            path=unit.home,
            verdict=self.verdicts.verdict(index),
            package=self._package(index),
            partners=tuple(sorted(partners)),
            recorded_by=self._recorded_by(f"{unit.dist}.json"),
        )

    def _recorded_by(self, name: str) -> frozenset[str]:
        """Return every path of the environments that have a record with this file name."""
        found = {
            self.inventory.roots[root].path
            for root, names in self.inventory.records.items()
            if name in names
        }
        aliases = {alias for alias, path in self.inventory.aliases.items() if path in found}
        return frozenset(found | aliases)
