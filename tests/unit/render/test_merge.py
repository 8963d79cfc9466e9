"""Merged reports of several machines, as text and as JSON."""

from __future__ import annotations

import io
import json

from conda_hardlink_plugin.analysis.usage import Measure
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


def test_only_three_trees_on_several_machines_are_named():
    many = read_report(
        "a.json", render_json(report(*(environment(f"e{n}", n + 1) for n in range(5))))
    )
    text = printed(add_up({"a": many, "b": many}))
    assert text.count("is the same in") == 3
    assert "! ... and 2 more trees in several reports." in text


def test_only_three_machines_with_the_same_tree_are_named():
    alike = read_report("a.json", render_json(report(environment("x", 100))))
    text = printed(add_up({f"n{number}": alike for number in range(200)}))
    assert "is the same in n0, n1, n2 and 197 more: if" in text


def test_the_sums_of_incomplete_reports_are_bounds():
    text = printed(add_up({"a": machine(), "b": machine(incomplete=True)}))
    assert "at least 8.0 MiB on disk" in text
    assert "b (incomplete)" in text


def test_a_tree_on_two_machines_is_named():
    alike = read_report("a.json", render_json(report(environment("x", 100))))
    text = printed(add_up({"a": alike, "b": alike}))
    assert "! /conda/envs/x, 100 B, is the same in a and b: if they share" in text


def test_apparent_size_is_named():
    text = printed(add_up({"b": machine(measure=Measure.APPARENT)}))
    assert "apparent size; hard links" in text
