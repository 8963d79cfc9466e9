"""Open directories on the way down a tree: their paths, and the handles that they borrow."""

from __future__ import annotations

import os
import resource

import pytest

from conda_hardlink_plugin.filesystem import fs
from conda_hardlink_plugin.scan.inventory import PrivateSums
from conda_hardlink_plugin.scan.open_directory import OpenDirectory, open_directories_allowed
from tests.support.forking import in_child
from tests.support.oracles import open_descriptors
from tests.support.trees import ODD_NAMES, write


def below(parent, name):
    return OpenDirectory(parent, name, 0, PrivateSums(), (0, 0), [], plain=True)


def opened(parent, name):
    """Open a real directory, as a walker does."""
    directory = below(parent, name)
    if parent is None:
        directory.handle = fs.open_root(name)
    else:
        directory.handle = fs.open_directory(parent.relative + name, parent.handle)
    return directory


def inode_of(directory):
    """Return the inode that a directory leads to by its handle."""
    return os.stat(directory.relative or ".", dir_fd=directory.handle).st_ino


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_directory_has_the_path_of_its_root_and_the_names_below_it(name):
    root = below(None, "/top/env")
    directory = below(below(root, name), "lib")
    assert (root.path, root.inside, root.path_parts()) == ("/top/env", "", ["/top/env"])
    assert directory.path == f"/top/env/{name}/lib"
    assert directory.path_parts() == ["/top/env", name, "lib"]
    assert directory.inside == f"{name}/lib/"


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127])
def test_the_path_inside_a_root_ends_where_a_path_cannot_lead(name):
    directory, reachable = below(None, "/env"), 0
    while directory.inside is not None:
        assert len(os.fsencode(directory.inside + name)) < fs.max_path_bytes
        reachable += 1
        directory = below(directory, name)
    assert reachable > 13
    assert below(directory, "n").inside is None
    assert directory.path == "/env" + f"/{name}" * reachable


@pytest.fixture
def chain(tmp_path):
    """Three open directories, each inside the one before it; the last two borrow handles."""
    write(f"{tmp_path}/a/b/c/file")
    root = opened(None, str(tmp_path))
    chain = [root]
    for name in ("a", "b"):
        chain.append(opened(chain[-1], name))
        chain[-1].borrow_handle()
    return chain


def test_directories_that_borrow_a_handle_lead_to_themselves(chain, tmp_path):
    root, middle, last = chain
    assert (middle.handle, middle.relative) == (root.handle, "a/")
    assert (last.handle, last.relative) == (root.handle, "a/b/")
    assert inode_of(middle) == os.stat(f"{tmp_path}/a").st_ino
    assert inode_of(last) == os.stat(f"{tmp_path}/a/b").st_ino
    below_last = opened(last, "c")
    assert inode_of(below_last) == os.stat(f"{tmp_path}/a/b/c").st_ino
    below_last.close()
    root.close()


def test_a_borrowed_handle_is_open_once_and_closed_by_its_owner(tmp_path):
    write(f"{tmp_path}/a/b/file")
    before = open_descriptors()
    root = opened(None, str(tmp_path))
    middle = opened(root, "a")
    assert open_descriptors() == before + 2
    middle.borrow_handle()
    last = opened(middle, "b")
    last.borrow_handle()
    assert open_descriptors() == before + 1
    assert (root.users, middle.users, last.users) == (1, 1, 0)
    last.close()
    middle.close()
    assert (root.users, middle.users) == (0, 0)
    assert inode_of(root) == os.stat(tmp_path).st_ino
    root.close()
    assert open_descriptors() == before


def test_a_root_keeps_its_own_handle(tmp_path):
    root = opened(None, str(tmp_path))
    root.borrow_handle()
    assert (root.relative, inode_of(root)) == ("", os.stat(tmp_path).st_ino)
    root.close()


def test_a_handle_is_not_borrowed_over_a_path_that_is_too_long(tmp_path):
    directory, chain, name = opened(None, str(tmp_path)), [], "n" * 250
    for _ in range(40):
        chain.append(directory)
        os.mkdir(directory.relative + name, dir_fd=directory.handle)
        directory = opened(directory, name)
        directory.borrow_handle()
        assert inode_of(directory)
    handles = {one.handle for one in chain}
    assert 2 <= len(handles) <= 4
    for one in [directory, *reversed(chain)]:
        one.close()


@pytest.mark.parametrize(("limit", "allowed"), [(64, 16), (400, 100), (800, 200), (1_000, 200)])
def test_a_quarter_of_the_allowed_descriptors_may_be_open_directories(limit, allowed):
    def with_limit():
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        return open_directories_allowed()

    assert in_child(with_limit) == allowed
