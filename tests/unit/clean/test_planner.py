"""The plan of a clean, for packages made for it: each option at its limits."""

from __future__ import annotations

import itertools
import json
import os

import pytest

from conda_hardlink_plugin.analysis.verdicts import PackageUser, Verdict
from conda_hardlink_plugin.executor.removal_plan import Action
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.cleaning import plan_of
from tests.support.oracles import du
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, link, symlink, write

DAY_NS = 24 * 3600 * 1_000_000_000


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def versioned(made, dist, *, cache="pkgs", build_number=0, size=10, **metadata):
    """Extract a package whose metadata agrees with the name of its folder."""
    path = made.package(dist, {"lib/f": b"f" * size}, cache)
    name, version, _ = dist.rsplit("-", 2)
    content = {"name": name, "version": version, "build_number": build_number}
    content |= {"url": f"https://made.up/{dist}.conda", **metadata}
    write(f"{path}/info/repodata_record.json", json.dumps(content).encode())
    return path


def last_use_ns(path):
    files = (f"{path}/info/{name}.json" for name in ("index", "repodata_record"))
    return max(os.lstat(file).st_ctime_ns for file in files)


def use(path, *, after=None):
    """Make a package the last used of two, as conda does when it tests for hard links."""
    before = last_use_ns(after or path)
    while last_use_ns(path) <= before:  # clocks of filesystems are coarse
        link(f"{path}/info/index.json", f"{path}/../probe")
        os.unlink(f"{path}/../probe")


def going(plan):
    return sorted(removal.name for removal in plan.remove)


def reasons(plan):
    return {kept.name: kept.reason for kept in plan.keep}


def test_without_unused_packages_there_is_nothing_to_do(made):
    made.package("used-1-0", {"f": b"f"})
    made.install(made.environment("env"), f"{made.caches[0]}/used-1-0")
    plan = plan_of(made, tarballs=True, trash=True)
    assert not plan.does_something
    assert (plan.remove, plan.planned_bytes, plan.held_bytes, plan.excess_bytes) == ((), 0, 0, {})
    assert [kept.name for kept in plan.keep] == ["used-1-0"]


def test_a_removal_has_everything_that_is_checked_again(made):
    path = versioned(made, "p-1-0")
    other = versioned(made, "q-1-0", cache="other")
    env = made.environment("env")
    link(f"{path}/lib/f", f"{other}/lib/g")
    link(f"{path}/lib/f", f"{made.directory}/pkgs/loose")
    made.record(env, "p-1-0", {}, link="copy")
    plan = plan_of(made, copied=True)
    removal = next(removal for removal in plan.remove if removal.path == path)
    assert removal.action is Action.MOVE
    assert removal.verdict is Verdict.RECORDED
    assert removal.cache == f"{made.directory}/pkgs"
    assert removal.size_bytes == du(path)[0]
    assert removal.package.last_use_ns == last_use_ns(path)
    assert removal.partners == (other, f"{made.directory}/pkgs")
    assert removal.recorded_by == {env}


def test_a_kept_package_has_its_users_and_the_strongest_reason(made):
    path = versioned(made, "p-1-0")
    hard, soft, record = map(made.environment, ("hard", "soft", "record"))
    made.install(hard, path)
    made.install(soft, path, "softlink")
    made.record(record, "p-1-0", {})
    link(f"{path}/lib/f", f"{made.directory}/outside")
    (kept,) = plan_of(made, copied=True, unobtainable=True).keep
    assert (kept.verdict, kept.size_bytes) == (Verdict.LINKED, du(path)[0])
    assert kept.reason == "hard links in hard, a folder that was not scanned"
    assert kept.environments == (
        PackageUser("hard", hard, "hardlink"),
        PackageUser("soft", soft, "softlink"),
        PackageUser("record", record, "record"),
    )


def test_older_than_is_exact_to_the_nanosecond(made):
    path = versioned(made, "p-1-0")
    then = last_use_ns(path)
    for older_than_ns, age_ns, goes in (
        (DAY_NS, DAY_NS, True),
        (DAY_NS, DAY_NS - 1, False),
        (0, 0, True),
    ):
        plan = plan_of(made, now_ns=then + age_ns, older_than_ns=older_than_ns)
        assert bool(plan.remove) is goes
    assert reasons(plan_of(made, older_than_ns=DAY_NS)) == {
        "p-1-0": "used too recently for --older-than"
    }


def test_the_age_of_a_package_is_that_of_its_last_trial_link(made):
    path = versioned(made, "p-1-0")
    os.utime(f"{path}/info/repodata_record.json", (0, 0))
    then = last_use_ns(path)
    write(f"{path}/lib/later")
    assert plan_of(made, now_ns=then + DAY_NS, older_than_ns=DAY_NS).remove
    use(path)
    assert not plan_of(made, now_ns=then + DAY_NS, older_than_ns=DAY_NS).remove


@pytest.mark.parametrize(
    ("newest", "gone"),
    [
        (0, ["p-1.10-0", "p-1.10-1", "p-1.9-0", "q-1-0"]),
        (1, ["p-1.10-0", "p-1.9-0"]),
        (2, ["p-1.9-0"]),
        (3, []),
        (None, ["p-1.10-0", "p-1.10-1", "p-1.9-0", "q-1-0"]),
    ],
)
def test_the_newest_are_sorted_by_version_then_by_build(made, newest, gone):
    versioned(made, "p-1.10-1", build_number=1)
    versioned(made, "p-1.10-0")
    versioned(made, "p-1.9-0", build_number=7)
    versioned(made, "q-1-0")
    plan = plan_of(made, keep_newest=newest)
    assert going(plan) == gone
    assert set(reasons(plan).values()) <= {f"kept by --keep-newest {newest}"}


def test_of_two_builds_of_one_version_the_last_used_is_newer(made):
    first, second = versioned(made, "p-1-a"), versioned(made, "p-1-b")
    use(first, after=second)
    assert going(plan_of(made, keep_newest=1)) == ["p-1-b"]
    use(second, after=first)
    assert going(plan_of(made, keep_newest=1)) == ["p-1-a"]


def test_the_newest_are_kept_in_each_cache_whether_used_or_not(made):
    for cache, newest in (("pkgs", 3), ("other", 2)):
        for version in range(1, newest + 1):
            versioned(made, f"p-{version}-0", cache=cache)
    made.install(made.environment("env"), f"{made.directory}/pkgs/p-3-0")
    plan = plan_of(made, keep_newest=1)
    assert sorted(os.path.relpath(item.path, made.directory) for item in plan.remove) == [
        "other/p-1-0",
        "pkgs/p-1-0",
        "pkgs/p-2-0",
    ]


@pytest.mark.parametrize(
    ("glob", "gone"),
    [
        ("numpy", ["numpy-1-0"]),
        ("numpy*", ["numpy-1-0", "numpy-base-1-0"]),
        ("numpy-1-0", ["numpy-1-0"]),
        ("*-1-?", ["numpy-1-0", "numpy-base-1-0"]),
        ("n[!u]*", []),
        ("NUMPY", []),
        ("numpy-1", []),
    ],
)
def test_a_pattern_matches_the_whole_name_or_all_three_parts(made, glob, gone):
    versioned(made, "numpy-1-0")
    versioned(made, "numpy-base-1-0")
    plan = plan_of(made, name_glob=glob)
    assert going(plan) == gone
    assert set(reasons(plan).values()) <= {f"does not match --name {glob}"}


def test_the_least_recently_used_packages_are_removed_until_the_cache_fits(made):
    paths = [versioned(made, f"p-{number}-0", size=9_000) for number in range(3)]
    for earlier, later in itertools.pairwise(paths):
        use(later, after=earlier)
    (cache,) = made.caches
    everything, sizes = du(cache)[0], [du(path)[0] for path in paths]
    for number in range(4):
        limit = everything - sum(sizes[:number])
        plan = plan_of(made, max_size_bytes=limit)
        assert [removal.path for removal in plan.remove] == paths[:number]
        assert plan.planned_bytes == sum(sizes[:number])
        assert plan.excess_bytes == {}
        assert set(reasons(plan).values()) <= {"its cache fits --max-size without removing it"}
        more = plan_of(made, max_size_bytes=limit - 1)
        assert [removal.path for removal in more.remove] == paths[: number + 1]
        assert more.excess_bytes == ({} if number < 3 else {cache: 1})


def test_a_file_that_two_packages_share_counts_until_both_are_removed(made):
    one, two = (versioned(made, f"{name}-1-0", size=9_000) for name in ("one", "two"))
    os.unlink(f"{two}/lib/f")
    link(f"{one}/lib/f", f"{two}/lib/f")
    use(two, after=one)
    (cache,) = made.caches
    everything, shared = du(cache)[0], os.lstat(f"{one}/lib/f").st_blocks * 512
    alone = du(one)[0] - shared
    assert going(plan_of(made, max_size_bytes=everything - alone)) == ["one-1-0"]
    assert going(plan_of(made, max_size_bytes=everything - alone - 1)) == ["one-1-0", "two-1-0"]
    assert plan_of(made, max_size_bytes=everything - alone).planned_bytes == alone
    assert plan_of(made).planned_bytes == sum(du(one, two))


def test_a_cache_without_packages_can_be_too_big_but_not_a_closed_one(made):
    for cache in ("pkgs", "closed", "empty"):
        versioned(made, "p-1-0", cache=cache)
        write(f"{made.directory}/{cache}/a-1-0.conda", b"a" * 9_000)
    empty = f"{made.directory}/empty"
    os.rename(f"{empty}/p-1-0", f"{made.directory}/p")
    plan = plan_of(made, max_size_bytes=10, closed={f"{made.directory}/closed": "it is closed"})
    assert plan.excess_bytes == {
        f"{made.directory}/pkgs": du(f"{made.directory}/pkgs")[0] - plan.planned_bytes - 10,
        empty: du(empty)[0] - 10,
    }


def test_a_recorded_package_is_removed_only_if_its_record_says_copied(made):
    env = made.environment("env")
    for dist in ("copied-1-0", "soft-1-0", "torn-1-0"):
        versioned(made, dist)
    made.record(env, "copied-1-0", {}, link="copy")
    made.record(env, "soft-1-0", {}, link="softlink")
    torn = write(f"{env}/conda-meta/torn-1-0.json", b"{")
    assert not plan_of(made).remove
    plan = plan_of(made, copied=True)
    assert going(plan) == ["copied-1-0"]
    assert reasons(plan)["soft-1-0"] == (
        f"{env}/conda-meta/soft-1-0.json: it records symbolic links to the package"
    )
    assert reasons(plan)["torn-1-0"].startswith(f"{torn}: not valid JSON")
    assert {kept.verdict for kept in plan.keep} == {Verdict.RECORDED}


def test_nothing_in_a_closed_cache_is_removed_or_moved(made):
    cache = f"{made.directory}/pkgs"
    versioned(made, "p-1-0")
    for name in ("p-1-0.conda", "a.c~", f"{QUARANTINE}/purge-r1-x-1-0/f"):
        write(f"{cache}/{name}")
    os.rename(versioned(made, "m-1-0"), f"{cache}/{QUARANTINE}/moving-r1-m-1-0")
    options = {"tarballs": True, "trash": True, "unobtainable": True}
    plan = plan_of(made, closed={cache: "it is closed"}, **options)
    assert not plan.does_something
    assert (plan.remove, plan.moving_back, plan.caches_to_heal) == ((), (), ())
    reason = "its cache is not cleaned: it is closed"
    assert reasons(plan) == {"p-1-0": reason, "m-1-0": reason}
    assert going(plan_of(made, **options)) == [
        "a.c~",
        "m-1-0",
        "p-1-0",
        "p-1-0.conda",
        "x-1-0",
    ]


def test_entries_of_earlier_runs_are_finished_held_or_moved_back(made):
    cache = f"{made.directory}/pkgs"
    quarantine = f"{cache}/{QUARANTINE}"
    came = versioned(made, "came-again-1-0")
    used = versioned(made, "used-1-0")
    made.install(made.environment("env"), used)
    for name in ("moving-r1-came-again-1-0", "purge-r1-p-1-0", "held-100-r1-h-1-0"):
        write(f"{quarantine}/{name}/info/index.json", b"{}")
    os.rename(used, f"{quarantine}/moving-r1-used-1-0")
    now_ns = 100 * 1_000_000_000
    plan = plan_of(made, now_ns=now_ns, name_glob="nothing")
    finished = {item.path: item.action for item in plan.remove}
    assert finished == {
        f"{quarantine}/{name}": Action.FINISH
        for name in ("moving-r1-came-again-1-0", "purge-r1-p-1-0", "held-100-r1-h-1-0")
    }
    assert going(plan) == ["came-again-1-0", "h-1-0", "p-1-0"]
    assert plan.planned_bytes == sum(du(*finished))
    assert plan.moving_back == (used,)
    assert plan.caches_to_heal == (cache,)
    assert sorted(kept.path for kept in plan.keep) == [came, used]
    # A nanosecond earlier the one that is held has not expired.
    assert going(plan_of(made, now_ns=now_ns - 1, name_glob="nothing")) == [
        "came-again-1-0",
        "p-1-0",
    ]


def test_held_packages_free_nothing_yet_and_given_up_ones_do(made):
    cache = f"{made.directory}/pkgs"
    path = versioned(made, "p-1-0", size=9_000)
    given_up = f"{cache}/{QUARANTINE}/purge-r1-x-1-0"
    write(f"{given_up}/f", b"f" * 5_000)
    plan = plan_of(made, hold=True)
    assert (plan.planned_bytes, plan.held_bytes) == (du(given_up)[0], du(path)[0])
    plan = plan_of(made)
    assert (plan.planned_bytes, plan.held_bytes) == (sum(du(given_up, path)), 0)


def test_a_trial_link_frees_its_inode_only_if_it_is_the_last_link(made):
    path, env = versioned(made, "p-1-0"), made.environment("env")
    pinning = link(f"{path}/info/index.json", f"{env}/.tmp.index.json.00000000")
    one = write(f"{env}/.tmp.index.json.00000001", b"1" * 5_000)
    again = link(one, f"{env}/.tmp.index.json.00000002")
    trial_links = (pinning, one, again, f"{env}/.tmp.index.json.gone0000")
    plan = plan_of(made, trash=True, trial_links=trial_links)
    assert plan.trial_links == trial_links
    assert plan.planned_bytes == os.lstat(one).st_blocks * 512
    assert plan.does_something
    assert plan_of(made, trash=True, trial_links=(one,)).planned_bytes == 0
    assert (
        plan_of(made, trial_links=trial_links).trial_links,
        plan_of(made, trial_links=trial_links).remove,
    ) == ((), ())


def test_an_unreadable_environment_keeps_every_package_until_it_is_ignored(made):
    versioned(made, "p-1-0")
    unseen = [PathProblem("/disk/env", "it is not mounted")]
    plan = plan_of(made, unseen=unseen)
    assert plan.remove == ()
    (kept,) = plan.keep
    assert kept.verdict is Verdict.UNVERIFIABLE
    assert kept.reason == "/disk/env: it is not mounted"
    assert going(plan_of(made, unseen=unseen, ignored=["/disk"])) == ["p-1-0"]
    assert plan_of(made, unseen=unseen, ignored=["/disk/other"]).remove == ()


def test_packages_and_left_overs_are_moved_and_archives_are_unlinked(made):
    cache = f"{made.directory}/pkgs"
    path = versioned(made, "p-1-0")
    archive = write(f"{cache}/p-1-0.conda", b"a")
    left = write(f"{cache}/p-1-0.conda_trash/f")
    plan = plan_of(made, tarballs=True, trash=True)
    assert [(item.action, item.path) for item in plan.remove] == [
        (Action.MOVE, os.path.dirname(left)),
        (Action.UNLINK, archive),
        (Action.MOVE, path),
    ]
    assert [item.package is None for item in plan.remove] == [True, True, False]
    assert plan.planned_bytes == sum(du(path, archive, os.path.dirname(left)))
    assert going(plan_of(made)) == ["p-1-0"]


def test_archives_are_chosen_by_name_and_age_like_packages(made):
    cache = f"{made.directory}/pkgs"
    made.package("used-1-0", {"f": b"f"})
    made.install(made.environment("env"), f"{cache}/used-1-0")
    names = [f"{name}-1-0{suffix}" for name in ("a-b", "ab") for suffix in (".conda", ".tar.bz2")]
    for name in (*names, "ab-2-0.conda.partial"):
        write(f"{cache}/{name}", b"a")
    options = {"tarballs": True, "unobtainable": True}
    assert going(plan_of(made, **options)) == sorted([*names, "ab-2-0.conda.partial"])
    assert going(plan_of(made, **options, name_glob="a-b")) == names[:2]
    assert going(plan_of(made, **options, name_glob="*-2-0")) == ["ab-2-0.conda.partial"]
    plan = plan_of(made, **options, name_glob="a-b-1-0", older_than_ns=DAY_NS)
    assert plan.remove == ()
    assert {kept.verdict for kept in plan.keep[:-1]} == {Verdict.UNUSED}
    assert reasons(plan)["ab-1-0.conda"] == "does not match --name a-b-1-0"
    assert reasons(plan)["a-b-1-0.conda"] == "used too recently for --older-than"
    later_ns = max(os.lstat(f"{cache}/{name}").st_ctime_ns for name in os.listdir(cache)) + DAY_NS
    assert len(going(plan_of(made, **options, older_than_ns=DAY_NS, now_ns=later_ns))) == 5


def test_a_softlinked_package_is_kept_with_every_option(made):
    path, env = versioned(made, "p-1-0"), made.environment("env")
    symlink(f"{path}/lib", f"{env}/lib")
    plan = plan_of(made, copied=True, unobtainable=True, older_than_ns=0, max_size_bytes=0)
    assert plan.remove == ()
    assert reasons(plan) == {"p-1-0": "symbolic links in env"}


@pytest.mark.parametrize("kind", ["package", "left-over", "quarantine"])
@pytest.mark.parametrize("nested", ["environment", "cache"])
def test_nothing_that_contains_an_environment_or_a_cache_is_removed(made, kind, nested):
    cache = f"{made.directory}/pkgs"
    outer = versioned(made, "p-1-0")
    if kind != "package":
        name = f"{QUARANTINE}/purge-r1-p-1-0" if kind == "quarantine" else "p.trash"
        os.makedirs(f"{cache}/{QUARANTINE}")
        outer = f"{cache}/{name}"
        os.rename(f"{cache}/p-1-0", outer)
    if nested == "environment":
        made.prefixes.append(f"{outer}/env")
        write(f"{outer}/env/conda-meta/history")
    else:
        made.caches.append(f"{outer}/pk")
        os.mkdir(f"{outer}/pk")
    os.symlink(made.directory, f"{made.directory}/again")
    for found in (made.prefixes, made.caches):  # known by another path
        found[:] = [path.replace(f"{cache}/", f"{made.directory}/again/pkgs/") for path in found]
    plan = plan_of(made, trash=True, copied=True, unobtainable=True)
    assert plan.remove == ()
    kept = [(kept.verdict, kept.reason.rpartition(": ")[2]) for kept in plan.keep]
    held = (Verdict.UNVERIFIABLE, "it contains an environment or a package cache")
    assert kept == [held] * (kind != "quarantine")


def test_a_partner_that_was_moved_aside_is_counted_as_its_whole_cache(made):
    """The package at its path now is another one, with other links."""
    path, cache = versioned(made, "p-1-0"), f"{made.directory}/pkgs"
    aside = f"{cache}/{QUARANTINE}/moving-r1-q-1-0"
    os.makedirs(f"{cache}/{QUARANTINE}")
    os.rename(versioned(made, "q-1-0"), aside)
    link(f"{path}/lib/f", f"{aside}/lib/g")
    versioned(made, "q-1-0")
    (partners,) = {item.partners for item in plan_of(made).remove if item.name == "p-1-0"}
    assert partners == (cache,)
