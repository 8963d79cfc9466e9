"""The words that several formats share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.causes import Cause
from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.render.labels import (
    CAUSE_HEADINGS,
    cache_columns,
    name_suffix,
    report_notes,
    totals_sentence,
    users_of,
)
from conda_hardlink_plugin.report.packages import PackageFigures
from conda_hardlink_plugin.scan.inventory import Reading, ReadingMode
from tests.support.figures import MIB, environment, report, small_report

QUICK = Reading(ReadingMode.QUICK, taken_s=1_600_000_000)


def package(*users, used_outside=False, verdict="linked"):
    environments = tuple(PackageUser(name, f"/envs/{name}", use) for name, use in users)
    unused = verdict == "unused"
    return PackageFigures("p-1-0", "/pkgs/p-1-0", 1, environments, used_outside, verdict, unused)


def test_every_cause_has_a_heading():
    assert set(CAUSE_HEADINGS) == {cause.value for cause in Cause}


@pytest.mark.parametrize(
    ("marks", "suffix"),
    [
        ((), ""),
        (("softlinked",), " (softlinked)"),
        (("incomplete",), " (incomplete)"),
        (("softlinked", "incomplete"), " (softlinked, incomplete)"),
    ],
)
def test_an_environment_is_marked_for_what_its_figures_lack(marks, suffix):
    assert name_suffix(environment("env", **dict.fromkeys(marks, True))) == suffix


def test_a_cache_cannot_be_softlinked():
    (cache,) = small_report().caches
    assert [name_suffix(replace(cache, incomplete=incomplete)) for incomplete in (True, False)] == [
        *(" (incomplete)", ""),
    ]


def test_optional_columns_are_there_if_any_cache_needs_them():
    (cache,) = small_report().caches
    always = ["SIZE", "USED", "UNUSED", "TARBALLS", "OTHER"]
    assert list(cache_columns(small_report())) == always
    kept = (cache, replace(cache, kept_bytes=1), replace(cache, quarantine_bytes=1))
    assert list(cache_columns(small_report(caches=kept[:2]))) == [
        *("SIZE", "USED", "KEPT", "UNUSED", "TARBALLS", "OTHER"),
    ]
    columns = cache_columns(small_report(caches=kept))
    assert set(columns) == {*always, "KEPT", "QUARANTINE"}
    assert sum(getattr(cache, name) for name in columns.values()) == 2 * cache.size_bytes
    assert list(cache_columns(report())) == always


@pytest.mark.parametrize(
    ("row", "users"),
    [
        (
            package(("a", "hardlink"), ("b", "softlink"), ("c", "record")),
            ["a", "b (softlink)", "c (record)"],
        ),
        (package(("a", "hardlink"), used_outside=True), ["a", "outside links"]),
        (package(used_outside=True), ["outside links"]),
        (package(verdict="unused"), ["unused"]),
        (package(verdict="recent"), ["kept: recent"]),
    ],
)
def test_a_package_has_users_or_a_reason_for_having_none(row, users):
    assert users_of(row) == users


def test_totals_are_one_sentence_with_the_measure_and_the_bound():
    assert totals_sentence(small_report()) == (
        "4.0 MiB on disk; 6.0 MiB as copies: hard links save 2.0 MiB (33 %) and 20 inodes."
    )
    bound = totals_sentence(small_report(incomplete=True, measure=Measure.APPARENT))
    assert bound == (
        "at least 4.0 MiB apparent size; at least 6.0 MiB as copies: hard links save 2.0 MiB"
        " (33 %) and 20 inodes."
    )
    one = small_report(totals=replace(small_report().totals, saved_inodes=1, as_copies_bytes=MIB))
    assert totals_sentence(one).endswith("save 2.0 MiB (200 %) and 1 inode.")
    assert totals_sentence(report()).endswith("hard links save 0 B (0 %) and 0 inodes.")


def test_a_quick_report_says_first_since_when_it_may_miss_something(utc):
    first, *rest = report_notes(small_report(reading=QUICK), verbose=False)
    assert first.startswith("Quick: only directories were checked.")
    assert first.endswith("since 2020-09-13 12:26 are missing.")
    assert rest == report_notes(small_report(), verbose=False)


@pytest.mark.parametrize("mode", [ReadingMode.FULL, ReadingMode.EXACT])
def test_a_report_with_nothing_to_note_has_no_notes(mode):
    assert report_notes(report(reading=Reading(mode)), verbose=True) == []


@pytest.mark.parametrize(("number", "shown"), [(1, 1), (2, 2), (3, 1), (1201, 1)])
def test_more_than_two_unreachable_paths_are_counted_unless_verbose(number, shown):
    problems = tuple(PathProblem(f"/disk/{n}", "it is not mounted") for n in range(number))
    made = report(unreachable=problems)
    sentences = [f"/disk/{n}: not scanned, it is not mounted." for n in range(number)]
    assert report_notes(made, verbose=True) == sentences
    rest = [f"{number - 1:,} more paths were not scanned: -v lists them."] * (shown < number)
    assert report_notes(made, verbose=False) == sentences[:shown] + rest


def test_unreadable_paths_are_named_in_verbose_reports_only():
    made = report(unreadable=(PathProblem("/envs/x", "Permission denied: EACCES"),))
    assert report_notes(made, verbose=False) == []
    assert report_notes(made, verbose=True) == ["/envs/x: permission denied: EACCES."]
    assert report_notes(report(unreadable=(PathProblem("/x", ""),)), verbose=True) == ["/x: ."]


def test_several_stale_paths_are_counted():
    assert report_notes(report(stale=("/a",)), verbose=False) == [
        "/a is in environments.txt but no longer an environment."
    ]
    assert report_notes(report(stale=("/a",) * 1200), verbose=False) == [
        "1,200 paths in environments.txt are no longer environments."
    ]


def test_another_path_of_an_environment_is_noted_and_that_of_a_cache_if_verbose():
    env = environment("env")
    made = report(env, aliases={"/cache": "/conda/pkgs", "/alias": env.prefix})
    one = f"/alias is the same folder as {env.prefix}."
    assert report_notes(made, verbose=False) == [one]
    assert report_notes(made, verbose=True) == ["/cache is the same folder as /conda/pkgs.", one]
