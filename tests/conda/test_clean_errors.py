"""What stops a clean, what is said then, and that nothing is half done."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.support.conda_cleaning import (
    NOW,
    YES,
    clean,
    clean_while,
    extract,
    kept,
    names,
    packages_in,
    plan,
    read_through,
)
from tests.support.disk import snapshot
from tests.support.oracles import du
from tests.support.realconda.packages import PackageSpec
from tests.support.terminal_session import make_prefix

FORGOTTEN = "forgotten-1.0-0"
UNUSED = (FORGOTTEN, "one-1.0-0", "two-1.0-0")
GRACE = " ".join(NOW)
TO_CLEAN_IT = "to clean it, name it with --cache (in Python: caches)"

CTRL_C = "os.kill(os.getpid(), signal.SIGINT)"


def refused(installation, *options):
    """What is said on stderr where a clean is refused."""
    done = installation.hardlinks("clean", *YES, *options, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Freed" not in done.stdout
    return done.stderr


def test_an_environment_that_may_be_on_an_unmounted_disk_blocks_a_clean(changing):
    disk = f"{changing.directory}/no-such-disk"
    stale = f"{changing.envs_dir}/deleted"
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{stale}\n{disk}/envs/one\n{disk}/envs/other\n")
    blocked = [
        f"{disk}/envs/{name} cannot be read (its folder cannot be reached (no such file or"
        " directory)) and may use any package, so nothing was removed. If that environment was"
        f" deleted, add --ignore-env {disk}/envs/{name} (in Python: ignored_environments)"
        for name in ("one", "other")
    ]
    text = refused(changing)
    assert text.strip().startswith(f"CleanRefusedError: {blocked[0]}.")
    assert f"{blocked[1]}." in text
    answer = clean(changing, *YES, "--dry-run", code=1)
    assert answer["errors"] == blocked
    assert (answer["remove"], answer["planned_bytes"]) == ([], 0)
    assert kept(answer, FORGOTTEN)["verdict"] == "unverifiable"
    one = ("--ignore-env", f"{disk}/envs/one")
    assert clean(changing, *YES, *one, code=1)["errors"] == blocked[1:]
    assert packages_in(changing.pkgs_dir).count(FORGOTTEN) == 1
    # The one that was deleted blocks nothing, and a folder stands for all in it.
    assert names(clean(changing, *YES, "--ignore-env", disk)["remove"]) == [FORGOTTEN]


def test_each_refusal_has_a_line(changing):
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.writelines(f"{changing.directory}/gone/{number}/env\n" for number in range(2))
    lines = [line for line in refused(changing).splitlines() if line]
    assert [line.partition("add --ignore-env ")[2] for line in lines] == [
        f"{changing.directory}/gone/{number}/env (in Python: ignored_environments)."
        for number in range(2)
    ]


def test_many_refusals_are_counted(changing):
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.writelines(f"{changing.directory}/gone/{number}/env\n" for number in range(6))
        file.write("not even absolute\n")
    text = refused(changing)
    assert text.count("cannot be read (") == 4
    assert "And 3 more." in text
    assert len(clean(changing, *YES, code=1)["errors"]) == 7


def test_a_name_with_control_or_format_characters_is_printed_with_escapes(changing):
    odd = f"{changing.directory}/esc\x1b[31m/100%(name)s{{x}}/env"
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{odd}\n")
    text = refused(changing)
    assert "/esc\\x1b[31m/100%(name)s{x}/env cannot be read" in text
    assert "\x1b" not in text
    assert odd in clean(changing, *YES, code=1)["errors"][0]


def test_a_name_that_is_not_utf_8_survives_json(changing):
    path = os.fsencode(changing.envs_dir) + b"/not-utf8-\xff"
    prefix = make_prefix(os.fsdecode(path))
    os.symlink(f"{changing.pkgs_dir}/{FORGOTTEN}", f"{prefix}/link")
    (witness,) = kept(plan(changing), FORGOTTEN)["environments"]
    assert os.fsencode(witness["prefix"]) == path
    text = changing.hardlinks("clean", "--dry-run", "-v", *NOW).stdout
    assert "symbolic links in not-utf8-\\xff" in text


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator touches what others can")
@pytest.mark.parametrize(
    ("mode", "user", "reason"),
    [
        (
            0o757,
            0,
            f"users other than root can write to it; {TO_CLEAN_IT}",
        ),
        (
            0o755,
            54321,
            f"it belongs to user 54321; {TO_CLEAN_IT}",
        ),
    ],
)
def test_a_cache_that_others_can_change_is_cleaned_only_when_it_is_named(
    changing, mode, user, reason
):
    cache = changing.pkgs_dir
    os.chmod(cache, mode)
    os.chown(cache, user, -1)
    answer = clean(changing, *YES, "--tarballs", "--trash", "--unobtainable")
    assert kept(answer, FORGOTTEN)["reason"] == f"its cache is not cleaned: {reason}"
    assert answer["removed"] == []
    assert names(clean(changing, *YES, "--cache", cache)["remove"]) == [FORGOTTEN]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--cache", "nope"), "Package cache nope: there is no such folder"),
        (("--cache", "conda/envs/work"), "Package cache conda/envs/work: this is an environment."),
        (("--search", ".condarc"), "Searched folder .condarc: there is no such folder"),
    ],
    ids=repr,
)
def test_an_unknown_name_gives_one_sentence(installation, options, sentence):
    (line,) = (line for line in refused(installation, *options).splitlines() if line)
    assert line.startswith(f"NotFoundError: {sentence}")


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("clean --yes --grace 0", "the plan"),
        ("clean --yes --grace 0 --json", "the plan"),
        ("explain entry", "the explanation"),
        ("restore", "what is held"),
    ],
)
def test_a_closed_stdout_is_reported_on_stderr_and_nothing_is_removed(installation, command, what):
    before = snapshot(installation.directory)
    done = installation.run("sh", "-c", f"conda hardlinks {command} >&-", check=False)
    assert done.returncode == 1
    assert done.stderr == f"stdout is closed: cannot print {what}.\n"
    assert snapshot(installation.directory) == before


def without_a_reader(installation, *command):
    """Run a command of which nobody reads what it prints; return its exit code and errors."""
    readable, writable = os.pipe()
    os.close(readable)
    conda = f"{installation.root_prefix}/bin/conda"
    process = subprocess.Popen(
        [conda, "hardlinks", *command],
        env=installation.environ,
        cwd=installation.directory,
        stdin=subprocess.DEVNULL,
        stdout=writable,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writable)
    _, errors = process.communicate()
    return process.returncode, errors


@pytest.mark.parametrize(
    "command",
    [
        ("clean", "--dry-run", *NOW),
        ("explain", "entry"),
        ("explain", "--json", "entry"),
        ("restore",),
    ],
    ids=" ".join,
)
def test_a_reader_that_ends_early_is_not_an_error(installation, command):
    assert without_a_reader(installation, *command) == (0, "")


def test_a_plan_whose_reader_has_ended_is_executed_only_with_json(changing):
    """A person may have ended the pager for what he read; a program that asks for JSON has said."""
    says = "Nothing was removed: the program that reads the plan ended early.\n"
    assert without_a_reader(changing, "clean", *YES) == (1, says)
    assert FORGOTTEN in packages_in(changing.pkgs_dir)
    assert without_a_reader(changing, "clean", *YES, "--json") == (0, "")
    assert FORGOTTEN not in packages_in(changing.pkgs_dir)


@pytest.fixture
def with_three_unused(changing):
    for name in ("one", "two"):
        extract(changing.pkgs_dir, PackageSpec(name, files={"lib/f": 9_000, "lib/g/h": 10}))
    return changing


def press_ctrl_c_at(installation, steps, *options):
    done = clean_while(installation, CTRL_C, steps, *options)
    assert done.returncode == 130, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    ("steps", "options"), [("os.scandir:1", ("--json",)), ("os.scandir:30", ())]
)
def test_ctrl_c_while_planning_leaves_everything_as_it_is(installation, steps, options):
    before = snapshot(installation.directory)
    done = press_ctrl_c_at(installation, steps, *options)
    assert "Interrupted. Nothing was removed." in done.stdout + done.stderr
    assert snapshot(installation.directory) == before


@pytest.mark.parametrize(
    ("steps", "options", "gone"),
    [
        ("os.rename:1", (), 0),
        ("os.rename:3,os.scandir:1", ("--json",), 0),  # the second scan
        ("os.rename:5", (), 0),  # two of three are given up
        ("os.remove:1", (), 0),
        ("os.remove:8", ("--json",), 1),
        ("os.rmdir:2", (), 0),
    ],
    ids=str,
)
def test_after_ctrl_c_nothing_is_half_removed_and_the_next_clean_finishes(
    with_three_unused, steps, options, gone
):
    made = with_three_unused
    cache, read = made.pkgs_dir, read_through(made.envs_dir)
    packages = {name: read_through(f"{cache}/{name}") for name in packages_in(cache)}
    before_bytes = du(cache)[0]

    done = press_ctrl_c_at(made, steps, *options)

    quarantine = f"{cache}/.conda-hardlinks"
    aside = [name for name in os.listdir(quarantine) if name != "lock"]
    freed_bytes = before_bytes - du(cache)[0] + os.lstat(quarantine).st_blocks * 512
    left = "Interrupted. Nothing else was changed"
    if aside:
        subject = "1 package is" if len(aside) == 1 else f"{len(aside)} packages are"
        left = (
            f"Interrupted. {subject} partly deleted; the next clean finishes that. Nothing else"
            " was changed"
        )
    if options:
        answer = json.loads(done.stdout)
        assert answer["success"] is False
        assert answer["errors"] == [left]
        assert len(answer["removed"]) == gone
        assert answer["freed_bytes"] == freed_bytes
    else:
        assert left in done.stderr
        assert f"({freed_bytes:,} bytes)" in done.stdout
    assert read_through(made.envs_dir) == read
    for name in packages_in(cache):
        assert read_through(f"{cache}/{name}") == packages[name]
    assert all(name.startswith("purge-") for name in aside)
    assert len(aside) + gone + len(packages_in(cache)) == len(packages)

    clean(made, *YES)

    assert packages_in(cache) == sorted(packages.keys() - set(UNUSED))
    assert set(os.listdir(quarantine)) <= {"lock"}
    assert read_through(made.envs_dir) == read


@pytest.mark.parametrize(
    ("step", "doing", "reason"),
    [
        (
            "os.rename:1",
            "os.link('{package}/lib/forgotten.bin', '{made}/outside')",
            "hard links in a folder that was not scanned",
        ),
        (
            "os.rename:1",
            "os.symlink('{package}/lib', '{made}/conda/envs/work/new')",
            "symbolic links in work",
        ),
        (
            "os.mkdir:1",
            "os.close(os.open('{made}/conda/envs/work/conda-meta/{name}.json', os.O_CREAT))",
            "it is now installed in {made}/conda/envs/work",
        ),
        (
            "os.mkdir:1",
            "os.link('{package}/info/index.json', '{made}/probe'); os.unlink('{made}/probe')",
            "another process is about to link it",
        ),
    ],
    ids=["hard link", "symbolic link", "record", "trial link"],
)
def test_a_package_that_comes_into_use_at_the_last_moment_is_kept(changing, step, doing, reason):
    """Before it is looked at for the last time in its place, and after that."""
    package = f"{changing.pkgs_dir}/{FORGOTTEN}"
    words = {"package": package, "made": changing.directory, "name": FORGOTTEN}
    before = read_through(package)
    done = clean_while(changing, doing.format(**words), step)
    assert (done.returncode, done.stderr) == (0, "")
    said = f"Kept after all: {FORGOTTEN}: {reason.format(**words)}."
    assert done.stdout.endswith(f"\n{said}\nFreed 0 B (0 bytes).\n")
    assert read_through(package) == before
