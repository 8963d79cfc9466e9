"""The figures of each extracted package in a cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.verdicts import PackageUser, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..analysis.analysis import Analysis


@dataclass(frozen=True, slots=True)
class PackageFigures:
    """An extracted package in a cache.

    Attributes:
        name: The name of its directory, `NAME-VERSION-BUILD`.
        path: Absolute path.
        size_bytes: Unique usage of this package alone.
        environments: The environments that use it, and how each uses it.
        used_outside: Whether some of its inodes have links outside the scanned trees.
        verdict: Value of `verdicts.Verdict`: the reason to keep it, or `unused`.
        unused: Whether `conda hardlinks clean` removes it.

    """

    name: str
    path: str
    size_bytes: int
    environments: tuple[PackageUser, ...]
    used_outside: bool
    verdict: str
    unused: bool


def package_figures(analysis: Analysis) -> Iterator[PackageFigures]:
    """Yield the figures of every extracted package, sorted by path."""
    for index in analysis.packages:
        home, verdict = analysis.inventory.units[index].home, analysis.verdicts.verdict(index)
        yield PackageFigures(
            name=os.path.basename(home),
            path=home,
            size_bytes=analysis.usage.unique_by_unit[index],
            environments=analysis.users_of(index),
            used_outside=analysis.verdicts.uses[index].outside,
            verdict=verdict.value,
            unused=verdict is Verdict.UNUSED,
        )
