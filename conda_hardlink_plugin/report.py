"""Usage and evidence to a report: every figure that is shown, named and with its unit.

The field names are the names in `--json`; `docs/reference/report.schema.json` describes them.
Bytes are disk usage (`st_blocks * 512`), or apparent size (`st_size`) where that was asked for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .costs import (
    Facts,
    cache_figures,
    device_figures,
    environment_figures,
    roots_inside,
    totals_of,
)
from .evidence import Verdict, dist_of
from .inventory import RootKind
from .notes import find_notes
from .quarantined import home_of
from .usage import Measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .breakdown import Breakdown, EnvironmentDetail
    from .costs import CacheFigures, DeviceFigures, EnvironmentFigures, Totals
    from .evidence import Terms
    from .inventory import Inventory, Reading
    from .picture import Picture
    from .records import PathProblem
    from .usage import Usage


@dataclass(frozen=True, slots=True)
class PackageUser:
    """An environment that uses a package: by `hardlink`, by `softlink`, or only by `record`."""

    name: str
    prefix: str
    use: str


@dataclass(frozen=True, slots=True)
class PackageFigures:
    """An extracted package in a cache.

    Attributes:
        name: The name of its directory, `NAME-VERSION-BUILD`.
        path: Absolute path.
        size_bytes: Unique usage of it alone.
        environments: Who uses it, and how.
        used_outside: It has links that lie in none of the trees.
        verdict: Value of `evidence.Verdict`: what keeps it, or `unused`.
        unused: Nothing keeps it: `conda hardlinks clean` removes it.

    """

    name: str
    path: str
    size_bytes: int
    environments: tuple[PackageUser, ...]
    used_outside: bool
    verdict: str
    unused: bool


@dataclass(frozen=True, slots=True)
class DuRow:
    """What `du -s` prints for a root: alone, with those inside it, and after those before it."""

    path: str
    alone_bytes: int
    added_bytes: int


@dataclass(frozen=True, slots=True)
class IfRemoved:
    """What removing some environments together would free.

    Attributes:
        environments: Their names.
        inside: Paths of the environments and caches that lie inside them, and go with them.
        freed_bytes: What removing their folders frees.
        freed_with_clean_bytes: And then the cached packages that only they used.

    """

    environments: tuple[str, ...]
    inside: tuple[str, ...]
    freed_bytes: int
    freed_with_clean_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says. Parts that were not asked for are `None`.

    `incomplete` says that something below the roots could not be read: sizes are at least so much.
    `reading` says how it was found out what there is.
    """

    measure: Measure
    environments: tuple[EnvironmentFigures, ...]
    caches: tuple[CacheFigures, ...]
    totals: Totals
    devices: tuple[DeviceFigures, ...]
    unreachable: tuple[PathProblem, ...]
    unreadable: tuple[PathProblem, ...]
    stale: tuple[str, ...]
    aliases: Mapping[str, str]
    incomplete: bool
    warnings: tuple[str, ...]
    reading: Reading
    packages: tuple[PackageFigures, ...] | None = None
    du: tuple[DuRow, ...] | None = None
    if_removed: IfRemoved | None = None
    detail: EnvironmentDetail | None = None
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a report is to say beyond its tables; environments are given by prefix."""

    measure: Measure = Measure.DISK
    packages: bool = False
    causes: bool = False
    du: bool = False
    if_removed: tuple[str, ...] | None = None
    detail: str | None = None
    picture: bool = False


def build_report(
    inventory: Inventory,
    *,
    names: Mapping[str, str],
    filesystems: Sequence[str],
    request: Request,
    terms: Terms,
    unreachable: Sequence[PathProblem] = (),
    unreachable_caches: Sequence[PathProblem] = (),
    unreadable: Sequence[PathProblem] = (),
    stale: Sequence[str] = (),
) -> Report:
    """Compute a report from an inventory.

    Args:
        inventory: What the scan found.
        names: Prefix to the name of the environment.
        filesystems: The filesystem type of each root of the inventory, `""` where unknown.
        request: What to say.
        terms: On what terms packages are judged.
        unreachable: Environments, or lists of them, that could not be scanned at all.
        unreachable_caches: Package caches that could not be scanned at all.
        unreadable: Folders that could not be looked through for environments.
        stale: Listed prefixes that are no more.

    """
    facts = Facts(inventory, names, request.measure, terms)
    breakdowns = _breakdowns(facts, request)
    packages = tuple(_packages(facts)) if request.packages or request.picture else ()
    notes = find_notes(
        inventory,
        facts.usage,
        facts.softlinks,
        facts.evidence,
        names,
        filesystems,
        unreachable=unreachable,
        unreachable_caches=unreachable_caches,
        unsearched=unreadable,
    )
    unread_records = tuple(_unread_records(breakdowns))
    root_of = {root.path: index for index, root in enumerate(inventory.roots)}
    root_of |= {alias: root_of[path] for alias, path in inventory.aliases.items()}
    return Report(
        measure=request.measure,
        environments=tuple(environment_figures(facts, breakdowns if request.causes else {})),
        caches=tuple(cache_figures(facts)),
        totals=totals_of(facts.usage, inventory),
        devices=tuple(device_figures(facts.usage, inventory, filesystems)),
        unreachable=(*unreachable, *unreachable_caches),
        unreadable=(*unreadable, *notes.unreadable, *unread_records),
        stale=tuple(stale),
        aliases=dict(inventory.aliases),
        incomplete=bool(notes.unreadable),
        warnings=(*notes.warnings, *_about_records(unread_records)),
        reading=inventory.reading,
        packages=packages if request.packages else None,
        du=tuple(_du(facts.usage, inventory)) if request.du else None,
        if_removed=_if_removed(facts, request.if_removed, root_of) if request.if_removed else None,
        detail=_detail(facts, breakdowns, root_of[request.detail]) if request.detail else None,
        picture=_picture(facts, breakdowns, packages) if request.picture else None,
    )


def _packages(facts: Facts) -> Iterator[PackageFigures]:
    sizes = facts.usage.unique_by_unit
    units = facts.inventory.units
    uses = facts.evidence.uses
    for unit in facts.packages:
        use, path, verdict = uses[unit], units[unit].path, facts.evidence.verdict(unit)
        users = (
            PackageUser(facts.names.get(prefix, prefix), prefix, use.environments[root].value)
            for root in sorted(use.environments)
            for prefix in [facts.inventory.roots[root].path]
        )
        yield PackageFigures(
            name=os.path.basename(home_of(path)),
            path=home_of(path),
            size_bytes=sizes[unit],
            environments=tuple(users),
            used_outside=use.outside,
            verdict=verdict.value,
            unused=verdict is Verdict.UNUSED,
        )


def _du(usage: Usage, inventory: Inventory) -> Iterator[DuRow]:
    """List caches first, then environments; one that contains others comes after them.

    Alone, `du` counts a root with those inside it; in one call it has counted them before.
    """
    order = sorted(
        range(len(inventory.roots)),
        key=lambda root: (
            inventory.roots[root].kind is not RootKind.CACHE,
            -inventory.roots[root].path.count(os.sep),
            inventory.roots[root].path,
        ),
    )
    for root, added_bytes in zip(order, usage.added(order), strict=True):
        alone = {root} | roots_inside(inventory, {root})
        yield DuRow(inventory.roots[root].path, usage.unique(alone), added_bytes)


def _if_removed(facts: Facts, prefixes: Sequence[str], root_of: Mapping[str, int]) -> IfRemoved:
    named = frozenset(root_of[prefix] for prefix in prefixes)
    inside = roots_inside(facts.inventory, named)
    units = {unit for root in named | inside for unit in facts.usage.units_of_root[root]}
    packages = facts.evidence.only_used_by(named | inside)
    paths = [facts.inventory.roots[root].path for root in sorted(named)]
    return IfRemoved(
        environments=tuple(facts.names.get(path, path) for path in paths),
        inside=tuple(facts.inventory.roots[root].path for root in sorted(inside)),
        freed_bytes=facts.usage.exclusive(units),
        freed_with_clean_bytes=facts.usage.exclusive(units | packages),
    )


def _breakdowns(facts: Facts, request: Request) -> dict[int, Breakdown]:
    if not (request.causes or request.picture) and request.detail is None:
        return {}
    from .breakdown import break_down  # noqa: PLC0415  # most reports need none

    cached = {dist_of(facts.inventory.units[unit].path) for unit in facts.evidence.uses}
    return {root: break_down(facts.usage, root, cached) for root in facts.inventory.own_files}


def _detail(facts: Facts, breakdowns: Mapping[int, Breakdown], root: int) -> EnvironmentDetail:
    from .breakdown import detail_of  # noqa: PLC0415  # most reports have none

    return detail_of(facts.usage, facts.names, root, breakdowns[root])


def _picture(
    facts: Facts, breakdowns: Mapping[int, Breakdown], packages: Sequence[PackageFigures]
) -> Picture:
    from .picture import build_picture  # noqa: PLC0415  # most reports draw none

    return build_picture(facts, breakdowns, packages)


def _unread_records(breakdowns: Mapping[int, Breakdown]) -> Iterator[PathProblem]:
    for breakdown in breakdowns.values():
        yield from breakdown.unreadable


def _about_records(unread: Sequence[PathProblem]) -> Iterator[str]:
    if unread:
        which = "1 record" if len(unread) == 1 else f"{len(unread):,} records"
        yield (
            f"{which} of installed packages could not be read, and what they list counts as"
            f" unowned ({unread[0].path}: {unread[0].reason})."
        )
