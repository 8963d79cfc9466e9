"""The public API: what a script or a notebook does with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import conda_hardlink_plugin
from conda_hardlink_plugin import (
    CleanRefusedError,
    HardlinksError,
    Installation,
    NotFoundError,
    RetentionPolicy,
    analyze,
    find_installation,
    plan_clean,
)
from conda_hardlink_plugin.render.json import render_json
from tests.support.oracles import du
from tests.support.small_installation import URL, SmallInstallation
from tests.support.trees import link, write

AT_ONCE = RetentionPolicy(grace=0)
# As a user would write it where there is no conda at all.
_SCRIPT = """\
import sys

class NoConda:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "conda":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, NoConda())
from conda_hardlink_plugin import Installation, RetentionPolicy, analyze, plan_clean

cache, *prefixes = sys.argv[1:]
installation = Installation(caches=[cache], prefixes=prefixes)
analysis = analyze(installation, policy=RetentionPolicy(grace=0), details=("packages",))
report = analysis.report()
outcome = plan_clean(analysis).execute()
print([removal.name for removal in outcome.removed], outcome.freed_bytes)
assert not {"argparse", "conda", "rich"} & {name.split(".")[0] for name in sys.modules}
"""


@pytest.fixture
def made(tmp_path):
    """A package that an environment uses, and one that nothing uses."""
    made = SmallInstallation(str(tmp_path))
    used = made.package("used-1-0", {"lib/used": b"u" * 5000})
    prefix = made.environment("env")
    link(f"{used}/lib/used", f"{prefix}/lib/used")
    unused = made.package("unused-1-0", {"lib/unused": b"n" * 9000})
    write(f"{unused}/info/repodata_record.json", URL)
    return made


def installation_of(made, **more):
    return Installation(caches=made.caches, prefixes=made.prefixes, **more)


def test_a_report_has_the_figures_of_du_and_is_frozen(made):
    report = analyze(installation_of(made), details=("packages", "du")).report()
    (environment,) = report.environments
    assert environment.size_bytes == du(made.prefixes[0])[0]
    assert report.totals.on_disk_bytes == sum(du(*made.caches, *made.prefixes))
    with pytest.raises(FrozenInstanceError):
        report.totals.on_disk_bytes = 0


def test_a_report_has_the_parts_that_were_requested(made):
    analysis = analyze(installation_of(made), details=("packages", "map"))
    report = analysis.report(if_removed=made.prefixes)
    assert [package.name for package in report.packages] == ["unused-1-0", "used-1-0"]
    assert report.if_removed.environments == tuple(made.prefixes)
    assert report.disk_map is not None
    assert report.du is None
    assert analysis.report().if_removed is None


def test_an_environment_in_detail(made):
    analysis = analyze(installation_of(made), environment=made.prefixes[0])
    assert analysis.report().detail.prefix == made.prefixes[0]


def test_a_dict_is_what_json_takes_and_records_are_rows(made):
    report = analyze(installation_of(made)).report()
    assert report.to_dict() == json.loads(render_json(report))
    assert (report.to_dict()["schema_version"], report.to_dict()["success"]) == (1, True)
    assert report.to_dict()["environments"][0]["prefix"] == made.prefixes[0]
    rows = report.to_records()
    assert [(row["kind"], row["size_bytes"]) for row in rows] == [
        ("environment", report.environments[0].size_bytes),
        ("cache", report.caches[0].size_bytes),
    ]


def test_a_notebook_shows_the_tables_and_a_requested_map(made):
    prefix = made.environment("<script>alert(1)</script>")
    html = analyze(installation_of(made)).report()._repr_html_()
    assert html.count("<table>") == 2
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<iframe" not in html
    assert os.path.basename(prefix)
    page = analyze(installation_of(made), details=("map",)).report()._repr_html_()
    assert page.count('<iframe srcdoc="') == 1


def test_a_plan_removes_nothing_until_it_is_executed(made):
    plan = plan_clean(analyze(installation_of(made), policy=AT_ONCE))
    assert [removal.name for removal in plan.data.remove] == ["unused-1-0"]
    assert [kept.name for kept in plan.data.keep] == ["used-1-0"]
    package = f"{made.caches[0]}/unused-1-0"
    before = du(package)[0]
    assert os.path.isdir(package)
    outcome = plan.execute()
    assert not os.path.exists(package)
    assert (outcome.freed_bytes, outcome.problems) == (before, [])
    assert plan.outcome is outcome


def test_packages_used_since_the_plan_are_kept(made):
    plan = plan_clean(analyze(installation_of(made), policy=AT_ONCE))
    package = f"{made.caches[0]}/unused-1-0"
    link(f"{package}/lib/unused", f"{made.prefixes[0]}/lib/unused")
    outcome = plan.execute()
    assert os.path.isdir(package)
    assert (outcome.removed, len(outcome.spared)) == ([], 1)


def test_held_packages_are_listed_and_restored(made):
    installation = installation_of(made)
    plan_clean(analyze(installation, policy=AT_ONCE), keep="7d").execute()
    (held,), problems = installation.held_runs()
    assert (held.homes, problems) == (("unused-1-0",), [])
    assert installation.restore(held.run).paths == [f"{made.caches[0]}/unused-1-0"]
    with pytest.raises(NotFoundError, match="holds anything"):
        installation.restore(held.run)


def test_a_read_only_cache_is_refused_before_anything_is_removed(made):
    installation = installation_of(made, read_only_caches=made.caches)
    plan = plan_clean(analyze(installation, policy=AT_ONCE))
    assert len(plan.refusals) == 1
    with pytest.raises(CleanRefusedError, match="cannot be cleaned: read_only_caches names it"):
        plan.execute()
    assert os.path.isdir(f"{made.caches[0]}/unused-1-0")


def test_packages_and_files_are_explained(made):
    analysis = analyze(installation_of(made), policy=AT_ONCE)
    assert analysis.explain("unused-1-0").package.verdict == "unused"
    found = analysis.explain(f"{made.prefixes[0]}/lib/used")
    assert found.file.link_count == 2
    assert found.package.name == "used-1-0"
    with pytest.raises(NotFoundError):
        analysis.explain("nothing")


def test_sizes_are_text_or_numbers(made):
    analysis = analyze(installation_of(made), policy=AT_ONCE)
    assert plan_clean(analysis, max_size="1GiB").data.remove == ()
    assert len(plan_clean(analysis, max_size=0).data.remove) == 1
    with pytest.raises(ValueError, match="is not a size"):
        plan_clean(analysis, max_size="much")


def test_a_single_text_counts_as_one(made):
    prefix = made.prefixes[0]
    installation = Installation(caches=made.caches[0], prefixes=prefix)
    assert (installation.caches, installation.prefixes) == ((made.caches[0],), (prefix,))
    report = analyze(installation, details="packages").report(if_removed=prefix)
    assert report.packages is not None
    assert report.if_removed.environments == (prefix,)


@pytest.mark.parametrize("option", ["caches", "prefixes", "read_only_caches"])
def test_an_empty_path_is_not_the_current_folder(option):
    with pytest.raises(NotFoundError, match="A path is empty"):
        Installation(**{option: [""]})


@pytest.mark.parametrize("options", [{"details": ["all"]}, {"index": "fast"}], ids=repr)
def test_an_unknown_choice_is_refused(made, options):
    with pytest.raises(ValueError, match="is not one of"):
        analyze(installation_of(made), **options)


@pytest.mark.parametrize(
    "options", [{"keep_newest": -1}, {"max_size": 1.5}, {"keep": -5}], ids=repr
)
def test_an_invalid_number_is_refused(made, options):
    with pytest.raises(ValueError, match="whole number"):
        plan_clean(analyze(installation_of(made)), version_key=str, **options)


def test_the_newest_versions_need_an_order(made):
    analysis = analyze(installation_of(made), policy=AT_ONCE)
    with pytest.raises(HardlinksError, match="version_key"):
        plan_clean(analysis, keep_newest=1)
    assert plan_clean(analysis, keep_newest=1, version_key=str).data.remove == ()


def test_an_unknown_name_is_an_error_that_names_it():
    with pytest.raises(NotFoundError, match="/no/such is not a folder"):
        Installation(prefixes=["/no/such"])


def test_without_conda_the_example_runs_to_its_outcome(made):
    freed = du(f"{made.caches[0]}/unused-1-0")[0]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *made.caches, *made.prefixes],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"['unused-1-0'] {freed}\n", "")


def test_finding_an_installation_without_conda_says_what_to_do():
    code = (
        "import sys; sys.modules['conda'] = None\n"
        "from conda_hardlink_plugin import HardlinksError, find_installation\n"
        "try: find_installation()\n"
        "except HardlinksError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("conda cannot be imported (")
    assert "Installation(...)" in done.stdout


def test_importing_the_package_loads_nothing_but_itself():
    code = (
        "import json, sys; before = set(sys.modules); import conda_hardlink_plugin;"
        "json.dump(sorted(set(sys.modules) - before - {'__future__', 'typing'}), sys.stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import typing; {code}"], capture_output=True, check=True
    )
    assert json.loads(done.stdout) == ["conda_hardlink_plugin"]


def test_the_package_has_exactly_the_public_names():
    for name in conda_hardlink_plugin.__all__:
        assert getattr(conda_hardlink_plugin, name).__name__ == name
        assert name in dir(conda_hardlink_plugin)
    with pytest.raises(AttributeError):
        conda_hardlink_plugin.no_such_name  # noqa: B018


def test_paths_may_be_path_objects_wherever_a_path_is_taken(made, tmp_path):
    cache, prefix = Path(made.directory, "pkgs"), Path(made.directory, "envs", "env")
    installation = Installation(caches=cache, prefixes=[prefix], read_only_caches=cache)
    policy = RetentionPolicy(grace=0, ignored_environments=Path(tmp_path))
    assert policy.ignores(f"{tmp_path}/x")
    analysis = analyze(installation, policy=policy, environment=prefix)
    report = analysis.report(if_removed=[prefix])
    assert report.to_dict()["detail"]["prefix"] == str(prefix)
    assert report.to_dict()["if_removed"]["environments"]
    assert analysis.explain(cache / "used-1-0") is not None


@pytest.mark.parametrize("value", [3, [None], [3.5]], ids=repr)
def test_what_is_no_path_is_a_type_error_at_once(value):
    with pytest.raises(TypeError):
        Installation(caches=value)
    with pytest.raises(TypeError):
        RetentionPolicy(ignored_environments=value)


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_read_only_cache_that_is_no_folder_protects_nothing_and_is_refused(made, tmp_path, name):
    write(f"{tmp_path}/file")
    with pytest.raises(NotFoundError, match="is not a folder"):
        Installation(caches=[f"{made.directory}/pkgs"], read_only_caches=[f"{tmp_path}/{name}"])


def test_a_plan_looks_again_where_relative_paths_led_at_first(configured, tmp_path, monkeypatch):
    write(f"{tmp_path}/here/search/env/conda-meta/history")
    write(f"{tmp_path}/elsewhere/search/env/conda-meta/history")
    monkeypatch.chdir(f"{tmp_path}/here")
    installation = find_installation(search="search")
    plan = plan_clean(analyze(installation, policy=AT_ONCE))
    assert [removal.name for removal in plan.data.remove] == ["unused-1-0"]
    late = f"{tmp_path}/here/search/late"
    write(f"{late}/conda-meta/history")
    os.symlink(f"{configured.directory}/pkgs/unused-1-0/lib/unused", f"{late}/linked")
    monkeypatch.chdir(f"{tmp_path}/elsewhere")
    outcome = plan.execute()
    assert [spared.removal.name for spared in outcome.spared] == ["unused-1-0"]
    assert os.path.exists(f"{late}/linked")
