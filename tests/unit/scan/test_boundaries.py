"""The directories at which something new begins, with both readers."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.scan import scanner
from conda_hardlink_plugin.scan.inventory import ProblemKind, UnitKind
from tests.support.oracles import du
from tests.support.scanning import reader
from tests.support.trees import cache_root, environment_root, link, package, write


@pytest.fixture(params=["python", "native"], autouse=True)
def each_reader(request):
    with reader(request.param):
        yield


@pytest.fixture
def cache(tmp_path):
    return f"{tmp_path}/pkgs"


def units(inventory):
    top = inventory.roots[0].path
    return {os.path.relpath(unit.path, top): unit.kind for unit in inventory.units}


def test_the_entries_of_a_cache_are_units_by_their_names_and_contents(cache):
    package(cache, "p-1-0")
    package(cache, ".hidden-1-0")
    package(cache, "gone-1-0.c~")
    write(f"{cache}/no-package/lib/f")
    write(f"{cache}/p-1-0.conda")
    write(f"{cache}/urls.txt")
    assert units(scanner.scan([cache_root(cache)])) == {
        ".": UnitKind.OTHER,
        "p-1-0": UnitKind.PACKAGE,
        "p-1-0.conda": UnitKind.ARCHIVE,
        "gone-1-0.c~": UnitKind.TRASH,
    }


def test_packages_below_a_folder_that_is_no_package_are_units(cache):
    package(f"{cache}/https/channel/linux-64", "p-1-0", {"lib/f": b"x" * 5_000})
    inventory = scanner.scan([cache_root(cache)])
    nested = "https/channel/linux-64/p-1-0"
    assert units(inventory) == {".": UnitKind.OTHER, nested: UnitKind.PACKAGE}
    found = sum(sums.disk_bytes for sums in inventory.private.values())
    assert found == du(cache)[0]


def test_a_root_in_a_package_and_in_an_environment_is_counted_once(tmp_path, cache):
    package(cache, "p-1-0")
    inner = [f"{cache}/p-1-0/envs/a", f"{tmp_path}/env/deep/b"]
    for path in inner:
        write(f"{path}/f", b"x" * 9_000)
    outer = environment_root(f"{tmp_path}/env")
    inventory = scanner.scan([cache_root(cache), outer, *map(environment_root, inner)])
    holders = {inventory.units[unit].path for unit in inventory.units_with_roots_inside}
    assert holders == {f"{cache}/p-1-0", outer.path}
    found = sum(sums.disk_bytes for sums in inventory.private.values())
    assert found == du(cache, outer.path)[0] + du(outer.path)[0]


def test_the_same_directory_by_two_paths_is_one_root(tmp_path):
    prefix = f"{tmp_path}/env"
    write(f"{prefix}/f")
    os.symlink(prefix, f"{tmp_path}/other")
    inventory = scanner.scan([environment_root(prefix), environment_root(f"{tmp_path}/other")])
    assert [root.path for root in inventory.roots] == [prefix]
    assert inventory.aliases == {f"{tmp_path}/other": prefix}


def test_a_root_that_is_a_file_is_a_problem(tmp_path):
    path = write(f"{tmp_path}/file")
    inventory = scanner.scan([environment_root(path)])
    ((kind, where),) = [(problem.kind, problem.path) for problem in inventory.problems]
    assert (kind, where) == (ProblemKind.VANISHED, path)


def test_links_of_a_cache_into_an_environment_are_seen_on_both_sides(tmp_path, cache):
    source = write(f"{package(cache, 'p-1-0')}/lib/f", b"x" * 5_000)
    link(source, f"{tmp_path}/env/lib/f")
    link(source, f"{cache}/loose")
    inventory = scanner.scan([cache_root(cache), environment_root(f"{tmp_path}/env")])
    (group,) = inventory.groups
    named = {inventory.units[unit].path for unit in group.cache_units}
    assert (group.roots, named) == ((0, 1), {cache, f"{cache}/p-1-0"})
    assert (group.complete, group.surplus) == (True, False)
