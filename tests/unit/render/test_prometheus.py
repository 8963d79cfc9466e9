"""The report as metrics, parsed by the client library."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from conda_hardlink_plugin.render.prometheus import render_prometheus
from conda_hardlink_plugin.report.model import CacheFigures, EnvironmentFigures, Totals
from tests.support.figures import KIB, MIB, environment, report, small_report


def samples_of(made):
    """Return each sample, by its name and the values of its labels, sorted by label."""
    text = render_prometheus(made, version="1.2", taken_s=1_790_000_000.5)
    return {
        (sample.name.removeprefix("conda_hardlinks_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("conda_hardlinks_")
    }


def test_every_figure_has_a_metric():
    samples = samples_of(small_report())
    assert samples["on_disk_bytes",] == 4 * MIB
    assert samples["saved_bytes",] == 2 * MIB
    assert samples["environment_size_bytes", "work", "/conda/envs/work"] == 2 * MIB
    assert samples["environment_exclusive_bytes", "work", "/conda/envs/work"] == 512 * KIB
    assert samples["environment_softlinked_bytes", "soft", "/conda/envs/soft"] == 512
    assert samples["cache_unused_bytes", "/conda/pkgs"] == MIB // 2
    assert samples["cache_unused_packages", "/conda/pkgs"] == 1
    assert samples["environments",] == 2
    assert samples["unreachable",] == 1
    assert samples["warnings",] == 1
    assert samples["report_incomplete",] == 0
    assert samples["report_timestamp_seconds",] == 1_790_000_000.5
    assert samples["build_info", "disk", "full", "1.2"] == 1


@pytest.mark.parametrize(
    ("of", "kind"),
    [("environment_", EnvironmentFigures), ("cache_", CacheFigures), ("", Totals)],
)
def test_every_size_in_the_tables_has_a_metric(of, kind):
    names = {name for name, *_ in samples_of(small_report())}
    sizes = {field.name for field in fields(kind) if field.name.endswith("_bytes")}
    assert {f"{of}{size}" for size in sizes} - names <= {"environment_private_bytes"}


def test_incomplete_figures_are_marked():
    (cache,) = small_report().caches
    caches = (cache, replace(cache, path="/half", incomplete=True))
    made = report(environment("e", incomplete=True), caches=caches, incomplete=True)
    samples = samples_of(made)
    assert samples["environment_incomplete", "e", "/conda/envs/e"] == 1
    assert samples["cache_incomplete", "/conda/pkgs"] == 0
    assert samples["cache_incomplete", "/half"] == 1
    assert samples["report_incomplete",] == 1


def test_requested_causes_have_metrics():
    private = {"pip": 70, "bytecode": 30}
    samples = samples_of(report(environment("e", 300, 100, private=private, private_bytes=100)))
    assert samples["environment_private_bytes", "pip", "e", "/conda/envs/e"] == 70
    assert samples["environment_private_bytes", "bytecode", "e", "/conda/envs/e"] == 30


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb 1\nevil 2", "not-utf8-\udcff", "{x}"])
def test_a_hostile_name_stays_in_its_label(name):
    made = report(environment(name))
    text = render_prometheus(made, version="1", taken_s=0)
    families = list(text_string_to_metric_families(text))
    assert all(family.name.startswith("conda_hardlinks_") for family in families)
    shown = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\udcff", "\\xff")
    assert ("environment_size_bytes", shown, made.environments[0].prefix.replace(name, shown)) in (
        samples_of(made)
    )


def test_environments_with_the_same_name_are_separate():
    made = report(environment("e", 1, prefix="/a/e"), environment("e", 2, prefix="/b/e"))
    samples = samples_of(made)
    assert samples["environment_size_bytes", "e", "/a/e"] == 1
    assert samples["environment_size_bytes", "e", "/b/e"] == 2


def test_names_that_look_alike_in_the_table_are_separate():
    made = report(environment("e\x1b", 1), environment("e\\x1b", 2))
    sizes = [
        size for (name, *_), size in samples_of(made).items() if name.endswith("ment_size_bytes")
    ]
    assert sorted(sizes) == [1, 2]
