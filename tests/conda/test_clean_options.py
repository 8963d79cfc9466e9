"""Each option of `conda hardlinks clean`, on packages that conda could have extracted."""

from __future__ import annotations

import json
import os

import pytest

from tests.support.conda_cleaning import (
    NOW,
    URL,
    YES,
    archives_in,
    at_once,
    clean,
    extract,
    kept,
    names,
    packages_in,
    plan,
    read_through,
    use,
    versions,
)
from tests.support.disk import size_of, snapshot, whole
from tests.support.oracles import du
from tests.support.realconda.packages import PackageSpec
from tests.support.terminal_session import plant

FORGOTTEN = "forgotten-1.0-0"


@pytest.fixture
def cache(tmp_path):
    """A package cache that conda does not know: with `--cache` it alone is cleaned."""
    folder = tmp_path / "pkgs"
    folder.mkdir()
    return str(folder)


@pytest.fixture
def assorted(cache):
    """A cache with versions of two packages."""
    versions(cache, "ver", "1.9", "1.10", "1.10rc1", "0.5")
    versions(cache, "other", "2.0")
    extract(cache, PackageSpec("ver", "1.10", "1", build_number=1, files={"lib/f": 100}))
    return cache


def going(installation, cache, *options):
    """The names of what a clean of this cache would remove."""
    return sorted(names(plan(installation, "--cache", cache, *options)["remove"]))


@pytest.mark.parametrize(
    ("count", "gone"),
    [
        ("0", ["0.5-0", "1.10-0", "1.10-1", "1.10rc1-0", "1.9-0"]),
        ("3", ["0.5-0", "1.9-0"]),
    ],
)
def test_the_newest_of_each_name_are_kept_in_condas_order(installation, assorted, count, gone):
    answer = plan(installation, "--cache", assorted, "--keep-newest", count)
    others = ["other-2.0-0"] * (count == "0")
    assert sorted(names(answer["remove"])) == [*others, *(f"ver-{end}" for end in gone)]
    if count != "0":
        assert kept(answer, "ver-1.10-1")["reason"] == f"kept by --keep-newest {count}"


def test_the_newest_are_counted_in_each_cache_whether_used_or_not(changing, cache):
    versions(cache, "library", "0.1", "0.2")
    versions(changing.pkgs_dir, "library", "0.3", "1.5")
    both = ("--cache", cache, "--cache", changing.pkgs_dir)
    answer = plan(changing, *both, "--keep-newest", "2")
    # library 2.0 and 1.5 are the newest of conda's own, 1.0 is in use.
    assert names(answer["remove"]) == ["library-0.3-0"]


def test_an_invalid_version_is_older_than_any_other(installation, cache):
    versions(cache, "odd", "0.1", "0.2")
    record = f"{cache}/odd-0.2-0/info/repodata_record.json"
    with open(record, encoding="utf-8") as file:
        content = json.load(file)
    with open(record, "w", encoding="utf-8") as file:
        json.dump({**content, "version": "not a version"}, file)
    assert going(installation, cache, "--keep-newest", "1") == ["odd-0.2-0"]


def test_older_than_keeps_packages_that_were_used_since(installation, assorted):
    answer = plan(installation, "--cache", assorted, "--older-than", "1w")
    assert answer["remove"] == []
    assert kept(answer, "ver-1.9-0")["reason"] == "used too recently for --older-than"
    assert kept(answer, "ver-1.9-0")["verdict"] == "unused"
    assert len(going(installation, assorted, "--older-than", "0")) == 6


@pytest.mark.parametrize(("glob", "gone"), [("ver", 5), ("v?r-[01].?-0", 2)])
def test_a_shell_pattern_matches_the_name_or_the_full_name(installation, assorted, glob, gone):
    answer = plan(installation, "--cache", assorted, "--name", glob)
    assert len(answer["remove"]) == gone
    for row in answer["keep"]:
        if row["path"].startswith(assorted):
            assert row["reason"] == f"does not match --name {glob}"


def test_max_size_removes_the_least_recently_used_packages_first(installation, cache):
    paths = versions(cache, "p", "1", "2", "3", "4", size=30_000)
    use(paths[0], after=paths[-1])
    order = [*paths[1:], paths[0]]
    everything, sizes = du(cache)[0], [du(path)[0] for path in order]

    def most(limit):
        return plan(installation, "--cache", cache, "--max-size", str(limit))

    numbers = (0, 2, 4)
    limits = [everything - sum(sizes[:number]) for number in numbers]
    plans = at_once(most, [each for limit in limits for each in (limit, limit - 1)])
    for number, enough, more in zip(numbers, plans[::2], plans[1::2], strict=True):
        assert [row["path"] for row in enough["remove"]] == order[:number]
        assert enough["planned_bytes"] == sum(sizes[:number])
        assert enough["too_big"] == {}
        assert [row["path"] for row in more["remove"]] == order[: number + 1]
        assert more["too_big"] == ({} if number < 4 else {cache: 1})
    stays = kept(plans[0], "p-1-0")
    assert (stays["verdict"], stays["reason"]) == (
        "unused",
        "its cache fits --max-size without removing it",
    )


def test_a_cache_that_stays_too_large_is_named_with_its_excess(installation, cache):
    """What is no package is in the way, whether there are packages or not."""
    plant(f"{cache}/made-up-1.0-0.conda", 70_000)
    options = ("--cache", cache, "--max-size", "10kB")
    assert plan(installation, *options)["too_big"] == {cache: du(cache)[0] - 10_000}
    versions(cache, "p", "1")
    done = installation.hardlinks("clean", *YES, *options)
    assert packages_in(cache) == []
    assert f"! {cache} is still 66.2 KiB larger than --max-size." in done.stdout
    assert plan(installation, *options)["too_big"] == {cache: du(cache)[0] - 10_000}


def test_copied_packages_are_removed_only_on_request_and_nothing_breaks(changing):
    changing.create("copied", "forgotten", env={"CONDA_ALWAYS_COPY": "true"})
    assert os.lstat(f"{changing.prefix('copied')}/lib/forgotten.bin").st_nlink == 1
    answer = plan(changing)
    assert answer["remove"] == []
    assert kept(answer, FORGOTTEN)["reason"] == "recorded in copied"
    read = read_through(changing.envs_dir)
    answer = clean(changing, *YES, "--copied", "--name", "forgotten")
    assert [(row["name"], row["verdict"]) for row in answer["remove"]] == [(FORGOTTEN, "recorded")]
    assert answer["removed"] == [f"{changing.pkgs_dir}/{FORGOTTEN}"]
    assert read_through(changing.envs_dir) == read


@pytest.mark.parametrize("url", [None, "ftp://made.up"])
def test_unobtainable_packages_are_removed_only_on_request(installation, cache, url):
    extract(cache, PackageSpec("lost", files={"f": 10}), url=url)
    extract(cache, PackageSpec("kept-as-archive", files={"f": 10}), url=url, archive=True)
    extract(cache, PackageSpec("fetched", files={"f": 10}), url="http://made.up")
    answer = plan(installation, "--cache", cache)
    assert names(answer["remove"]) == ["fetched-1.0-0", "kept-as-archive-1.0-0"]
    stays = kept(answer, "lost-1.0-0")
    reason = "it cannot be downloaded again: it has no archive and no http(s) URL"
    assert (stays["verdict"], stays["reason"]) == ("unobtainable", reason)
    answer = clean(installation, *YES, "--cache", cache, "--unobtainable")
    assert [row["verdict"] for row in answer["remove"]] == ["unused", "unused", "unobtainable"]
    assert os.listdir(cache) == ["kept-as-archive-1.0-0.conda"] or packages_in(cache) == []


def test_archives_are_removed_if_they_are_extracted_or_unused(changing):
    """Of the folders only the one that nobody uses goes, and the environments stay as they are."""
    cache = changing.pkgs_dir
    for name in ("library-1.0-0", "library-2.0-0"):  # as if it had been fetched
        with open(f"{cache}/{name}/info/repodata_record.json", "r+", encoding="utf-8") as file:
            text = file.read().replace("file://", "https://made.up")
            file.seek(0)
            file.write(text)
    os.rename(f"{cache}/library-2.0-0", f"{changing.directory}/library-2.0-0")
    plant(f"{cache}/never-1.0-0.tar.bz2", 9_000)
    plant(f"{cache}/unknown-1.0-0.conda", 9_000)
    with open(f"{cache}/urls.txt", "a", encoding="utf-8") as file:
        file.write(f"{URL}/never-1.0-0.tar.bz2\n{URL}/noarch/library-2.0-0.conda\n")
    there = archives_in(cache)
    before, size = snapshot(changing.envs_dir), whole(changing)

    answer = clean(changing, *YES, "--tarballs")

    gone = ["library-1.0-0.conda", "never-1.0-0.tar.bz2"]
    assert sorted(names(answer["remove"])) == sorted([FORGOTTEN, *gone])
    assert archives_in(cache) == [name for name in there if name not in gone]
    assert size - whole(changing) == answer["freed_bytes"] == answer["planned_bytes"]
    assert snapshot(changing.envs_dir) == before
    for name, verdict, reason in (
        (
            "library-2.0-0.conda",
            "recorded",
            "its package is in an environment and not extracted here",
        ),
        (
            "unknown-1.0-0.conda",
            "unobtainable",
            "cannot be downloaded again: no http(s) URL is known",
        ),
        (
            "placeholder-1.0-0.conda",
            "unobtainable",
            "cannot be downloaded again: no http(s) URL is known",
        ),
    ):
        stays = kept(answer, name)
        assert (stays["verdict"], stays["reason"]) == (verdict, reason)

    answer = clean(changing, *YES, "--tarballs", "--unobtainable")
    assert archives_in(cache) == ["library-2.0-0.conda"]


def test_a_recent_archive_and_a_recent_left_over_are_kept(installation, cache):
    plant(f"{cache}/new-1.0-0.conda", 10)
    plant(f"{cache}/new.c~", 10)
    with open(f"{cache}/urls.txt", "x", encoding="utf-8") as file:
        file.write(f"{URL}/new-1.0-0.conda\n")
    options = ("--cache", cache, "--tarballs", "--trash")
    answer = clean(installation, "--dry-run", *options)
    assert answer["remove"] == []
    for name in ("new-1.0-0.conda", "new.c~"):
        assert kept(answer, name)["verdict"] == "recent"
        assert kept(answer, name)["reason"] == "it changed a moment ago"
    assert names(plan(installation, *options)["remove"]) == ["new.c~", "new-1.0-0.conda"]


def test_left_overs_are_removed_and_similar_names_are_kept(changing):
    cache, prefix = changing.pkgs_dir, changing.prefix("work")
    left = [".trash", "a.c~", "b-1.0-0.trash", "c.conda_trash", "c.conda_trash_3", "d.mamba_trash"]
    for name in left:
        plant(f"{cache}/{name}", 5_000)
    plant(f"{cache}/folder.c~/info/index.json", 5_000)
    os.link(f"{prefix}/lib/liblibrary.so", f"{cache}/linked.c~")
    similar = [f"{cache}/trash", f"{cache}/c~", f"{cache}/a.c~x", f"{prefix}/etc/my.c~"]
    similar += [f"{prefix}/.tmp.index.json", f"{prefix}/.tmp.index.json.xyz"]
    for path in similar:
        plant(path, 10)
    before, size = snapshot(*similar), whole(changing)

    answer = clean(changing, *YES, "--trash", "--name", "nothing")

    assert sorted(names(answer["remove"])) == sorted([*left, "folder.c~", "linked.c~"])
    assert all(row["verdict"] == "unused" for row in answer["remove"])
    assert not any(os.path.lexists(f"{cache}/{name}") for name in left)
    assert size - whole(changing) == answer["freed_bytes"] == answer["planned_bytes"]
    assert snapshot(*similar) == before


def test_a_clean_removes_a_trial_link_and_the_next_one_its_package(changing):
    prefix, package = changing.prefix("work"), f"{changing.pkgs_dir}/{FORGOTTEN}"
    os.symlink("work", changing.prefix("also-work"))  # found twice, removed once
    probe = f"{prefix}/.tmp.index.json.0123abcd"
    alone = plant(f"{prefix}/.tmp.index.json.89abcdef", 5_000)
    os.link(f"{package}/info/index.json", probe)
    assert kept(plan(changing), FORGOTTEN)["reason"] == "hard links in work"
    assert clean(changing, "--dry-run", "--trash")["trial_links"] == []  # they are young

    planned, before = plan(changing, "--trash"), whole(changing)
    answer = clean(changing, *YES, "--trash")

    assert answer["trial_links"] == planned["trial_links"] == [probe, alone]
    assert before - whole(changing) == answer["freed_bytes"] == planned["planned_bytes"] > 0
    assert not os.path.lexists(probe)
    assert os.path.isdir(package)
    assert names(clean(changing, *YES)["remove"]) == [FORGOTTEN]
    assert not os.path.lexists(package)


def test_only_the_named_cache_is_cleaned(changing, cache):
    versions(cache, "p", "1", "2")
    link = f"{changing.directory}/link"
    os.symlink(cache, link)
    untouched = snapshot(changing.pkgs_dir)
    answer = clean(changing, *YES, "--cache", f"{link}/")
    assert names(answer["remove"]) == ["p-1-0", "p-2-0"]
    assert packages_in(cache) == []
    assert snapshot(changing.pkgs_dir) == untouched
    assert FORGOTTEN not in names(answer["keep"]), "it is in a cache that nobody named"


def test_a_package_that_two_caches_share_frees_its_bytes_once(changing, cache):
    for name, options in (("one", ()), ("two", ("--cache", changing.pkgs_dir))):
        path = f"{cache}/{name}"
        extract(path, PackageSpec("p", files={"lib/f": 30_000}))
        source = f"{changing.pkgs_dir}/{FORGOTTEN}/lib/forgotten.bin"
        os.link(source, f"{path}/p-1.0-0/lib/g")
        answer = plan(changing, "--cache", path, *options)
        both = du(path + "/p-1.0-0", f"{changing.pkgs_dir}/{FORGOTTEN}")
        if options:  # all links of the shared file go
            assert answer["planned_bytes"] == sum(both)
        else:
            assert answer["planned_bytes"] == both[0] - size_of(source)
        os.unlink(f"{path}/p-1.0-0/lib/g")


@pytest.mark.parametrize("grace", [("--grace", "1w"), ()], ids=["1w", "default"])
def test_recent_packages_are_kept(installation, grace):
    answer = clean(installation, "--dry-run", *grace)
    stays = kept(answer, FORGOTTEN)
    reason = "extracted or about to be linked a moment ago"
    assert (stays["verdict"], stays["reason"]) == ("recent", reason)
    assert answer["remove"] == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--older",), "unrecognized arguments: --older"),
        (
            ("--older-than", "30"),
            "'30' is not a duration: give one such as 90s, 15m, 12h, 30d or 2w",
        ),
        (
            ("--max-size", "20 gigs"),
            "'20 gigs' is not a size: give one such as 20GiB, 500MB or 4096",
        ),
        (("--keep-newest", "-1"), "'-1' is not a number of packages: give 0, 1, 2 or more"),
    ],
    ids=repr,
)
def test_wrong_usage_gives_one_sentence_and_exit_code_2(installation, options, sentence):
    done = installation.hardlinks("clean", *NOW, *options, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (error,) = (line for line in done.stderr.splitlines() if "error: " in line)
    assert error.endswith(sentence)
    assert "usage: conda" in done.stderr
