"""The inventory: names of units inside and outside the quarantine, identities of roots, sums."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from conda_hardlink_plugin.metadata.quarantine_names import QUARANTINE, QuarantineEntry, Stage
from conda_hardlink_plugin.scan.inventory import PrivateSums, Unit, UnitKind
from tests.support.scanning import scan
from tests.support.trees import (
    ODD_NAMES,
    cache_root,
    environment_root,
    make_installation,
    package,
)

ORIGIN = "a1" * 32  # rattler appends the sha256 of the origin of a package


@pytest.mark.parametrize(
    ("name", "dist"),
    [
        ("thing-1-0", "thing-1-0"),
        ("https/host/channel/linux-64/thing-1-0", "thing-1-0"),
        (f"thing-1-0-{ORIGIN}", "thing-1-0"),
        (f"thing-1-0-{ORIGIN[:-1]}", f"thing-1-0-{ORIGIN[:-1]}"),
        *((f"{name}-1-0", f"{name}-1-0") for name in ODD_NAMES),
    ],
)
@pytest.mark.parametrize("stage", [None, *Stage])
def test_a_package_has_the_same_home_and_dist_wherever_it_is(tmp_path, name, dist, stage):
    path = f"{tmp_path}/{name}"
    if stage is None:
        unit = Unit(UnitKind.PACKAGE, 0, path)
        assert unit.entry is None
    else:
        entry = QuarantineEntry(stage, "r1", name, 1_700_000_000 if stage is Stage.HELD else 0)
        unit = Unit(UnitKind.QUARANTINED, 0, f"{tmp_path}/{QUARANTINE}/{entry.name}")
        assert unit.entry == entry
    assert (unit.home, unit.dist) == (path, dist)


@pytest.mark.parametrize(
    "path",
    [
        f"/pkgs/{QUARANTINE}",
        f"/pkgs/{QUARANTINE}/thing-1-0",
        f"/pkgs/{QUARANTINE}/deeper/purge-r1-thing-1-0",
        "/pkgs/purge-r1-thing-1-0",
    ],
)
def test_a_path_that_is_not_a_quarantine_entry_is_its_own_home(path):
    unit = Unit(UnitKind.OTHER, 0, path)
    assert (unit.entry, unit.home) == (None, path)


def test_units_with_the_same_kind_root_and_path_are_equal():
    unit = Unit(UnitKind.PACKAGE, 0, f"/pkgs/{QUARANTINE}/moving-r1-thing-1-0")
    assert unit == Unit(UnitKind.PACKAGE, 0, unit.path)
    assert len({unit, Unit(UnitKind.PACKAGE, 0, unit.path)}) == 1
    others = {replace(unit, kind=UnitKind.TRASH), replace(unit, root=1), replace(unit, path="/p")}
    assert len({unit, *others}) == 4


def test_the_identity_of_a_root_is_that_of_its_directory(tmp_path):
    made = make_installation(str(tmp_path))
    missing = f"{tmp_path}/missing"
    inventory = scan([*made.roots, environment_root(missing)])
    expected = [(os.stat(path).st_dev, os.stat(path).st_ino) for path in made.paths]
    assert list(map(inventory.identity, range(4))) == [*expected, None]
    assert inventory.identities() == set(expected)


def test_an_inventory_without_roots_has_no_identities():
    assert scan([]).identities() == frozenset()


def test_units_of_a_scanned_cache_know_their_home(tmp_path):
    moved = package(str(tmp_path), f"{QUARANTINE}/purge-r1-thing-1-0")
    kept = package(str(tmp_path), "other-1-0")
    units = {unit.path: unit for unit in scan([cache_root(str(tmp_path))]).units}
    assert (units[moved].home, units[moved].dist) == (f"{tmp_path}/thing-1-0", "thing-1-0")
    assert (units[kept].home, units[kept].dist) == (kept, "other-1-0")


def test_sums_are_added_figure_by_figure():
    sums = PrivateSums()
    sums.add(PrivateSums(1, 20, 300, 4_000, 50_000))
    sums.add(PrivateSums(5, 40, 300, 2_000, 10_000))
    assert sums == PrivateSums(6, 60, 600, 6_000, 60_000)
