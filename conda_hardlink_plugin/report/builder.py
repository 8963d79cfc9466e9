"""Build a report from an analysis.

The field names are the names in `--json`; `docs/reference/report.schema.json` describes them.
Bytes are disk usage, or apparent size if the user asked for it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.analysis import Analysis, roots_inside
from ..scan.inventory import RootKind
from .figures import cache_figures, device_figures, environment_figures, totals_of
from .model import DuRow, IfRemoved, Report, Request
from .packages import package_figures
from .warnings import find_warnings, unreadable_records_warning, unreadable_trees

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .environment_detail import PrivateUsage


def build_report(analysis: Analysis, request: Request) -> Report:
    """Return the report on an analysis.

    Args:
        analysis: The analysis to report on.
        request: The optional parts to include.

    """
    inventory, observations = analysis.inventory, analysis.observations
    private_by_root = _private_usages(analysis, request)
    packages = tuple(package_figures(analysis)) if request.packages or request.disk_map else ()
    unreadable = unreadable_trees(inventory)
    unreadable_records = [
        problem for private in private_by_root.values() for problem in private.unreadable
    ]
    root_of = {root.path: index for index, root in enumerate(inventory.roots)}
    root_of |= {alias: root_of[path] for alias, path in inventory.aliases.items()}
    detail = disk_map = None
    if request.detail:
        from .environment_detail import environment_detail  # noqa: PLC0415  # rarely needed

        root = root_of[request.detail]
        detail = environment_detail(analysis.usage, analysis.names, root, private_by_root[root])
    if request.disk_map:
        from .disk_map import build_disk_map  # noqa: PLC0415  # rarely needed

        disk_map = build_disk_map(analysis, private_by_root, packages)
    return Report(
        measure=analysis.usage.measure,
        environments=tuple(
            environment_figures(analysis, private_by_root if request.causes else {})
        ),
        caches=tuple(cache_figures(analysis)),
        totals=totals_of(analysis),
        devices=tuple(device_figures(analysis)),
        unreachable=(*observations.unreachable, *observations.unreachable_caches),
        unreadable=(*observations.unsearched, *unreadable, *unreadable_records),
        stale=observations.stale,
        aliases=dict(inventory.aliases),
        incomplete=bool(unreadable),
        warnings=(*find_warnings(analysis), *unreadable_records_warning(unreadable_records)),
        reading=inventory.reading,
        packages=packages if request.packages else None,
        du=tuple(_du(analysis)) if request.du else None,
        if_removed=_if_removed(analysis, request.if_removed, root_of),
        detail=detail,
        disk_map=disk_map,
    )


def _du(analysis: Analysis) -> Iterator[DuRow]:
    """Yield caches first, then environments; a root that contains others comes after them.

    `du` counts the roots inside a root as part of it, unless it has counted them before in the
    same call.
    """
    roots, usage = analysis.inventory.roots, analysis.usage

    def rank(index: int) -> tuple[bool, int, str]:
        path = roots[index].path
        return roots[index].kind is not RootKind.CACHE, -path.count(os.sep), path

    order = sorted(range(len(roots)), key=rank)
    for index, added_bytes in zip(order, usage.added(order), strict=True):
        alone = {index} | roots_inside(analysis.inventory, {index})
        yield DuRow(roots[index].path, usage.unique(alone), added_bytes)


def _if_removed(
    analysis: Analysis, prefixes: Sequence[str] | None, root_of: Mapping[str, int]
) -> IfRemoved | None:
    if not prefixes:
        return None
    roots = analysis.inventory.roots
    named = frozenset(root_of[prefix] for prefix in prefixes)
    inside = roots_inside(analysis.inventory, named)
    units = {unit for root in named | inside for unit in analysis.usage.units_of_root[root]}
    packages = analysis.verdicts.only_used_by(named | inside)
    return IfRemoved(
        environments=tuple(analysis.name_of(roots[root].path) for root in sorted(named)),
        inside=tuple(roots[root].path for root in sorted(inside)),
        exclusive_bytes=analysis.usage.exclusive(units),
        with_clean_bytes=analysis.usage.exclusive(units | packages),
    )


def _private_usages(analysis: Analysis, request: Request) -> dict[int, PrivateUsage]:
    if not (request.causes or request.disk_map or request.detail):
        return {}
    from .environment_detail import private_usage  # noqa: PLC0415  # rarely needed

    cached = {analysis.inventory.units[unit].dist for unit in analysis.verdicts.uses}
    return {
        root: private_usage(analysis.usage, root, cached) for root in analysis.inventory.own_files
    }
