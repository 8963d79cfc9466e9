"""Report, explain, dry run and clean say the same, and it is what the disk loses."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.support.conda_cleaning import (
    NOW,
    YES,
    at_once,
    clean,
    explain,
    extract,
    names,
    packages_in,
    read_through,
)
from tests.support.disk import whole
from tests.support.oracles import du
from tests.support.realconda.packages import PackageSpec
from tests.support.terminal_session import report_of, row_of

ONE_OF_EACH_VERDICT = ("forgotten-1.0-0", "library-1.0-0", "library-2.0-0", "metapackage-1.0-0")


def assert_agreement(installation, options, packages=None):
    """That all say the same of every package; the clean is returned."""
    report = report_of(installation, "--packages", *options)
    answer = clean(installation, "--dry-run", *options)
    rows = {row["path"]: row for row in report["packages"]}
    going, staying = ({row["path"]: row for row in answer[part]} for part in ("remove", "keep"))
    assert going.keys() | staying.keys() == rows.keys()
    assert not going.keys() & staying.keys()
    for path, row in rows.items():
        said = going.get(path) or staying[path]
        assert row["unused"] is (path in going)
        assert (row["verdict"], row["size_bytes"]) == (said["verdict"], said["size_bytes"])
        if path in staying:
            assert row["environments"] == said["environments"]
    asked = [path for path in rows if packages is None or os.path.basename(path) in packages]
    explained = at_once(lambda path: explain(installation, path, *options), asked)
    for path, said in zip(asked, explained, strict=True):
        row = rows[path]
        assert (said["path"], said["verdict"]) == (path, row["verdict"])
        assert said["size_bytes"] == row["size_bytes"]
        strongest = {}
        for witness in said["witnesses"]:
            strongest.setdefault((witness["name"], witness["prefix"]), witness["use"])
        users = {(user["name"], user["prefix"]): user["use"] for user in row["environments"]}
        assert strongest == users
        assert bool(said["linked_outside"]) is row["used_outside"]
    unused = sum(row["unused_bytes"] for row in report["caches"])
    assert unused == answer["planned_bytes"]
    return answer


@pytest.mark.parametrize(
    ("options", "packages", "unused"),
    [
        (NOW, None, ["forgotten-1.0-0"]),
        ((), ("forgotten-1.0-0",), []),
        (
            (*NOW, "--ignore-env", "/", "--search", "conda"),
            ONE_OF_EACH_VERDICT,
            ["forgotten-1.0-0"],
        ),
    ],
    ids=["now", "default", "search and ignore"],
)
def test_every_command_says_the_same_of_every_package(installation, options, packages, unused):
    answer = assert_agreement(installation, options, packages)
    assert names(answer["remove"]) == unused
    assert answer["planned_bytes"] == sum(row["size_bytes"] for row in answer["remove"])


def test_commands_agree_in_difficult_cases(changing):
    """Links from outside, links between packages, a user that is only searched for, no URL."""
    cache = changing.pkgs_dir
    held, one, two, lost = (
        extract(cache, PackageSpec(name, files={"f": 9_000}), url=url)
        for name, url in (
            ("held", "https://made.up"),
            ("one", "https://made.up"),
            ("two", "https://made.up"),
            ("lost", None),
        )
    )
    os.link(f"{held}/f", f"{changing.directory}/outside")
    os.link(f"{one}/f", f"{two}/g")
    os.makedirs(f"{changing.directory}/elsewhere/env/conda-meta")
    with open(f"{changing.directory}/elsewhere/env/conda-meta/history", "x", encoding="utf-8"):
        pass
    os.symlink(f"{two}/f", f"{changing.directory}/elsewhere/env/f")
    made = [os.path.basename(path) for path in (held, one, two, lost)]
    search = ("--search", f"{changing.directory}/elsewhere")
    answer = assert_agreement(changing, (*NOW, *search), made)
    assert {row["name"]: row["verdict"] for row in answer["keep"] if row["name"] in made} == {
        "held-1.0-0": "linked",
        "two-1.0-0": "softlinked",
        "lost-1.0-0": "unobtainable",
    }
    assert names(answer["remove"]) == ["forgotten-1.0-0", "one-1.0-0"]


def test_options_that_choose_packages_change_no_verdict(installation):
    """Of a package that is only recorded, a record may say that it has symbolic links."""
    rows = report_of(installation, "--packages", *NOW)["packages"]
    verdicts = {row["path"]: row["verdict"] for row in rows}
    assert "recorded" in verdicts.values()
    for options in (("--copied",), ("--unobtainable",), ("--keep-newest", "9")):
        answer = clean(installation, "--dry-run", *NOW, *options)
        said = {row["path"]: row["verdict"] for row in (*answer["remove"], *answer["keep"])}
        assert said == verdicts


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--tarballs", "--unobtainable", "--copied", "--trash"),
        ("--max-size", "600KiB", "--tarballs", "--unobtainable", "--keep-newest", "1"),
    ],
    ids=" ".join,
)
def test_a_clean_does_what_its_dry_run_shows_to_the_byte(changing, options):
    for name in ("sharing", "work"):
        shutil.rmtree(changing.prefix(name))
    planned = clean(changing, "--dry-run", *NOW, *options)
    assert planned["remove"]
    read, before = read_through(changing.envs_dir), whole(changing)

    answer = clean(changing, *YES, *options)

    freed = before - whole(changing)
    assert freed == planned["planned_bytes"] == answer["planned_bytes"] == answer["freed_bytes"]
    assert (answer["remove"], answer["keep"]) == (planned["remove"], planned["keep"])
    assert answer["removed"] == [row["path"] for row in planned["remove"]]
    assert answer["spared"] == []
    assert read_through(changing.envs_dir) == read


@pytest.mark.parametrize("name", ["work", "sharing", "softlinked"])
def test_remove_then_clean_frees_with_clean_as_it_was_reported(changing, name):
    """The two in turn, as conda and the plugin do them."""
    shutil.rmtree(f"{changing.pkgs_dir}/forgotten-1.0-0")
    row = row_of(report_of(changing, *NOW), name)
    before, packages = whole(changing), packages_in(changing.pkgs_dir)

    changing.remove(name)
    assert before - whole(changing) == row["exclusive_bytes"]
    answer = clean(changing, *YES)

    assert answer["removed"]
    assert answer["freed_bytes"] == row["with_clean_bytes"] - row["exclusive_bytes"]
    assert before - whole(changing) == row["with_clean_bytes"]
    gone = set(packages) - set(packages_in(changing.pkgs_dir))
    assert gone == set(names(answer["remove"]))


def test_removing_two_environments_and_cleaning_frees_what_the_report_said(changing):
    shutil.rmtree(f"{changing.pkgs_dir}/forgotten-1.0-0")
    freed = report_of(changing, *NOW, "--if-removed", "work", "softlinked")["if_removed"]
    before = whole(changing)
    for name in ("work", "softlinked"):
        changing.remove(name)
    assert before - whole(changing) == freed["exclusive_bytes"]
    clean(changing, *YES)
    assert before - whole(changing) == freed["with_clean_bytes"]


def test_a_clean_frees_the_unused_bytes_of_the_report_in_each_cache(changing):
    other = f"{changing.directory}/other/pkgs"
    extract(other, PackageSpec("elsewhere", files={"f": 30_000, "g": 40_000}))
    extract(other, PackageSpec("used", files={"f": 30_000}))
    os.link(f"{other}/used-1.0-0/f", f"{changing.prefix('work')}/f")
    both = ("--cache", changing.pkgs_dir, "--cache", other)
    unused = {
        row["path"]: row["unused_bytes"] for row in report_of(changing, *NOW, *both)["caches"]
    }
    assert unused.keys() == {changing.pkgs_dir, other}
    for cache, unused_bytes in unused.items():
        before = sum(du(f"{cache}/{name}")[0] for name in packages_in(cache))
        answer = clean(changing, *YES, "--cache", cache)
        after = sum(du(f"{cache}/{name}")[0] for name in packages_in(cache))
        assert before - after == answer["freed_bytes"] == unused_bytes > 0
