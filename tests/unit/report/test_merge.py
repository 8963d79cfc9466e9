"""Reports of several machines, added up."""

from __future__ import annotations

import io
import json

import pytest

from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.render.json import render_json
from conda_hardlink_plugin.render.merge import print_merged, render_merged
from conda_hardlink_plugin.render.terminal import Terminal
from conda_hardlink_plugin.report.merge import add_up, read_report
from tests.support.figures import MIB, environment, report, small_report


def machine(**more):
    return read_report("a.json", render_json(small_report(**{"unreachable": (), **more})))


def printed(merged):
    text = io.StringIO()
    print_merged(merged, Terminal(text))
    return text.getvalue()


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
    assert "at least 8.0 MiB on disk" in printed(merged)
    assert "b (incomplete)" in printed(merged)


def test_a_tree_on_two_machines_may_be_counted_twice():
    first = read_report("a.json", render_json(report(environment("x", 100), environment("y", 5))))
    second = read_report("a.json", render_json(report(environment("x", 100), environment("y", 6))))
    merged = add_up({"a": first, "b": second, "c": machine()})
    ((tree),) = merged.seen_again
    assert (tree.path, tree.size_bytes, tree.machines) == ("/conda/envs/x", 100, ("a", "b"))
    assert "! /conda/envs/x, 100 B, is the same in a and b" in printed(merged)


def test_only_three_such_trees_are_named():
    many = read_report(
        "a.json", render_json(report(*(environment(f"e{n}", n + 1) for n in range(5))))
    )
    text = printed(add_up({"a": many, "b": many}))
    assert text.count("is the same in") == 3
    assert "! ... and 2 more trees in several reports." in text


def test_reports_with_different_measures_are_not_added_up():
    apparent = machine(measure=Measure.APPARENT)
    with pytest.raises(HardlinksError, match="--apparent-size"):
        add_up({"a": machine(), "b": apparent})
    assert "apparent size; hard links" in printed(add_up({"b": apparent}))


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


def test_only_three_machines_with_the_same_tree_are_named():
    alike = read_report("a.json", render_json(report(environment("x", 100))))
    text = printed(add_up({f"n{number}": alike for number in range(200)}))
    assert "is the same in n0, n1, n2 and 197 more: if" in text


def test_machines_are_printed_by_size_and_keep_their_order_in_json():
    small = read_report("a.json", render_json(report(environment("x"))))
    merged = add_up({"small.json": small, "large.json": machine()})
    lines = printed(merged).splitlines()
    assert lines[0].split()[0] == "MACHINE"
    assert [line.split()[0] for line in lines[1:3]] == ["large", "small"]
    assert lines[4] == (
        "2 machines, 3 environments: 4.0 MiB on disk; hard links save 2.0 MiB (33 %). The"
        " caches contain 512 KiB of unused packages and 1.0 MiB of archives."
    )
    content = json.loads(render_merged(merged))
    assert content["schema_version"] == 1
    assert content["success"] is True
    assert [row["name"] for row in content["machines"]] == ["small", "large"]
    assert content["together"]["on_disk_bytes"] == 4 * MIB
