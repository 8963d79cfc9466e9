"""Hand-made reports with a disk map, up to the largest that a page has to show."""

from __future__ import annotations

import itertools
import random

from conda_hardlink_plugin.analysis.causes import Cause
from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.report.disk_map import (
    Area,
    AreaKind,
    DiskMap,
    Holder,
    HolderKind,
    Sharing,
)
from conda_hardlink_plugin.report.model import CacheFigures, Report, Totals
from conda_hardlink_plugin.report.packages import PackageFigures
from tests.support.figures import KIB, environment, report

NAMES = ("analysis", "atac", "base", "chipseq", "dask", "gpu", "nlp", "r", "vision", "web")
PACKAGES = ("boost", "cudatoolkit", "icu", "libllvm", "mkl", "numpy", "openssl", "pandas", "qt")


def page_report(environments: int = 12, packages: int = 300, **more) -> Report:
    """Return a report with a number of environments and packages, and its disk map."""
    source = random.Random(f"{environments} {packages}")
    names = [f"{NAMES[index % len(NAMES)]}-{index}" for index in range(environments)]
    sizes = [int(source.lognormvariate(12, 2)) // 4096 * 4096 + 8192 for _ in range(packages)]
    users = [_users_of(source, environments) for _ in range(packages)]
    private = [_private(source) for _ in range(environments)]
    figures = [
        _package(index, size, [names[user] for user in used])
        for index, (size, used) in enumerate(zip(sizes, users, strict=True))
    ]
    holders = _holders(names, figures, sizes, users, private)
    shared = [
        sum(size for size, used in zip(sizes, users, strict=True) if number in used)
        for number in range(environments)
    ]
    rows = [
        environment(
            name, shared[number] + sum(private[number].values()), sum(private[number].values())
        )
        for number, name in enumerate(names)
    ]
    on_disk_bytes = sum(holder.amount_bytes for holder in holders)
    copies_bytes = sum(row.size_bytes for row in rows) + holders[0].amount_bytes
    parts = {
        "caches": (_cache(holders[0], packages),),
        "totals": Totals(on_disk_bytes, copies_bytes, copies_bytes - on_disk_bytes, 0, 0, 0, 0, 0),
        "disk_map": DiskMap(
            tuple(holders),
            tuple(figures),
            tuple(private),
            _sharing(environments, sizes, users),
        ),
    }
    return report(*rows, **(parts | more))


def _users_of(source: random.Random, environments: int) -> list[int]:
    most = min(environments, int(source.expovariate(0.35)))
    return sorted(source.sample(range(environments), most))


def _private(source: random.Random) -> dict[str, int]:
    amounts = dict.fromkeys((cause.value for cause in Cause), 0)
    for cause in source.sample(list(Cause), 5):
        amounts[cause.value] = int(source.lognormvariate(14, 1.2)) // 4096 * 4096
    amounts[Cause.DIRECTORIES.value] = 400 * KIB
    return amounts


def _package(index: int, size: int, users: list[str]) -> PackageFigures:
    name = f"{PACKAGES[index % len(PACKAGES)]}-{index}-1.{index % 7}-h{index:04x}_0"
    unused = not users and index % 3 > 0
    return PackageFigures(
        name=name,
        path=f"/conda/pkgs/{name}",
        size_bytes=size,
        environments=tuple(PackageUser(name, f"/conda/envs/{name}", "hardlink") for name in users),
        used_outside=False,
        verdict="linked" if users else "unused" if unused else "recent",
        unused=unused,
    )


def _holders(names, figures, sizes, users, private) -> list[Holder]:
    areas = []
    for index, (package, size, used) in enumerate(zip(figures, sizes, users, strict=True)):
        if used:
            kind = AreaKind.SEVERAL if len(used) > 1 else AreaKind.ONE
        else:
            kind = AreaKind.UNUSED if package.unused else AreaKind.KEPT
        areas.append(Area(kind, size, index, tuple(used)))
    areas.append(Area(AreaKind.ARCHIVES, sum(sizes) // 3 // 4096 * 4096 + 4096))
    areas.append(Area(AreaKind.REST, 64 * KIB))
    between = Area(AreaKind.BETWEEN, sum(sizes) // 50, environments=tuple(range(len(names)))[:2])
    return [
        Holder(HolderKind.CACHE, "/conda/pkgs", tuple(areas)),
        *([Holder(HolderKind.BETWEEN, "", (between,))] if between.amount_bytes else []),
        *(
            Holder(
                HolderKind.ENVIRONMENT,
                name,
                tuple(
                    Area(AreaKind.OWN, amount, environments=(number,), cause=cause)
                    for cause, amount in private[number].items()
                    if amount
                ),
            )
            for number, name in enumerate(names)
        ),
    ]


def _cache(holder: Holder, packages: int) -> CacheFigures:
    parts = dict.fromkeys(AreaKind, 0)
    for area in holder.areas:
        parts[area.kind] += area.amount_bytes
    return CacheFigures(
        path=holder.name,
        size_bytes=holder.amount_bytes,
        used_bytes=parts[AreaKind.SEVERAL] + parts[AreaKind.ONE],
        kept_bytes=parts[AreaKind.KEPT],
        unused_bytes=parts[AreaKind.UNUSED],
        tarball_bytes=parts[AreaKind.ARCHIVES],
        quarantine_bytes=0,
        other_bytes=parts[AreaKind.REST],
        packages=packages,
        kept_packages=0,
        unused_packages=0,
        inodes=0,
        links=0,
        incomplete=False,
    )


def _sharing(environments, sizes, users) -> Sharing:
    pairs: dict[tuple[int, int], int] = {}
    for size, used in zip(sizes, users, strict=True):
        for pair in itertools.combinations(used, 2):
            pairs[pair] = pairs.get(pair, 0) + size
    return Sharing(tuple(range(environments))[:60], pairs)
