"""A report changes nothing but its own index: no byte, no entry, no time, no mode, anywhere."""

from __future__ import annotations

import os
import sys

import pytest

from tests.support.disk import index_folder_of, indexes_of, snapshot, snapshot_but_index
from tests.support.terminal_session import make_prefix

OPTIONS = [
    (),
    ("--json",),
    ("-n", "work"),
    ("-n", "work", "--json"),
    ("--packages", "--why", "--du", "--if-removed", "work", "sharing"),
    ("--apparent-size", "--sort", "name", "-v"),
    ("-q",),
    ("--grace", "0", "--ignore-env", "/", "--packages"),
    # These end with an error.
    ("-n", "no-such-environment"),
    ("--if-removed", "no-such-environment", "--json"),
    ("--no-such-option",),
]


@pytest.fixture
def with_bad_lines(changing):
    """Prefixes that conda itself would drop from environments.txt when it lists environments."""
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{changing.envs_dir}/deleted\n")
        file.write(f"{changing.directory}/no-such-disk/envs/unmounted\n")
        file.write("not even absolute\n\n# a comment\n")
    return changing


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_a_report_leaves_everything_as_it_is(with_bad_lines, options):
    before = snapshot_but_index(with_bad_lines)
    for _ in range(2):  # the second one has an index
        with_bad_lines.hardlinks("report", *options, check=False)
        assert snapshot_but_index(with_bad_lines) == before


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_a_report_without_an_index_leaves_everything_as_it_is(with_bad_lines, options):
    before = snapshot(with_bad_lines.directory)
    with_bad_lines.hardlinks("report", "--no-index", *options, check=False)
    assert snapshot(with_bad_lines.directory) == before


def test_nothing_but_the_index_is_in_its_folder(changing):
    changing.hardlinks("report")
    assert indexes_of(changing) == ["report.index"]
    assert set(os.listdir(index_folder_of(changing))) <= {"report.index", "leases"}


@pytest.mark.parametrize("command", [("clean", "--dry-run"), ("explain", "forgotten"), ("index",)])
def test_other_commands_write_no_index(changing, command):
    changing.hardlinks(*command)
    assert indexes_of(changing) == []


def test_a_report_on_a_prefix_and_on_searched_folders_leaves_everything_as_it_is(with_bad_lines):
    elsewhere = os.path.join(with_bad_lines.directory, "elsewhere")
    prefix = make_prefix(os.path.join(elsewhere, "unregistered"))
    before = snapshot_but_index(with_bad_lines)
    places = ("--search", elsewhere, "--cache", with_bad_lines.pkgs_dir)
    with_bad_lines.hardlinks("report", "-p", prefix, "--why", *places)
    assert snapshot_but_index(with_bad_lines) == before


def test_conda_itself_would_have_rewritten_the_list(with_bad_lines):
    """What the tests above plant is really what conda drops."""
    before = snapshot(with_bad_lines.directory)
    with_bad_lines.conda("env", "list")
    now = snapshot(with_bad_lines.directory)
    changed = {os.fsdecode(path) for path in now if now[path] != before.get(path)}
    assert with_bad_lines.environments_txt in changed


def test_a_report_writes_no_bytecode_into_the_environments_it_reads(changing):
    site_packages = os.path.join(
        changing.prefix("work"),
        f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages",
    )
    with open(os.path.join(site_packages, "loose.py"), "x", encoding="utf-8") as file:
        file.write("value = 1\n")
    changing.hardlinks("report", "-n", "work", "--why")
    assert not [name for name in os.listdir(site_packages) if name == "__pycache__"]
