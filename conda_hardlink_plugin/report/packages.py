"""The figures of each extracted package in a cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.verdicts import PackageUser, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..analysis.analysis import Analysis

from dataclasses import dataclass
from typing import TYPE_CHECKING


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


def package_figures(analysis: Analysis) -> Iterator[PackageFigures]:
    """Yield the figures of every extracted package, by path."""
    sizes = analysis.usage.unique_by_unit
    units = analysis.inventory.units
    uses = analysis.evidence.uses
    for unit in analysis.packages:
        use, verdict = uses[unit], analysis.evidence.verdict(unit)
        yield PackageFigures(
            name=os.path.basename(units[unit].home),
            path=units[unit].home,
            size_bytes=sizes[unit],
            environments=analysis.users_of(unit),
            used_outside=use.outside,
            verdict=verdict.value,
            unused=verdict is Verdict.UNUSED,
        )
