"""Figures compared with `du`, with a model of the definitions, and with what deletion frees."""

from __future__ import annotations

import itertools
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.usage import CachePart, Measure, Usage
from conda_hardlink_plugin.scan.inventory import RootKind, UnitKind

from ..support.oracles import Model, du
from ..support.scanning import Way, scan, scan_in, scan_in_each_way
from ..support.trees import (
    cache_root,
    environment_root,
    flat_layouts,
    layouts,
    link,
    make_installation,
    package,
    random_tree,
    write,
    write_sparse,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from conda_hardlink_plugin.scan.inventory import Inventory

    Comparison = Callable[[Inventory, Usage], None]

TREES = int(os.environ.get("RANDOM_TREES", "30"))  # for each way to scan
moderate = settings(max_examples=TREES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
thorough = settings(moderate, max_examples=TREES + TREES // 3)  # six comparisons with each tree
each_way = pytest.mark.usefixtures("each_way")
measures = pytest.mark.parametrize("measure", list(Measure))


def unit_indexes(inventory: Inventory) -> dict[str, int]:
    return {unit.path: index for index, unit in enumerate(inventory.units)}


def root_indexes(inventory: Inventory) -> dict[str, int]:
    return {root.path: index for index, root in enumerate(inventory.roots)}


def strictly_inside(path: str, paths: list[str]) -> list[str]:
    return [other for other in paths if other.startswith(f"{path}/")]


@moderate
@given(layouts, st.randoms(use_true_random=False), st.sampled_from(Measure))
def test_sizes_of_random_trees_are_those_of_du(layout, random, measure):
    apparent = measure is Measure.APPARENT
    with random_tree(layout) as tree:
        alone = {}
        for path in tree.paths:
            inner = strictly_inside(path, tree.paths)
            (alone[path],) = du(path, apparent=apparent, exclude=inner)
        order = list(tree.paths)
        random.shuffle(order)
        order.sort(key=lambda path: -len(strictly_inside(path, tree.paths)), reverse=True)
        together = du(*order, apparent=apparent)
        for inventory in scan_in_each_way(tree.roots):
            usage = Usage(inventory, measure)
            number = root_indexes(inventory)
            assert {path: usage.unique_by_root[number[path]] for path in tree.paths} == alone
            assert usage.added([number[path] for path in order]) == together
            assert usage.on_disk == sum(together)
            assert not inventory.problems


@thorough
@given(layouts, st.randoms(use_true_random=False), st.sampled_from(Measure))
def test_figures_of_random_trees_follow_the_definitions(layout, random, measure):
    """All sums are compared on the same trees: making and reading them takes most of the time."""
    with random_tree(layout) as tree:
        model = Model(tree.roots, apparent=measure is Measure.APPARENT)
        compared = [
            comparison(model, random)
            for comparison in (
                sums_over_roots,
                sums_over_units,
                parts_of_caches,
                caches_without_units,
                units_sharing_inodes,
                environments_with_packages,
            )
        ]
        for inventory in scan_in_each_way(tree.roots):
            assert {unit.path: unit.kind for unit in inventory.units} == model.units
            for compare in compared:
                compare(inventory, Usage(inventory, measure))


def sums_over_roots(model: Model, random: Random) -> Comparison:
    order = random.sample(range(len(model.roots)), len(model.roots))
    return lambda inventory, usage: assert_sums_over_roots(inventory, usage, model, order)


def assert_sums_over_roots(
    inventory: Inventory, usage: Usage, model: Model, order: list[int]
) -> None:
    for index, root in enumerate(inventory.roots):
        units = model.units_of(root.path)
        assert usage.unique_by_root[index] == model.unique(units)
        assert usage.exclusive_by_root[index] == model.exclusive(units)
        assert usage.inodes_by_root[index] == model.inodes(root.path)
        assert inventory.links[index] == model.entries(root.path)
        outside = [thing for thing in model.with_outside_links() if model.owners(thing) & units]
        assert usage.outside_inodes_by_root[index] == len(outside)
    assert usage.added(order) == model.added(inventory.roots[index].path for index in order)
    one, other = order[:2]
    assert usage.shared_between(one, other) == model.shared_between(
        inventory.roots[one].path, inventory.roots[other].path
    )
    assert usage.on_disk == model.unique(model.units)
    assert usage.on_disk == sum(usage.on_disk_by_device)
    assert usage.inodes_on_disk == len(model.things)
    assert usage.as_copies == sum(model.unique(model.units_of(path)) for path in model.roots)
    outside = model.with_outside_links()
    assert usage.outside_inodes == len(outside)
    assert usage.outside_links == sum(thing.links - len(thing.paths) for thing in outside)
    assert usage.surplus_inodes == 0


def sums_over_units(model: Model, random: Random) -> Comparison:
    number = len(model.units)
    somes = [random.sample(sorted(model.units), random.randint(0, number)) for _ in range(4)]
    return lambda inventory, usage: assert_sums_over_units(inventory, usage, model, somes)


def assert_sums_over_units(
    inventory: Inventory, usage: Usage, model: Model, somes: list[list[str]]
) -> None:
    number = unit_indexes(inventory)
    for some in somes:
        assert usage.exclusive([number[path] for path in some]) == model.exclusive(some)
    assert usage.exclusive(range(len(inventory.units))) == model.exclusive(model.units)
    by_unit = usage.unique_by_unit
    for path, unit in number.items():
        assert by_unit[unit] == model.unique({path})
    for index, root in enumerate(inventory.roots):
        units = model.units_of(root.path)
        linked = {
            number[owner]
            for thing in model.things
            if thing.links > 1 and model.owners(thing) & units
            for owner in model.owners(thing)
            if model.units[owner] is not UnitKind.ENVIRONMENT
        }
        assert usage.cache_units_linked_from[index] == linked
    assert usage.cache_units_linked_from_outside == {
        number[owner]
        for thing in model.with_outside_links()
        for owner in model.owners(thing)
        if model.units[owner] is not UnitKind.ENVIRONMENT
    }


def parts_of_caches(model: Model, random: Random) -> Comparison:
    """Parts of a cache add up, and each inode counts for the first holder."""
    packages = [path for path, kind in model.units.items() if kind is UnitKind.PACKAGE]
    fates = {path: random.choice(["used", "kept", "unused"]) for path in packages}
    used = {path for path, fate in fates.items() if fate == "used"}
    unused = {path for path, fate in fates.items() if fate == "unused"}
    caches = [path for path in model.roots if model.units[path] is not UnitKind.ENVIRONMENT]
    expected = {cache: parts_by_definition(model, cache, used, unused) for cache in caches}

    def compare(inventory: Inventory, usage: Usage) -> None:
        number = unit_indexes(inventory)
        for cache in caches:
            index = root_indexes(inventory)[cache]
            found = usage.cache_parts(
                index, {number[path] for path in used}, {number[path] for path in unused}
            )
            assert found == expected[cache]
            assert sum(found.values()) == usage.unique_by_root[index]

    return compare


def parts_by_definition(
    model: Model, cache: str, used: set[str], unused: set[str]
) -> dict[CachePart, int]:
    units = model.units_of(cache)
    of_kind = {kind: {u for u in units if model.units[u] is kind} for kind in UnitKind}
    parts = {
        CachePart.USED: units & used,
        CachePart.KEPT: of_kind[UnitKind.PACKAGE] - used - unused,
        CachePart.UNUSED: units & unused,
        CachePart.ARCHIVES: of_kind[UnitKind.ARCHIVE],
        CachePart.QUARANTINE: of_kind[UnitKind.QUARANTINED],
        CachePart.OTHER: {cache} | of_kind[UnitKind.TRASH],
    }
    expected: dict[CachePart, int] = {}
    before: set[str] = set()
    for part, members in parts.items():
        now = before | members
        expected[part] = model.unique(now) - model.unique(before)
        before = now
    return expected


def caches_without_units(model: Model, random: Random) -> Comparison:
    """The usage of a cache is known as it will be without some units."""
    units = sorted(model.units)
    doomed = set(random.sample(units, random.randint(0, len(units))))

    def compare(inventory: Inventory, usage: Usage) -> None:
        number = unit_indexes(inventory)
        for index, root in enumerate(inventory.roots):
            if root.kind is RootKind.CACHE:
                left = usage.unique_without(index, {number[path] for path in doomed})
                assert left == model.unique(model.units_of(root.path) - doomed)

    return compare


def units_sharing_inodes(model: Model, _: Random) -> Comparison:
    """Units share an inode with links in both."""
    of_caches = {path for path, kind in model.units.items() if kind is not UnitKind.ENVIRONMENT}
    sharing = {
        path: {
            owner
            for thing in model.things
            if thing.links > 1 and path in model.owners(thing)
            for owner in model.owners(thing) & of_caches - {path}
        }
        for path in of_caches
    }

    def compare(inventory: Inventory, usage: Usage) -> None:
        number = unit_indexes(inventory)
        for path, others in sharing.items():
            found = usage.cache_units_sharing_with(number[path])
            assert found == {number[other] for other in others}

    return compare


def environments_with_packages(model: Model, random: Random) -> Comparison:
    """Freeing many environments at once, each with some packages, equals freeing each."""
    environments = [path for path in model.roots if model.units[path] is UnitKind.ENVIRONMENT]
    packages: dict[str, set[str]] = {path: set() for path in environments}
    for unit, kind in model.units.items():
        if kind is not UnitKind.ENVIRONMENT and random.random() < 0.8:
            packages[random.choice(environments)].add(unit)

    def compare(inventory: Inventory, usage: Usage) -> None:
        number, roots = unit_indexes(inventory), root_indexes(inventory)
        figures = usage.exclusive_with_packages(
            {roots[path]: {number[unit] for unit in packages[path]} for path in environments}
        )
        for path in environments:
            units = {number[unit] for unit in packages[path]}
            units |= set(usage.units_of_root[roots[path]])
            assert figures[roots[path]] == usage.exclusive(units)
            paths = {inventory.units[unit].path for unit in units}
            assert figures[roots[path]] == model.exclusive(paths)

    return compare


@moderate
@given(flat_layouts, st.randoms(use_true_random=False))
def test_deleting_units_of_random_trees_frees_their_exclusive_usage(layout, random):
    with random_tree(layout) as tree:
        inventories = list(scan_in_each_way(tree.roots))
        removable = [unit.path for unit in inventories[0].units if unit.kind is not UnitKind.OTHER]
        doomed = random.sample(removable, random.randint(1, len(removable)))
        expected = []
        for inventory in inventories:
            number = unit_indexes(inventory)
            expected.append(Usage(inventory).exclusive([number[path] for path in doomed]))
        before = sum(du(tree.base, tree.outside))
        kept = directories_but(tree.base, doomed)
        size_of_kept = sum(os.lstat(path).st_blocks for path in kept)
        for path in doomed:
            remove(path)
        shrunk = size_of_kept - sum(os.lstat(path).st_blocks for path in kept)
        freed = before - sum(du(tree.base, tree.outside)) - shrunk * 512
        assert expected == [freed] * len(inventories)


def directories_but(base: str, doomed: list[str]) -> list[str]:
    kept = []
    for directory, names, _ in os.walk(base):
        names[:] = [name for name in names if f"{directory}/{name}" not in doomed]
        kept.append(directory)
    return kept


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


@moderate
@given(layouts, st.randoms(use_true_random=False), st.sampled_from(Measure))
def test_figures_do_not_depend_on_the_order_of_the_roots(layout, random, measure):
    with random_tree(layout) as tree:
        shuffled = random.sample(tree.roots, len(tree.roots))
        expected = by_path(Usage(scan_in(Way.PYTHON, tree.roots), measure))
        for inventory in scan_in_each_way(shuffled):
            assert by_path(Usage(inventory, measure)) == expected


def by_path(usage: Usage) -> dict[str, object]:
    paths = [root.path for root in usage.inventory.roots]
    units = [unit.path for unit in usage.inventory.units]
    return {
        "unique": dict(zip(paths, usage.unique_by_root, strict=True)),
        "exclusive": dict(zip(paths, usage.exclusive_by_root, strict=True)),
        "inodes": dict(zip(paths, usage.inodes_by_root, strict=True)),
        "links": dict(zip(paths, usage.inventory.links, strict=True)),
        "units": dict(zip(units, usage.unique_by_unit, strict=True)),
        "on disk": usage.on_disk,
        "inodes on disk": usage.inodes_on_disk,
        "outside": (usage.outside_inodes, usage.outside_links),
        "devices": sorted(usage.on_disk_by_device),
    }


@each_way
@measures
def test_every_order_of_roots_adds_what_du_adds(tmp_path, measure):
    made = make_installation(str(tmp_path))
    usage = Usage(scan(made.roots), measure)
    paths = [root.path for root in usage.inventory.roots]
    for order in itertools.permutations(range(len(paths))):
        in_order = [paths[index] for index in order]
        assert usage.added(order) == du(*in_order, apparent=measure is Measure.APPARENT)


@each_way
@measures
def test_size_is_shared_plus_exclusive_and_saved_is_what_du_finds_twice(tmp_path, measure):
    apparent = measure is Measure.APPARENT
    made = make_installation(str(tmp_path))
    usage = Usage(scan(made.roots), measure)
    alone = [du(path, apparent=apparent)[0] for path in made.paths]
    assert usage.unique_by_root == alone
    assert usage.as_copies == sum(alone)
    assert usage.as_copies - usage.on_disk == sum(alone) - sum(du(*made.paths, apparent=apparent))
    assert usage.inodes_as_copies - usage.inodes_on_disk == 8  # 3 files thrice, 2 files twice
    for size, exclusive in zip(usage.unique_by_root, usage.exclusive_by_root, strict=True):
        assert 0 < exclusive < size


@each_way
def test_removing_an_environment_and_its_packages_frees_the_stated_bytes(tmp_path):
    made = make_installation(str(tmp_path))
    inventory = scan(made.roots)
    usage, number = Usage(inventory), unit_indexes(inventory)
    roots = root_indexes(inventory)
    first = roots[made.first]
    expected = usage.exclusive_by_root[first]
    with_package = usage.exclusive_with_packages({first: {number[made.mine]}})[first]
    before = sum(du(*made.paths))
    shutil.rmtree(made.first)
    assert before - sum(du(made.cache, made.second)) == expected
    shutil.rmtree(made.mine)
    assert before - sum(du(made.cache, made.second)) == with_package
    assert with_package > expected


@each_way
def test_removing_a_package_in_use_frees_only_what_no_environment_holds(tmp_path):
    made = make_installation(str(tmp_path))
    inventory = scan(made.roots)
    usage, number = Usage(inventory), unit_indexes(inventory)
    expected = usage.exclusive({number[made.shared]})
    before = sum(du(*made.paths))
    shutil.rmtree(made.shared)
    assert before - sum(du(*made.paths)) == expected
    assert expected < usage.unique_by_unit[number[made.shared]]


@each_way
def test_removing_a_file_with_outside_links_frees_nothing(tmp_path):
    made = make_installation(str(tmp_path))
    big = os.stat(f"{made.mine}/bin/tool")
    link(f"{made.mine}/bin/tool", f"{tmp_path}/elsewhere/tool")
    inventory = scan(made.roots)
    usage, number = Usage(inventory), unit_indexes(inventory)
    units = {number[made.first], number[made.mine]}
    assert (usage.outside_inodes, usage.outside_links) == (1, 1)
    assert usage.cache_units_linked_from_outside == {number[made.mine]}
    os.unlink(f"{tmp_path}/elsewhere/tool")
    later = Usage(scan(made.roots))
    assert later.outside_links == 0
    assert later.exclusive(units) == usage.exclusive(units) + big.st_blocks * 512


@each_way
def test_a_file_in_two_packages_is_freed_only_with_both(tmp_path):
    cache = f"{tmp_path}/pkgs"
    one, other = package(cache, "one-1-0", {"f": b"x" * 50_000}), package(cache, "other-1-0")
    link(f"{one}/f", f"{other}/f")
    link(f"{one}/f", f"{one}/again")
    size = os.stat(f"{one}/f").st_blocks * 512
    inventory = scan([cache_root(cache)])
    usage, number = Usage(inventory), unit_indexes(inventory)
    special_inodes = usage.exclusive({number[one]}) + usage.exclusive({number[other]})
    assert usage.exclusive({number[one], number[other]}) == special_inodes + size


@each_way
def test_a_sparse_file_has_few_blocks_and_a_large_apparent_size(tmp_path):
    prefix = f"{tmp_path}/env"
    write_sparse(f"{prefix}/hole", 1 << 40)
    inventory = scan([environment_root(prefix)])
    assert Usage(inventory).on_disk == du(prefix)[0] < 1 << 20
    assert Usage(inventory, Measure.APPARENT).on_disk == du(prefix, apparent=True)[0] > 1 << 40


@each_way
def test_more_than_256_environments_keep_their_packages(tmp_path):
    cache, environments, packages = f"{tmp_path}/pkgs", [], []
    for number in range(300):
        extracted = package(cache, f"p{number}-1-0", {"f": b"x" * (number % 7 * 3_000)})
        prefix = f"{tmp_path}/envs/{number}"
        link(f"{extracted}/f", f"{prefix}/f")
        packages.append(extracted)
        environments.append(prefix)
    inventory = scan([cache_root(cache), *map(environment_root, environments)])
    usage, units = Usage(inventory), unit_indexes(inventory)
    roots = root_indexes(inventory)
    figures = usage.exclusive_with_packages(
        {roots[prefix]: [units[path]] for prefix, path in zip(environments, packages, strict=True)}
    )
    for prefix, path in zip(environments, packages, strict=True):
        assert figures[roots[prefix]] == sum(du(prefix, path))


def test_without_roots_all_figures_are_zero():
    usage = Usage(scan([]))
    assert usage.on_disk == usage.as_copies == usage.outside_links == usage.inodes_on_disk == 0
    assert usage.added([]) == usage.unique_by_root == usage.on_disk_by_device == []
    assert usage.exclusive([]) == 0


@each_way
def test_directories_of_a_root_are_counted_separately_from_its_files(tmp_path):
    made = make_installation(str(tmp_path))
    write(f"{made.first}/deep/er/file", b"x")
    usage = Usage(scan(made.roots))
    first = root_indexes(usage.inventory)[made.first]
    expected = sum(os.lstat(path).st_blocks * 512 for path, _, _ in os.walk(made.first))
    assert usage.directories_by_root[first] == expected
