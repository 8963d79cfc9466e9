"""Storing an index: which pages, symbolic links and problems it contains."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.scan.combine import combine
from conda_hardlink_plugin.scan.index.file import index_path, new_index, open_index, read_checked
from conda_hardlink_plugin.scan.index.recorder import Recorder
from conda_hardlink_plugin.scan.index.store import store
from conda_hardlink_plugin.scan.index.trailer import read_totals
from conda_hardlink_plugin.scan.inventory import Problem, ProblemKind
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.scanning import Partly, look_up, reading, trusting, write_index
from tests.support.trees import ODD_NAMES, environment_root, make_installation, symlink, write

pytestmark = pytest.mark.usefixtures("each_reader")


@pytest.fixture
def made(tmp_path):
    return make_installation(str(tmp_path))


@pytest.fixture
def folder(tmp_path):
    return f"{tmp_path}/index"


@contextmanager
def storing(folder, roots, began_ns=0, problems=()):
    """Read roots; yield the inventory, which is then stored together with some problems."""
    with (
        new_index(folder, began_ns, index_totals) as new,
        reading(roots, recorder=Recorder(*new.recording)) as (reader, scan_roots),
    ):
        inventory = combine(reader.collector, scan_roots, {})
        yield inventory
        stored = replace(inventory, problems=tuple(problems))
        store(new, stored, scan_roots, reader.collector.found, reader.pages(), None)


def store_with_problems(folder, made, problems=()):
    """Store what is read and some problems; return the number of each unit by its path."""
    with storing(folder, made.roots, problems=problems) as inventory:
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
    with storing(folder, made.roots, began_ns=1_000 * 10**9) as inventory:
        pass
    with open_index(folder) as index:
        assert index.stored.inventory == inventory
        assert index.taken_s == 1_000
    assert read_totals(folder) == (index_totals(inventory), 1_000)
    assert os.listdir(folder) == [os.path.basename(index_path(folder))]


def test_every_directory_is_on_a_page_of_its_unit(made, folder):
    for number in range(600):
        os.mkdir(f"{made.first}/lib/{number}")
    with storing(folder, made.roots) as inventory:
        pass
    with open_index(folder) as index:
        counted = dict.fromkeys(range(len(inventory.units)), 0)
        for page in index.stored.pages:
            counted[page.unit] += page.directories
    expected = dict.fromkeys(counted, 0)
    paths = {unit.path: number for number, unit in enumerate(inventory.units)}
    for root in made.paths:
        for directory, _, _ in os.walk(root):
            unit = directory
            while unit not in paths:
                unit = os.path.dirname(unit)
            expected[paths[unit]] += 1
    assert counted == expected


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
    problem = Problem(ProblemKind.UNREADABLE, 1, f"{inner.path}/deep", "Permission denied")
    with storing(folder, [outer, inner], problems=[problem]):
        pass
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
