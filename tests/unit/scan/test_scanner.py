"""The inventory of a scan: units, records, own files, aliases, roots inside roots, problems."""

from __future__ import annotations

import os
import stat

import pytest

from conda_hardlink_plugin.analysis.usage import Measure, Usage
from conda_hardlink_plugin.scan.inventory import OwnFile, ProblemKind, RootKind, UnitKind

from ...support.oracles import Model, du
from ...support.scanning import scan
from ...support.trees import (
    ODD_NAMES,
    cache_root,
    environment_root,
    install,
    link,
    make_installation,
    package,
    special_files,
    symlink,
    write,
)

pytestmark = pytest.mark.usefixtures("each_way")

measures = pytest.mark.parametrize("measure", list(Measure))


def sizes(usage: Usage) -> dict[str, int]:
    paths = [root.path for root in usage.inventory.roots]
    return dict(zip(paths, usage.unique_by_root, strict=True))


def test_caches_are_read_first_and_keep_their_order(tmp_path):
    made = make_installation(str(tmp_path))
    other = f"{tmp_path}/more"
    os.mkdir(other)
    roots = [
        environment_root(made.second), cache_root(other),
        environment_root(made.first), cache_root(made.cache),
    ]  # fmt: skip
    inventory = scan(roots)
    expected = [other, made.cache, made.second, made.first]
    assert [root.path for root in inventory.roots] == expected


def test_packages_tarballs_and_the_rest_of_a_cache_are_separate_units(tmp_path):
    made = make_installation(str(tmp_path))
    nested = package(f"{made.cache}/https/host/channel/linux-64", "deep-1-0", {"f": b"x" * 9_999})
    package(nested, "inside-1-0")  # part of the package that contains it
    old = write(f"{made.cache}/https/old-1-0.tar.bz2", b"b")
    write(
        f"{made.cache}/unfinished-1-0/info/files", b"x"
    )  # without info/index.json it is not a package
    package(made.cache, ".extracting-1-0Xy")  # rattler renames it when it is complete
    symlink("nowhere", f"{made.cache}/dangling-1-0.conda")
    inventory = scan([cache_root(made.cache)])
    found = {unit.path: unit.kind for unit in inventory.units}
    assert found == {
        made.cache: UnitKind.OTHER,
        made.shared: UnitKind.PACKAGE,
        made.mine: UnitKind.PACKAGE,
        made.unused: UnitKind.PACKAGE,
        nested: UnitKind.PACKAGE,
        made.tarball: UnitKind.ARCHIVE,
        old: UnitKind.ARCHIVE,
        f"{made.cache}/dangling-1-0.conda": UnitKind.ARCHIVE,
    }


def test_names_of_records_are_noted_for_each_environment(tmp_path):
    made = make_installation(str(tmp_path))
    inventory = scan(made.roots)
    assert inventory.records == {
        1: frozenset({"shared-1-0.json", "mine-1-0.json"}),
        2: frozenset({"shared-1-0.json"}),
    }


def test_own_files_are_kept_only_for_the_roots_asked_for(tmp_path):
    made = make_installation(str(tmp_path))
    twice = write(f"{made.second}/twice", b"x" * 7_000)
    link(twice, f"{made.second}/lib/twice")
    inventory = scan(made.roots, detailed=[made.second])
    assert list(inventory.own_files) == [2]
    own = {file.path: file for file in inventory.own_files[2]}
    names = {"conda-meta/history", "conda-meta/shared-1-0.json", "lib/own"}
    assert own.keys() - names <= {"twice", "lib/twice"}
    assert len(own) == len(names) + 1  # a file with two links is listed once
    status = os.stat(f"{made.second}/lib/own")
    assert own["lib/own"] == OwnFile(
        "lib/own", status.st_blocks * 512, status.st_size, is_symlink=False
    )


@measures
def test_keeping_own_files_does_not_change_figures(tmp_path, measure):
    made = make_installation(str(tmp_path))
    plain, detailed = scan(made.roots), scan(made.roots, detailed=made.paths)
    assert Usage(detailed, measure).unique_by_root == Usage(plain, measure).unique_by_root
    assert Usage(detailed, measure).exclusive_by_root == Usage(plain, measure).exclusive_by_root
    assert detailed.links == plain.links


def test_odd_names_are_counted_and_kept_as_they_are(tmp_path):
    cache, prefix = f"{tmp_path}/pkgs", f"{tmp_path}/envs/\x1b[2J\n"
    extracted = package(cache, os.fsdecode(b"odd\xff-1-0"), dict.fromkeys(ODD_NAMES, b"x"))
    install(extracted, prefix)
    for name in ODD_NAMES:
        write(f"{prefix}/of its own/{name}", b"y" * 5_000)
    usage = Usage(scan([cache_root(cache), environment_root(prefix)]))
    assert usage.added([0, 1]) == du(cache, prefix)
    assert extracted in {unit.path for unit in usage.inventory.units}


@measures
def test_pipes_sockets_and_devices_are_counted_and_not_opened(tmp_path, measure):
    made = make_installation(str(tmp_path))
    for directory in (made.first, made.unused):
        for path in special_files(directory):
            link(path, f"{made.second}/{os.path.basename(directory)}-{os.path.basename(path)}")
    usage = Usage(scan(made.roots), measure)
    assert usage.added([0, 1, 2]) == du(*made.paths, apparent=measure is Measure.APPARENT)
    assert not usage.inventory.problems


def test_symlink_loops_and_symlinks_to_directories_are_not_followed(tmp_path):
    made = make_installation(str(tmp_path))
    symlink(".", f"{made.first}/lib/self")
    symlink("..", f"{made.first}/lib/up")
    symlink("loop", f"{made.first}/loop")
    symlink(made.cache, f"{made.first}/cache")
    symlink("x" * 3_000, f"{made.first}/long")  # too long for the inode, so it needs a block
    usage = Usage(scan(made.roots))
    assert usage.added([0, 1, 2]) == du(*made.paths)
    assert not usage.inventory.problems


def test_an_empty_and_a_missing_root(tmp_path):
    empty, missing = f"{tmp_path}/empty", f"{tmp_path}/missing"
    os.mkdir(empty)
    inventory = scan([cache_root(empty), environment_root(missing)])
    assert Usage(inventory).unique_by_root == [*du(empty), 0]
    assert [(p.kind, p.root, p.path) for p in inventory.problems] == [
        (ProblemKind.VANISHED, 1, missing)
    ]
    assert inventory.root_devices == (0, -1)


@pytest.mark.parametrize("kind", list(RootKind))
def test_a_root_listed_twice_is_one(tmp_path, kind):
    made = make_installation(str(tmp_path))
    twice = [root for root in made.roots if root.kind is kind]
    inventory = scan([*made.roots, *twice])
    assert inventory.roots == tuple(made.roots)
    assert Usage(inventory).on_disk == sum(du(*made.paths))
    assert inventory.aliases == {}


def test_a_missing_root_listed_twice_is_one(tmp_path):
    inventory = scan([environment_root(f"{tmp_path}/no")] * 2)
    assert len(inventory.roots) == len(inventory.problems) == 1


def test_a_root_reached_through_a_symlink_is_an_alias(tmp_path):
    made = make_installation(str(tmp_path))
    symlink(made.cache, f"{tmp_path}/cache-link")
    symlink("envs/first", f"{tmp_path}/first-link")
    inventory = scan(
        [
            cache_root(f"{tmp_path}/cache-link"),
            environment_root(f"{tmp_path}/first-link"),
            *made.roots,
        ]
    )
    assert inventory.aliases == {
        made.cache: f"{tmp_path}/cache-link",
        made.first: f"{tmp_path}/first-link",
    }
    usage = Usage(inventory)
    assert len(inventory.roots) == 3
    assert sorted(usage.unique_by_root) == sorted(du(path)[0] for path in made.paths)
    assert usage.on_disk == sum(du(*made.paths))


@measures
def test_roots_inside_a_root_are_not_counted_in_it(tmp_path, measure):
    apparent = measure is Measure.APPARENT
    base = str(tmp_path)
    made = make_installation(base)
    write(f"{base}/conda-meta/history")
    write(f"{base}/lib/of-base", b"b" * 40_000)
    link(f"{made.shared}/lib/big", f"{base}/lib/big")
    usage = Usage(scan([environment_root(base), *made.roots]), measure)
    assert sizes(usage)[base] == du(base, exclude=made.paths, apparent=apparent)[0]
    for path in made.paths:
        assert sizes(usage)[path] == du(path, apparent=apparent)[0]
    assert usage.on_disk == du(base, apparent=apparent)[0]


@measures
def test_an_environment_inside_an_environment_and_one_inside_a_package(tmp_path, measure):
    apparent = measure is Measure.APPARENT
    made = make_installation(str(tmp_path))
    inner, packed = f"{made.first}/opt/inner", f"{made.unused}/opt/packed"
    for prefix in (inner, packed):
        install(made.shared, prefix)
        write(f"{prefix}/lib/own", b"x" * 6_000)
    roots = [*made.roots, environment_root(inner), environment_root(packed)]
    usage, model = Usage(scan(roots), measure), Model(roots, apparent=apparent)
    paths = [root.path for root in roots]
    assert sizes(usage) == {
        path: du(path, apparent=apparent, exclude=[inner, packed] if path in made.paths else [])[0]
        for path in paths
    }
    assert usage.exclusive_by_root == [model.exclusive(model.units_of(path)) for path in paths]
    assert usage.on_disk == sum(du(*made.paths, apparent=apparent))


def test_a_scan_does_not_change_times_or_entries(tmp_path):
    made = make_installation(str(tmp_path))

    def snapshot() -> list[tuple[str, os.stat_result]]:
        paths = [path for path, _, _ in os.walk(tmp_path)]
        paths += [f"{path}/{name}" for path, _, names in os.walk(tmp_path) for name in names]
        return [(path, os.lstat(path)[:7] + os.lstat(path)[8:]) for path in paths]  # without atime

    before = snapshot()
    scan(made.roots, detailed=made.paths)
    assert snapshot() == before


def test_devices_and_directories_of_a_scan_are_those_of_stat(tmp_path):
    made = make_installation(str(tmp_path))
    inventory = scan(made.roots)
    assert inventory.devices == (os.stat(made.cache).st_dev,)
    assert {group.device for group in inventory.groups} == {0}
    assert all(stat.S_ISDIR(os.stat(path).st_mode) for path in made.paths)
    inodes = sum(sums.inodes for sums in inventory.private.values())
    model = Model(made.roots)
    assert inodes == sum(thing.links == 1 for thing in model.things)
    several = sum(sums.inodes for sums in inventory.groups.values())
    assert several == sum(thing.links > 1 for thing in model.things)
