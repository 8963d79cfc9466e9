"""Storing an index: which pages, symbolic links and problems it contains."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.scan.combine import combine
from conda_hardlink_plugin.scan.index.file import index_path, new_index, open_index, read_checked
from conda_hardlink_plugin.scan.index.recorder import Recorder
from conda_hardlink_plugin.scan.index.store import store
from conda_hardlink_plugin.scan.index.trailer import read_totals
from conda_hardlink_plugin.scan.inventory import Problem, ProblemKind
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.scanner import scan
from conda_hardlink_plugin.scan.walker import Walker
from tests.support.scanning import Partly, look_up, trusting, write_index
from tests.support.trees import ODD_NAMES, environment_root, make_installation, symlink, write


@pytest.fixture
def made(tmp_path):
    return make_installation(str(tmp_path))


@pytest.fixture
def folder(tmp_path):
    return f"{tmp_path}/index"


def read(scan_roots, recorder=None):
    """Return the findings of a walker in all roots, and the inventory of them."""
    walker = Walker(scan_roots, (), recorder=recorder)
    for number in range(len(scan_roots.roots)):
        walker.open_root(number)
        walker.read(sys.maxsize)
    found = walker.findings()
    walker.close()
    return found, combine([found], scan_roots, {})


def store_with_problems(folder, made, problems=()):
    """Store what a walker finds and some problems; return the number of each unit by its path."""
    scan_roots = survey_roots(made.roots, (), read_mount_table())
    with new_index(folder, 0, index_totals) as new:
        found, inventory = read(scan_roots, Recorder(*new.recording))
        store(new, replace(inventory, problems=tuple(problems)), scan_roots, [found], None)
    return {unit.path: number for number, unit in enumerate(inventory.units)}


def texts_of(folder, root_path):
    """Return the paths and texts of the symbolic links of a root in an index."""
    with open_index(folder) as index:
        units = index.stored.inventory.units
        (number,) = (number for number, unit in enumerate(units) if unit.path == root_path)
        if number not in index.stored.texts:
            return {}
        texts = read_checked(index.handle, *index.stored.texts[number]).split(b"\0")
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_an_index_has_the_inventory_its_totals_and_the_time_of_the_scan(made, folder):
    scan_roots = survey_roots(made.roots, (), read_mount_table())
    with new_index(folder, 1_000 * 10**9, index_totals) as new:
        found, inventory = read(scan_roots, Recorder(*new.recording))
        store(new, inventory, scan_roots, [found], None)
    with open_index(folder) as index:
        assert index.stored.inventory == inventory
        assert index.taken_s == 1_000
    assert read_totals(folder) == (index_totals(inventory), 1_000)
    assert os.listdir(folder) == [os.path.basename(index_path(folder))]


def test_no_index_is_stored_if_pages_are_missing(made, folder):
    scan_roots = survey_roots(made.roots, (), read_mount_table())
    found, inventory = read(scan_roots)
    assert found.pages is None
    with new_index(folder, 0, index_totals) as new:
        store(new, inventory, scan_roots, [found], None)
    assert os.listdir(folder) == []


def test_a_unit_and_those_around_it_are_unread_if_a_path_in_it_is_a_problem(made, folder):
    problems = [
        Problem(ProblemKind.UNREADABLE, 0, f"{made.mine}/lib/deep", "Permission denied"),
        Problem(ProblemKind.VANISHED, 2, made.second, "No such file or directory"),
    ]
    number_of = store_with_problems(folder, made, problems)
    with open_index(folder) as index:
        assert index.stored.unread == {
            number_of[path] for path in (made.cache, made.mine, made.second)
        }
        assert not index.stored.is_whole


def test_a_problem_in_a_root_does_not_make_the_root_around_it_unread(tmp_path, folder):
    inner = environment_root(f"{tmp_path}/env/inner")
    outer = environment_root(f"{tmp_path}/env")
    write(f"{inner.path}/file")
    scan_roots = survey_roots([outer, inner], (), read_mount_table())
    problem = Problem(ProblemKind.UNREADABLE, 1, f"{inner.path}/deep", "Permission denied")
    with new_index(folder, 0, index_totals) as new:
        found, inventory = read(scan_roots, Recorder(*new.recording))
        store(new, replace(inventory, problems=(problem,)), scan_roots, [found], None)
    with open_index(folder) as index:
        units = index.stored.inventory.units
        assert [units[number].path for number in index.stored.unread] == [inner.path]


def test_without_problems_no_unit_is_unread(made, folder):
    store_with_problems(folder, made)
    with open_index(folder) as index:
        assert index.stored.unread == frozenset()
        assert index.stored.is_whole


def test_the_texts_of_all_symlinks_of_an_environment_are_stored(made, folder):
    expected = {}
    for number, name in enumerate(ODD_NAMES):
        target = name if number % 2 else f"/{name}"
        path = symlink(target, f"{made.first}/links/{name}")
        expected[os.fsencode(path)] = os.fsencode(target)
    symlink("lib", f"{made.shared}/not of an environment")
    store_with_problems(folder, made)
    assert texts_of(folder, made.first) == expected
    assert texts_of(folder, made.second) == {}
    assert texts_of(folder, made.shared) == {}


def test_a_recalled_unit_has_the_same_pages_and_texts_in_the_next_index(made, folder):
    path = symlink("own", f"{made.second}/lib/link")
    write_index(folder, made.roots)
    before = pages_by_path(folder)
    write(f"{made.first}/new/file", b"n" * 9_000)
    with trusting(), look_up(folder, quick=False) as lookup:
        scan(made.roots, lookup=Partly(lookup))
    after = pages_by_path(folder)
    assert after.keys() == before.keys()
    assert after[made.first] != before[made.first]
    for unit in (made.shared, made.mine, made.unused, made.second):
        assert after[unit] == before[unit], unit
    assert texts_of(folder, made.second) == {os.fsencode(path): b"own"}


def pages_by_path(folder):
    """Return the pages of each unit in an index, with their content."""
    found = {}
    with open_index(folder) as index, open(index_path(folder), "rb") as file:
        units = index.stored.inventory.units
        for page in index.stored.pages:
            file.seek(page.offset)
            described = page._replace(unit=0, offset=0)
            found.setdefault(units[page.unit].path, []).append((described, file.read(page.bytes)))
    return found
