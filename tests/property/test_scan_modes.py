"""What holds of random and big trees in each way to find out what there is, on the same trees."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.filesystem.mounts import MountTable
from conda_hardlink_plugin.filesystem.symlink_text import escapes
from conda_hardlink_plugin.scan.inventory import RootKind

from ..support.oracles import du
from ..support.scanning import Way, scan_in, scan_in_each_way
from ..support.trees import (
    cache_root,
    environment_root,
    install,
    layouts,
    package,
    random_tree,
)

NOTHING_KNOWN = MountTable((), known=False)


@settings(max_examples=30, deadline=None)
@given(layouts)
def test_figures_are_the_same_if_the_mounts_are_unknown(layout):
    with random_tree(layout) as tree:
        known = Usage(scan_in(Way.PYTHON, tree.roots))
        for unknown in map(Usage, scan_in_each_way(tree.roots, mounts=NOTHING_KNOWN)):
            assert unknown.unique_by_root == known.unique_by_root
            assert unknown.exclusive_by_root == known.exclusive_by_root
            assert unknown.inventory.links == known.inventory.links
            assert unknown.unique_by_unit == known.unique_by_unit
            assert unknown.inventory.problems == ()


@settings(max_examples=40, deadline=None)
@given(layouts, st.booleans())
def test_every_symlink_of_random_environments_that_leads_out_is_found(layout, detailed):
    with random_tree(layout) as tree:
        for inventory in scan_in_each_way(tree.roots, detailed=tree.paths if detailed else ()):
            found = {(link.path, link.target) for link in inventory.symlinks}
            assert len(found) == len(inventory.symlinks)
            assert_those_that_lead_out(found, tree)


def assert_those_that_lead_out(found, tree):
    kinds = {root.path: root.kind for root in tree.roots}
    for directory, _, _ in os.walk(tree.base):
        root = directory
        while root not in kinds and root != "/":
            root = os.path.dirname(root)
        if kinds.get(root) is not RootKind.ENVIRONMENT:
            continue
        holds_others = any(path.startswith(f"{root}/") for path in kinds)
        for entry in os.scandir(directory):
            if not entry.is_symlink():
                continue
            target = os.readlink(entry.path)
            may_leave = escapes(target, directory[len(root) + 1 :])
            may_leave |= goes_on_from_a_link(directory, target)
            assert (entry.path, target) in found or not may_leave
            assert (entry.path, target) not in found or may_leave or holds_others


def goes_on_from_a_link(directory, target):
    """Tell whether a beginning of the way is a symbolic link, by the text of the way."""
    components = [name for name in target.split("/") if name not in ("", ".")]
    ways = ("/".join([directory, *components[:end]]) for end in range(1, len(components)))
    return any(os.path.islink(os.path.normpath(way)) for way in ways)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A package and an environment, with thousands of files in a folder and of folders."""
    top = tmp_path_factory.mktemp("wide")
    cache, prefix = f"{top}/pkgs", f"{top}/env"
    extracted = package(cache, "wide-1-0", {f"d/{n}": b"x" * (n % 9) for n in range(2_500)})
    install(extracted, prefix)
    for number in range(2_500):
        os.makedirs(f"{prefix}/wide/{number}")
    return cache, prefix


@pytest.mark.parametrize("way", Way, ids=lambda way: way.value)
def test_large_folders_and_many_folders_are_counted_exactly(wide, way):
    cache, prefix = wide
    usage = Usage(scan_in(way, [cache_root(cache), environment_root(prefix)]))
    assert usage.added([0, 1]) == du(cache, prefix)
    assert usage.inventory.links == (2_506, 2_500 + 2_500 + 6)
