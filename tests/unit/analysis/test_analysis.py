"""What every part of a report is computed from: names, users, filesystems, and nested roots."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.analysis import is_on_other_filesystem, roots_inside
from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.scan.inventory import Problem, ProblemKind

from ...support.circumstances import LATER, analysis_of, filesystems_of
from ...support.oracles import du
from ...support.scanning import scan
from ...support.small_installation import SmallInstallation
from ...support.trees import cache_root, environment_root, symlink, write

ODD = os.fsdecode(b"new\nline \x1b[31m\xff")


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def analyzed(made, terms=LATER, measure=Measure.DISK):
    return analysis_of(made.scan(), made.names(), terms, measure)


def test_an_environment_without_a_name_is_called_by_its_path(made):
    prefix = made.environment(ODD)
    analysis = analysis_of(made.scan(), {"/named": "name"})
    assert [analysis.name_of(path) for path in ("/named", prefix)] == ["name", prefix]


def test_users_are_in_the_order_of_the_environments_with_the_kind_of_their_use(made):
    package, unused = made.package("p-1-0", {"lib/f": b"f"}), made.package("q-1-0", {"f": b"f"})
    prefixes = [made.environment(name) for name in ("z", ODD, "copied", "none")]
    for prefix, kind in zip(prefixes, ("softlink", "hardlink", "copy"), strict=False):
        made.install(prefix, package, kind)
    analysis = analyzed(made)
    number = {unit.path: index for index, unit in enumerate(analysis.inventory.units)}
    assert analysis.users_of(number[package]) == (
        PackageUser("z", prefixes[0], "softlink"),
        PackageUser(ODD, prefixes[1], "hardlink"),
        PackageUser("copied", prefixes[2], "record"),
    )
    assert analysis.users_of(number[unused]) == ()
    assert analysis.users_of(number[prefixes[0]]) == ()


def test_packages_are_in_the_order_of_their_paths(made):
    paths = [
        made.package("b-1-0", {}),
        made.package("a-1-0", {}, "z"),
        made.package("a-1-0", {}),
        made.package("c-1-0", {}, "a"),
    ]
    write(f"{made.caches[0]}/a-1-0.conda")
    analysis = analyzed(made)
    assert [analysis.inventory.units[unit].path for unit in analysis.packages] == sorted(paths)


@pytest.mark.parametrize("measure", Measure)
def test_an_environment_frees_its_own_packages_with_it_and_no_shared_ones(made, measure):
    mine, ours = (made.package(f"{name}-1-0", {name: b"x" * 9000}) for name in ("mine", "ours"))
    one, other = made.environment("one"), made.environment("other")
    made.install(one, mine)
    for prefix in (one, other):
        made.install(prefix, ours)
    analysis = analyzed(made, measure=measure)
    apparent = measure is Measure.APPARENT
    (shared,) = du(f"{ours}/ours", apparent=apparent)
    freed = [sum(du(one, mine, apparent=apparent)) - shared, *du(other, apparent=apparent)]
    freed[1] -= shared
    assert list(analysis.with_clean.values()) == freed
    assert list(analysis.with_clean) == analysis.roots_of_environments == [1, 2]


def test_only_a_root_with_something_unreadable_is_incomplete(made):
    made.package("p-1-0", {})
    made.environment("env")
    problems = tuple(
        Problem(kind, root, "/x", "why")
        for kind, root in ((ProblemKind.UNREADABLE, 1), (ProblemKind.VANISHED, 0))
    )
    inventory = replace(made.scan(), problems=problems)
    assert analysis_of(inventory, {}).incomplete_roots == {1}


def test_the_filesystem_of_a_root_is_that_of_its_real_path(made, tmp_path):
    real = made.environment("env")
    made.prefixes[:] = [symlink(real, f"{tmp_path}/alias"), made.environment("unknown")]
    inventory = made.scan()
    terms = replace(LATER, filesystems=filesystems_of(inventory, ["btrfs"]))
    assert analysis_of(inventory, {}, terms).filesystems == ["btrfs", ""]


def test_roots_inside_others_are_found_by_their_real_paths(tmp_path):
    base, inner, beside = (f"{tmp_path}/{path}" for path in ("b", "b/envs/inner", "b2"))
    for path in (inner, f"{inner}/pkgs", f"{base}/pkgs", beside):
        os.makedirs(path)
    roots = [cache_root(f"{base}/pkgs"), cache_root(f"{inner}/pkgs")]
    roots += map(environment_root, (base, symlink(inner, f"{tmp_path}/alias"), beside))
    inventory = scan(roots)
    number = [root.path for root in inventory.roots].index
    outer, alias = number(base), number(f"{tmp_path}/alias")
    caches = {number(f"{base}/pkgs"), number(f"{inner}/pkgs")}
    assert roots_inside(inventory, {outer}) == {*caches, alias}
    assert roots_inside(inventory, {outer, alias}) == caches
    assert roots_inside(inventory, {number(beside)}) == roots_inside(inventory, ()) == frozenset()


def test_an_environment_is_on_another_filesystem_only_if_that_is_known(made):
    made.package("thing-1-0", {})
    made.package("thing-1-0", {}, "other")
    made.environment("env")
    unopened = -1
    for devices, is_elsewhere in [
        ((0, 1, 2), True),
        ((0, 1, 1), False),
        ((unopened, 1, 2), True),
        ((unopened, unopened, 2), False),
        ((0, 1, unopened), False),
        ((unopened, unopened, unopened), False),
    ]:
        assert (
            is_on_other_filesystem(replace(made.scan(), root_devices=devices), 2) is is_elsewhere
        ), devices
    made.caches.clear()
    assert not is_on_other_filesystem(replace(made.scan(), root_devices=(2,)), 0)
