"""Removals: where each lies in its cache, and that they are keys and have a place in a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.verdicts import Verdict
from conda_hardlink_plugin.executor.removal_plan import Action, Removal
from conda_hardlink_plugin.metadata.cached_package import CachedPackage
from tests.support.cleaning import plan_of
from tests.support.small_installation import SmallInstallation
from tests.support.trees import ODD_NAMES


def removal_of(path, cache="/conda/pkgs"):
    return Removal(Action.MOVE, "p-1-0", path, cache, 4096)


@pytest.mark.parametrize(
    "relative", ["p-1-0", "p-1-0.conda", "https/host/p-1-0", "pkgs/conda/pkgs", *ODD_NAMES]
)
def test_the_relative_path_leads_from_the_cache_to_the_path(relative):
    assert removal_of(f"/conda/pkgs/{relative}").relative == relative


def test_a_removal_that_is_not_a_package_is_unused_and_has_no_partners():
    removal = removal_of("/conda/pkgs/old.c~")
    assert (removal.verdict, removal.package) == (Verdict.UNUSED, None)
    assert (removal.partners, removal.recorded_by) == ((), frozenset())


def test_equal_removals_are_one_key():
    """The executor keeps what it moved by removal."""
    package = CachedPackage("p", "1", 0, "", linked_ns=1, finished_ns=2)
    removal = replace(removal_of("/conda/pkgs/p-1-0"), package=package)
    moved = {removal: "aside", replace(removal): "again"}
    assert moved == {removal: "again"}
    assert replace(removal, package=replace(package, linked_ns=3)) not in moved


def test_a_plan_leads_to_what_is_on_disk(tmp_path):
    made = SmallInstallation(str(tmp_path))
    made.package("https/host/p-1-0", {"f": b"f"})
    made.package("q-1-0", {"f": b"f"}, cache="more/pkgs")
    found = {removal.relative: removal.cache for removal in plan_of(made).remove}
    assert found == {"https/host/p-1-0": f"{tmp_path}/pkgs", "q-1-0": f"{tmp_path}/more/pkgs"}
