"""Whether something is removed, in the cases between the rules."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.verdicts import KeepReason, Verdict
from conda_hardlink_plugin.clean.archives import Archives
from conda_hardlink_plugin.clean.permissions import closed_caches
from conda_hardlink_plugin.clean.trial_links import find_trial_links
from conda_hardlink_plugin.metadata.leases import Lease
from tests.support.circumstances import LATER, Circumstances, analysis_of
from tests.support.cleaning import RECORD, clean, move_aside, plan_of
from tests.support.oracles import NOBODY
from tests.support.small_installation import SmallInstallation
from tests.support.trees import symlink, write


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


@pytest.mark.parametrize(
    ("stage", "verdict"),
    [("moving", "unused"), ("purge", "unobtainable"), ("held-9", "unobtainable")],
)
def test_an_archive_that_is_being_removed_does_not_make_its_package_obtainable(
    made, stage, verdict
):
    path = made.package("thing-1-0", {})
    write(f"{path}/{RECORD}", b"{}")
    move_aside(made, write(f"{path}.conda"), stage)
    assert made.verdicts() == {"pkgs/thing-1-0": verdict}


def test_an_archive_in_another_cache_does_not_make_a_package_obtainable(made):
    """Here the other cache is scanned, too."""
    write(f"{made.package('thing-1-0', {})}/{RECORD}", b"{}")
    made.package("other-1-0", {}, "other")
    write(f"{made.directory}/other/thing-1-0.conda")
    assert made.verdicts()["pkgs/thing-1-0"] == "unobtainable"


def test_a_package_extracted_again_is_recorded_while_the_moved_one_is_linked(made):
    home = made.package("thing-1-0", {"lib/a": b"a"})
    made.install(made.environment("env"), home)
    moved = move_aside(made, home, "moving")
    made.package("thing-1-0", {"lib/a": b"a"})
    assert made.verdicts() == {
        "pkgs/thing-1-0": "recorded",
        os.path.relpath(moved, made.directory): "linked",
    }


def test_each_environment_needs_a_conda_meta_that_can_be_listed(made):
    made.package("thing-1-0", {})
    made.environment("listed")
    assert made.verdicts() == {"pkgs/thing-1-0": "unused"}
    shutil.rmtree(f"{made.environment('env')}/conda-meta")
    assert made.verdicts() == {"pkgs/thing-1-0": "unverifiable"}


@pytest.mark.parametrize(
    ("dists", "verdict"), [({"thing-1-0"}, "recent"), ({"thing-1-1"}, "unused"), (None, "recent")]
)
def test_a_package_that_a_running_conda_may_link_is_recent(made, dists, verdict):
    made.package("thing-1-0", {})
    lease = Lease("/cache/leases/1-1", "process 1 (conda)", dists and frozenset(dists))
    assert made.verdicts(replace(LATER, leases=(lease,))) == {"pkgs/thing-1-0": verdict}


def test_copied_removes_a_package_only_if_every_record_says_that_it_is_copied(made):
    made.package("p-1-0", {})
    for name, how in (("a", "copy"), ("b", "softlink"), ("c", "copy")):
        made.record(made.environment(name), "p-1-0", {}, how)
    assert plan_of(made, copied=True).remove == ()
    made.record(made.prefixes[1], "p-1-0", {}, "copy")
    assert len(plan_of(made, copied=True).remove) == 1


def test_a_package_that_cannot_move_back_is_not_the_one_at_its_path(made):
    home = made.package("p-1-0", {"f": b"f"})
    move_aside(made, home, "moving")
    write(f"{home}/info/index.json", b"{}")  # its extraction was never finished
    plan = plan_of(made, copied=True, unobtainable=True)
    assert plan.remove == ()
    assert plan.moving_back == (home,)
    assert [(kept.path, kept.verdict) for kept in plan.keep] == [(home, Verdict.RECENT)]


@pytest.mark.parametrize("name", ["old.c~", "p-1-0.conda"])
def test_a_left_over_or_an_archive_that_an_environment_links_to_is_kept(made, name):
    made.package("other-1-0", {})
    options = {"trash": True, "tarballs": True, "unobtainable": True, "name_glob": "[!o]*"}
    path = write(f"{made.caches[0]}/{name}", b"x")
    assert [removal.path for removal in plan_of(made, **options).remove] == [path]
    symlink(path, f"{made.environment('env')}/f")
    plan = plan_of(made, **options)
    assert plan.remove == ()
    (reason,) = [kept.reason for kept in plan.keep if kept.path == path]
    assert reason == "a symbolic link in an environment leads to it"


def test_an_environment_with_a_second_path_is_not_a_new_one(made):
    """The check at the last moment knows both paths."""
    made.package("p-1-0", {"f": b"f"})
    env = made.environment("env")
    made.record(env, "p-1-0", {}, "copy")
    assert clean(made).removed == []
    made.prefixes.append(symlink(env, f"{made.directory}/again"))
    outcome = clean(made, copied=True)
    assert [removal.name for removal in outcome.removed] == ["p-1-0"]
    assert outcome.spared == []


@pytest.mark.parametrize("name", ["p-1-0.conda", "p-1-0.conda.partial", "old.c~"])
def test_the_age_of_an_archive_counts_from_its_ctime(made, name):
    made.package("other-1-0", {})
    path = write(f"{made.caches[0]}/{name}", b"x")
    os.utime(path, ns=(0, 0))
    circumstances = Circumstances(now_ns=time.time_ns())
    archives = Archives(analysis_of(made.scan(), made.names(), circumstances))
    assert archives.recent(path) == KeepReason(Verdict.RECENT, "it changed a moment ago")
    os.unlink(path)
    assert archives.fetched_ns(path) == circumstances.now_ns


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can give files away")
def test_the_owner_of_a_cache_counts_rather_than_the_owner_of_a_link_to_it(tmp_path):
    cache = f"{tmp_path}/pkgs"
    os.mkdir(cache)
    alias = symlink(cache, f"{tmp_path}/alias")
    assert closed_caches([alias], []) == {}
    os.chown(cache, NOBODY, NOBODY)
    assert list(closed_caches([alias], [])) == [alias]


def test_no_option_opens_a_cache_that_the_settings_close(tmp_path):
    caches = [f"{tmp_path}/a", f"{tmp_path}/b"]
    for cache in caches:
        os.mkdir(cache)
    alias = symlink(caches[0], f"{tmp_path}/alias")
    reason = "the setting hardlinks_read_only_caches names it"
    for read_only in (caches[0], alias):
        assert closed_caches(caches, [], [read_only]) == {caches[0]: reason}
        assert closed_caches(caches, caches, [read_only]) == {caches[0]: reason}


def test_a_trial_link_is_a_file_of_that_name_older_than_the_grace(made):
    env = made.environment("env")
    path = write(f"{env}/.tmp.index.json.0123abcd")
    for name in (
        ".tmp.index.json.0123abcd.bak",
        ".tmp.index.json.0123abc",
        "x.tmp.index.json.0123abcd",
    ):
        write(f"{env}/{name}")
    os.mkdir(f"{env}/.tmp.index.json.00000000")
    symlink(path, f"{env}/.tmp.index.json.00000001")
    made_ns = os.lstat(path).st_ctime_ns
    later_ns = time.time_ns() + 10**9
    assert find_trial_links([env, f"{env}/"], later_ns, 0) == (path,)
    assert find_trial_links([env], made_ns + 100, 100) == (path,)
    assert find_trial_links([env], made_ns + 99, 100) == ()


def test_every_link_through_a_linked_folder_passes_its_targets(made):
    """The targets of a folder are cached for the next link, with every symbolic link on the way."""
    thing, first = made.package("thing-1-0", {"lib/f": b"f"}), made.package("first-1-0", {})
    symlink(f"{thing}/lib", f"{first}/lib")
    hop = symlink(f"{first}/lib/f", f"{made.directory}/elsewhere/f")
    for name in ("one", "two"):
        symlink(hop, f"{made.environment(name)}/f")
    verdicts = made.judge()
    assert [len(use.environments) for use in verdicts.uses.values()] == [2, 2]


def test_as_many_symbolic_links_are_followed_as_the_system_follows(made):
    thing = made.package("thing-1-0", {"lib/f": b"f"})
    target = f"{thing}/lib/f"
    for number in range(39):
        target = symlink(target, f"{made.directory}/hops/{number}")
    last = symlink(target, f"{made.environment('env')}/f")
    assert os.path.exists(last)
    assert made.verdicts() == {"pkgs/thing-1-0": "softlinked"}
    os.unlink(last)
    symlink(symlink(target, f"{made.directory}/hops/one-more"), last)
    assert not os.path.exists(last)


def test_a_package_with_a_mount_point_in_it_is_kept(made):
    path = made.package("p-1-0", {"lib/f": b"f"})
    mounted = ("/elsewhere", made.caches[0], f"{path}/lib")
    analysis = analysis_of(made.scan(), made.names(), replace(LATER, mounted=mounted))
    (unit,) = analysis.verdicts.uses
    assert analysis.verdicts.verdict(unit) is Verdict.UNVERIFIABLE
    assert (
        analysis.verdicts.keep_reasons(unit)[0].reason == f"{path}/lib: something is mounted there"
    )
    analysis = analysis_of(made.scan(), made.names(), replace(LATER, mounted=mounted[:2]))
    assert analysis.verdicts.verdict(unit) is not Verdict.UNVERIFIABLE


@pytest.mark.parametrize(("ignored", "kept"), [((), True), (("/home/x",), False), (("/ho",), True)])
def test_a_lease_in_an_ignored_folder_keeps_nothing(made, ignored, kept):
    made.package("p-1-0", {"lib/f": b"f"})
    lease = Lease("/home/x/.cache/conda/hardlinks/leases/1-1", "process 1", None)
    circumstances = replace(LATER, leases=(lease,), ignored=ignored)
    analysis = analysis_of(made.scan(), made.names(), circumstances)
    (unit,) = analysis.verdicts.uses
    assert (Verdict.RECENT in analysis.verdicts.keeping_verdicts(unit)) is kept


@pytest.mark.parametrize("suffix", [".conda", ".tar.bz2"])
def test_removed_packages_whose_archive_is_kept_are_counted(made, suffix):
    for name in ("p-1-0", "q-1-0"):
        made.package(name, {"lib/f": b"f"})
    write(f"{made.caches[0]}/p-1-0{suffix}", b"a")
    assert plan_of(made, unobtainable=True).packages_with_archive == 1
    assert plan_of(made, unobtainable=True, tarballs=True).packages_with_archive == 0
