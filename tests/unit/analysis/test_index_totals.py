"""The totals that the index stores."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.index_totals import index_totals
from conda_hardlink_plugin.scan.inventory import Problem, ProblemKind

from ...support.oracles import du
from ...support.scanning import scan
from ...support.trees import cache_root, environment_root, make_installation, write_sparse


def test_totals_are_those_of_du_in_disk_usage_and_count_the_roots(tmp_path):
    made = make_installation(str(tmp_path))
    write_sparse(f"{made.first}/sparse", 1 << 30)
    totals = index_totals(scan(made.roots))
    assert totals.on_disk_bytes == sum(du(*made.paths))
    assert totals.as_copies_bytes == sum(du(path)[0] for path in made.paths)
    assert (totals.caches, totals.environments, totals.incomplete) == (1, 2, 0)


@pytest.mark.parametrize("kind", ProblemKind)
def test_totals_of_a_scan_with_any_problem_are_incomplete(tmp_path, kind):
    inventory = scan([environment_root(str(tmp_path))])
    problem = Problem(kind, 0, f"{tmp_path}/x", "Permission denied")
    assert index_totals(replace(inventory, problems=(problem,))).incomplete == 1


def test_the_checksum_names_the_caches_whatever_their_order_and_environments(tmp_path):
    names = ("a", "b", os.fsdecode(b"new\nline \xff"), "env")
    a, b, odd, env = (f"{tmp_path}/{name}" for name in names)
    for path in (a, b, odd, env):
        os.mkdir(path)

    def checksum(*caches, environments=()):
        roots = [*map(cache_root, caches), *map(environment_root, environments)]
        return index_totals(scan(roots)).caches_checksum

    assert checksum(a, odd) == checksum(odd, a) == checksum(a, odd, environments=[env, b])
    assert len({checksum(), checksum(a), checksum(b), checksum(odd), checksum(a, b)}) == 5
