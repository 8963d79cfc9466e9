"""The check of an index: which pages still match the disk, exactly or quickly."""

from __future__ import annotations

import os
import shutil

import pytest

from conda_hardlink_plugin.scan.index.check import unchanged_pages
from conda_hardlink_plugin.scan.index.file import index_path, open_index
from tests.support.forking import allow_descriptors, in_child
from tests.support.oracles import open_descriptors
from tests.support.scanning import next_tick, write_index
from tests.support.trees import ODD_NAMES, install, link, make_installation, symlink, write

pytestmark = pytest.mark.usefixtures("each_reader")

each_check = pytest.mark.parametrize("exact", [True, False], ids=["exact", "quick"])


@pytest.fixture
def made(tmp_path):
    """An installation with odd names, and with an index."""
    made = make_installation(str(tmp_path))
    for name in ODD_NAMES:
        write(f"{made.first}/odd/{name}/{name}", b"o" * 5_000)
        link(f"{made.first}/odd/{name}/{name}", f"{made.first}/odd/{name}/second link")
        symlink(name, f"{made.first}/odd/{name}/symlink")
    write_index(f"{tmp_path}/index", made.roots)
    next_tick(tmp_path)
    return made


def changed_units(index, *, exact):
    """Return the paths of the units with a page that does not match."""
    pages, units = index.stored.pages, index.stored.inventory.units
    progress = []
    unchanged = unchanged_pages(index, range(len(pages)), exact=exact, on_progress=progress.append)
    assert progress[-1] == sum(page.entries for page in pages)
    return {units[page.unit].path for number, page in enumerate(pages) if number not in unchanged}


@pytest.fixture
def checked(tmp_path):
    """A function that checks the whole index; returns the paths of the units that changed."""

    def check_all(*, exact):
        with open_index(f"{tmp_path}/index") as index:
            return changed_units(index, exact=exact)

    return check_all


@each_check
def test_all_pages_of_an_unchanged_tree_match(made, checked, exact):
    assert checked(exact=exact) == set()


@pytest.mark.parametrize(
    ("change", "unit"),
    [
        pytest.param(lambda made: write(f"{made.first}/lib/new"), "first", id="an entry is new"),
        pytest.param(lambda made: os.unlink(f"{made.first}/lib/own"), "first", id="one is gone"),
        pytest.param(
            lambda made: os.rename(f"{made.mine}/lib/mine", f"{made.mine}/lib/other"),
            "mine",
            id="one was renamed",
        ),
        pytest.param(lambda made: write(f"{made.mine}/lib/d/f"), "mine", id="a directory is new"),
        pytest.param(lambda made: shutil.rmtree(f"{made.mine}/lib"), "mine", id="one is missing"),
        pytest.param(
            lambda made: (
                os.rename(f"{made.mine}/lib", f"{made.mine}/moved"),
                os.symlink("moved", f"{made.mine}/lib"),
            ),
            "mine",
            id="one became a symlink to itself",
        ),
        pytest.param(
            lambda made: os.unlink(f"{made.first}/odd/{ODD_NAMES[0]}/symlink"),
            "first",
            id="in a directory with an odd name",
        ),
    ],
)
@each_check
def test_each_check_notices_a_changed_directory(made, checked, change, unit, exact):
    change(made)
    assert checked(exact=exact) == {getattr(made, unit)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path, _: write(path, b"x" * 99_999), id="it grew"),
        pytest.param(lambda path, _: os.truncate(path, 1), id="it shrank"),
        pytest.param(os.link, id="it was linked elsewhere"),
    ],
)
@pytest.mark.parametrize("name", [*ODD_NAMES[:2], os.fsdecode(b"\xff\xfe")])
def test_only_an_exact_check_notices_a_changed_file(made, checked, tmp_path, name, change):
    change(f"{made.first}/odd/{name}/{name}", f"{tmp_path}/elsewhere")
    assert checked(exact=True) == {made.first}
    assert checked(exact=False) == set()


@each_check
def test_a_missing_root_does_not_hide_that_the_others_match(made, checked, exact):
    os.rename(made.first, f"{made.first} aside")
    assert checked(exact=exact) == {made.first}
    write(made.first)
    assert checked(exact=exact) == {made.first}


@each_check
def test_another_tree_with_the_same_entries_does_not_match(made, checked, exact):
    shutil.rmtree(made.second)
    install(made.shared, made.second)
    write(f"{made.second}/lib/own", b"o" * 54_321)
    assert made.second in checked(exact=exact)


@each_check
def test_only_the_wanted_pages_are_checked(made, tmp_path, exact):
    """Threads may have divided an environment into several pages."""
    write(f"{made.first}/lib/new")
    with open_index(f"{tmp_path}/index") as index:
        units = index.stored.inventory.units
        unit_of = {n: units[page.unit].path for n, page in enumerate(index.stored.pages)}
        wanted = {n for n, path in unit_of.items() if path in (made.first, made.mine)}
        found = unchanged_pages(index, wanted, exact=exact)
    assert found < wanted
    assert {unit_of[number] for number in wanted - found} == {made.first}


@each_check
@pytest.mark.parametrize("other", [b"", b"lib\0", b"\0", b"/", b"lib\0/", b"\0lib/", b"\0/lib"])
def test_pages_of_a_damaged_index_do_not_match(made, tmp_path, exact, other):
    """The content of a page is not verified before it is compared with the disk."""
    with open_index(f"{tmp_path}/index") as index:
        size = os.stat(index_path(f"{tmp_path}/index")).st_size
        with open(index_path(f"{tmp_path}/index"), "r+b") as file:
            file.write(other * (size // max(len(other), 1)))
            file.truncate(size if other else 0)
        assert unchanged_pages(index, range(len(index.stored.pages)), exact=exact) == set()


@each_check
def test_a_page_that_cannot_be_read_does_not_hide_that_the_others_match(made, tmp_path, exact):
    with open_index(f"{tmp_path}/index") as index:
        pages = index.stored.pages
        last = max(range(len(pages)), key=lambda number: pages[number].offset)
        os.truncate(index_path(f"{tmp_path}/index"), pages[last].offset)
        unchanged = unchanged_pages(index, range(len(pages)), exact=exact)
        assert unchanged == set(range(len(pages))) - {last}


@each_check
def test_pages_that_cannot_be_checked_without_descriptors_do_not_match(made, tmp_path, exact):
    def changed_with(allowed):
        with open_index(f"{tmp_path}/index") as index:
            allow_descriptors(allowed)
            return changed_units(index, exact=exact)

    every_unit = {made.cache, made.shared, made.mine, made.unused, made.first, made.second}
    assert in_child(lambda: changed_with(0)) == every_unit
    assert in_child(lambda: changed_with(20)) == set()


@each_check
def test_a_check_leaves_nothing_open(made, checked, exact):
    shutil.rmtree(f"{made.mine}/lib")
    before = open_descriptors()
    checked(exact=exact)
    assert open_descriptors() == before
