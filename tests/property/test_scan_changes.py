"""Scans of a tree that another process changes all the time."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

import pytest

from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.scan.inventory import ProblemKind

from ..support.forking import forked
from ..support.oracles import du
from ..support.scanning import scan
from ..support.trees import cache_root, environment_root, install, package, write

pytestmark = pytest.mark.usefixtures("each_reading")

SCANS = 12


@pytest.fixture
def changing(tmp_path):
    """A cache, a stable environment, and one that another process creates and removes."""
    cache, stable, busy = f"{tmp_path}/pkgs", f"{tmp_path}/stable", f"{tmp_path}/busy"
    files = {f"lib/d{number}/f{number}": b"x" * 100 * number for number in range(60)}
    stays = package(cache, "stays-1-0", files)
    comes_and_goes = package(cache, "comes-1-0", files)
    install(stays, stable)
    for number in range(60):
        write(f"{stable}/own/d{number}", b"y" * 100 * number)
    os.mkdir(busy)

    def change():
        while True:
            install(comes_and_goes, f"{busy}/env")
            for number in range(20):
                write(f"{busy}/env/own/{number}/f", b"z" * 9_000)
                os.link(f"{busy}/env/own/{number}/f", f"{busy}/env/own/{number}/g")
            os.rename(f"{busy}/env/lib", f"{busy}/env/moved")
            with suppress(FileNotFoundError):
                shutil.rmtree(f"{busy}/env/own/3")
            os.symlink("own/4", f"{busy}/env/own/3")
            shutil.rmtree(f"{busy}/env")

    before = du(cache, stable)
    with forked(change):
        yield [cache_root(cache), environment_root(stable), environment_root(busy)], before


def test_stable_trees_are_counted_exactly_while_another_tree_changes(changing):
    roots, before = changing
    for _ in range(SCANS):
        inventory = scan(roots)
        usage = Usage(inventory)
        cache_bytes, stable_added_bytes = before
        assert usage.unique_by_root[0] == cache_bytes
        assert usage.added([0, 1, 2])[1] == stable_added_bytes
        assert usage.exclusive_by_root[1] == stable_added_bytes
        stays = next(i for i, unit in enumerate(inventory.units) if unit.path.endswith("stays-1-0"))
        assert 1 in usage.roots_sharing_with(stays)
        assert 2 not in usage.roots_sharing_with(stays)
        for root in range(3):
            assert 0 <= usage.exclusive_by_root[root] <= usage.unique_by_root[root]
        assert {problem.kind for problem in inventory.problems} <= {ProblemKind.VANISHED}
        assert all(problem.root == 2 for problem in inventory.problems)
