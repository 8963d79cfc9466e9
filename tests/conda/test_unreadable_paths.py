"""What a report sees, what it could not see, and that it says so."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tempfile

import pytest

from tests.support.disk import size_of, snapshot_but_index
from tests.support.oracles import du
from tests.support.terminal_session import (
    make_prefix,
    package_of,
    plant,
    report_of,
    row_of,
    trees_of,
    unused_of,
)

# A root process that has given up these two, for itself and for what it starts, is held to
# permissions like anybody else.
_WITHOUT_OVERRIDE = """\
import ctypes, os, runpy, shutil, sys

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
VERSION_3, SETS_OF_32 = 0x20080522, 3
libc = ctypes.CDLL(None)
header, sets = (ctypes.c_uint32 * 2)(VERSION_3), (ctypes.c_uint32 * 6)()
failed = libc.capget(header, sets)
for number in range(SETS_OF_32):  # effective, permitted, inheritable
    sets[number] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
if os.geteuid() == 0:
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        failed |= libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    failed |= libc.capset(header, sets)
if failed:
    sys.exit("cannot give up a capability")
if sys.argv[1] != "conda":
    os.execvp(sys.argv[1], sys.argv[1:])
sys.argv[:] = [shutil.which("conda"), *sys.argv[2:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def as_ordinary_user(installation, *command, env=None):
    """Run a command that may not read what its permissions forbid, root or not."""
    python = f"{installation.root_prefix}/bin/python"
    script = (python, "-c", _WITHOUT_OVERRIDE, *command)
    return installation.run(*script, check=False, env=env, fresh=False)


def report_of_ordinary_user(installation, *options, env=None):
    command = ("conda", "hardlinks", "report", "--json", *options)
    done = as_ordinary_user(installation, *command, env=env)
    assert done.stderr == ""
    assert done.returncode == 0
    return json.loads(done.stdout)


@pytest.fixture
def forbidden():
    """Takes all permissions from folders; gives them back, so that they can be removed."""
    modes = {}

    def forbid(path):
        modes[path] = stat.S_IMODE(os.stat(path).st_mode)
        os.chmod(path, 0)

    yield forbid
    for path, mode in modes.items():
        os.chmod(path, mode)


def test_an_unreadable_folder_is_named_and_the_rest_is_what_du_can_count(changing, forbidden):
    prefix = changing.prefix("work")
    plant(f"{prefix}/share/secret/hidden.bin")
    forbidden(f"{prefix}/share/secret")
    report = report_of_ordinary_user(changing)
    printed = as_ordinary_user(changing, "du", "-B1", "-s", prefix)
    assert printed.returncode == 1
    assert row_of(report, "work")["size_bytes"] == int(printed.stdout.split()[0])
    assert [problem["path"] for problem in report["unreadable"]] == [f"{prefix}/share/secret"]
    assert any("lower bounds" in warning for warning in report["warnings"])
    text = as_ordinary_user(changing, "conda", "hardlinks", "report")
    assert "lower bounds" in text.stdout
    assert f"{prefix}/share/secret: permission denied" in text.stdout
    assert text.stderr == ""


def test_an_environment_that_cannot_be_entered_is_named(changing, forbidden):
    prefix = changing.prefix("work")
    forbidden(prefix)
    report = report_of_ordinary_user(changing, "--why", "--packages")
    named = [problem["path"] for part in ("unreadable", "unreachable") for problem in report[part]]
    assert prefix in named
    # It may use any package, by a symbolic link or a record that nobody sees.
    forgotten = package_of(report, "forgotten-1.0-0")
    assert (forgotten["verdict"], forgotten["unused"]) == ("unverifiable", False)
    assert package_of(report, "odd-names-1.0-0")["used_outside"]
    ignoring = report_of_ordinary_user(
        changing, "--packages", "--grace", "0", "--ignore-env", prefix
    )
    assert unused_of(ignoring) == ["forgotten-1.0-0"]


def test_a_cache_that_cannot_be_read_is_named(changing, forbidden):
    forbidden(changing.pkgs_dir)
    report = report_of_ordinary_user(changing)
    named = [problem["path"] for part in ("unreadable", "unreachable") for problem in report[part]]
    assert changing.pkgs_dir in named


def test_an_unreadable_folder_of_environments_is_named(changing, forbidden):
    forbidden(changing.envs_dir)
    report = report_of_ordinary_user(changing)
    named = [problem["path"] for part in ("unreadable", "unreachable") for problem in report[part]]
    assert changing.envs_dir in named
    assert report["warnings"]


def test_lines_of_environments_txt_are_stale_or_unreachable(changing):
    stale = f"{changing.envs_dir}/deleted"
    unmounted = f"{changing.directory}/no-such-disk/envs/unmounted"
    not_one = f"{changing.directory}/home"
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{stale}\n{unmounted}\n\n# comment\n{not_one}\n{changing.prefix('work')}\n")
    report = report_of(changing)
    assert report["stale"] == [stale]
    assert [problem["path"] for problem in report["unreachable"]] == [unmounted, not_one]
    assert len(report["environments"]) == 4
    text = changing.hardlinks("report").stdout
    assert unmounted in text
    assert "environments.txt" in text


def test_an_environment_on_a_disk_that_is_not_mounted_keeps_every_package(changing):
    disk = f"{changing.directory}/no-such-disk"
    options = ("--packages", "--grace", "0")
    before = report_of(changing, *options)
    assert unused_of(before) == ["forgotten-1.0-0"]
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{disk}/envs/one\n{disk}/envs/other\n")
    report = report_of(changing, *options)
    assert unused_of(report) == []
    assert package_of(report, "forgotten-1.0-0")["verdict"] == "unverifiable"
    for row in report["environments"]:
        assert row["with_clean_bytes"] == row["exclusive_bytes"]
    (warning,) = (text for text in report["warnings"] if "--ignore-env PATH" in text)
    assert warning.startswith(f"{disk}/envs/one: ")
    assert "and 1 more path" in warning
    one = report_of(changing, *options, "--ignore-env", f"{disk}/envs/one")
    assert unused_of(one) == []
    for ignored in (
        ("--ignore-env", f"{disk}/envs/one", "--ignore-env", f"{disk}/envs/other"),
        ("--ignore-env", disk),
        ("--ignore-env", os.path.relpath(disk, changing.directory)),
    ):
        ignoring = report_of(changing, *options, *ignored)
        assert ignoring["caches"] == before["caches"]
        assert ignoring["packages"] == before["packages"]
        assert ignoring["environments"] == before["environments"]
        # It is ignored as a user of packages; that it was not looked at is said all the same.
        assert len(ignoring["unreachable"]) == 2


def test_a_folder_that_could_not_be_searched_keeps_every_package(changing, forbidden):
    folder = f"{changing.directory}/elsewhere"
    os.makedirs(f"{folder}/secret")
    forbidden(f"{folder}/secret")
    options = ("--packages", "--grace", "0", "--search", folder)
    report = report_of_ordinary_user(changing, *options)
    assert unused_of(report) == []
    ignoring = report_of_ordinary_user(changing, *options, "--ignore-env", f"{folder}/secret")
    assert unused_of(ignoring) == ["forgotten-1.0-0"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator asks what others list")
def test_a_home_that_an_administrator_may_not_enter_keeps_every_package(changing, forbidden):
    """As on a network filesystem: its owner may list any environment there."""
    home = f"{changing.directory}/home-of-another"
    os.makedirs(f"{home}/.conda")
    forbidden(home)
    env = {"OWN_HOMES": os.pathsep.join([changing.environ["HOME"], home])}
    options = ("--packages", "--grace", "0")
    report = report_of_ordinary_user(changing, *options, env=env)
    listed = f"{home}/.conda/environments.txt"
    assert report["unreachable"] == [{"path": listed, "reason": "permission denied"}]
    assert unused_of(report) == []
    ignoring = report_of_ordinary_user(changing, *options, "--ignore-env", home, env=env)
    assert unused_of(ignoring) == ["forgotten-1.0-0"]


def test_an_environment_that_only_environments_txt_names_is_found_by_its_path(changing):
    prefix = f"{changing.directory}/elsewhere/env"
    changing.conda("create", "-q", "-p", prefix, *changing.source_options, "library=1.0")
    row = row_of(report_of(changing), prefix)
    assert row["prefix"] == prefix
    assert row["shared_bytes"] > 70_000


def test_an_administrator_sees_what_other_users_list_and_nobody_else_does(changing):
    home = f"{changing.directory}/home-of-another"
    prefix = make_prefix(f"{home}/envs/theirs")
    gone = f"{home}/envs/gone"
    os.mkdir(f"{home}/.conda")
    with open(f"{home}/.conda/environments.txt", "x", encoding="utf-8") as file:
        file.write(f"{prefix}\n{gone}\n")
    homes = os.pathsep.join([changing.environ["HOME"], home])
    before = snapshot_but_index(changing)
    report = report_of(changing, env={"OWN_HOMES": homes})
    assert snapshot_but_index(changing) == before
    administrator = os.geteuid() == 0
    assert (prefix in trees_of(report)) == administrator
    assert report["stale"] == [gone] * administrator


def test_search_adds_unlisted_and_nested_environments(changing):
    folder = f"{changing.directory}/elsewhere"
    outer = make_prefix(f"{folder}/deep/er/outer")
    inner = make_prefix(f"{outer}/envs/inner")
    beside = make_prefix(f"{folder}/beside")
    plant(f"{inner}/lib/inner.bin")
    being_made = f"{folder}/being-made"
    os.makedirs(f"{being_made}/conda-meta")
    os.makedirs(f"{folder}/no-environment/meta")
    os.symlink(folder, f"{folder}/beside/loop")
    before = report_of(changing)
    report = report_of(changing, "--search", folder)
    assert set(trees_of(report)) - set(trees_of(before)) == {outer, inner, beside, being_made}
    rows = {row["prefix"]: row for row in report["environments"]}
    assert rows[inner]["size_bytes"] == du(inner)[0]
    assert rows[outer]["size_bytes"] == du(outer, exclude=[inner])[0]
    assert rows[beside]["size_bytes"] == du(beside)[0]


def test_overlapping_searches_find_each_environment_once(changing):
    report = report_of(changing, "--search", changing.root_prefix, "--search", changing.envs_dir)
    assert trees_of(report) == trees_of(report_of(changing))


def test_cache_adds_another_cache_and_what_it_shares(changing):
    other = f"{changing.directory}/other/pkgs"
    package = f"{changing.pkgs_dir}/forgotten-1.0-0"
    os.makedirs(other)
    shutil.copytree(package, f"{other}/forgotten-1.0-0", copy_function=os.link)
    shutil.copy(f"{package}.conda", other)  # else it could not be had again
    outside = report_of(changing, "--packages", "--grace", "0")
    row = package_of(outside, "forgotten-1.0-0")
    assert row["used_outside"]
    assert not row["unused"]
    assert outside["totals"]["outside_linked_inodes"] > 0

    report = report_of(changing, "--packages", "--grace", "0", "--cache", other)

    assert {row["path"] for row in report["caches"]} == {changing.pkgs_dir, other}
    rows = [row for row in report["packages"] if row["name"] == "forgotten-1.0-0"]
    assert {row["path"] for row in rows} == {package, f"{other}/forgotten-1.0-0"}
    assert all(row["unused"] and row["size_bytes"] == du(row["path"])[0] for row in rows)
    assert report["totals"]["outside_links"] == 0
    added = sum(du(*[row["path"] for row in report["caches"]]))
    assert added < sum(row["size_bytes"] for row in report["caches"])
    assert report["totals"]["on_disk_bytes"] == outside["totals"]["on_disk_bytes"] + (
        added - du(changing.pkgs_dir)[0]
    )


def test_a_cache_listed_twice_or_through_a_symbolic_link_counts_once(changing):
    link = f"{changing.directory}/link-to-pkgs"
    os.symlink(changing.pkgs_dir, link)
    before = report_of(changing)
    folders = f"{changing.pkgs_dir},{link},{changing.pkgs_dir}"
    report = report_of(changing, "--cache", link, env={"CONDA_PKGS_DIRS": folders})
    assert report["totals"] == before["totals"]
    assert len(report["caches"]) == 1
    assert len(report["aliases"]) == 1


def test_links_from_outside_are_counted_and_their_bytes_are_not_freed(changing):
    planted = plant(f"{changing.prefix('work')}/lib/held.bin")
    cached = f"{changing.pkgs_dir}/forgotten-1.0-0/lib/forgotten.bin"
    before = report_of(changing, "--packages")
    os.link(planted, f"{changing.directory}/tmp/held.bin")
    os.link(planted, f"{changing.directory}/tmp/held-again.bin")
    os.link(cached, f"{changing.directory}/tmp/forgotten.bin")
    report = report_of(changing, "--packages")
    assert report["totals"]["outside_links"] == 3
    assert report["totals"]["outside_linked_inodes"] == 2
    assert any("linked from outside the scanned trees" in warning for warning in report["warnings"])
    row, row_before = row_of(report, "work"), row_of(before, "work")
    assert row["exclusive_bytes"] == row_before["exclusive_bytes"] - size_of(planted)
    assert row["size_bytes"] == row_before["size_bytes"]
    assert row["outside_linked_inodes"] == 1
    package = package_of(report, "forgotten-1.0-0")
    assert package["used_outside"]
    assert not package["unused"]


def test_softlinked_environments_are_marked(installation):
    report = report_of(installation)
    marked = [row["name"] for row in report["environments"] if row["softlinked"]]
    assert marked == ["softlinked"]
    row = row_of(report, "softlinked")
    prefix = row["prefix"]
    paths = [
        os.path.join(directory, name)
        for directory, directories, names in os.walk(prefix)
        for name in (*directories, *names)
    ]
    into_cache = [
        path
        for path in paths
        if os.path.islink(path) and os.path.realpath(path).startswith(installation.pkgs_dir)
    ]
    assert row["softlinks"] == len(into_cache) > 5
    assert row["softlinked_bytes"] == sum(du(*{os.path.realpath(path) for path in into_cache}))
    assert row["broken_softlinks"] == 0
    assert "softlinked (softlinked)" in installation.hardlinks("report").stdout


def test_a_softlinked_environment_without_its_package_has_broken_links(changing):
    shutil.rmtree(f"{changing.pkgs_dir}/library-2.0-0")
    report = report_of(changing)
    assert row_of(report, "softlinked")["broken_softlinks"] == 2
    assert any("broken symbolic link" in warning for warning in report["warnings"])


def test_packages_list_their_users_and_kinds_of_use(installation):
    report = report_of(installation, "--packages", "--grace", "0")
    python = ".".join(map(str, sys.version_info[:3]))
    assert {
        row["name"]: {user["name"]: user["use"] for user in row["environments"]}
        for row in report["packages"]
    } == {
        "all-placeholder-1.0-0": {"softlinked": "record", "work": "record"},
        "entry-1.0-0": {"softlinked": "softlink", "work": "hardlink"},
        "forgotten-1.0-0": {},
        "library-1.0-0": {"sharing": "hardlink", "work": "hardlink"},
        "library-2.0-0": {"softlinked": "softlink"},
        "metapackage-1.0-0": {"sharing": "record"},
        "odd-names-1.0-0": {"work": "hardlink"},
        "placeholder-1.0-0": {"sharing": "hardlink", "work": "hardlink"},
        f"python-{python}-0": {"softlinked": "softlink", "work": "hardlink"},
        "self-linked-1.0-0": {"sharing": "hardlink", "softlinked": "record"},
        "symlinked-1.0-0": {"sharing": "hardlink", "work": "hardlink"},
    }
    assert unused_of(report) == ["forgotten-1.0-0"]
    recorded = {row["name"] for row in report["packages"] if row["verdict"] == "recorded"}
    assert recorded == {"all-placeholder-1.0-0", "metapackage-1.0-0"}
    softlinked = [row["name"] for row in report["packages"] if row["verdict"] == "softlinked"]
    assert softlinked == ["library-2.0-0"]


def test_one_environment_shows_its_packages_and_the_environments_it_shares_with(installation):
    report = report_of(installation, "-n", "work", "--why")
    detail, row = report["detail"], row_of(report, "work")
    assert detail["prefix"] == row["prefix"]
    assert detail["private"] == row["private"]
    figures = [package["exclusive_bytes"] for package in detail["packages"]]
    assert figures == sorted(figures, reverse=True)
    assert sum(figures) <= row["exclusive_bytes"]
    (other,) = detail["shares_with"]
    ours, theirs = (
        {
            (status.st_dev, status.st_ino): status.st_blocks * 512
            for directory, _, names in os.walk(installation.prefix(name))
            for status in (os.lstat(os.path.join(directory, entry)) for entry in names)
        }
        for name in ("work", "sharing")
    )
    assert other["name"] == "sharing"
    assert other["shared_bytes"] == sum(ours[inode] for inode in ours.keys() & theirs.keys())


def test_one_environment_has_the_same_report_by_name_and_by_path(installation):
    by_name = report_of(installation, "-n", "work")
    prefix = installation.prefix("work")
    assert report_of(installation, "-p", prefix) == by_name
    assert report_of(installation, "-p", os.path.relpath(prefix, installation.directory)) == by_name


def test_an_unlisted_prefix_is_added(changing):
    prefix = make_prefix(f"{changing.directory}/unlisted")
    plant(f"{prefix}/lib/own.bin")
    report = report_of(changing, "-p", prefix)
    assert report["detail"]["prefix"] == prefix
    assert row_of(report, prefix)["size_bytes"] == du(prefix)[0]


def test_odd_files_in_an_environment_are_counted_as_by_du(changing):
    prefix = changing.prefix("work")
    os.mkfifo(f"{prefix}/lib/pipe")
    os.symlink("loop", f"{prefix}/lib/loop")
    os.symlink("..", f"{prefix}/lib/up")
    os.symlink("/nowhere/at/all", f"{prefix}/lib/dangling")
    plant(f"{prefix}/lib/empty", 0)
    os.truncate(plant(f"{prefix}/lib/sparse", 1), 10_000_000)
    for name in (b"\xff\xfe", b"new\nline", b"\x1b[31mred", b"*?[x]", b" "):
        plant(os.path.join(os.fsencode(prefix), b"lib", name).decode(errors="surrogateescape"))
    for measure in ("disk", "apparent"):
        row = row_of(report_of(changing, "--why", measure=measure), "work")
        assert row["size_bytes"] == du(prefix, apparent=measure == "apparent")[0]
        assert sum(row["private"].values()) == row["exclusive_bytes"]


@pytest.fixture
def other_filesystem(installation):
    """A folder on another filesystem than the installation."""
    shm = "/dev/shm"
    if not os.path.isdir(shm) or os.stat(shm).st_dev == os.stat(installation.directory).st_dev:
        pytest.skip("there is no second filesystem to write to")
    with tempfile.TemporaryDirectory(dir=shm, prefix="hardlinks-") as folder:
        yield folder


def test_copies_on_another_filesystem_do_not_count_as_hard_links(changing, other_filesystem):
    prefix = f"{other_filesystem}/env"
    changing.conda("create", "-q", "-p", prefix, *changing.source_options, "library=1.0")
    with open(f"{prefix}/conda-meta/library-1.0-0.json", encoding="utf-8") as file:
        assert json.load(file)["link"]["type"] == 1
    report = report_of(changing, "--du", "--packages", "-n", prefix)
    row = row_of(report, prefix)
    assert row["on_other_filesystem"]
    assert row["shared_bytes"] == 0
    assert row["size_bytes"] == row["exclusive_bytes"] == du(prefix)[0]
    assert any("conda records hard links, but" in text for text in report["warnings"])
    assert report["detail"]["copied_packages"] == ["library-1.0-0"]
    copied = [f"{prefix}/lib/liblibrary.so", f"{prefix}/include/l.h"]
    assert report["detail"]["private"]["copied"] == sum(map(size_of, copied))
    package = package_of(report, "library-1.0-0")
    uses = {user["name"]: user["use"] for user in package["environments"]}
    assert uses[prefix] == "record"
    assert {device["device"] for device in report["devices"]} == {
        os.stat(prefix).st_dev,
        os.stat(changing.directory).st_dev,
    }
    added = du(*(item["path"] for item in report["du"]))
    assert [item["added_bytes"] for item in report["du"]] == added
    assert "some packages are copies" in changing.hardlinks("report").stdout
