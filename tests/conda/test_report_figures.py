"""Every figure is what du prints, and what is freed when it is really removed."""

from __future__ import annotations

import os
import shutil

import pytest

from conda_hardlink_plugin.scan.inventory import Root, RootKind
from tests.support.disk import size_of, whole
from tests.support.oracles import Model, du
from tests.support.terminal_session import (
    make_prefix,
    package_of,
    plant,
    report_of,
    row_of,
    trees_of,
    unused_of,
)

ENVIRONMENTS = ("work", "sharing", "softlinked")
MEASURES = pytest.mark.parametrize("measure", ["disk", "apparent"])


def remove_packages_only_used_by(report, *names):
    """Remove from the disk the packages that, as `--packages` says, nobody but these uses."""
    removed = []
    for package in report["packages"]:
        users = {user["name"] for user in package["environments"]}
        if users and users <= set(names) and not package["used_outside"]:
            shutil.rmtree(package["path"])
            removed.append(package["name"])
    return removed


@MEASURES
def test_every_row_of_du_is_what_du_prints(installation, measure):
    report = report_of(installation, "--du", measure=measure)
    apparent = measure == "apparent"
    rows = report["du"]
    paths = [row["path"] for row in rows]
    assert sorted(paths) == sorted(trees_of(report))
    added = du(*paths, apparent=apparent)
    assert [row["added_bytes"] for row in rows] == added
    for row in rows:
        assert [row["alone_bytes"]] == du(row["path"], apparent=apparent)
    assert report["totals"]["on_disk_bytes"] == sum(added)
    # One call of du for the folder that contains them all says the same.
    assert [report["totals"]["on_disk_bytes"]] == du(installation.root_prefix, apparent=apparent)


@MEASURES
def test_sizes_are_the_du_rows_and_add_up(installation, measure):
    report = report_of(installation, "--du", measure=measure)
    alone = {row["path"]: row["alone_bytes"] for row in report["du"]}
    base = installation.root_prefix
    inside = [path for path in alone if path.startswith(base + os.sep)]
    [alone[base]] = du(base, apparent=measure == "apparent", exclude=inside)
    for row in report["environments"]:
        assert row["size_bytes"] == alone[row["prefix"]]
        assert row["size_bytes"] == row["shared_bytes"] + row["exclusive_bytes"]
    for row in report["caches"]:
        assert row["size_bytes"] == alone[row["path"]]
        parts = ("used", "kept", "unused", "tarball", "quarantine", "other")
        assert row["size_bytes"] == sum(row[f"{part}_bytes"] for part in parts)
    totals = report["totals"]
    assert totals["as_copies_bytes"] == sum(alone.values())
    assert totals["saved_bytes"] == totals["as_copies_bytes"] - totals["on_disk_bytes"] > 0


def test_inodes_links_and_exclusive_bytes_are_those_of_a_walk_that_keeps_everything(installation):
    report = report_of(installation)
    caches = [Root(RootKind.CACHE, row["path"]) for row in report["caches"]]
    prefixes = [Root(RootKind.ENVIRONMENT, row["prefix"]) for row in report["environments"]]
    model = Model([*caches, *prefixes])
    for row in report["environments"]:
        prefix = row["prefix"]
        assert row["size_bytes"] == model.unique(model.units_of(prefix))
        assert row["exclusive_bytes"] == model.exclusive(model.units_of(prefix))
    rows = [(row["prefix"], row) for row in report["environments"]]
    rows += [(row["path"], row) for row in report["caches"]]
    for path, row in rows:
        assert row["links"] == model.entries(path)
        assert row["inodes"] == model.inodes(path)
    totals = report["totals"]
    assert totals["on_disk_bytes"] == model.unique(model.units)
    assert totals["links"] == sum(model.entries(path) for path, _ in rows)
    assert totals["inodes"] == len(model.things)
    assert totals["saved_inodes"] == sum(row["inodes"] for _, row in rows) - len(model.things) > 0
    assert totals["outside_links"] == len(model.with_outside_links()) == 0


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_exclusive_and_with_clean_are_what_du_loses_when_it_is_removed(changing, name):
    report = report_of(changing, "--packages")
    row = row_of(report, name)
    lengths = row_of(report_of(changing, measure="apparent"), name)
    before, before_lengths = whole(changing), whole(changing, apparent=True)

    shutil.rmtree(row["prefix"])

    assert before - whole(changing) == row["exclusive_bytes"] > 0
    assert before_lengths - whole(changing, apparent=True) == lengths["exclusive_bytes"] > 0

    assert remove_packages_only_used_by(report, name)

    assert before - whole(changing) == row["with_clean_bytes"] > row["exclusive_bytes"]
    assert before_lengths - whole(changing, apparent=True) == lengths["with_clean_bytes"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_exclusive_is_what_du_loses_when_conda_removes_the_environment(changing, name):
    row = row_of(report_of(changing), name)
    before = whole(changing)

    changing.remove(name)

    assert not os.path.exists(row["prefix"])
    assert before - whole(changing) == row["exclusive_bytes"]
    assert name not in [row["name"] for row in report_of(changing)["environments"]]


@MEASURES
def test_if_removed_is_what_du_loses_when_they_are_removed_together(changing, measure):
    names = ("work", "sharing")
    report = report_of(changing, "--packages", "--if-removed", *names, measure=measure)
    freed = report["if_removed"]
    assert sorted(freed["environments"]) == sorted(names)
    apparent = measure == "apparent"
    before = whole(changing, apparent=apparent)

    for name in names:
        shutil.rmtree(changing.prefix(name))

    assert before - whole(changing, apparent=apparent) == freed["exclusive_bytes"]

    # More than the sum of the rows: some packages only the two of them use.
    both = remove_packages_only_used_by(report, *names)
    assert "placeholder-1.0-0" in both
    assert before - whole(changing, apparent=apparent) == freed["with_clean_bytes"]
    rows = [row_of(report, name) for name in names]
    assert freed["with_clean_bytes"] > sum(row["with_clean_bytes"] for row in rows)


def test_two_environments_that_share_inodes_outside_the_cache_free_more_together(changing):
    planted = plant(os.path.join(changing.prefix("work"), "big.bin"))
    os.link(planted, os.path.join(changing.prefix("sharing"), "big.bin"))
    report = report_of(changing, "--if-removed", "work", "sharing")

    alone = sum(row_of(report, name)["exclusive_bytes"] for name in ("work", "sharing"))
    assert report["if_removed"]["exclusive_bytes"] == alone + size_of(planted)


def test_an_environment_inside_another_is_removed_with_it(changing):
    inside = f"{changing.prefix('work')}/envs/inside"
    make_prefix(inside)
    plant(f"{inside}/lib/inside.bin")
    report = report_of(changing, "--search", changing.prefix("work"), "--if-removed", "work")
    freed = report["if_removed"]
    assert (freed["environments"], freed["inside"]) == (["work"], [inside])
    before = whole(changing)

    changing.remove("work")

    assert before - whole(changing) == freed["exclusive_bytes"]
    assert freed["exclusive_bytes"] > row_of(report, "work")["exclusive_bytes"]


def test_repeated_if_removed_options_add_up(installation):
    once = report_of(installation, "--if-removed", "work", "sharing")
    twice = report_of(installation, "--if-removed", "work", "--if-removed", "sharing")
    assert twice["if_removed"] == once["if_removed"]


def test_a_symbolic_link_to_an_environment_cannot_be_removed_as_one(changing):
    os.symlink("work", changing.prefix("also-work"))
    report = report_of(changing)
    assert "also-work" not in [row["name"] for row in report["environments"]]
    assert row_of(report, "work")["prefix"] == changing.prefix("work")
    assert report["aliases"] == {changing.prefix("also-work"): changing.prefix("work")}
    done = changing.hardlinks("report", "--if-removed", "also-work", check=False)
    assert done.returncode == 1
    assert "also-work is a symbolic link: removing it frees nothing." in done.stderr


@pytest.mark.parametrize(("grace", "part"), [("0", "unused"), ("1w", "kept")])
def test_a_cache_is_used_unused_or_kept_tarballs_and_other_as_du_says(installation, grace, part):
    """Everything there was extracted just now: with a grace longer than that it is kept."""
    report = report_of(installation, "--packages", "--grace", grace)
    (cache,) = report["caches"]
    used = [package["path"] for package in report["packages"] if package["environments"]]
    unused = [package["path"] for package in report["packages"] if not package["environments"]]
    names = os.listdir(cache["path"])
    tarballs = [os.path.join(cache["path"], name) for name in names if name.endswith(".conda")]
    assert used
    assert [os.path.basename(path) for path in unused] == ["forgotten-1.0-0"]
    assert cache["used_bytes"] == sum(du(*used))
    assert cache[f"{part}_bytes"] == sum(du(*unused))
    assert cache["tarball_bytes"] == sum(du(*tarballs))
    assert cache["other_bytes"] == du(cache["path"], exclude=[*used, *unused, *tarballs])[0]
    assert cache["packages"] == len(used) + len(unused)
    assert cache[f"{part}_packages"] == len(unused)
    (other,) = {"unused", "kept"} - {part}
    assert cache[f"{other}_bytes"] == cache[f"{other}_packages"] == cache["quarantine_bytes"] == 0


def test_a_package_that_cannot_be_downloaded_again_is_kept(changing):
    """The channel is a folder: without the archive in the cache there is no http(s) URL."""
    os.unlink(f"{changing.pkgs_dir}/forgotten-1.0-0.conda")
    report = report_of(changing, "--packages", "--grace", "0")
    assert unused_of(report) == []
    assert package_of(report, "forgotten-1.0-0")["verdict"] == "unobtainable"
    (cache,) = report["caches"]
    assert cache["kept_bytes"] == du(f"{changing.pkgs_dir}/forgotten-1.0-0")[0]


def test_packages_that_a_clean_moved_aside_are_reported(changing):
    home, quarantine = (
        f"{changing.pkgs_dir}/forgotten-1.0-0",
        f"{changing.pkgs_dir}/.conda-hardlinks",
    )
    options = ("--packages", "--grace", "0")
    before = report_of(changing, *options)
    os.mkdir(quarantine)
    for name, verdict in (
        ("moving-r1-forgotten-1.0-0", "unused"),
        ("purge-r1-forgotten-1.0-0", None),
        ("held-4000000000-r1-forgotten-1.0-0", None),
    ):
        os.rename(home, f"{quarantine}/{name}")
        report = report_of(changing, *options)
        (cache,) = report["caches"]
        moved = [row["verdict"] for row in report["packages"] if "forgotten" in row["path"]]
        assert moved == ([verdict] if verdict else [])
        size = du(f"{quarantine}/{name}")[0]
        figures = (cache["unused_bytes"], cache["quarantine_bytes"])
        assert figures == ((size, 0) if verdict else (0, size))
        interrupted = [text for text in report["warnings"] if "interrupted" in text]
        assert len(interrupted) == (not name.startswith("held-"))
        os.rename(f"{quarantine}/{name}", home)
    os.rmdir(quarantine)
    assert report_of(changing, *options)["packages"] == before["packages"]


@MEASURES
def test_a_package_is_as_large_as_du_of_its_folder(installation, measure):
    report = report_of(installation, "--packages", measure=measure)
    for package in report["packages"]:
        assert [package["size_bytes"]] == du(package["path"], apparent=measure == "apparent")


def test_bytes_per_device_add_up(installation):
    report = report_of(installation)
    (device,) = report["devices"]
    assert device["device"] == os.stat(installation.root_prefix).st_dev
    assert device["on_disk_bytes"] == report["totals"]["on_disk_bytes"]
    assert sorted(device["roots"]) == sorted(trees_of(report))
