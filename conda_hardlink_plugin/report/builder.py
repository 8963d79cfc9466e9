"""Usage and evidence to a report: every figure that is shown, named and with its unit.

The field names are the names in `--json`; `docs/reference/report.schema.json` describes them.
Bytes are disk usage, or apparent size where that was asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.analysis import Analysis, roots_inside
from ..scan.inventory import RootKind
from .figures import cache_figures, device_figures, environment_figures, totals_of
from .model import DuRow, IfRemoved, Report, Request
from .packages import PackageFigures, package_figures
from .warnings import find_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..analysis.usage import Usage
    from ..filesystem.problems import PathProblem
    from ..scan.inventory import Inventory
    from .disk_map import DiskMap
    from .environment_detail import Breakdown, EnvironmentDetail


def build_report(analysis: Analysis, request: Request) -> Report:
    """Compute a report.

    Args:
        analysis: What it is computed from.
        request: What it is to contain beyond its tables.

    """
    inventory, observations = analysis.inventory, analysis.observations
    breakdowns = _breakdowns(analysis, request)
    packages = tuple(package_figures(analysis)) if request.packages or request.disk_map else ()
    found = find_warnings(analysis)
    unread_records = tuple(_unread_records(breakdowns))
    root_of = {root.path: index for index, root in enumerate(inventory.roots)}
    root_of |= {alias: root_of[path] for alias, path in inventory.aliases.items()}
    return Report(
        measure=analysis.usage.measure,
        environments=tuple(environment_figures(analysis, breakdowns if request.causes else {})),
        caches=tuple(cache_figures(analysis)),
        totals=totals_of(analysis.usage, inventory),
        devices=tuple(device_figures(analysis.usage, inventory, analysis.filesystems)),
        unreachable=(*observations.unreachable, *observations.unreachable_caches),
        unreadable=(*observations.unsearched, *found.unreadable, *unread_records),
        stale=observations.stale,
        aliases=dict(inventory.aliases),
        incomplete=bool(found.unreadable),
        warnings=(*found.warnings, *_about_records(unread_records)),
        reading=inventory.reading,
        packages=packages if request.packages else None,
        du=tuple(_du(analysis.usage, inventory)) if request.du else None,
        if_removed=_if_removed(analysis, request.if_removed, root_of)
        if request.if_removed
        else None,
        detail=_detail(analysis, breakdowns, root_of[request.detail]) if request.detail else None,
        disk_map=_disk_map(analysis, breakdowns, packages) if request.disk_map else None,
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


def _if_removed(
    analysis: Analysis, prefixes: Sequence[str], root_of: Mapping[str, int]
) -> IfRemoved:
    named = frozenset(root_of[prefix] for prefix in prefixes)
    inside = roots_inside(analysis.inventory, named)
    units = {unit for root in named | inside for unit in analysis.usage.units_of_root[root]}
    packages = analysis.evidence.only_used_by(named | inside)
    paths = [analysis.inventory.roots[root].path for root in sorted(named)]
    return IfRemoved(
        environments=tuple(analysis.name_of(path) for path in paths),
        inside=tuple(analysis.inventory.roots[root].path for root in sorted(inside)),
        freed_bytes=analysis.usage.exclusive(units),
        freed_with_clean_bytes=analysis.usage.exclusive(units | packages),
    )


def _breakdowns(analysis: Analysis, request: Request) -> dict[int, Breakdown]:
    if not (request.causes or request.disk_map) and request.detail is None:
        return {}
    from .environment_detail import break_down  # noqa: PLC0415  # most reports need none

    cached = {analysis.inventory.units[unit].dist for unit in analysis.evidence.uses}
    return {root: break_down(analysis.usage, root, cached) for root in analysis.inventory.own_files}


def _detail(
    analysis: Analysis, breakdowns: Mapping[int, Breakdown], root: int
) -> EnvironmentDetail:
    from .environment_detail import detail_of  # noqa: PLC0415  # most reports have none

    return detail_of(analysis.usage, analysis.names, root, breakdowns[root])


def _disk_map(
    analysis: Analysis, breakdowns: Mapping[int, Breakdown], packages: Sequence[PackageFigures]
) -> DiskMap:
    from .disk_map import build_disk_map  # noqa: PLC0415  # most reports draw none

    return build_disk_map(analysis, breakdowns, packages)


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
