"""The alert rules and the dashboard ask for metrics that there are."""

from __future__ import annotations

import json
import os
import re

from ruamel.yaml import YAML

from conda_hardlink_plugin.render.prometheus import render_prometheus
from tests.support.figures import environment, report, small_report
from tests.support.repository import TOP

HOW_TO = os.path.join(TOP, "docs", "how-to")


def metrics():
    """The names of all metrics, with the labels of each."""
    why = environment("e", private={"pip": 1}, private_bytes=1)
    made = small_report(environments=report(why).environments)
    text = render_prometheus(made, version="1", taken_s=0)
    return {
        name: set(re.findall(r'(\w+)="', labels))
        for name, labels in re.findall(r"^(conda_hardlinks_\w+)(?:\{(.*)\})? ", text, re.MULTILINE)
    }


def read(name):
    with open(os.path.join(HOW_TO, name), encoding="utf-8") as file:
        return file.read()


def test_rules_use_existing_metrics_and_labels():
    (group,) = YAML(typ="safe").load(read("monitoring/conda-hardlinks.rules.yml"))["groups"]
    known = metrics()
    assert len(group["rules"]) > 3
    for rule in group["rules"]:
        asked = set(re.findall(r"conda_hardlinks_\w+", rule["expr"]))
        assert asked
        assert asked <= known.keys()
        labels = set.union(*(known[name] for name in asked)) | {"instance"}
        text = " ".join(rule["annotations"].values())
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels


def test_the_dashboard_uses_existing_metrics():
    dashboard = json.loads(read("monitoring/conda-hardlinks.dashboard.json"))
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for target in targets for name in re.findall(r"conda_\w+", target["expr"])}
    assert len(asked) > 8
    assert asked <= metrics().keys()
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


def test_every_metric_is_in_the_how_to():
    text = read("watch-many-machines.md")
    parts = {
        name.removeprefix("conda_hardlinks_").removeprefix("environment_").removeprefix("cache_")
        for name in metrics()
    }
    missing = {part for part in parts if f"{part}`" not in text}
    assert missing == set()
    assert set(re.findall(r"conda_hardlinks_\w+", text)) <= metrics().keys()
