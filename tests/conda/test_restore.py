"""`clean --keep` holds what it removes; `restore` lists it and brings it back."""

from __future__ import annotations

import json
import os
import shutil
import time

from conda_hardlink_plugin.formatting import size
from tests.support.conda_cleaning import (
    YES,
    archives_in,
    clean,
    extract,
    names,
    packages_in,
    plan,
    read_through,
    restore,
    versions,
)
from tests.support.disk import snapshot, whole
from tests.support.oracles import du
from tests.support.realconda.packages import PackageSpec
from tests.support.terminal_session import plant

FORGOTTEN = "forgotten-1.0-0"
WEEK = 7 * 24 * 3600


def as_it_was(path):
    """A tree with its times but the one that a rename changes."""
    return {name: (*state[:9], *state[10:]) for name, state in snapshot(path).items()}


def test_held_packages_take_space_and_come_back_unchanged(changing):
    package = f"{changing.pkgs_dir}/{FORGOTTEN}"
    before, on_disk, (held_bytes,) = as_it_was(package), whole(changing), du(package)
    planned, started = plan(changing, "--keep", "7d"), int(time.time())
    assert (planned["planned_bytes"], planned["held_bytes"]) == (0, held_bytes)

    answer = clean(changing, *YES, "--keep", "7d")

    run = answer["run"]
    assert answer["held"] == [package]
    assert answer["removed"] == []
    assert answer["freed_bytes"] == 0
    assert not os.path.lexists(package)
    (row,) = restore(changing)["held"]
    assert started + WEEK <= row.pop("expires_s") <= time.time() + WEEK
    assert row == {
        "run": run,
        "cache": changing.pkgs_dir,
        "homes": [FORGOTTEN],
        "size_bytes": held_bytes,
    }
    quarantine = f"{changing.pkgs_dir}/.conda-hardlinks"
    assert whole(changing) - on_disk == du(quarantine)[0] - held_bytes
    # It is neither a package nor unused any more, and no clean frees it yet.
    assert plan(changing)["remove"] == []
    assert clean(changing, *YES, "--tarballs", "--trash")["freed_bytes"] == 0

    assert restore(changing, run)["restored"] == [package]

    assert as_it_was(package) == before
    assert restore(changing)["held"] == []
    assert names(plan(changing)["remove"]) == [FORGOTTEN]


def test_restore_lists_held_packages_with_their_expiry_and_the_command(changing):
    versions(changing.pkgs_dir, "p", "1", "2", "3")
    total = 3 * du(f"{changing.pkgs_dir}/p-1-0")[0]
    done = changing.hardlinks("clean", *YES, "--keep", "36h", "--name", "p")
    assert f"This moves {size(total)} ({total:,} bytes) aside and frees 0 B now." in done.stdout
    (lead, run) = done.stdout.splitlines()[-2].split(" To restore them: ")
    assert lead == "Moved aside: 3 items."
    assert done.stdout.endswith("\nFreed 0 B (0 bytes).\n")
    changing.hardlinks("clean", *YES, "--keep", "7d", "--name", "forgotten")

    text = changing.hardlinks("restore").stdout

    heading, first, second, hint = text.splitlines()
    assert heading.split() == ["ID", "SIZE", "EXPIRY", "CONTENTS", "CACHE"]
    expires = restore(changing)["held"][0]["expires_s"]
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(expires))
    assert first.split("  ")[0] == run.split()[-1]
    assert f"  {until}  p-1-0, p-2-0, p-3-0  {changing.pkgs_dir}" in first
    assert f"  {FORGOTTEN}  " in second
    assert hint == "To restore a run: conda hardlinks restore ID"

    done = changing.run(*run.split())
    assert done.stdout == "3 items restored.\n"
    assert [name for name in packages_in(changing.pkgs_dir) if name[:2] == "p-"] == [
        "p-1-0",
        "p-2-0",
        "p-3-0",
    ]
    assert [row["homes"] for row in restore(changing)["held"]] == [[FORGOTTEN]]


def test_a_hold_of_zero_expires_at_once(changing):
    (held_bytes,) = du(f"{changing.pkgs_dir}/{FORGOTTEN}")
    run = clean(changing, *YES, "--keep", "0")["run"]
    before = whole(changing)
    planned = plan(changing)
    assert [row["action"] for row in planned["remove"]] == ["finish"]
    # Until then it can still be had back.
    restore(changing, run)
    clean(changing, *YES, "--keep", "0")

    answer = clean(changing, *YES, "--keep", "7d")

    assert (names(answer["remove"]), answer["held"]) == ([FORGOTTEN], [])
    assert before - whole(changing) == answer["freed_bytes"] == held_bytes
    assert planned["planned_bytes"] == held_bytes
    assert restore(changing)["held"] == []


def test_a_package_that_was_extracted_again_is_not_replaced(changing):
    """Conda has fetched the package again; the others of the run come back all the same."""
    cache = changing.pkgs_dir
    versions(cache, "p", "1", "2")
    run = clean(changing, *YES, "--keep", "7d")["run"]
    changing.create("again", "forgotten")
    taken = read_through(f"{cache}/{FORGOTTEN}", changing.prefix("again"))

    done = changing.hardlinks("restore", run, check=False)

    assert done.returncode == 1
    assert done.stdout == (
        f"2 items restored.\n! {cache}/{FORGOTTEN}: something else is there now.\n"
    )
    assert read_through(f"{cache}/{FORGOTTEN}", changing.prefix("again")) == taken
    answer = restore(changing, run, code=1)
    assert answer["restored"] == []
    assert answer["errors"] == [f"{cache}/{FORGOTTEN}: something else is there now"]
    assert [row["homes"] for row in restore(changing)["held"]] == [[FORGOTTEN]]
    shutil.rmtree(f"{cache}/{FORGOTTEN}")
    assert restore(changing, run)["restored"] == [f"{cache}/{FORGOTTEN}"]


def test_archives_left_overs_and_packages_of_every_cache_come_back_together(changing):
    other = f"{changing.directory}/other/pkgs"
    extract(f"{other}/https/made.up/noarch", PackageSpec("nested", noarch="generic"))
    plant(f"{changing.pkgs_dir}/folder.conda_trash/deep/file", 9_000)
    plant(f"{changing.pkgs_dir}/file.c~", 9_000)
    before = {cache: read_through(cache) for cache in (changing.pkgs_dir, other)}
    caches = ("--cache", changing.pkgs_dir, "--cache", other)
    everything = ("--tarballs", "--trash", "--unobtainable", "--copied")
    on_disk = whole(changing) + du(other)[0]
    answer = clean(changing, *YES, *caches, *everything, "--keep", "1d")
    assert answer["held"] == [row["path"] for row in answer["remove"]]
    assert archives_in(changing.pkgs_dir) == []
    aside = sum(du(f"{cache}/.conda-hardlinks")[0] for cache in before)
    assert aside - answer["held_bytes"] == whole(changing) + du(other)[0] - on_disk
    assert {row["cache"] for row in restore(changing, "--cache", other)["held"]} == set(before)

    restored = restore(changing, answer["run"], "--cache", other)["restored"]

    assert sorted(restored) == sorted(answer["held"])
    for cache, content in before.items():
        now = {
            path: there
            for path, there in read_through(cache).items()
            if path in content and path not in (cache, f"{cache}/.conda-hardlinks")
        }
        assert now == content


def test_an_unknown_run_gives_one_sentence_and_exit_code_1(installation):
    done = installation.hardlinks("restore", "no\x1b-such", check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "NotFoundError: No run no\\x1b-such holds anything: `conda hardlinks restore` lists the"
        " runs that do."
    )
    done = installation.hardlinks("restore", "--json", "nothing", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["exception_name"] == "NotFoundError"
    text = installation.hardlinks("restore").stdout
    hint = "To hold what a clean removes: conda hardlinks clean --keep 7d"
    assert text == f"Nothing is held. {hint}\n"


def test_the_remains_of_an_interrupted_run_cannot_be_restored(changing):
    quarantine = f"{changing.pkgs_dir}/.conda-hardlinks"
    os.mkdir(quarantine, 0o700)
    plant(f"{quarantine}/purge-r1-a-1-0/f", 10)
    os.rename(f"{changing.pkgs_dir}/{FORGOTTEN}", f"{quarantine}/moving-r1-{FORGOTTEN}")
    assert restore(changing)["held"] == []
    done = changing.hardlinks("restore", "r1", check=False)
    assert done.returncode == 1
    assert "No run r1 holds anything" in done.stderr
    assert sorted(os.listdir(quarantine)) == [f"moving-r1-{FORGOTTEN}", "purge-r1-a-1-0"]


def test_wrong_usage_gives_exit_code_2(installation):
    done = installation.hardlinks("restore", "one", "another", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: " in done.stderr
