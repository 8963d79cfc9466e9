"""What the disk map draws, of random trees: pairs of roots, and one owner for each inode."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.usage import Measure, Usage
from conda_hardlink_plugin.scan.inventory import UnitKind

from ..support.oracles import Model
from ..support.scanning import scan
from ..support.trees import layouts, random_tree

moderate = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def indexes_of(inventory):
    return {root.path: index for index, root in enumerate(inventory.roots)}


@moderate
@given(layouts, st.randoms(use_true_random=False), st.sampled_from(Measure))
def test_what_any_two_roots_share_follows_the_definition(layout, random, measure):
    with random_tree(layout) as tree:
        inventory = scan(tree.roots)
        model = Model(tree.roots, apparent=measure is Measure.APPARENT)
        number = indexes_of(inventory)
        some = random.sample(sorted(number), random.randint(0, len(number)))
        pairs = itertools.combinations(sorted(number[path] for path in some), 2)
        path_of = {index: path for path, index in number.items()}
        expected = {
            pair: amount
            for pair in pairs
            if (amount := model.shared_between(*(path_of[index] for index in pair)))
        }
        chosen = {number[path] for path in some}
        assert Usage(inventory, measure).shared_by_pair(chosen) == expected


@moderate
@given(layouts, st.randoms(use_true_random=False), st.sampled_from(Measure))
def test_each_inode_belongs_to_one_holder_by_the_definition(layout, random, measure):
    with random_tree(layout) as tree:
        inventory = scan(tree.roots)
        usage = Usage(inventory, measure)
        model = Model(tree.roots, apparent=measure is Measure.APPARENT)
        number, roots = (
            {unit.path: index for index, unit in enumerate(inventory.units)},
            indexes_of(inventory),
        )
        rank = {unit: random.randint(0, 3) for unit in number.values()}
        expected = [0] * len(number)
        expected_between = {}
        for thing in model.things:
            units = {number[path] for path in model.owners(thing)}
            kinds = inventory.units
            cached = [unit for unit in units if kinds[unit].kind is not UnitKind.ENVIRONMENT]
            complete = len(thing.paths) == thing.links
            if cached:
                expected[min(cached, key=lambda unit: (rank[unit], unit))] += thing.bytes
            elif complete and len(units) == 1:
                expected[units.pop()] += thing.bytes
            else:
                holders = tuple(sorted({roots[model.root_of_path(path)] for path in thing.paths}))
                key = holders, complete
                expected_between[key] = expected_between.get(key, 0) + thing.bytes
        by_unit, between = usage.assign_inodes(rank)
        assert by_unit == expected
        assert between == expected_between
        assert sum(by_unit) + sum(between.values()) == usage.on_disk
