"""Conda's own scenarios for `conda clean`, told for ours, and those that conda fails.

The first part follows tests/cli/test_main_clean.py of conda.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.conda.test_unreadable_paths import as_ordinary_user
from tests.support.conda_cleaning import (
    NOW,
    YES,
    archives_in,
    clean,
    clean_as_ordinary_user,
    extract,
    kept,
    mode_of,
    names,
    packages_in,
    plan,
    read_through,
)
from tests.support.disk import snapshot, whole
from tests.support.oracles import du
from tests.support.realconda.packages import PackageSpec
from tests.support.terminal_session import plant

FORGOTTEN = "forgotten-1.0-0"
SOFT = {"CONDA_ALWAYS_SOFTLINK": "1"}

# A conda of which every lstat fails.
_BLIND = """\
import os, sys


def lstat(*arguments, **options):
    raise OSError(5, "Input/output error")


os.lstat = lstat
from conda.cli import main

sys.exit(main())
"""


@pytest.mark.parametrize("way", ["the package", "the environment"])
def test_a_package_is_kept_until_its_last_environment_is_removed(changing, way):
    changing.create("user", "forgotten")
    assert kept(clean(changing, *YES), FORGOTTEN)["reason"] == "hard links in user"
    assert FORGOTTEN in packages_in(changing.pkgs_dir)
    if way == "the package":
        changing.conda("remove", "-q", "-y", "-n", "user", "--offline", "forgotten")
    else:
        changing.remove("user")
    assert names(clean(changing, *YES)["remove"]) == [FORGOTTEN]
    assert FORGOTTEN not in packages_in(changing.pkgs_dir)


def test_archives_are_removed_although_an_environment_uses_their_packages(changing):
    changing.create("user", "forgotten")
    answer = clean(changing, *YES, "--tarballs", "--trash", "--unobtainable", "-v")
    assert f"{FORGOTTEN}.conda" in names(answer["remove"])
    assert archives_in(changing.pkgs_dir) == []
    assert FORGOTTEN in packages_in(changing.pkgs_dir)
    changing.remove("user")
    # Without its archive it could not be had again, from a channel that is a folder.
    assert clean(changing, *YES)["remove"] == []
    assert names(clean(changing, *YES, "--unobtainable")["remove"]) == [FORGOTTEN]


def test_partial_downloads_are_removed_with_the_archives(installation, tmp_path):
    partial = [f"{tmp_path}/fake-1.0-0{suffix}.partial" for suffix in (".conda", ".tar.bz2")]
    for path in partial:
        plant(path, 10)
    clean(installation, *YES, "--cache", str(tmp_path), "--tarballs")
    assert not any(map(os.path.lexists, partial))


def test_every_cache_of_conda_is_cleaned(changing):
    other = f"{changing.directory}/other/pkgs"
    spec = PackageSpec("library", "1.0", files={"lib/liblibrary.so": 70_000, "include/l.h": 900})
    extract(other, spec)
    both = {"CONDA_PKGS_DIRS": os.pathsep.join([other, changing.pkgs_dir]).replace(":", ",")}
    read, size = read_through(changing.envs_dir), du(other, changing.pkgs_dir)
    answer = clean(changing, *YES, env=both)
    # Of two of the same name the one goes that nobody has links to.
    assert answer["removed"] == [f"{changing.pkgs_dir}/{FORGOTTEN}", f"{other}/library-1.0-0"]
    assert sum(size) - sum(du(other, changing.pkgs_dir)) == answer["freed_bytes"]
    assert read_through(changing.envs_dir) == read
    text = changing.hardlinks("clean", "--dry-run", *NOW, "-v", env=both).stdout
    assert "There is nothing to remove." in text


def test_empty_caches_are_not_an_error(installation, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for folders in (str(empty), f"{tmp_path}/none", f"{empty},{tmp_path}/none"):
        env = {"CONDA_PKGS_DIRS": folders}
        done = installation.hardlinks("clean", *YES, "--tarballs", "--trash", env=env)
        assert (done.stdout, done.stderr) == ("There is nothing to remove.\n", "")
    assert os.listdir(empty) == []


@pytest.mark.parametrize("options", [("--json",), ()], ids=["json", "text"])
def test_nothing_is_removed_if_lstat_fails(installation, options):
    before = snapshot(installation.directory)
    command = ("hardlinks", "clean", *YES, "--tarballs", "--trash", "--unobtainable", *options)
    python = f"{installation.root_prefix}/bin/python"
    done = installation.run(python, "-c", _BLIND, *command, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    assert FORGOTTEN not in done.stdout.partition('"keep"')[0]
    assert snapshot(installation.directory) == before


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "searched for"])
def test_a_softlinked_environment_keeps_every_file(changing, listed):
    prefix = f"{changing.directory}/elsewhere/soft"
    register = {"CONDA_REGISTER_ENVS": str(listed).lower()}
    options = ("-q", "-p", prefix, *changing.source_options)
    changing.conda("create", *options, "forgotten", env={**SOFT, **register})
    search = () if listed else ("--search", f"{changing.directory}/elsewhere")
    if not listed:
        os.unlink(f"{prefix}/conda-meta/{FORGOTTEN}.json")  # the links alone are to tell
    package = f"{changing.pkgs_dir}/{FORGOTTEN}"
    files = [path for path in read_through(package) if os.path.isfile(path)]
    assert all(os.lstat(path).st_nlink == 1 for path in files)  # what conda clean goes by
    assert names(plan(changing)["remove"]) == ([] if listed else [FORGOTTEN])
    read = read_through(changing.envs_dir, prefix)

    answer = clean(changing, *YES, *search, "--unobtainable", "--tarballs", "--trash", "--copied")

    assert kept(answer, FORGOTTEN)["verdict"] == "softlinked"
    assert FORGOTTEN not in names(answer["remove"])
    assert read_through(changing.envs_dir, prefix) == read


def test_links_inside_a_package_and_between_packages_do_not_count_as_use(changing):
    cache = changing.pkgs_dir
    links = {"libexec/one": "bin/it", "libexec/two": "bin/it"}
    within = extract(cache, PackageSpec("within", files={"bin/it": 40_000}, hard_links=links))
    one, two = (extract(cache, PackageSpec(name, files={"f": 10_000})) for name in ("one", "two"))
    os.link(f"{one}/f", f"{two}/g")
    assert os.lstat(f"{within}/bin/it").st_nlink == 3
    assert os.lstat(f"{two}/g").st_nlink == 2
    size = whole(changing)
    answer = clean(changing, *YES)
    assert answer["removed"] == [f"{cache}/{FORGOTTEN}", one, two, within]
    assert size - whole(changing) == answer["freed_bytes"] == answer["planned_bytes"]


def test_packages_without_linkable_files_are_kept_while_they_are_used(changing):
    users = ("softlinked", "sharing", "work")
    packages = ("all-placeholder-1.0-0", "metapackage-1.0-0")
    for name in packages:
        files = read_through(f"{changing.pkgs_dir}/{name}")
        assert all(os.path.isdir(path) or os.lstat(path).st_nlink == 1 for path in files)
    answer = clean(changing, *YES)
    assert [kept(answer, name)["verdict"] for name in packages] == ["recorded", "recorded"]
    for name in users:
        shutil.rmtree(changing.prefix(name))
    answer = clean(changing, *YES)
    assert set(packages) < set(names(answer["remove"]))
    assert packages_in(changing.pkgs_dir) == []


@pytest.mark.parametrize("where", ["environment", "package", "conda-meta"])
def test_an_unreadable_path_keeps_the_packages_that_it_may_use(changing, where):
    """Of what cannot be read nobody knows whether it uses a package."""
    folder = {
        "environment": f"{changing.prefix('work')}/lib",
        "package": f"{changing.pkgs_dir}/{FORGOTTEN}/lib",
        "conda-meta": f"{changing.prefix('softlinked')}/conda-meta",
    }[where]
    before = snapshot(changing.directory)
    blocks = where != "package"
    with mode_of(folder, 0):
        answer = clean_as_ordinary_user(changing, *YES, "--unobtainable", code=int(blocks))
    assert kept(answer, FORGOTTEN)["verdict"] == "unverifiable"
    assert kept(answer, FORGOTTEN)["reason"].startswith(f"{folder}: ")
    assert FORGOTTEN not in names(answer["remove"])
    assert answer["freed_bytes"] == 0
    assert [error.startswith(f"{folder} cannot be") for error in answer["errors"]] == [
        True
    ] * blocks
    assert all("Make it readable" in error for error in answer["errors"])  # it is not gone
    after = snapshot(changing.directory)
    assert after.keys() == before.keys()
    changed = {os.fsdecode(path).rstrip("/") for path in before if after[path] != before[path]}
    assert changed == {folder}  # its mode was changed and changed back


@contextmanager
def immutable(package):
    """A file of which only the system's administrator can say that it may go."""
    path = f"{package}/lib/forgotten.bin"
    if subprocess.run(["chattr", "+i", path], check=False, capture_output=True).returncode:
        pytest.skip("no file can be made immutable here")
    cache = os.path.dirname(package)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-R", "-f", "-i", cache], check=False)


@contextmanager
def mounted(package):
    """Another filesystem in a package."""
    folder = f"{package}/lib/mounted"
    os.mkdir(folder)
    command = ["mount", "-t", "tmpfs", "none", folder]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    plant(f"{folder}/on-it", 10)
    try:
        yield
    finally:
        with open("/proc/self/mounts", encoding="utf-8") as file:
            (place,) = (line.split()[1] for line in file if line.split()[1].endswith("/mounted"))
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mount is that of Linux")
def test_a_package_with_a_mount_inside_is_kept(changing):
    with mounted(f"{changing.pkgs_dir}/{FORGOTTEN}"):
        answer = clean(changing, *YES)
        point = f"{changing.pkgs_dir}/{FORGOTTEN}/lib/mounted"
        assert kept(answer, FORGOTTEN)["reason"] == f"{point}: something is mounted there"
    assert names(clean(changing, *YES)["remove"]) == [FORGOTTEN]


@pytest.mark.skipif(sys.platform != "linux", reason="chattr is that of Linux")
def test_a_failed_removal_is_named_and_gives_exit_code_1(changing):
    with immutable(f"{changing.pkgs_dir}/{FORGOTTEN}"):
        text = changing.hardlinks("clean", *YES, check=False)
        assert text.returncode == 1
        assert f"-{FORGOTTEN}: " in text.stdout
        answer = clean(changing, *YES, code=1)
        (error,) = answer["errors"]
        quarantine = f"{changing.pkgs_dir}/.conda-hardlinks"
        assert error.startswith(f"{quarantine}/purge-")
        assert answer["removed"] == []
    # What was given up goes as soon as it can.
    assert names(clean(changing, *YES)["remove"]) == [FORGOTTEN]
    assert [name for name in os.listdir(quarantine) if name != "lock"] == []


def test_a_cache_that_cannot_be_written_is_skipped_or_refused(changing):
    cache = changing.pkgs_dir
    with mode_of(cache, 0o555):
        answer = clean_as_ordinary_user(changing, *YES)
        reason = "its cache is not cleaned: it is read-only for you"
        assert kept(answer, FORGOTTEN)["reason"] == reason
        answer = clean_as_ordinary_user(changing, *YES, "--cache", cache, code=1)
        assert answer["errors"] == [f"{cache} cannot be cleaned: it is read-only for you"]
        command = ("conda", "hardlinks", "clean", *YES, "--cache", cache)
        done = as_ordinary_user(changing, *command)
        assert done.returncode == 1
        assert f"{cache} cannot be cleaned: it is read-only for you." in done.stderr
    assert FORGOTTEN in packages_in(cache)


def rattler_package(cache, name, *, finished=True):
    """Put a package into a cache as rattler does: not a word on its origin, and a lock beside it.

    Where these facts are from: docs/explanation/package-caches.md.
    """
    spec = PackageSpec(name, files={"lib/f": 20_000}, noarch="generic")
    extracted = extract(f"{cache}/elsewhere", spec)
    path = f"{cache}/{spec.dist}-{'ab' * 32}"
    os.rename(extracted, path)
    os.rmdir(f"{cache}/elsewhere")
    os.unlink(f"{path}/info/repodata_record.json")
    if finished:
        plant(f"{path}.lock", 40)
    return path


def test_nested_packages_in_the_cache_of_mamba_are_cleaned(changing):
    cache = f"{changing.directory}/mamba/pkgs"
    folder = f"{cache}/https/conda.anaconda.org/conda-forge/noarch"
    for name in ("unused", "used", "recorded"):
        spec = PackageSpec(name, files={"lib/f": 20_000}, noarch="generic")
        extract(folder, spec, url="https://conda.anaconda.org/conda-forge", archive=True)
    os.link(f"{folder}/used-1.0-0/lib/f", f"{changing.prefix('work')}/lib/f")
    plant(f"{changing.prefix('work')}/conda-meta/recorded-1.0-0.json", 0)
    plant(f"{folder}/urls.txt", 0)
    plant(f"{cache}/urls.txt", 0)
    before, on_disk = snapshot(changing.envs_dir), du(cache)[0]
    options = ("--cache", cache, "--tarballs")
    planned = plan(changing, *options)
    gone = [f"{name}-1.0-0.conda" for name in ("recorded", "unused", "used")]
    assert sorted(names(planned["remove"])) == sorted([*gone, "unused-1.0-0"])

    answer = clean(changing, *YES, *options)

    assert packages_in(folder) == ["recorded-1.0-0", "used-1.0-0"]
    assert archives_in(folder) == []
    assert on_disk - du(cache)[0] == answer["freed_bytes"] == planned["planned_bytes"]
    assert sorted(os.listdir(cache)) == [".cache.lock", "https", "pkgs.lock", "urls.txt"]
    assert snapshot(changing.envs_dir) == before


def test_packages_in_the_cache_of_pixi_are_removed_only_with_unobtainable(changing):
    cache = f"{changing.directory}/rattler/pkgs"
    unused, used, recorded, soft = (
        rattler_package(cache, name) for name in ("unused", "used", "recorded", "soft")
    )
    unfinished = rattler_package(cache, "unfinished", finished=False)
    os.rename(rattler_package(cache, "extracting"), f"{cache}/.extracting-1.0-0aBcDe")
    prefix = changing.prefix("work")
    os.link(f"{used}/lib/f", f"{prefix}/lib/f")
    os.symlink(f"{soft}/lib/f", f"{prefix}/lib/g")
    plant(f"{prefix}/conda-meta/recorded-1.0-0.json", 0)
    before = set(os.listdir(cache))
    answer = clean(changing, *YES, "--cache", cache, "--tarballs", "--trash")
    assert (answer["remove"], answer["removed"]) == ([], [])
    verdicts = {row["path"]: row["verdict"] for row in answer["keep"] if cache in row["path"]}
    assert verdicts == {
        unused: "unobtainable",
        used: "linked",
        recorded: "recorded",
        soft: "softlinked",
        unfinished: "recent",
    }

    answer = clean(changing, *YES, "--cache", cache, "--unobtainable", "--tarballs", "--trash")

    assert answer["removed"] == [unused]
    # With its lock there and the package gone, rattler fetches it again.
    locks = {".cache.lock", "pkgs.lock"}
    assert set(os.listdir(cache)) - locks == before - {os.path.basename(unused)}
