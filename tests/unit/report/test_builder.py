"""A report on small real trees: every figure against the disk."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.report.builder import build_report
from conda_hardlink_plugin.report.model import DuRow, IfRemoved, Request
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.circumstances import LATER, Circumstances, analysis_of, filesystems_of
from tests.support.small_installation import below
from tests.support.trees import symlink, write

APPARENT = Measure.APPARENT


@pytest.fixture
def made(made):
    """The same with a file that only the environment `other` has."""
    write(f"{made.prefixes[1]}/own", b"x" * 700)
    return made


def size_of(*trees, measure=Measure.DISK):
    """Return the bytes of trees together, each inode once."""
    sizes = {}
    for tree in trees:
        for path in below(tree):
            status = os.lstat(path)
            amount = status.st_blocks * 512 if measure is Measure.DISK else status.st_size
            sizes[status.st_dev, status.st_ino] = amount
    return sum(sizes.values())


def build(made, terms=LATER, **request):
    inventory = made.scan(detailed="causes" in request or "detail" in request)
    measure = request.pop("measure", Measure.DISK)
    filesystems = filesystems_of(inventory, ["ext4"] * len(inventory.roots))
    terms = replace(terms, filesystems=filesystems)
    return build_report(analysis_of(inventory, made.names(), terms, measure), Request(**request))


@pytest.mark.parametrize("measure", Measure)
def test_sizes_match_the_disk_and_exclusive_is_what_removing_frees(made, measure):
    cache, (one, other) = made.caches[0], made.prefixes
    report = build(made, measure=measure)
    everything = size_of(cache, one, other, measure=measure)
    for row, prefix, name in zip(report.environments, (one, other), ("one", "other"), strict=True):
        rest = [tree for tree in (cache, one, other) if tree != prefix]
        assert (row.name, row.prefix) == (name, prefix)
        assert row.size_bytes == size_of(prefix, measure=measure)
        assert row.exclusive_bytes == everything - size_of(*rest, measure=measure)
        assert row.shared_bytes + row.exclusive_bytes == row.size_bytes
        assert row.links == len(below(prefix))
        assert row.inodes == len(below(prefix))
        assert (row.private, row.private_bytes) == (None, None)
    totals = report.totals
    assert totals.on_disk_bytes == everything
    assert totals.as_copies_bytes == sum(
        size_of(tree, measure=measure) for tree in (cache, one, other)
    )
    assert totals.saved_bytes == totals.as_copies_bytes - everything
    assert totals.saved_inodes == 3  # `mine` once, `ours` twice
    assert totals.links == totals.inodes + 3
    assert (totals.outside_links, totals.outside_linked_inodes) == (0, 0)
    assert [device.on_disk_bytes for device in report.devices] == [everything]
    assert report.devices[0].roots == (cache, one, other)


def test_with_clean_is_what_removing_an_environment_and_its_packages_frees(made):
    cache, (one, other) = made.caches[0], made.prefixes
    before = size_of(cache, one, other)
    with_clean = {row.name: row.with_clean_bytes for row in build(made).environments}
    shutil.rmtree(one)
    shutil.rmtree(f"{cache}/mine-1-0")
    assert with_clean["one"] == before - size_of(cache, other)


@pytest.mark.parametrize(
    ("kept_by", "goes"), [("nothing", True), ("age", True), ("url", False), ("unseen", False)]
)
def test_with_clean_has_the_packages_that_a_clean_soon_after_would_remove(made, kept_by, goes):
    """One that was extracted a moment ago is among them: the environment is not removed yet."""
    terms = Circumstances(time.time_ns()) if kept_by == "age" else LATER
    if kept_by == "url":
        os.unlink(f"{made.caches[0]}/mine-1-0.conda")
        write(f"{made.caches[0]}/mine-1-0/info/repodata_record.json", b"{}")
    if kept_by == "unseen":
        terms = replace(LATER, unseen=(PathProblem("/disk/env", "why"),))
    report = build(made, terms, if_removed=(made.prefixes[0],))
    one, other = report.environments
    with_clean = one.with_clean_bytes
    assert with_clean == report.if_removed.with_clean_bytes
    package = f"{made.caches[0]}/mine-1-0"
    both = size_of(made.prefixes[0], package) - size_of(f"{made.caches[0]}/ours-1-0/lib/ours")
    assert with_clean == (both if goes else one.exclusive_bytes)
    assert other.with_clean_bytes == other.exclusive_bytes


@pytest.mark.parametrize(
    ("terms", "verdict"),
    [
        (LATER, "unused"),
        (replace(LATER, grace_ns=2**62), "recent"),
        (replace(LATER, unseen=(PathProblem("/disk/env", "why"),)), "unverifiable"),
        (replace(LATER, unseen=(PathProblem("/disk/env", "why"),), ignored=("/disk",)), "unused"),
    ],
)
def test_policy_and_observations_decide_between_unused_and_kept(made, terms, verdict):
    spare = size_of(f"{made.caches[0]}/spare-1-0")
    report = build(made, terms, packages=True)
    (row,) = report.caches
    found = (row.unused_bytes, row.unused_packages, row.kept_bytes, row.kept_packages)
    assert found == ((spare, 1, 0, 0) if verdict == "unused" else (0, 0, spare, 1))
    used = size_of(*(f"{made.caches[0]}/{name}-1-0" for name in ("mine", "ours")))
    assert row.used_bytes == used
    assert {package.name: package.verdict for package in report.packages} == {
        "mine-1-0": "linked",
        "ours-1-0": "linked",
        "spare-1-0": verdict,
    }
    assert [package.name for package in report.packages if package.unused] == (
        ["spare-1-0"] if verdict == "unused" else []
    )


def test_du_lists_each_alone_and_after_those_before_it(made):
    cache, (one, other) = made.caches[0], made.prefixes
    rows = build(made, du=True).du
    together = [size_of(cache), size_of(cache, one), size_of(cache, one, other)]
    assert rows == (
        DuRow(cache, size_of(cache), together[0]),
        DuRow(one, size_of(one), together[1] - together[0]),
        DuRow(other, size_of(other), together[2] - together[1]),
    )


def test_du_lists_an_environment_that_holds_others_after_them(made, tmp_path):
    """GNU du counts the inner ones as part of the outer one, unless it has counted them before."""
    write(f"{tmp_path}/conda-meta/history")
    made.prefixes.append(str(tmp_path))
    one, other, base = made.prefixes
    rows = build(made, du=True).du
    assert [row.path for row in rows] == [made.caches[0], one, other, base]
    assert sum(row.added_bytes for row in rows) == size_of(base)


def test_removing_environments_together_frees_more_than_each(made):
    cache, (one, other) = made.caches[0], made.prefixes
    report = build(made, if_removed=(one, other))
    everything = size_of(cache, one, other)
    assert report.if_removed.environments == ("one", "other")
    assert report.if_removed.exclusive_bytes == everything - size_of(cache)
    shutil.rmtree(f"{cache}/mine-1-0")
    shutil.rmtree(f"{cache}/ours-1-0")
    assert report.if_removed.with_clean_bytes == everything - size_of(cache)
    assert report.if_removed.with_clean_bytes > sum(
        row.with_clean_bytes for row in report.environments
    )


def test_an_environment_named_twice_is_removed_once(made):
    one = made.prefixes[0]
    twice = build(made, if_removed=(one, one)).if_removed
    row = build(made).environments[0]
    assert twice == IfRemoved(("one",), (), row.exclusive_bytes, row.with_clean_bytes)


def test_causes_add_up_for_every_environment(made):
    report = build(made, causes=True)
    for row in report.environments:
        assert row.private_bytes == row.exclusive_bytes == sum(row.private.values())
    assert report.environments[1].private["unowned"] == size_of(f"{made.prefixes[1]}/own")
    assert report.detail is None


def test_the_details_of_one_environment(made):
    one = made.prefixes[0]
    detail = build(made, detail=one, measure=APPARENT).detail
    assert detail.prefix == one
    assert [(item.name, item.shared_bytes) for item in detail.shares_with] == [("other", 3000)]
    assert [item.name for item in detail.packages] == ["mine-1-0", "ours-1-0"]


def test_an_alias_serves_as_well_as_the_path_that_was_scanned(made, tmp_path):
    one, alias = made.prefixes[0], f"{tmp_path}/alias"
    symlink(one, alias)
    made.prefixes.append(alias)
    report = build(made, detail=alias, if_removed=(alias,))
    assert report.aliases == {alias: one}
    assert [row.prefix for row in report.environments] == made.prefixes[:2]
    assert report.detail.prefix == one
    assert report.if_removed.environments == ("one",)
    assert report.if_removed.exclusive_bytes == report.environments[0].exclusive_bytes


def test_a_softlinked_environment_counts_the_targets_of_its_links_once(made):
    soft = made.environment("soft")
    made.install(soft, f"{made.caches[0]}/mine-1-0", "softlink")
    symlink(f"{made.caches[0]}/mine-1-0/lib/mine", f"{soft}/again")
    symlink(f"{made.caches[0]}/gone", f"{soft}/broken")
    row = build(made, measure=APPARENT, causes=True).environments[2]
    assert (row.softlinked, row.softlinked_bytes) == (True, 5000)
    assert (row.softlinks, row.broken_softlinks) == (3, 1)
    assert row.size_bytes == size_of(soft, measure=APPARENT)
    assert row.private["symlinks"] == os.lstat(f"{soft}/lib/mine").st_size
    assert row.private["copied"] == 0


def test_a_vanished_environment_has_no_bytes_and_a_warning(made):
    gone = made.environment("gone")
    shutil.rmtree(gone)
    report = build(made, causes=True)
    row = report.environments[2]
    assert (row.size_bytes, row.exclusive_bytes, row.with_clean_bytes, row.links) == (0, 0, 0, 0)
    assert row.on_other_filesystem is False
    assert sum(row.private.values()) == 0
    assert report.warnings[0].startswith("1 path vanished")


def test_an_environment_without_a_name_has_its_path_as_name(made):
    inventory = made.scan()
    report = build_report(analysis_of(inventory, {}), Request(packages=True))
    assert [row.name for row in report.environments] == made.prefixes
    assert report.packages[0].environments[0].name == made.prefixes[0]


def test_an_unreadable_record_is_reported_with_the_causes(made):
    path = write(f"{made.prefixes[0]}/conda-meta/broken-1-0.json", b"{")
    assert build(made).unreadable == ()
    report = build(made, causes=True)
    (problem,) = report.unreadable
    assert problem.path == path
    assert report.warnings == (
        f"The files of 1 unreadable package record count as unowned ({path}: {problem.reason}).",
    )


def test_observations_are_passed_on(made):
    hidden, unsearched = PathProblem("/disk/env", "why"), PathProblem("/envs", "permission denied")
    seen = replace(LATER, unseen=(hidden,), unsearched=(unsearched,), stale=("/gone",))
    report = build_report(analysis_of(made.scan(), made.names(), seen), Request())
    assert report.unreachable == (hidden,)
    assert report.unreadable == (unsearched,)
    assert report.stale == ("/gone",)
    assert report.warnings[0].startswith("1 folder could not be searched")


def test_parts_that_were_not_requested_are_none(made):
    report = build(made)
    assert (report.packages, report.du, report.if_removed, report.detail) == (None,) * 4


def test_a_machine_with_an_empty_cache_alone_has_a_report(tmp_path):
    inventory = scan([Root(RootKind.CACHE, str(tmp_path))])
    request = Request(packages=True, du=True, causes=True)
    report = build_report(analysis_of(inventory, {}), request)
    assert report.environments == ()
    assert report.packages == ()
    assert report.totals.on_disk_bytes == size_of(str(tmp_path))
