"""Reports of several machines, added up."""

from __future__ import annotations

import json

import pytest

from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.render.json import render_json
from conda_hardlink_plugin.report.merge import add_up, read_report
from tests.support.figures import MIB, environment, report, small_report


def machine(**more):
    return read_report("a.json", render_json(small_report(**{"unreachable": (), **more})))


def test_each_machine_has_its_figures_and_together_they_have_the_sums():
    merged = add_up({"data/a.json": machine(), "b.json": machine(), "c": machine()})
    assert [row.name for row in merged.machines] == ["a", "b", "c"]
    for row in merged.machines:
        assert (row.environments, row.caches) == (2, 1)
        assert (row.on_disk_bytes, row.as_copies_bytes, row.saved_bytes) == (
            *(4 * MIB, 6 * MIB),
            2 * MIB,
        )
        assert (row.unused_bytes, row.tarball_bytes, row.incomplete) == (MIB // 2, MIB, False)
    together = merged.together
    assert (together.environments, together.caches) == (6, 3)
    assert together.on_disk_bytes == 12 * MIB
    assert together.as_copies_bytes == 18 * MIB
    assert together.saved_bytes == 6 * MIB
    assert together.unused_bytes == 3 * MIB // 2
    assert together.tarball_bytes == 3 * MIB
    assert not together.incomplete


def test_files_with_the_same_name_are_named_by_their_paths():
    merged = add_up({path: machine() for path in ("one/r.json", "two/r.json", "two/s.json")})
    assert [row.name for row in merged.machines] == ["one/r.json", "two/r.json", "s"]


@pytest.mark.parametrize(
    "more", [{"incomplete": True}, {"unreachable": (PathProblem("/x", "it is gone"),)}]
)
def test_one_incomplete_report_makes_the_sums_bounds(more):
    merged = add_up({"a": machine(), "b": machine(**more)})
    assert [row.incomplete for row in merged.machines] == [False, True]
    assert merged.together.incomplete


def test_a_tree_on_two_machines_may_be_counted_twice():
    first = read_report("a.json", render_json(report(environment("x", 100), environment("y", 5))))
    second = read_report("a.json", render_json(report(environment("x", 100), environment("y", 6))))
    merged = add_up({"a": first, "b": second, "c": machine()})
    ((tree),) = merged.seen_again
    assert (tree.path, tree.size_bytes, tree.machines) == ("/conda/envs/x", 100, ("a", "b"))


def test_reports_with_different_measures_are_not_added_up():
    apparent = machine(measure=Measure.APPARENT)
    with pytest.raises(HardlinksError, match="--apparent-size"):
        add_up({"a": machine(), "b": apparent})
    assert add_up({"b": apparent}).measure == "apparent"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not valid JSON"),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "is not a report"),
        ("{}", "is not a report"),
        ('{"error": "NotFoundError"}', "is not a report"),
        ('{"schema_version": 2}', "has report version 2, but this program reads version 1"),
        ('{"schema_version": 1}', "is not a complete report"),
    ],
)
def test_text_that_is_not_a_report_is_refused(text, reason):
    with pytest.raises(HardlinksError, match=reason):
        read_report("a.json", text)


def test_an_incomplete_report_is_refused():
    whole = json.loads(render_json(small_report()))
    needed = ("measure", "environments", "caches", "totals", "incomplete", "unreachable")
    for name in needed:
        without = {key: part for key, part in whole.items() if key != name}
        for broken in (without, *({**whole, name: value} for value in (None, 5, [5], "x"))):
            if name == "unreachable" and broken.get(name) == [5]:
                continue
            with pytest.raises(HardlinksError, match="is not a complete report"):
                read_report("a.json", json.dumps(broken))


@pytest.mark.parametrize("figure", [-1, 2**63, 1e999, 12.9, "12", True, None, [1]])
def test_an_invalid_figure_is_refused(figure):
    whole = json.loads(render_json(small_report()))
    whole["caches"][0]["links"] = figure
    with pytest.raises(HardlinksError, match="is not a complete report"):
        read_report("a.json", json.dumps(whole))
