"""Evidence to plan. Pure but for the times and URLs of archives, and the sizes of trial links."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..analysis.symlinks import units_passed
from ..analysis.verdicts import HOLDS_ROOT, VERDICT_OF_USE, Use, Verdict
from ..executor.removal import Action, Removal
from ..metadata.conda_meta import CachedPackage
from ..metadata.quarantine_names import Stage
from ..scan.inventory import TARBALL_SUFFIXES, RootKind, UnitKind
from .archives import Archives
from .plan import Choice, Kept, Plan
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
    choice: Choice,
    *,
    closed: Mapping[str, str],
    version_key: Callable[[str], Any],
    trial_links: tuple[str, ...] = (),
) -> Plan:
    """Decide what is removed.

    Args:
        analysis: What the scan and the records say.
        choice: What the user wants.
        closed: Caches that are not to be touched, to the reason.
        version_key: Sorts the versions of a package.
        trial_links: Trial links that conda left in environments.

    """
    return _Planner(analysis, choice, closed, version_key, trial_links).plan()


class _Planner:
    def __init__(
        self,
        analysis: Analysis,
        choice: Choice,
        closed: Mapping[str, str],
        version_key: Callable[[str], Any],
        trial_links: tuple[str, ...],
    ) -> None:
        self.analysis = analysis
        self.choice = choice
        self.closed = closed
        self.version_key = version_key
        self.trial_links = trial_links
        self.units = analysis.inventory.units
        self.archives = Archives(analysis)
        self.allowed = {Verdict.RECORDED} if choice.copied else set()
        if choice.unobtainable:
            self.allowed.add(Verdict.UNOBTAINABLE)
        self.keep: dict[int, Kept] = {}

    def plan(self) -> Plan:
        finishing = self._finishing()
        returning = self._returning(finishing)
        packages = self._packages(without={*finishing, *self._kept_out(returning)})
        wanted = self._wanted(packages)
        trash = self._trash() if self.choice.trash else []
        tarballs = self._tarballs() if self.choice.tarballs else []
        others = [*finishing, *trash, *tarballs]
        wanted, too_big = self._as_far_as_needed(wanted, frozenset([*others, *self._held()]))
        chosen = [*others, *wanted]
        freed_now = finishing if self.choice.hold else chosen
        planned_bytes = self._freed_bytes(freed_now)
        return Plan(
            remove=(
                *(self._removal(unit, Action.FINISH) for unit in finishing),
                *(self._removal(unit, Action.MOVE) for unit in trash),
                *(self._removal(unit, Action.UNLINK) for unit in tarballs),
                *(self._removal_of_package(unit) for unit in wanted),
            ),
            keep=tuple(sorted(self.keep.values(), key=lambda kept: kept.path)),
            trial_links=self.trial_links if self.choice.trash else (),
            planned_bytes=planned_bytes,
            held_bytes=self._freed_bytes(chosen) - planned_bytes,
            returning=tuple(self.units[unit].home for unit in returning),
            caches_to_heal=tuple(sorted({self._cache(unit) for unit in [*returning, *finishing]})),
            cache_identities={
                place.path: identity
                for root, place in enumerate(self.analysis.inventory.roots)
                if place.kind is RootKind.CACHE
                and (identity := self.analysis.inventory.identity(root)) is not None
            },
            too_big=too_big,
            archived=self._count_archived(wanted, frozenset(tarballs)),
        )

    def _packages(self, without: Collection[int]) -> list[int]:
        packages = self.analysis.evidence.uses.keys() - without
        return sorted(packages, key=lambda unit: self.units[unit].home)

    def _cache(self, unit: int) -> str:
        return self.analysis.inventory.roots[self.units[unit].root].path

    def _is_open(self, unit: int) -> bool:
        return self._cache(unit) not in self.closed

    def _finishing(self) -> list[int]:
        """Return what earlier runs gave up, what is held no longer, and what came again."""
        there = {place.path: unit for unit, place in enumerate(self.units)}
        finishing = []
        for unit, place in enumerate(self.units):
            entry = place.entry
            if entry is None or not self._is_open(unit) or unit in self.analysis.inventory.holding:
                continue
            expired = entry.has_expired(self.analysis.observations.now_ns)
            came_again = entry.stage is Stage.MOVING and self._is_whole(there.get(place.home))
            if entry.stage is Stage.PURGE or expired or came_again:
                finishing.append(unit)
        return finishing

    def _is_whole(self, unit: int | None) -> bool:
        """Tell whether something is there; of a package, whether its extraction was finished."""
        if unit is None or unit not in self.analysis.evidence.uses:
            return unit is not None
        package = self.analysis.evidence.package(unit)
        return isinstance(package, CachedPackage) and package.finished_ns is not None

    def _returning(self, finishing: Collection[int]) -> list[int]:
        """Return what an interrupted run moved aside and did not give up."""
        return [
            unit
            for unit, place in enumerate(self.units)
            if place.entry is not None
            and place.entry.stage is Stage.MOVING
            and self._is_open(unit)
            and unit not in finishing
        ]

    def _kept_out(self, returning: Collection[int]) -> list[int]:
        """Return what cannot go back: something else is in its place."""
        there = {place.path for place in self.units}
        return [unit for unit in returning if self.units[unit].home in there]

    def _held(self) -> list[int]:
        """Return what earlier runs keep for a while: it is on its way out, too."""
        return [
            unit
            for unit, place in enumerate(self.units)
            if place.entry is not None and place.entry.stage is Stage.HELD
        ]

    def _wanted(self, packages: Collection[int]) -> list[int]:
        """Return the packages that may go and that the user wants gone; note why others stay."""
        newest = self._newest(packages)
        wanted = []
        for unit in packages:
            verdict, reason = self._objection(unit)
            if not reason and unit in newest:
                reason = f"among the newest {self.choice.keep_newest} of its name"
            if reason:
                self._note_kept(unit, verdict, reason)
            else:
                wanted.append(unit)
        return wanted

    def _objection(self, unit: int) -> tuple[Verdict, str]:
        """Return the verdict, and what keeps a package as a phrase; `""` if nothing does."""
        evidence = self.analysis.evidence
        keeping_verdicts = [
            item for item in evidence.keeping_verdicts(unit) if item not in self.allowed
        ]
        if keeping_verdicts:
            return keeping_verdicts[0], self._phrase(unit, keeping_verdicts[0])
        verdict = evidence.verdict(unit)
        if not self._is_open(unit):
            return verdict, f"its cache is not touched: {self.closed[self._cache(unit)]}"
        package = evidence.package(unit)
        if not isinstance(package, CachedPackage):
            return Verdict.UNVERIFIABLE, package.reason
        if verdict is Verdict.RECORDED:
            against = evidence.against_copies(unit)
            if against:
                return verdict, f"{against[0].path}: {against[0].reason}"
        names = (self.units[unit].dist, package.name)
        return verdict, self._not_chosen(names, package.last_use_ns)

    def _phrase(self, unit: int, verdict: Verdict) -> str:
        for doubt in self.analysis.evidence.keep_reasons(unit):
            if doubt.verdict is verdict:
                return doubt.reason
        users = [
            user.name
            for user in self.analysis.users_of(unit)
            if VERDICT_OF_USE[Use(user.use)] is verdict
        ]
        if verdict is Verdict.LINKED and self.analysis.evidence.uses[unit].outside:
            users.append("somebody outside these trees")
        return f"{_LEADS[verdict]} {', '.join(users)}"

    def _not_chosen(self, names: tuple[str, str], last_use_ns: int) -> str:
        """Return by which option what may go is not wanted gone."""
        name_glob, older_than_ns = self.choice.name_glob, self.analysis.policy.older_than_ns
        if name_glob is not None and not any(fnmatchcase(name, name_glob) for name in names):
            return f"not of the name {name_glob}"
        age_ns = self.analysis.observations.now_ns - last_use_ns
        if older_than_ns is not None and age_ns < older_than_ns:
            return "its last use is too short ago for --older-than"
        return ""

    def _newest(self, packages: Collection[int]) -> set[int]:
        """Return the newest of each name in each cache, as many as are to be kept."""
        if self.choice.keep_newest is None:
            return set()
        by_name: dict[tuple[int, str], list[tuple[int, CachedPackage]]] = {}
        for unit in packages:
            package = self.analysis.evidence.package(unit)
            if isinstance(package, CachedPackage):
                by_name.setdefault((self.units[unit].root, package.name), []).append(
                    (unit, package)
                )
        newest: set[int] = set()
        for found in by_name.values():
            found.sort(key=lambda item: self._age_order(item[1]), reverse=True)
            newest.update(unit for unit, _ in found[: self.choice.keep_newest])
        return newest

    def _age_order(self, package: CachedPackage) -> tuple[Any, int, int]:
        return self.version_key(package.version), package.build_number, package.last_use_ns

    def _as_far_as_needed(
        self, wanted: list[int], others: frozenset[int]
    ) -> tuple[list[int], dict[str, int]]:
        """Keep the most recently used packages as far as every cache fits with them."""
        limit_bytes = self.choice.max_size_bytes
        if limit_bytes is None:
            return wanted, {}
        usage = self.analysis.usage
        needed: list[int] = []
        too_big = {}
        for root, place in enumerate(self.analysis.inventory.roots):
            if place.kind is not RootKind.CACHE or place.path in self.closed:
                continue
            here = [unit for unit in wanted if self.units[unit].root == root]
            here.sort(key=self._last_use_ns)
            few, many = 0, len(here)
            while few < many:
                middle = (few + many) // 2
                if usage.unique_without(root, others.union(here[:middle])) <= limit_bytes:
                    many = middle
                else:
                    few = middle + 1
            needed += here[:few]
            for unit in here[few:]:
                verdict = self.analysis.evidence.verdict(unit)
                self._note_kept(unit, verdict, "its cache fits --max-size with it")
            rest_bytes = usage.unique_without(root, others.union(here[:few]))
            if rest_bytes > limit_bytes:
                too_big[place.path] = rest_bytes - limit_bytes
        return needed, too_big

    def _trash(self) -> list[int]:
        """Return the left-overs that are old enough to be nobody's any more."""
        found = []
        for unit, place in enumerate(self.units):
            if place.kind is UnitKind.TRASH and self._is_open(unit):
                objection = self._leads_on(unit) or self.archives.recent(place.path)
                if objection is None:
                    found.append(unit)
                else:
                    self._note_kept(unit, *objection)
        return found

    def _freed_bytes(self, units: Collection[int]) -> int:
        """Return what removing some units frees, and with them the trial links that go."""
        figure = self.analysis.usage.exclusive(units)
        if self.choice.trash:
            figure += bytes_of_trial_links(
                self.trial_links, [self.units[unit].path for unit in units]
            )
        return figure

    def _tarballs(self) -> list[int]:
        """Return the archives that may go."""
        found = []
        for unit, place in enumerate(self.units):
            if place.kind is UnitKind.TARBALL and self._is_open(unit):
                objection = (
                    self._leads_on(unit)
                    or self.archives.objection(place.path, self.allowed)
                    or self._archive_not_chosen(place.path)
                )
                if objection is None:
                    found.append(unit)
                else:
                    self._note_kept(unit, *objection)
        return found

    def _count_archived(self, wanted: Collection[int], going: Collection[int]) -> int:
        """Return how many packages that go have an archive that stays."""
        staying = {
            place.path
            for unit, place in enumerate(self.units)
            if place.kind is UnitKind.TARBALL and unit not in going
        }
        paths = (self.units[unit].home for unit in wanted)
        return sum(any(path + end in staying for end in TARBALL_SUFFIXES) for path in paths)

    def _archive_not_chosen(self, path: str) -> tuple[Verdict, str] | None:
        """Return by which option an archive that may go is not wanted gone."""
        dist = self.archives.dist(path)
        names = (dist, dist.rpartition("-")[0].rpartition("-")[0])
        reason = self._not_chosen(names, self.archives.fetched_ns(path))
        return (Verdict.UNUSED, reason) if reason else None

    def _leads_on(self, unit: int) -> tuple[Verdict, str] | None:
        """Return that an environment leads into a left-over or an archive, or is in it."""
        if unit in self.analysis.inventory.holding:
            return Verdict.UNVERIFIABLE, HOLDS_ROOT
        if unit in self._passed:
            return Verdict.SOFTLINKED, "a symbolic link in an environment leads to it"
        return None

    @cached_property
    def _passed(self) -> set[int]:
        return units_passed(self.analysis.inventory)

    def _last_use_ns(self, unit: int) -> int:
        package = self.analysis.evidence.package(unit)
        return package.last_use_ns if isinstance(package, CachedPackage) else 0

    def _note_kept(self, unit: int, verdict: Verdict, reason: str) -> None:
        path = self.units[unit].home
        size_bytes = self.analysis.usage.unique_by_unit[unit]
        users = self.analysis.users_of(unit)
        self.keep[unit] = Kept(os.path.basename(path), path, size_bytes, verdict, reason, users)

    def _removal(self, unit: int, action: Action) -> Removal:
        """Return the removal of what is no package."""
        path = self.units[unit].path
        size_bytes = self.analysis.usage.unique_by_unit[unit]
        name = os.path.basename(self.units[unit].home)
        return Removal(action, name, path, self._cache(unit), size_bytes)

    def _removal_of_package(self, unit: int) -> Removal:
        path = self.units[unit].home
        package = self.analysis.evidence.package(unit)
        partners = {
            place.path
            if place.kind is UnitKind.PACKAGE and place.entry is None
            else self._cache(other)  # wherever in it that is by then
            for other in self.analysis.usage.cache_units_sharing_with(unit)
            for place in [self.units[other]]
        }
        return Removal(
            Action.MOVE,
            os.path.basename(path),
            path,
            self._cache(unit),
            self.analysis.usage.unique_by_unit[unit],
            verdict=self.analysis.evidence.verdict(unit),
            package=package if isinstance(package, CachedPackage) else None,
            partners=tuple(sorted(partners)),
            recorded_by=self._recorded_by(f"{self.units[unit].dist}.json"),
        )

    def _recorded_by(self, name: str) -> frozenset[str]:
        """Return every path of the environments that have a record of this name."""
        inventory = self.analysis.inventory
        found = {
            inventory.roots[root].path
            for root in inventory.records
            if name in inventory.records[root]
        }
        aliases = {alias for alias, path in inventory.aliases.items() if path in found}
        return frozenset(found | aliases)
