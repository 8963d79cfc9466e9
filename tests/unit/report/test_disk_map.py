"""The disk map: each byte of the disk in one area, and the bytes that environments share."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings

from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.report.builder import build_report
from conda_hardlink_plugin.report.disk_map import MOST_IN_MATRIX, AreaKind, HolderKind
from conda_hardlink_plugin.report.model import Request
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from tests.support.circumstances import analysis_of
from tests.support.oracles import Model, du
from tests.support.small_installation import SmallInstallation, plans
from tests.support.trees import link, symlink, write

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The figure of a cache that counts each kind, if no inode is in several packages.
PART_OF_KIND = {
    AreaKind.SEVERAL: "used_bytes",
    AreaKind.ONE: "used_bytes",
    AreaKind.UNLINKED: "used_bytes",
    AreaKind.OUTSIDE: "used_bytes",
    AreaKind.KEPT: "kept_bytes",
    AreaKind.UNUSED: "unused_bytes",
    AreaKind.ARCHIVES: "tarball_bytes",
    AreaKind.REST: "other_bytes",
}


def drawn(made, measure=Measure.DISK):
    inventory = made.scan(detailed=True)
    analysis = analysis_of(inventory, made.names(), measure=measure)
    return build_report(analysis, Request(disk_map=True))


def amounts(holder):
    """Return the bytes of each kind of area of a holder."""
    found = {}
    for area in holder.areas:
        found[area.kind] = found.get(area.kind, 0) + area.amount_bytes
    return found


def kinds_by_package(report):
    return {
        report.disk_map.packages[area.package].name: area.kind
        for holder in report.disk_map.holders
        for area in holder.areas
        if area.package is not None
    }


@pytest.fixture
def made(tmp_path):
    """A cache with a package of each kind, and three environments."""
    made = SmallInstallation(str(tmp_path))
    names = ("both", "one", "soft", "copied", "outside", "unused", "kept")
    package = {
        name: made.package(f"{name}-1-0", {f"lib/{name}": b"x" * 5000 * number})
        for number, name in enumerate(names, start=1)
    }
    write(f"{package['kept']}/info/repodata_record.json", b"{}")  # it cannot be downloaded again
    first, second, third = (made.environment(name) for name in ("first", "second", "third"))
    for prefix in (first, second):
        made.install(prefix, package["both"])
    made.install(first, package["one"])
    made.install(second, package["copied"], "copy")
    made.install(second, package["soft"], "softlink")
    link(f"{package['outside']}/lib/outside", str(tmp_path / "elsewhere" / "outside"))
    write(f"{made.caches[0]}/both-1-0.conda", b"t" * 9000)
    write(f"{made.caches[0]}/urls.txt", b"u" * 9000)
    link(write(f"{first}/own/twice", b"o" * 9000), f"{first}/own/again")
    link(write(f"{first}/own/between", b"b" * 20_000), f"{third}/own/between")
    link(write(f"{third}/own/held", b"h" * 30_000), str(tmp_path / "elsewhere" / "held"))
    return made


def test_packages_are_drawn_by_their_users(made):
    assert kinds_by_package(drawn(made)) == {
        "both-1-0": AreaKind.SEVERAL,
        "one-1-0": AreaKind.ONE,
        "soft-1-0": AreaKind.UNLINKED,
        "copied-1-0": AreaKind.UNLINKED,
        "outside-1-0": AreaKind.OUTSIDE,
        "unused-1-0": AreaKind.UNUSED,
        "kept-1-0": AreaKind.KEPT,
    }


@pytest.mark.parametrize("measure", Measure)
def test_areas_add_up_to_the_disk_and_to_the_figures_of_their_holders(made, measure):
    report = drawn(made, measure)
    cache, between, first, second, third = report.disk_map.holders
    trees = [*made.caches, *made.prefixes]
    everything = sum(du(*trees, apparent=measure is Measure.APPARENT))
    assert report.totals.on_disk_bytes == everything
    assert sum(holder.amount_bytes for holder in report.disk_map.holders) == everything
    assert cache.amount_bytes == report.caches[0].size_bytes
    parts = dict.fromkeys(PART_OF_KIND.values(), 0)
    for kind, amount in amounts(cache).items():
        parts[PART_OF_KIND[kind]] += amount
    assert parts == {field: getattr(report.caches[0], field) for field in parts}
    assert between.kind is HolderKind.BETWEEN
    (area,) = between.areas
    assert area.environments == (0, 2)
    held, shared = (f"{made.prefixes[2]}/own/{name}" for name in ("held", "between"))
    assert [area.amount_bytes] == du(shared, apparent=measure is Measure.APPARENT)
    for holder, row in zip((first, second, third), report.environments, strict=True):
        assert holder.name == row.name
        assert amounts(holder)[AreaKind.OWN] == row.exclusive_bytes
    assert AreaKind.OUTSIDE not in amounts(first)
    assert [amounts(third)[AreaKind.OUTSIDE]] == du(held, apparent=measure is Measure.APPARENT)


def test_the_environments_have_their_causes(made):
    report = drawn(made)
    for place, (private, row) in enumerate(
        zip(report.disk_map.private, report.environments, strict=True)
    ):
        assert sum(private.values()) == row.exclusive_bytes
        (holder,) = (holder for holder in report.disk_map.holders if holder.name == row.name)
        of_causes = {
            area.cause: area.amount_bytes for area in holder.areas if area.kind is AreaKind.OWN
        }
        assert of_causes == {cause: amount for cause, amount in private.items() if amount}
        assert {area.environments for area in holder.areas} == {(place,)}


def test_a_map_adds_no_other_parts_to_the_report(made):
    report = drawn(made)
    assert report.packages is None
    assert all(row.private is None for row in report.environments)


@few
@given(plans)
def test_all_areas_of_random_installations_are_the_disk(plan):
    with tempfile.TemporaryDirectory() as directory:
        made = plan.make(directory)
        report = drawn(made)
        trees = [*made.caches, *made.prefixes]
        assert sum(holder.amount_bytes for holder in report.disk_map.holders) == sum(du(*trees))
        assert all(area.amount_bytes > 0 for h in report.disk_map.holders for area in h.areas)


@few
@given(plans)
def test_what_two_environments_share_follows_the_definition(plan):
    with tempfile.TemporaryDirectory() as directory:
        made = plan.make(directory)
        link(write(f"{made.prefixes[0]}/both", b"b" * 5000), f"{made.prefixes[1]}/both")
        sharing = drawn(made).disk_map.sharing
        roots = [Root(RootKind.CACHE, path) for path in made.caches]
        roots += [Root(RootKind.ENVIRONMENT, path) for path in made.prefixes]
        expected = Model(roots).shared_between(*made.prefixes)
        assert expected > 0
        assert sharing.between(0, 1) == sharing.between(1, 0) == expected
        assert sorted(sharing.environments) == [0, 1]


def test_the_environments_that_share_most_are_side_by_side(tmp_path):
    made = SmallInstallation(str(tmp_path))
    prefixes = [made.environment(f"e{number:02}") for number in range(MOST_IN_MATRIX + 4)]
    for number, prefix in enumerate(prefixes[2:]):  # the first two share nothing
        pair = number // 2
        link_or_write(f"{tmp_path}/shared/{pair}", f"{prefix}/pair", 10_000 + 4096 * pair)
    sharing = drawn(made).disk_map.sharing
    assert len(sharing.environments) == MOST_IN_MATRIX
    assert not {0, 1, 2, 3} & set(sharing.environments)
    for left, right in zip(sharing.environments[::2], sharing.environments[1::2], strict=True):
        assert {left // 2} == {right // 2}
        assert sharing.between(left, right) > 0
    assert sharing.environments[0] // 2 == len(prefixes) // 2 - 1


def link_or_write(source, path, size):
    if not os.path.exists(source):
        write(source, b"s" * size)
    link(source, path)


def test_without_environments_there_is_nothing_to_share(tmp_path):
    made = SmallInstallation(str(tmp_path))
    made.package("p-1-0", {"f": b"x" * 5000})
    symlink("/nowhere", f"{made.caches[0]}/dangling")
    disk_map = drawn(made).disk_map
    assert disk_map.sharing.environments == ()
    assert [holder.kind for holder in disk_map.holders] == [HolderKind.CACHE]


def test_bytes_shared_with_others_and_with_a_cache_are_shared_by_the_two(tmp_path):
    made = SmallInstallation(str(tmp_path))
    one, two, three = (made.environment(name) for name in ("one", "two", "three"))
    package = made.package("p-1-0", {"lib/p": b"p" * 5000})
    for prefix in (one, two):
        made.install(prefix, package)
        link_or_write(f"{tmp_path}/by-two", f"{prefix}/by-two", 9000)
    for prefix in (one, two, three):
        link_or_write(f"{tmp_path}/by-all", f"{prefix}/by-all", 30_000)
    sharing = drawn(made).disk_map.sharing
    of_all = du(f"{one}/by-all")[0]
    assert sharing.between(0, 1) == of_all + du(f"{one}/by-two")[0] + du(f"{one}/lib/p")[0]
    assert sharing.between(0, 2) == sharing.between(1, 2) == of_all
