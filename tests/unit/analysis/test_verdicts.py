"""Users of each extracted package, and other keep reasons: every verdict, on real trees."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.verdicts import Use, Verdict
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.circumstances import GRACE_NS, Circumstances
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.small_installation import (
    LATER,
    PackagePlan,
    Plan,
    SmallInstallation,
    UsePlan,
    below,
    plans,
)
from tests.support.trees import symlink, write

RECENT = {Verdict.RECENT}
HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
INDEX, RECORD = "info/index.json", "info/repodata_record.json"


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


@pytest.fixture
def open_made():
    """The same in a folder that every user may enter; closed folders are opened to delete it."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield SmallInstallation(directory)
        for path in reversed(below(directory)):
            if not os.path.islink(path):
                os.chmod(path, 0o755)


def uses_of(made):
    """Return for each package directory (cache/dist) its users by name, and the verdict on it."""
    inventory = made.scan()
    verdicts = made.judge(LATER, inventory)
    return {
        os.path.relpath(inventory.units[unit].path, made.directory): (
            {
                os.path.basename(inventory.roots[root].path): how.value
                for root, how in use.environments.items()
            },
            verdicts.verdict(unit).value,
        )
        for unit, use in verdicts.uses.items()
    }


def test_an_environment_that_shares_an_inode_uses_the_package_by_hard_link(made):
    package = made.package("thing-1-0", {"lib/a": b"a", "lib/b": b"b"})
    prefix = made.environment("env")
    os.mkdir(f"{prefix}/lib")
    os.link(f"{package}/lib/a", f"{prefix}/lib/renamed")
    assert uses_of(made) == {"pkgs/thing-1-0": ({"env": "hardlink"}, "linked")}


def test_a_symbolic_link_into_a_package_uses_it(made):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    symlink(f"{package}/lib/a", f"{made.environment('env')}/lib/a")
    assert uses_of(made) == {"pkgs/thing-1-0": ({"env": "softlink"}, "softlinked")}


def test_a_record_uses_a_package_that_has_nothing_to_link(made):
    made.package("meta-1-0", {})
    made.record(made.environment("env"), "meta-1-0", {})
    assert uses_of(made) == {"pkgs/meta-1-0": ({"env": "record"}, "recorded")}


def test_a_record_uses_the_packages_of_its_name_in_every_cache(made):
    made.package("thing-1-0", {}, "pkgs")
    made.package("thing-1-0", {}, "other")
    made.package("thing-1-1", {}, "other")
    made.record(made.environment("env"), "thing-1-0", {})
    assert uses_of(made) == {
        "pkgs/thing-1-0": ({"env": "record"}, "recorded"),
        "other/thing-1-0": ({"env": "record"}, "recorded"),
        "other/thing-1-1": ({}, "unused"),
    }


@pytest.mark.parametrize(("link", "verdict"), [("hardlink", "linked"), ("softlink", "softlinked")])
def test_a_record_belongs_to_the_linked_package_not_to_a_copy_in_another_cache(made, link, verdict):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    made.package("thing-1-0", {"lib/a": b"a"}, "other")
    made.install(made.environment("env"), package, link)
    assert uses_of(made) == {
        "pkgs/thing-1-0": ({"env": link}, verdict),
        "other/thing-1-0": ({}, "unused"),
    }


def test_the_strongest_evidence_of_each_environment_is_named(made):
    package = made.package("thing-1-0", {"lib/a": b"a", "lib/b": b"b"})
    made.install(made.environment("hard"), package)
    symlink(f"{package}/lib/b", f"{made.prefixes[0]}/lib/again")
    made.install(made.environment("soft"), package, "softlink")
    made.install(made.environment("copy"), package, "copy")
    made.environment("nothing")
    assert uses_of(made) == {
        "pkgs/thing-1-0": ({"hard": "hardlink", "soft": "softlink", "copy": "record"}, "linked")
    }
    (unit,) = made.judge().uses
    assert made.judge().keeping_verdicts(unit) == [
        Verdict.LINKED,
        Verdict.SOFTLINKED,
        Verdict.RECORDED,
    ]


def test_a_link_outside_the_scan_keeps_the_package(made, tmp_path):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    os.link(f"{package}/lib/a", tmp_path / "unseen")
    assert uses_of(made) == {"pkgs/thing-1-0": ({}, "linked")}
    (use,) = made.judge().uses.values()
    assert use.outside


def test_packages_linked_to_themselves_and_to_each_other_are_unused(made):
    """Their link counts are above one, and no environment uses them."""
    one = made.package("one-1-0", {"lib/a": b"a"})
    two = made.package("two-1-0", {"lib/b": b"b"})
    os.link(f"{one}/lib/a", f"{one}/lib/again")
    os.link(f"{one}/lib/a", f"{two}/lib/a")
    assert uses_of(made) == {
        "pkgs/one-1-0": ({}, "unused"),
        "pkgs/two-1-0": ({}, "unused"),
    }


def test_an_inode_in_two_packages_uses_both(made):
    one = made.package("one-1-0", {"lib/a": b"a"})
    two = made.package("two-1-0", {})
    os.link(f"{one}/lib/a", f"{two}/a")
    made.install(made.environment("env"), one)
    assert uses_of(made) == {
        "pkgs/one-1-0": ({"env": "hardlink"}, "linked"),
        "pkgs/two-1-0": ({"env": "hardlink"}, "linked"),
    }


def test_a_package_with_its_origin_in_its_name_is_used_by_record(made):
    made.package(f"thing-1-0-{'0a' * 32}", {})
    write(f"{made.environment('env')}/conda-meta/thing-1-0.json", b"{}")
    (use,) = made.judge().uses.values()
    assert list(use.environments.values()) == [Use.RECORD]


@pytest.mark.parametrize(
    ("passed_ns", "verdict"),
    [(GRACE_NS - 1, "recent"), (GRACE_NS, "unused"), (-1, "recent"), (2 * GRACE_NS, "unused")],
)
@pytest.mark.parametrize("last", [INDEX, RECORD])
def test_a_package_is_recent_until_the_grace_has_passed_since_either_was_written(
    made, last, passed_ns, verdict
):
    path = made.package("thing-1-0", {})
    first = {INDEX: RECORD, RECORD: INDEX}[last]
    while os.stat(f"{path}/{last}").st_ctime_ns <= os.stat(f"{path}/{first}").st_ctime_ns:
        os.chmod(f"{path}/{last}", 0o600)  # writes its ctime, by a clock that ticks now and then
    terms = Circumstances(now_ns=os.stat(f"{path}/{last}").st_ctime_ns + passed_ns)
    assert made.verdicts(terms) == {"pkgs/thing-1-0": verdict}


def test_a_trial_link_and_its_removal_make_a_package_recent(made, tmp_path):
    """What conda does before it hard-links a package."""
    path = made.package("thing-1-0", {})
    made_ns = max(os.stat(f"{path}/{name}").st_ctime_ns for name in (INDEX, RECORD))
    now_ns = made_ns + GRACE_NS
    assert made.verdicts(Circumstances(now_ns)) == {"pkgs/thing-1-0": "unused"}
    while os.stat(f"{path}/{INDEX}").st_ctime_ns <= made_ns:
        os.link(f"{path}/{INDEX}", tmp_path / ".tmp.index.json")
        os.unlink(tmp_path / ".tmp.index.json")
    assert made.verdicts(Circumstances(now_ns)) == {"pkgs/thing-1-0": "recent"}


def test_a_zero_grace_does_not_keep_a_new_package(made):
    made.package("thing-1-0", {})
    assert made.verdicts(Circumstances(time.time_ns(), grace_ns=0)) == {"pkgs/thing-1-0": "unused"}
    assert made.verdicts(Circumstances(time.time_ns())) == {"pkgs/thing-1-0": "recent"}


def test_a_package_without_a_record_of_its_origin_is_finished_if_rattler_has_locked_it(made):
    path = made.package("thing-1-0", {})
    os.unlink(f"{path}/{RECORD}")
    write(f"{path}.lock")
    assert made.verdicts() == {"pkgs/thing-1-0": "unobtainable"}
    write(f"{path}.conda")
    assert made.verdicts() == {"pkgs/thing-1-0": "unused"}


@pytest.mark.parametrize(
    ("grace_ns", "age_ns", "verdict"),
    [
        (0, DAY_NS - HOUR_NS, "recent"),
        (0, DAY_NS + HOUR_NS, "unused"),
        (3 * DAY_NS, 2 * DAY_NS, "recent"),
        (3 * DAY_NS, 4 * DAY_NS, "unused"),
    ],
)
def test_a_killed_extraction_stays_for_a_day_or_as_long_as_the_grace(
    made, grace_ns, age_ns, verdict
):
    """It need not be obtainable: nothing whole is lost."""
    path = made.package("thing-1-0", {})
    os.unlink(f"{path}/{RECORD}")
    now_ns = os.stat(f"{path}/{INDEX}").st_ctime_ns + age_ns
    assert made.verdicts(Circumstances(now_ns, grace_ns=grace_ns)) == {"pkgs/thing-1-0": verdict}


@pytest.mark.parametrize(("age_ns", "counts"), [(0, False), (2 * DAY_NS, True)])
def test_a_killed_extraction_counts_with_a_clean_once_it_would_be_removed(made, age_ns, counts):
    path = made.package("thing-1-0", {"lib/f": b"f" * 9_000})
    os.unlink(f"{path}/{RECORD}")
    prefix = made.environment("env")
    os.makedirs(f"{prefix}/lib")
    os.link(f"{path}/lib/f", f"{prefix}/lib/f")
    now_ns = os.stat(f"{path}/{INDEX}").st_ctime_ns + age_ns
    verdicts = made.judge(Circumstances(now_ns))
    assert bool(verdicts.packages_by_only_user()) == counts


@pytest.mark.parametrize(
    ("content", "archive", "verdict"),
    [
        (b'{"url": "https://made.up/thing-1-0.conda"}', None, "unused"),
        (b'{"url": "http://made.up/thing-1-0.conda"}', None, "unused"),
        (b'{"url": "file:///channel/thing-1-0.conda"}', None, "unobtainable"),
        (b'{"url": ["https://made.up"]}', None, "unobtainable"),
        (b"{}", None, "unobtainable"),
        (b"{}", "pkgs/thing-1-0.conda", "unused"),
        (b"{}", "pkgs/thing-1-0.tar.bz2", "unused"),
        (b"{}", "pkgs/thing-1-0.zip", "unobtainable"),
        (b"{}", "pkgs/thing-1-1.conda", "unobtainable"),
        (b"{}", "other/thing-1-0.conda", "unobtainable"),
        (b"{", "pkgs/thing-1-0.conda", "unverifiable"),
        (b"[]", "pkgs/thing-1-0.conda", "unverifiable"),
        (b"", "pkgs/thing-1-0.conda", "unverifiable"),
    ],
)
def test_a_package_is_obtainable_by_its_archive_or_by_a_url(made, content, archive, verdict):
    path = made.package("thing-1-0", {})
    write(f"{path}/{RECORD}", content)
    if archive is not None:
        write(f"{made.directory}/{archive}")
    assert made.verdicts() == {"pkgs/thing-1-0": verdict}


def test_all_keep_reasons_are_returned_strongest_first(made):
    path = made.package("thing-1-0", {})
    os.unlink(f"{path}/{RECORD}")
    write(f"{path}/{RECORD}", b"{}")
    made.record(made.environment("env"), "thing-1-0", {})
    unseen = (PathProblem("/disk/env", "not mounted"),)
    verdicts = made.judge(Circumstances(time.time_ns(), unseen=unseen))
    (unit,) = verdicts.uses
    reasons = {reason.verdict: reason.reason for reason in verdicts.keep_reasons(unit)}
    assert list(reasons) == [Verdict.UNVERIFIABLE, Verdict.RECENT, Verdict.UNOBTAINABLE]
    assert reasons[Verdict.UNVERIFIABLE] == "/disk/env: not mounted"
    assert verdicts.keeping_verdicts(unit) == [Verdict.RECORDED, *reasons]
    assert verdicts.verdict(unit) is Verdict.RECORDED
    assert (verdicts.used(), verdicts.unused()) == ({unit}, set())


@pytest.mark.parametrize(
    ("ignored", "verdict"),
    [
        ((), "unverifiable"),
        (("/disk/env",), "unused"),
        (("/disk",), "unused"),
        (("/disk/",), "unused"),
        (("/",), "unused"),
        (("/dis",), "unverifiable"),
        (("/disk/env/conda-meta",), "unverifiable"),
        (("/other", "/disk/env"), "unused"),
    ],
)
def test_an_unreadable_environment_keeps_everything_until_it_is_ignored(made, ignored, verdict):
    made.package("thing-1-0", {})
    made.install(made.environment("env"), made.package("linked-1-0", {"f": b"f"}))
    unseen = (PathProblem("/disk/env", "its folder cannot be reached"),)
    terms = replace(LATER, unseen=unseen, ignored=ignored)
    assert made.verdicts(terms) == {"pkgs/thing-1-0": verdict, "pkgs/linked-1-0": "linked"}
    assert made.judge(terms).unseen == (unseen if verdict == "unverifiable" else ())


def test_every_unreadable_environment_must_be_ignored(made):
    made.package("thing-1-0", {})
    unseen = (PathProblem("/disk/one", "why"), PathProblem("/disk/two", "why"))
    terms = replace(LATER, unseen=unseen)
    assert made.verdicts(replace(terms, ignored=("/disk/one",))) == {
        "pkgs/thing-1-0": "unverifiable"
    }
    assert made.verdicts(replace(terms, ignored=("/disk/one", "/disk/two"))) == {
        "pkgs/thing-1-0": "unused"
    }


def as_ordinary_user(made, terms=LATER):
    """Return the verdicts for an ordinary user, and the keep reasons of the first package."""

    def judge():
        verdicts = made.judge(terms)
        return made.verdicts(terms), [
            reason.reason for reason in verdicts.keep_reasons(min(verdicts.uses))
        ]

    return in_child(judge, user=NOBODY)


@pytest.mark.parametrize("mode", [0o000, 0o111, 0o444])
@pytest.mark.parametrize("folder", [".", "lib", "lib/deep", "conda-meta"])
def test_a_folder_of_an_environment_that_cannot_be_read_keeps_every_package(
    open_made, folder, mode
):
    open_made.package("thing-1-0", {})
    open_made.install(open_made.environment("env"), open_made.package("linked-1-0", {"f": b"f"}))
    prefix = open_made.prefixes[0]
    write(f"{prefix}/lib/deep/file", b"x")
    os.chmod(f"{prefix}/{folder}", mode)
    verdicts, (reason,) = as_ordinary_user(open_made)
    assert verdicts == {"pkgs/thing-1-0": "unverifiable", "pkgs/linked-1-0": "linked"}
    assert reason.startswith(prefix)
    assert reason.endswith(": permission denied")
    ignoring, _ = as_ordinary_user(open_made, replace(LATER, ignored=(prefix,)))
    assert ignoring == {"pkgs/thing-1-0": "unused", "pkgs/linked-1-0": "linked"}


def test_an_environment_without_a_conda_meta_that_can_be_listed_keeps_every_package(made):
    """The folder is missing, or the environment was deleted after it was found."""
    made.package("thing-1-0", {})
    prefix = made.environment("env")
    shutil.rmtree(f"{prefix}/conda-meta")
    (problem,) = made.judge().unseen
    assert problem == PathProblem(f"{prefix}/conda-meta", "cannot be listed")
    assert made.verdicts() == {"pkgs/thing-1-0": "unverifiable"}
    assert made.verdicts(replace(LATER, ignored=(prefix,))) == {"pkgs/thing-1-0": "unused"}
    shutil.rmtree(prefix)
    assert made.verdicts() == {"pkgs/thing-1-0": "unverifiable"}


def test_a_symbolic_link_that_cannot_be_followed_keeps_every_package(open_made):
    thing = open_made.package("thing-1-0", {"lib/a": b"a"})
    prefix = open_made.environment("env")
    symlink(f"{thing}/lib/a", f"{open_made.directory}/elsewhere/hop")
    symlink(f"{open_made.directory}/elsewhere/hop", f"{prefix}/lib/a")
    assert open_made.verdicts() == {"pkgs/thing-1-0": "softlinked"}
    os.chmod(f"{open_made.directory}/elsewhere", 0)
    verdicts, (reason,) = as_ordinary_user(open_made)
    assert verdicts == {"pkgs/thing-1-0": "unverifiable"}
    assert reason == f"{prefix}/lib/a: permission denied"
    ignoring, _ = as_ordinary_user(open_made, replace(LATER, ignored=(prefix,)))
    assert ignoring == {"pkgs/thing-1-0": "unused"}


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("lib", 0),
        ("lib/deep", 0o444),
        ("info", 0),
        ("info", 0o444),
        ("info/repodata_record.json", 0),
    ],
)
def test_an_unreadable_part_of_a_package_keeps_only_that_package(open_made, path, mode):
    package = open_made.package("thing-1-0.1", {"lib/deep/a": b"a"})
    open_made.package("thing-1-0", {})
    open_made.environment("env")
    os.chmod(f"{package}/{path}", mode)
    everything = replace(LATER, ignored=("/",))  # applies to environments only
    for terms in (LATER, everything):
        verdicts, _ = as_ordinary_user(open_made, terms)
        assert verdicts == {"pkgs/thing-1-0": "unused", "pkgs/thing-1-0.1": "unverifiable"}


def test_an_unreadable_cache_keeps_nothing_in_another_cache(open_made):
    """Nor does it keep its own: link counts show which packages share inodes with it."""
    open_made.package("thing-1-0", {})
    held = open_made.package("held-1-0", {"f": b"f"})
    other = open_made.package("thing-1-0", {}, "other")
    os.link(f"{held}/f", f"{other}/f")
    os.chmod(open_made.caches[1], 0)
    verdicts, _ = as_ordinary_user(open_made)
    assert verdicts == {"pkgs/thing-1-0": "unused", "pkgs/held-1-0": "linked"}


_LINKED = PackagePlan("a-1-0", "pkgs", "", "record", b"{}", has_archive=False, has_inner=False)
_MOVING = replace(_LINKED, folder=".conda-hardlinks/moving-r1-", finished_by="", has_archive=True)


@settings(max_examples=20)
@given(plans, st.sampled_from([0o000, 0o111, 0o444]))
@example(Plan([_LINKED, _MOVING], [UsePlan("softlink", 0, 0, 0)]), 0o111)
def test_unreadable_paths_never_make_more_packages_removable(plan, mode):
    """Each folder and file of a random installation is closed in turn."""

    def removable(made):
        inventory = made.scan()
        verdicts = made.judge(LATER, inventory)
        unused = verdicts.unused()
        soon = {unit for unit in verdicts.uses if set(verdicts.keeping_verdicts(unit)) <= RECENT}
        after = soon | verdicts.only_used_by(set(range(len(inventory.roots))))
        paths = [unit.path for unit in inventory.units]
        return {paths[unit] for unit in unused}, {paths[unit] for unit in after}

    def let_go():
        found = []
        with tempfile.TemporaryDirectory() as directory:
            made = plan.make(directory)
            before = removable(made)
            for path in below(directory):
                if os.path.islink(path):
                    continue
                usual = os.stat(path).st_mode
                os.chmod(path, mode)
                after = removable(made)
                os.chmod(path, usual)
                found += [
                    (path, now - then)
                    for now, then in zip(after, before, strict=True)
                    if now - then
                ]
        return found

    assert in_child(let_go, user=NOBODY) == []


def used_by_records(made):
    """Make packages that are recorded in different sets of environments."""
    users = {"a": "1", "b": "12", "c": "2", "d": "", "e": "1", "f": "123", "g": "", "h": "1"}
    for name in "123":
        made.environment(name)
    for name, environments in users.items():
        made.package(f"{name}-1-0", {"f": b"f"})
        for environment in environments:
            made.record(f"{made.directory}/envs/{environment}", f"{name}-1-0", {})
    for name in "eg":
        os.link(f"{made.directory}/pkgs/{name}-1-0/f", f"{made.directory}/{name}")


def names_of(made, inventory, units):
    return "".join(sorted(os.path.basename(inventory.units[unit].path)[0] for unit in units))


@pytest.mark.parametrize(
    ("environments", "packages"), [("", ""), ("1", "ah"), ("2", "c"), ("3", ""), ("12", "abch")]
)
def test_packages_are_removable_with_the_only_environments_that_use_them(
    made, environments, packages
):
    used_by_records(made)
    inventory = made.scan()
    numbers = {os.path.basename(root.path): index for index, root in enumerate(inventory.roots)}
    roots = {numbers[name] for name in environments}
    verdicts = made.judge(LATER, inventory)
    assert names_of(made, inventory, verdicts.only_used_by(roots)) == packages
    assert names_of(made, inventory, verdicts.unused()) == "d"
    assert names_of(made, inventory, verdicts.used()) == "abcefgh"


def test_by_only_user_agrees_with_only_used_by(made):
    used_by_records(made)
    inventory = made.scan()
    verdicts = made.judge(LATER, inventory)
    by_user = verdicts.packages_by_only_user()
    assert {
        os.path.basename(inventory.roots[root].path): names_of(made, inventory, units)
        for root, units in by_user.items()
    } == {"1": "ah", "2": "c"}
    assert all(verdicts.only_used_by({root}) == by_user[root] for root in by_user)
