"""The lookup: which units of an index count as unchanged, and whether that is enough."""

from __future__ import annotations

import os
import tempfile

import pytest

from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.scanning import look_up, next_tick, write_index
from tests.support.trees import (
    cache_root,
    environment_root,
    install,
    make_installation,
    package,
    write,
)

pytestmark = pytest.mark.usefixtures("each_reader")

each_check = pytest.mark.parametrize("quick", [False, True], ids=["exact", "quick"])


@pytest.fixture
def folder(tmp_path):
    return f"{tmp_path}/index"


@pytest.fixture
def made(tmp_path, folder):
    """An installation with an index."""
    made = make_installation(str(tmp_path))
    write_index(folder, made.roots)
    next_tick(folder)
    return made


def unchanged(folder, roots, *, quick=False, detailed=(), on_progress=None):
    with look_up(folder, quick=quick) as lookup:
        scan_roots = survey_roots(roots, detailed, read_mount_table())
        return lookup.unchanged(scan_roots, on_progress)


def paths(found):
    """Return the paths of the unchanged units."""
    return {found.index.stored.inventory.units[number].path for number in found.units}


@each_check
def test_without_an_index_there_is_no_answer(tmp_path, folder, quick):
    roots = make_installation(str(tmp_path)).roots
    assert unchanged(folder, roots, quick=quick) is None
    os.mkdir(folder)
    assert unchanged(folder, roots, quick=quick) is None
    assert os.listdir(folder) == []


@each_check
def test_all_units_of_an_unchanged_index_are_unchanged(made, folder, quick):
    found = unchanged(folder, made.roots, quick=quick)
    assert (found.is_all, found.is_most, found.quick) == (True, True, quick)
    assert paths(found) == {*made.paths, made.shared, made.mine, made.unused}


@each_check
def test_a_change_is_answered_exactly_and_unit_by_unit(made, folder, quick):
    with open(f"{made.shared}/lib/small", "ab") as file:
        file.write(b"more")
    write(f"{made.mine}/lib/new")
    found = unchanged(folder, made.roots, quick=quick)
    assert (found.is_all, found.quick) == (False, False)
    assert paths(found) == {made.cache, made.unused, made.first, made.second}


def test_a_quick_check_accepts_a_file_that_grew(made, folder):
    with open(f"{made.shared}/lib/small", "ab") as file:
        file.write(b"more")
    found = unchanged(folder, made.roots, quick=True)
    assert (found.is_all, found.quick) == (True, True)


@each_check
def test_roots_may_come_in_another_order_but_not_all_is_unchanged_then(made, folder, quick):
    found = unchanged(folder, [made.roots[0], *made.roots[:0:-1]], quick=quick)
    assert found.root_of == {0: 0, 1: 2, 2: 1}
    assert not found.is_all
    assert set(made.paths) <= paths(found)


@each_check
def test_units_of_a_root_that_is_not_wanted_do_not_count(made, folder, quick):
    found = unchanged(folder, [*made.roots[:2], environment_root(f"{made.first}/lib")], quick=quick)
    assert not found.is_all
    assert 2 not in found.root_of
    assert made.second not in paths(found)


@each_check
def test_a_root_with_another_root_inside_is_another_root(made, folder, quick):
    inner = f"{made.first}/lib"
    found = unchanged(folder, [*made.roots, environment_root(inner)], quick=quick)
    assert found.root_of == {0: 0, 2: 2}
    assert made.first not in paths(found)


@each_check
def test_a_cache_that_is_now_an_environment_is_another_root(made, folder, quick):
    roots = [cache_root(made.first), made.roots[0], made.roots[2]]
    found = unchanged(folder, roots, quick=quick)
    assert found.root_of == {0: 1, 2: 2}
    assert made.first not in paths(found)


@each_check
def test_units_of_a_root_wanted_in_detail_do_not_count(made, folder, quick):
    found = unchanged(folder, made.roots, quick=quick, detailed=[made.second])
    assert (found.is_all, found.quick) == (False, False)
    assert paths(found) == {made.cache, made.shared, made.mine, made.unused, made.first}


@each_check
def test_units_with_problems_do_not_count(quick):
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        made, folder = make_installation(top), f"{top}/index"
        os.mkdir(f"{made.first}/lib/unreadable", 0o000)
        os.mkdir(folder)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)

        def found_by_an_ordinary_user():
            assert [one.path for one in write_index(folder, made.roots).problems] == [
                f"{made.first}/lib/unreadable"
            ]
            found = unchanged(folder, made.roots, quick=quick)
            return found.is_all, found.quick, paths(found)

        is_all, is_quick, found = in_child(found_by_an_ordinary_user, user=NOBODY)
        assert (is_all, is_quick) == (False, False)
        assert found == {made.cache, made.shared, made.mine, made.unused, made.second}


@each_check
def test_directories_that_changed_just_before_the_scan_do_not_count(tmp_path, folder, quick):
    made = make_installation(str(tmp_path))
    with look_up(folder, quick=False) as lookup:
        scan(made.roots, lookup=lookup)
    found = unchanged(folder, made.roots, quick=quick)
    assert (found.is_all, found.is_most, found.quick) == (False, False, False)
    assert paths(found) == set()


@each_check
def test_most_is_unchanged_if_less_than_a_third_of_the_entries_must_be_read(
    tmp_path, folder, quick
):
    cache = f"{tmp_path}/pkgs"
    extracted = [
        package(cache, f"p{number}-1-0", {f"lib/{n}": b"x" for n in range(20)})
        for number in range(9)
    ]
    prefix = f"{tmp_path}/env"
    install(extracted[0], prefix)
    roots = [cache_root(cache), environment_root(prefix)]
    write_index(folder, roots)
    next_tick(folder)
    most = []
    for path in extracted[:5]:
        write(f"{path}/new")
        most.append(unchanged(folder, roots, quick=quick).is_most)
    assert most == [True, True, True, False, False]


def test_the_progress_of_a_check_ends_with_the_number_of_entries(made, folder):
    reported = []
    found = unchanged(folder, made.roots, on_progress=reported.append)
    assert reported == sorted(reported)
    assert reported[-1] == sum(found.index.stored.inventory.links)
