"""Who uses each extracted package: hard links, symbolic links, records, and somebody unseen."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.evidence import (
    PackageUse,
    Use,
    dist_of,
    find_package_uses,
    packages_by_only_user,
    packages_only_used_by,
)
from conda_hardlink_plugin.softlinks import follow_softlinks
from conda_hardlink_plugin.usage import Usage
from tests.small_installation import SmallInstallation
from tests.trees import symlink, write


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def uses_of(made):
    """Return for each package directory (cache/dist) its users by name, and what is unused."""
    inventory = made.scan()
    uses = find_package_uses(inventory, Usage(inventory), follow_softlinks(inventory))
    return {
        os.path.relpath(inventory.units[unit].path, made.directory): (
            {
                os.path.basename(inventory.roots[root].path): how.value
                for root, how in use.environments.items()
            },
            "unused" if use.unused else "outside" if use.outside else "used",
        )
        for unit, use in uses.items()
    }


def test_an_environment_that_shares_an_inode_uses_the_package_by_hard_link(made):
    package = made.package("thing-1-0", {"lib/a": b"a", "lib/b": b"b"})
    prefix = made.environment("env")
    os.mkdir(f"{prefix}/lib")
    os.link(f"{package}/lib/a", f"{prefix}/lib/renamed")
    assert uses_of(made) == {"pkgs/thing-1-0": ({"env": "hardlink"}, "used")}


def test_a_symbolic_link_into_a_package_uses_it(made):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    symlink(f"{package}/lib/a", f"{made.environment('env')}/lib/a")
    assert uses_of(made) == {"pkgs/thing-1-0": ({"env": "softlink"}, "used")}


def test_a_record_uses_a_package_that_has_nothing_to_link(made):
    made.package("meta-1-0", {})
    made.record(made.environment("env"), "meta-1-0", {})
    assert uses_of(made) == {"pkgs/meta-1-0": ({"env": "record"}, "used")}


def test_a_record_uses_the_packages_of_its_name_in_every_cache(made):
    made.package("thing-1-0", {}, "pkgs")
    made.package("thing-1-0", {}, "other")
    made.package("thing-1-1", {}, "other")
    made.record(made.environment("env"), "thing-1-0", {})
    assert uses_of(made) == {
        "pkgs/thing-1-0": ({"env": "record"}, "used"),
        "other/thing-1-0": ({"env": "record"}, "used"),
        "other/thing-1-1": ({}, "unused"),
    }


@pytest.mark.parametrize("link", ["hardlink", "softlink"])
def test_a_record_is_of_the_package_that_is_linked_and_of_no_copy_in_another_cache(made, link):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    made.package("thing-1-0", {"lib/a": b"a"}, "other")
    made.install(made.environment("env"), package, link)
    assert uses_of(made) == {
        "pkgs/thing-1-0": ({"env": link}, "used"),
        "other/thing-1-0": ({}, "unused"),
    }


def test_the_strongest_evidence_of_each_environment_is_named(made):
    package = made.package("thing-1-0", {"lib/a": b"a", "lib/b": b"b"})
    made.install(made.environment("hard"), package)
    symlink(f"{package}/lib/b", f"{made.prefixes[0]}/lib/again")
    made.install(made.environment("soft"), package, "softlink")
    made.install(made.environment("copy"), package, "copy")
    made.environment("nothing")
    assert uses_of(made) == {
        "pkgs/thing-1-0": ({"hard": "hardlink", "soft": "softlink", "copy": "record"}, "used")
    }


def test_a_link_that_was_not_seen_is_of_somebody_outside(made, tmp_path):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    os.link(f"{package}/lib/a", tmp_path / "unseen")
    assert uses_of(made) == {"pkgs/thing-1-0": ({}, "outside")}


def test_packages_linked_to_themselves_and_to_each_other_are_unused(made):
    """Their link counts are above one, and nobody uses them."""
    one = made.package("one-1-0", {"lib/a": b"a"})
    two = made.package("two-1-0", {"lib/b": b"b"})
    os.link(f"{one}/lib/a", f"{one}/lib/again")
    os.link(f"{one}/lib/a", f"{two}/lib/a")
    assert uses_of(made) == {
        "pkgs/one-1-0": ({}, "unused"),
        "pkgs/two-1-0": ({}, "unused"),
    }


def test_an_inode_in_two_packages_uses_both(made):
    one = made.package("one-1-0", {"lib/a": b"a"})
    two = made.package("two-1-0", {})
    os.link(f"{one}/lib/a", f"{two}/a")
    made.install(made.environment("env"), one)
    assert uses_of(made) == {
        "pkgs/one-1-0": ({"env": "hardlink"}, "used"),
        "pkgs/two-1-0": ({"env": "hardlink"}, "used"),
    }


def use_of(unit, *roots, outside=False):
    return unit, PackageUse(unit, dict.fromkeys(roots, Use.RECORD), outside)


USES = dict(
    [
        use_of(0, 1),
        use_of(1, 1, 2),
        use_of(2, 2),
        use_of(3),
        use_of(4, 1, outside=True),
        use_of(5, 1, 2, 3),
        use_of(6, outside=True),
        use_of(7, 1),
    ]
)


@pytest.mark.parametrize(
    ("roots", "units"),
    [(set(), set()), ({1}, {0, 7}), ({2}, {2}), ({3}, set()), ({1, 2}, {0, 1, 2, 7})],
)
def test_packages_go_with_environments_that_nobody_else_shares_them_with(roots, units):
    assert packages_only_used_by(frozenset(roots), USES) == units


def test_the_packages_of_each_environment_alone_are_those_of_it_as_a_set():
    by_user = packages_by_only_user(USES)
    assert by_user == {1: {0, 7}, 2: {2}}
    assert all(packages_only_used_by(frozenset([root]), USES) == by_user[root] for root in by_user)


def test_what_nobody_is_known_to_use_is_unused():
    assert [unit for unit, use in USES.items() if use.unused] == [3]


@pytest.mark.parametrize(
    ("directory", "dist"),
    [
        ("/pkgs/thing-1.0-h0_0", "thing-1.0-h0_0"),
        (f"/pkgs/thing-1.0-h0_0-{'0a' * 32}", "thing-1.0-h0_0"),
        (f"/pkgs/thing-1.0-{'0a' * 31}", f"thing-1.0-{'0a' * 31}"),
    ],
)
def test_the_origin_that_rattler_adds_to_a_name_is_no_part_of_it(directory, dist):
    assert dist_of(directory) == dist


def test_a_package_with_its_origin_in_its_name_is_used_by_record(made):
    package = made.package(f"thing-1-0-{'0a' * 32}", {})
    prefix = made.environment("env")
    write(f"{prefix}/conda-meta/thing-1-0.json", b"{}")
    inventory = made.scan()
    usage = Usage(inventory)
    (use,) = find_package_uses(inventory, usage, {}).values()
    assert inventory.units[use.unit].path == package
    assert list(use.environments.values()) == [Use.RECORD]
