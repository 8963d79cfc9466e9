"""Symbolic links that lead out of their environment, and the cache units that they pass."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from conda_hardlink_plugin.analysis.symlinks import EnvironmentSymlinks, follow_symlinks
from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.filesystem.problems import PathProblem

from ...support.forking import in_child
from ...support.oracles import NOBODY
from ...support.scanning import scan
from ...support.trees import (
    cache_root,
    environment_root,
    link,
    make_installation,
    package,
    symlink,
    write,
)

pytestmark = pytest.mark.usefixtures("each_way")

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conda_hardlink_plugin.scan.inventory import Inventory, Root


def follow(roots: Sequence[Root]) -> dict[str, EnvironmentSymlinks]:
    """Return what each environment's links lead to, by its path."""
    inventory = scan(roots)
    return {inventory.roots[i].path: found for i, found in follow_symlinks(inventory).items()}


def units(roots: Sequence[Root], found: EnvironmentSymlinks) -> dict[str, int]:
    """Return how many links pass each unit, by its path."""
    inventory = scan(roots)
    return {inventory.units[unit].path: count for unit, count in found.links.items()}


def identity(path: str) -> tuple[int, int]:
    return os.stat(path).st_dev, os.stat(path).st_ino


def escaping(inventory: Inventory) -> set[tuple[str, str]]:
    return {(found.path, found.target) for found in inventory.symlinks}


@pytest.fixture
def made(tmp_path):
    return make_installation(str(tmp_path))


def test_symlinks_that_stay_in_their_environment_are_not_kept(made):
    symlink("lib/own", f"{made.first}/inside")
    symlink("../lib/own", f"{made.first}/bin/inside")
    symlink("inside", f"{made.first}/loop")
    out = symlink("../../second", f"{made.first}/lib/out")
    assert escaping(scan(made.roots)) == {(f"{made.first}/lib/out", "../../second")}
    assert os.path.islink(out)
    assert follow(made.roots) == {}


def test_absolute_and_relative_links_lead_to_the_package_they_name(made):
    symlink(f"{made.unused}/lib/unused", f"{made.first}/absolute")
    symlink("../../../pkgs/unused-1-0/lib/unused", f"{made.first}/lib/relative")
    symlink("../../pkgs/mine-1-0/../shared-1-0/lib/big", f"{made.first}/around")
    found = follow(made.roots)
    assert found.keys() == {made.first}
    assert found[made.first].count == 3
    assert units(made.roots, found[made.first]) == {
        made.unused: 2,
        made.mine: 1,  # without it `..` leads nowhere
        made.shared: 1,
    }
    targets = [f"{made.unused}/lib/unused", f"{made.shared}/lib/big"]
    assert found[made.first].targets.keys() == {identity(path) for path in targets}
    status = [os.stat(path) for path in targets]
    assert found[made.first].target_bytes(Measure.APPARENT) == sum(s.st_size for s in status)
    assert found[made.first].target_bytes(Measure.DISK) == sum(s.st_blocks * 512 for s in status)
    assert found[made.first].broken == []


def test_a_file_with_several_names_in_the_cache_is_one_target(made):
    link(f"{made.unused}/lib/unused", f"{made.unused}/lib/again")
    for name in ("unused", "again"):
        symlink(f"{made.unused}/lib/{name}", f"{made.first}/{name}")
    found = follow(made.roots)[made.first]
    assert found.count == 2
    assert len(found.targets) == 1


def test_a_link_to_a_linked_file_in_another_environment_leads_to_no_cache(made):
    symlink(f"{made.second}/lib/big", f"{made.first}/via-second")
    assert follow(made.roots) == {}


def test_chains_through_environments_count_for_every_environment_on_the_way(made):
    symlink(f"{made.unused}/lib/unused", f"{made.second}/lib/near")
    symlink("../../second/lib/near", f"{made.first}/lib/far")
    symlink("far", f"{made.first}/lib/further")  # stays inside and ends at one that is counted
    found = follow(made.roots)
    assert {path: symlinks.count for path, symlinks in found.items()} == {
        made.first: 1,
        made.second: 1,
    }
    for symlinks in found.values():
        assert units(made.roots, symlinks) == {made.unused: 1}
        assert symlinks.targets.keys() == {identity(f"{made.unused}/lib/unused")}


def test_a_link_passes_every_package_on_its_way(made):
    symlink("../shared-1-0/lib/big", f"{made.unused}/hop")
    symlink("../unused-1-0/hop", f"{made.mine}/hop")
    symlink(f"{made.mine}/hop", f"{made.first}/hops")
    found = follow(made.roots)[made.first]
    assert units(made.roots, found) == {made.mine: 1, made.unused: 1, made.shared: 1}
    assert found.targets.keys() == {identity(f"{made.shared}/lib/big")}


def test_a_link_passes_the_package_whose_folder_leads_it_to_another(made):
    symlink("../shared-1-0/lib", f"{made.unused}/folder")
    symlink(f"{made.unused}/folder/big", f"{made.first}/through-both")
    found = follow(made.roots)[made.first]
    assert units(made.roots, found) == {made.unused: 1, made.shared: 1}


def test_links_through_a_symlinked_directory_inside_and_outside(tmp_path, made):
    symlink(f"{made.unused}/lib", f"{made.first}/dir")  # a whole folder
    symlink("dir/unused", f"{made.first}/through")  # by its text it stays inside
    symlink(made.unused, f"{tmp_path}/elsewhere/dir")
    symlink(f"{tmp_path}/elsewhere/dir/lib/unused", f"{made.second}/through")
    found = follow(made.roots)
    assert found[made.first].count == 2
    assert units(made.roots, found[made.first]) == {made.unused: 2}
    assert units(made.roots, found[made.second]) == {made.unused: 1}
    assert found[made.second].targets.keys() == {identity(f"{made.unused}/lib/unused")}


@pytest.mark.parametrize("alias_is_a_root", [False, True])
@pytest.mark.parametrize("alias_first", [False, True])
def test_links_through_another_path_to_the_cache(tmp_path, made, alias_is_a_root, alias_first):
    alias = symlink("pkgs", f"{tmp_path}/alias")
    symlink(f"{alias}/unused-1-0/lib/unused", f"{made.first}/through-alias")
    symlink(f"{made.unused}/lib/unused", f"{made.first}/direct")
    roots = [cache_root(alias), *made.roots] if alias_first else [*made.roots, cache_root(alias)]
    if not alias_is_a_root:
        roots = made.roots
    found = follow(roots)[made.first]
    seen_at = alias if alias_is_a_root and alias_first else made.cache
    assert units(roots, found) == {f"{seen_at}/unused-1-0": 2}
    assert len(found.targets) == 1


def test_links_through_a_bind_mount_of_the_cache_that_is_listed(tmp_path, made):
    point = f"{tmp_path}/bound"
    os.mkdir(point)
    command = ["mount", "--bind", made.cache, point]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount here: {mounted.stderr.strip()}")
    try:
        symlink(f"{point}/unused-1-0/lib/unused", f"{made.first}/through")
        roots = [*made.roots, cache_root(point)]
        found = follow(roots)[made.first]
        assert units(roots, found) == {made.unused: 1}
    finally:
        subprocess.run(["umount", point], check=True)


def test_only_broken_links_into_a_cache_are_reported(made):
    gone = symlink(f"{made.unused}/no/such", f"{made.first}/file-gone")
    all_gone = symlink(f"{made.cache}/removed-1-0/lib/x", f"{made.first}/package-gone")
    symlink("/no/such/place", f"{made.first}/elsewhere")
    symlink(f"{made.unused}/lib/unused/below-a-file", f"{made.second}/below")
    found = follow(made.roots)
    assert sorted(found[made.first].broken) == sorted([gone, all_gone])
    assert found[made.first].count == 2
    assert units(made.roots, found[made.first]) == {made.unused: 1, made.cache: 1}
    assert found[made.first].targets == {}
    assert found[made.second].broken == [f"{made.second}/below"]


def test_loops_end(tmp_path, made):
    symlink(f"{tmp_path}/outside-loop", f"{made.first}/to-loop")
    symlink(f"{made.first}/to-loop", f"{tmp_path}/outside-loop")
    symlink("itself", f"{made.unused}/itself")
    in_cache = symlink(f"{made.unused}/itself", f"{made.first}/to-itself")
    symlink(f"{made.first}/back", f"{made.unused}/forth")
    back = symlink(f"{made.unused}/forth", f"{made.first}/back")
    found = follow(made.roots)[made.first]
    assert sorted(found.broken) == sorted([in_cache, back])
    assert units(made.roots, found) == {made.unused: 2}


def test_a_link_to_the_cache_itself_or_to_its_rest_passes_no_package(made):
    symlink(made.cache, f"{made.first}/cache")
    symlink(f"{made.cache}/", f"{made.first}/cache-with-slash")
    symlink(f"{made.cache}/urls.txt", f"{made.first}/urls")
    symlink(made.tarball, f"{made.first}/tarball")
    symlink(f"{made.cache}-not/x", f"{made.first}/namesake")
    assert follow(made.roots) == {}


def test_a_cache_that_the_base_reaches_by_a_link_does_not_make_it_softlinked(tmp_path):
    moved = package(f"{tmp_path}/big-disk/pkgs", "thing-1-0", {"lib/thing": b"t"})
    write(f"{tmp_path}/conda/conda-meta/history")
    symlink(f"{tmp_path}/big-disk/pkgs", f"{tmp_path}/conda/pkgs")
    roots = [cache_root(f"{tmp_path}/conda/pkgs"), environment_root(f"{tmp_path}/conda")]
    assert follow(roots) == {}
    symlink(f"{moved}/lib/thing", f"{tmp_path}/conda/lib/thing")
    assert follow(roots).keys() == {f"{tmp_path}/conda"}


def test_a_link_into_an_environment_inside_a_cache_does_not_use_the_cache(made):
    inner = f"{made.unused}/inner"
    write(f"{inner}/conda-meta/history")
    write(f"{inner}/lib/file", b"x")
    symlink(f"{inner}/lib/file", f"{made.first}/lib/to-inner")
    assert follow([*made.roots, environment_root(inner)]) == {}


def test_a_package_in_a_cache_inside_a_cache_is_found_whichever_is_listed_first(made):
    deep = package(f"{made.cache}/https/host", "deep-1-0", {"f": b"x"})
    symlink(f"{made.cache}/https", f"{made.first}-alias")
    symlink(f"{deep}/f", f"{made.first}/f")
    roots = [*made.roots, cache_root(f"{made.first}-alias")]
    assert list(follow(roots)[made.first].links.values()) == [1]


def test_every_path_of_a_hard_linked_symlink_that_leads_out_is_followed(made):
    symlink(f"{made.unused}/lib/unused", f"{made.mine}/lib/absolute")
    link(f"{made.mine}/lib/absolute", f"{made.first}/lib/absolute")
    link(f"{made.mine}/lib/absolute", f"{made.first}/deep/er/absolute")
    link(f"{made.mine}/lib/absolute", f"{made.second}/absolute")
    found = follow(made.roots)
    assert (found[made.first].count, found[made.second].count) == (2, 1)


def test_a_nested_package_is_found_and_an_environment_inside_another_is_its_own(made):
    deep = package(f"{made.cache}/https/host/linux-64", "deep-1-0", {"f": b"x"})
    inner = f"{made.first}/envs/inner"
    write(f"{inner}/conda-meta/history")
    symlink(f"{deep}/f", f"{inner}/f")
    symlink("../../lib/own", f"{inner}/own-of-first")
    roots = [*made.roots, environment_root(inner)]
    found = follow(roots)
    assert found.keys() == {inner}
    assert units(roots, found[inner]) == {deep: 1}
    assert (f"{inner}/own-of-first", "../../lib/own") in escaping(scan(roots))


def test_odd_names_are_followed_as_they_are(made):
    odd = package(made.cache, os.fsdecode(b"odd\xff \n-1-0"), {"\x1b[2J": b"x" * 5_000})
    symlink(f"{odd}/\x1b[2J", f"{made.first}/\n")
    found = follow(made.roots)[made.first]
    assert units(made.roots, found) == {odd: 1}
    assert found.targets.keys() == {identity(f"{odd}/\x1b[2J")}


@pytest.fixture
def open_made():
    """The installation in a folder that every user may enter, for tests that close parts of it."""
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        yield make_installation(top)
        subprocess.run(["chmod", "-R", "u+rwx", top], check=True)


def test_a_link_to_an_unreadable_target_is_not_broken(open_made):
    made = open_made
    links = [
        symlink(f"{made.unused}/{name}", f"{made.first}/{name}")
        for name in ("lib/unused", "lib/nowhere")
    ]
    os.chmod(made.unused, 0)
    (found,) = in_child(lambda: list(follow(made.roots).values()), user=NOBODY)
    assert (found.count, found.broken) == (2, [])
    assert sorted(found.unresolved, key=lambda problem: problem.path) == [
        PathProblem(path, "permission denied") for path in sorted(links)
    ]


def test_a_link_that_cannot_be_followed_is_reported_wherever_it_leads(open_made):
    """It may lead into a package by a hop that cannot be read."""
    made = open_made
    secret = f"{os.path.dirname(made.cache)}/secret"
    symlink(f"{made.unused}/lib/unused", f"{secret}/hop")
    far = symlink(f"{secret}/hop", f"{made.first}/far")
    near = symlink(f"{made.shared}/lib/big", f"{made.first}/near")
    symlink("/no/such/place", f"{made.second}/elsewhere")
    assert follow(made.roots)[made.first].unresolved == []
    os.chmod(secret, 0)
    found = in_child(lambda: follow(made.roots), user=NOBODY)
    assert found.keys() == {made.first}
    assert found[made.first].unresolved == [PathProblem(far, "permission denied")]
    assert (found[made.first].count, found[made.first].broken) == (1, [])
    assert units(made.roots, found[made.first]) == {made.shared: 1}
    os.unlink(near)
    (alone,) = in_child(lambda: list(follow(made.roots).values()), user=NOBODY)
    assert (alone.count, alone.links, alone.targets) == (0, {}, {})
    assert len(alone.unresolved) == 1


@pytest.mark.parametrize("nested", ["", "https/host/"])
def test_a_link_to_the_original_path_of_a_quarantined_package_passes_it(tmp_path, nested):
    cache, prefix = f"{tmp_path}/pkgs", f"{tmp_path}/env"
    name = f"{nested}thing-1-0"
    moved = package(f"{cache}/.conda-hardlinks", f"moving-r1-{quote(name, safe='')}", {"f": b"x"})
    held = package(f"{cache}/.conda-hardlinks", "held-9-r1-other-1-0", {"f": b"x"})
    symlink(f"{cache}/{name}/f", f"{prefix}/home")
    symlink(f"{moved}/f", f"{prefix}/aside")
    symlink(f"{cache}/other-1-0/f", f"{prefix}/held")
    roots = [cache_root(cache), environment_root(prefix)]
    found = follow(roots)[prefix]
    assert units(roots, found) == {moved: 2, held: 1}
    assert sorted(found.broken) == [f"{prefix}/held", f"{prefix}/home"]
