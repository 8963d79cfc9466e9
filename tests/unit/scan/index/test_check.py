"""The check of an index: which pages still match the disk, exactly or quickly."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import pytest

from conda_hardlink_plugin.scan.index.check import check
from conda_hardlink_plugin.scan.index.file import index_path, open_index
from tests.support.oracles import open_descriptors
from tests.support.scanning import next_tick, write_index
from tests.support.trees import ODD_NAMES, install, link, make_installation, symlink, write

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


@pytest.fixture
def checked(tmp_path):
    """A function that checks the whole index; returns the paths of the units that changed."""

    def check_all(*, exact):
        with open_index(f"{tmp_path}/index") as index:
            stored = index.stored
        units = stored.inventory.units
        request = SimpleNamespace(
            path=index.path,
            roots=[path for _, path, _ in stored.roots],
            pages=[
                (units[page.unit].root, number, tuple(page))
                for number, page in enumerate(stored.pages)
            ],
            exact=exact,
        )
        answer = check(request)
        unchanged = set(answer.unchanged)
        assert len(unchanged) == len(answer.unchanged)
        assert answer.entries == sum(stored.pages[number].entries for number in unchanged)
        pages = enumerate(stored.pages)
        return {units[page.unit].path for number, page in pages if number not in unchanged}

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
def test_without_the_index_nothing_matches(made, tmp_path, exact):
    path = f"{tmp_path}/index/missing"
    request = SimpleNamespace(path=path, roots=[made.first], pages=[], exact=exact)
    assert check(request) == ([], 0)


@each_check
def test_pages_of_another_index_do_not_match(made, tmp_path, exact):
    """Another report has replaced the index since the pages were requested."""
    with open_index(f"{tmp_path}/index") as index:
        pages = [(0, number, tuple(page)) for number, page in enumerate(index.stored.pages)]
    size = os.stat(index_path(f"{tmp_path}/index")).st_size
    for other in (b"", b"lib\0", b"\0" * size, b"/" * size, b"lib\0/" * size):
        path = write(f"{tmp_path}/other", other)
        request = SimpleNamespace(path=path, roots=[made.cache], pages=pages, exact=exact)
        assert check(request) == ([], 0), other[:5]


@each_check
def test_a_page_that_cannot_be_read_does_not_hide_that_the_others_match(made, tmp_path, exact):
    with open_index(f"{tmp_path}/index") as index:
        stored = index.stored
    by_offset = sorted(enumerate(stored.pages), key=lambda item: -item[1].offset)
    os.truncate(index_path(f"{tmp_path}/index"), by_offset[0][1].offset)
    request = SimpleNamespace(
        path=index.path,
        roots=[path for _, path, _ in stored.roots],
        pages=[
            (stored.inventory.units[page.unit].root, number, tuple(page))
            for number, page in by_offset
        ],
        exact=exact,
    )
    assert check(request).unchanged == [number for number, _ in by_offset[1:]]


@each_check
def test_a_check_leaves_nothing_open(made, checked, exact):
    shutil.rmtree(f"{made.mine}/lib")
    before = open_descriptors()
    checked(exact=exact)
    assert open_descriptors() == before
