"""The labels on the disk map: names, shortened to the width of their rectangles, and sentences."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.analysis.causes import Cause
from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.render.map_labels import (
    KIND_LABELS,
    PACKAGE_KINDS,
    block_title,
    tile_label,
    tile_name,
    tile_title,
)
from conda_hardlink_plugin.render.treemap import Block, Rectangle, Tile
from conda_hardlink_plugin.report.disk_map import (
    Area,
    AreaKind,
    DiskMap,
    Holder,
    HolderKind,
    Sharing,
)
from conda_hardlink_plugin.report.model import Totals
from conda_hardlink_plugin.report.packages import PackageFigures
from tests.support.figures import KIB, environment, report

WIDE = 10_000.0
CACHE = Holder(HolderKind.CACHE, "/conda/pkgs", ())
ENV = Holder(HolderKind.ENVIRONMENT, "analysis", ())
BETWEEN = Holder(HolderKind.BETWEEN, "", ())


def rectangle(width):
    return Rectangle(0, 0, width, 100)


def block(*holders, width=WIDE, amount=2 * KIB):
    return Block(rectangle(width), holders, amount, ())


def tile(*areas, width=WIDE):
    return Tile(rectangle(width), areas, sum(area.amount_bytes for area in areas))


def package(name, *users, used_outside=False, verdict="linked"):
    environments = tuple(PackageUser(user, f"/envs/{user}", "hardlink") for user in users)
    unused = verdict == "unused"
    return PackageFigures(name, f"/pkgs/{name}", KIB, environments, used_outside, verdict, unused)


@pytest.fixture
def made():
    """A report on three environments, and packages with many users, with one and with none."""
    names = ("work", "other", "third")
    packages = (
        package("numpy-1-0", *(f"env{number:02}" for number in range(14))),
        package(os.fsdecode(b"new\nline \xff-1-0"), "work", used_outside=True),
        package("spare-1-0", verdict="unused"),
        package("new-1-0", verdict="recent"),
        package("out-1-0", used_outside=True),
    )
    return report(
        *map(environment, names),
        totals=Totals(100 * KIB, 0, 0, 0, 0, 0, 0, 0),
        disk_map=DiskMap((), packages, (None,) * 3, Sharing((), {})),
    )


def test_every_kind_of_area_has_a_label_and_those_of_packages_say_so():
    assert set(KIND_LABELS) == set(AreaKind)
    assert len(set(KIND_LABELS.values())) == len(AreaKind)
    assert {kind for kind in AreaKind if "ackages" in KIND_LABELS[kind]} == PACKAGE_KINDS


# A character of a heading is 8 units wide, and 16 units are left free.
@pytest.mark.parametrize(
    ("holder", "characters", "title"),
    [
        (ENV, 100, "analysis 2.0 KiB"),
        (ENV, 16, "analysis 2.0 KiB"),
        (ENV, 15, "analys… 2.0 KiB"),
        (ENV, 13, "anal… 2.0 KiB"),
        (ENV, 12, "analysis"),
        (ENV, 7, "analys…"),
        (ENV, 5, "anal…"),
        (ENV, 4, ""),
        (ENV, -2, ""),
        (CACHE, 15, "…a/pkgs 2.0 KiB"),
        (CACHE, 5, "…pkgs"),
        (BETWEEN, 100, "between environments 2.0 KiB"),
    ],
)
def test_the_title_of_a_block_is_cut_where_names_differ_least(holder, characters, title):
    assert block_title(block(holder, width=16 + 8 * characters)) == title


def test_the_title_of_several_environments_counts_them():
    assert block_title(block(*[ENV] * 1200)) == "1,200 smaller environments 2.0 KiB"


# A character of a label is 6.7 units wide, and 8 units are left free.
@pytest.mark.parametrize(
    ("characters", "label"),
    [(100, "numpy-1-0"), (9, "numpy-1-0"), (8, "numpy-1…"), (5, "nump…"), (4, ""), (0, "")],
)
def test_the_label_of_a_tile_is_cut_to_its_width(made, characters, label):
    drawn = tile(Area(AreaKind.SEVERAL, KIB, 0), width=8.1 + 6.7 * characters)
    assert tile_label(drawn, block(CACHE), made) == label


@pytest.mark.parametrize(
    ("areas", "name"),
    [
        ([Area(AreaKind.ONE, 1, 1)], os.fsdecode(b"new\nline \xff-1-0")),
        ([Area(AreaKind.UNUSED, 1, 2)] * 2, "2 smaller packages"),
        ([Area(AreaKind.ARCHIVES, 1)], "Package archives"),
        ([Area(AreaKind.OWN, 1, environments=(0,), cause=Cause.PIP.value)], "pip"),
        ([Area(AreaKind.OWN, 1, environments=(0,))], "private files"),
        ([Area(AreaKind.BETWEEN, 1, environments=(0, 2))], "work, third"),
        ([Area(AreaKind.OWN, 1, environments=(0,))] * 3, "3 smaller parts"),
        ([Area(AreaKind.BETWEEN, 1, environments=(0, n)) for n in (1, 2)], "2 smaller parts"),
    ],
)
def test_a_tile_is_named_for_its_only_area_or_counts_its_areas(made, areas, name):
    assert tile_name(tile(*areas), block(ENV), made) == name


def test_among_several_environments_a_tile_is_named_for_its_environment(made):
    several = block(ENV, ENV)
    mine = [Area(AreaKind.OWN, 1, environments=(1,), cause=cause.value) for cause in Cause]
    assert tile_name(tile(*mine), several, made) == "other"
    others = [Area(AreaKind.OWN, 1, environments=(number,)) for number in (0, 0, 2)]
    assert tile_name(tile(*others), several, made) == "2 smaller parts"


@pytest.mark.parametrize(
    ("areas", "title"),
    [
        (
            [Area(AreaKind.SEVERAL, KIB, 0)],
            "numpy-1-0: 1.0 KiB (1 %), shared packages: "
            + ", ".join(f"env{number:02}" for number in range(12))
            + " and 2 more.",
        ),
        (
            [Area(AreaKind.ONE, KIB, 1)],
            os.fsdecode(
                b"new\nline \xff-1-0: 1.0 KiB (1 %), packages of one environment: work, outside"
                b" links."
            ),
        ),
        (
            [Area(AreaKind.UNUSED, KIB, 2)],
            "spare-1-0: 1.0 KiB (1 %), unused packages, in /conda/pkgs.",
        ),
        (
            [Area(AreaKind.KEPT, KIB, 3)],
            "new-1-0: 1.0 KiB (1 %), packages without a known user, kept: recent.",
        ),
        (
            [Area(AreaKind.OUTSIDE, KIB, 4)],
            "out-1-0: 1.0 KiB (1 %), also linked from outside, in /conda/pkgs.",
        ),
        (
            [Area(AreaKind.UNUSED, KIB, 2)] * 2,
            "2 smaller packages: 2.0 KiB (2 %), unused packages, in /conda/pkgs.",
        ),
        (
            [Area(AreaKind.ARCHIVES, 50 * KIB)],
            "Package archives: 50.0 KiB (50 %), in /conda/pkgs.",
        ),
        (
            [Area(AreaKind.OWN, KIB, environments=(0,), cause="bytecode")],
            "bytecode: 1.0 KiB (1 %), private files of environments, in /conda/pkgs.",
        ),
    ],
)
def test_the_title_of_a_tile_is_a_sentence_with_its_share_and_kind(made, areas, title):
    assert tile_title(tile(*areas), block(CACHE), made) == title


@pytest.mark.parametrize(
    ("areas", "name"),
    [
        ([Area(AreaKind.BETWEEN, KIB, environments=(0, 1))], "work, other"),
        (
            [Area(AreaKind.BETWEEN, KIB // 2, environments=(0, n)) for n in (1, 2)],
            "2 smaller parts",
        ),
    ],
)
def test_what_environments_share_without_a_cache_is_not_in_a_holder(made, areas, name):
    title = f"{name}: 1.0 KiB (1 %), shared by environments, not in a cache."
    assert tile_title(tile(*areas), block(BETWEEN), made) == title
