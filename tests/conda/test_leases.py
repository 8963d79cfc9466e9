"""Real conda processes that wait, fail or are killed while a clean runs: what they need stays."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
from contextlib import contextmanager

import pytest

from conda_hardlink_plugin.metadata.leases import read_leases
from tests.conda.test_clean_race import COPY, HARD, SOFT, Stop, asking, contents, read, stopped
from tests.conda.test_unreadable_paths import as_ordinary_user
from tests.support.conda_cleaning import (
    NOW,
    YES,
    archives_in,
    clean,
    explain,
    extract,
    kept,
    names,
    packages_in,
    plan,
)
from tests.support.realconda.packages import PackageSpec
from tests.support.terminal_session import package_of, report_of
from tests.support.trees import write

FORGOTTEN = "forgotten-1.0-0"
OTHER = "other-1.0-0"
SPECS = ("forgotten", "library=2.0", "self-linked", "odd-names")
DISTS = {FORGOTTEN, "library-2.0-0", "self-linked-1.0-0", "odd-names-1.0-0"}
EVERYTHING = ("--unobtainable", "--copied", "--trash")
BEGUN = Stop("conda.plugins.manager:CondaPluginManager.invoke_pre_commands", when="after")
DOWNLOADED = Stop("conda.core.package_cache_data:do_cache_action", when="after")
DONE = Stop("conda.plugins.manager:CondaPluginManager.invoke_post_commands")
_INTERRUPTIBLE = """\
import signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs this may ignore it
from conda.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""
FILE = "name: made\ndependencies:\n  - forgotten\n"


def folder_of(installation):
    return os.path.join(installation.environ["XDG_CACHE_HOME"], "conda", "hardlinks", "leases")


def lease_in(installation):
    """The one lease there is; that it is of a process that lives is asserted."""
    (lease,) = read_leases([folder_of(installation)])
    os.kill(int(lease.holder.split()[1]), 0)
    return lease


def files_in(installation):
    folder = folder_of(installation)
    return os.listdir(folder) if os.path.isdir(folder) else []


@pytest.fixture
def made(changing):
    """Two packages that nobody uses: one that is going to be installed, and another one."""
    extract(changing.pkgs_dir, PackageSpec("other", files={"lib/other.bin": 9_000}))
    assert names(plan(changing)["remove"]) == [FORGOTTEN, OTHER]
    return changing


def create(installation, *specs, prefix=None):
    where = ("-n", "new") if prefix is None else ("-p", prefix)
    return ("create", "-q", *where, *installation.source_options, *specs)


@pytest.mark.parametrize("env", [HARD, SOFT, COPY], ids=lambda env: "".join(env) or "hard")
@pytest.mark.parametrize("outside", [False, True], ids=["named", "outside"])
def test_a_conda_that_waits_for_an_answer_keeps_its_packages(made, env, outside):
    prefix = f"{made.directory}/elsewhere/new" if outside else made.prefix("new")
    command = create(made, *SPECS, prefix=prefix if outside else None)
    with asking(made, *command, env=env) as say_yes:
        lease = lease_in(made)
        answer = clean(made, *YES, *EVERYTHING)
        printed, code = say_yes()
    assert code == 0, printed
    assert OTHER in names(answer["remove"])
    assert not DISTS & set(names(answer["remove"]))
    assert not DISTS - set(packages_in(made.pkgs_dir))
    assert kept(answer, FORGOTTEN)["reason"].startswith(f"{lease.holder} may be about to link it")
    assert files_in(made) == []
    again = f"{made.directory}/again"
    made.conda(*create(made, *SPECS, prefix=again))
    assert contents(prefix) == contents(again)


def test_a_waiting_install_keeps_the_packages_that_it_links_and_replaces(made):
    made.create("new", "library=1.0")
    install = ("install", "-q", "-n", "new", *made.source_options, "library=2.0", "forgotten")
    with asking(made, *install, env=SOFT) as say_yes:
        lease = lease_in(made)
        assert re.fullmatch(r"process \d+ \(conda install\)", lease.holder)
        assert lease.dists - {"."} == {"library-2.0-0", FORGOTTEN}
        answer = clean(made, *YES, *EVERYTHING)
        printed, code = say_yes()
    assert code == 0, printed
    assert FORGOTTEN not in names(answer["remove"])
    new = contents(made.prefix("new"))
    library = contents(f"{made.pkgs_dir}/library-2.0-0")
    assert new["lib/liblibrary.so"] == library["lib/liblibrary.so"]
    assert None not in new.values()


def test_an_archive_that_is_about_to_be_extracted_is_kept(made):
    """Of a package that was just downloaded there is nothing else."""
    archive = f"{FORGOTTEN}.conda"
    made.run("rm", "-r", f"{made.pkgs_dir}/{FORGOTTEN}", f"{made.pkgs_dir}/{archive}")
    with stopped(made, DOWNLOADED, *create(made, "forgotten"), leased=True) as to_its_end:
        assert archive in archives_in(made.pkgs_dir)
        assert lease_in(made).covers(FORGOTTEN)
        answer = clean(made, *YES, *EVERYTHING, "--tarballs")
        printed, code = to_its_end()
    assert code == 0, printed
    assert archive not in names(answer["remove"])
    assert "library-1.0-0.conda" in names(answer["remove"])
    assert read(f"{made.prefix('new')}/lib/forgotten.bin")


def test_the_report_and_explain_name_the_process_that_keeps_a_package(made):
    before = package_of(report_of(made, "--packages", *NOW), FORGOTTEN)
    assert before["verdict"] == "unused"
    with asking(made, *create(made, "forgotten")):
        said = f"{lease_in(made).holder} may be about to link it"
        row = package_of(report_of(made, "--packages", *NOW), FORGOTTEN)
        explained = explain(made, FORGOTTEN, *NOW)
        text = made.hardlinks("explain", FORGOTTEN, *NOW).stdout
        planned = made.hardlinks("clean", "--dry-run", "-v", *NOW).stdout
        other = explain(made, OTHER, *NOW)
    assert (row["verdict"], row["unused"]) == ("recent", False)
    assert explained["verdict"] == "recent"
    (reason,) = explained["reasons"]
    assert reason.startswith(said)
    assert f"! {said}" in " ".join(text.split())
    assert said in " ".join(planned.split())
    assert (other["verdict"], other["reasons"]) == ("unused", [])
    assert explain(made, FORGOTTEN, *NOW)["reasons"] == []


def test_every_package_is_kept_until_the_solver_has_finished(made):
    with stopped(made, BEGUN, *create(made, "forgotten"), leased=True) as to_its_end:
        assert lease_in(made).dists is None
        answer = clean(made, *YES, *EVERYTHING)
        assert answer["remove"] == []
        assert kept(answer, OTHER)["verdict"] == "recent"
        printed, code = to_its_end()
    assert code == 0, printed


def commands(made):
    """Each command that links packages, and what it is going to link; `None` is any."""
    with open(f"{made.directory}/made.yml", "x", encoding="utf-8") as file:
        file.write(f"channels: [{made.channels[0]}, nodefaults]\n{FILE}")
    file = ("--file", f"{made.directory}/made.yml")
    sources = made.source_options
    return {
        "create": (("create", "-n", "new", *sources, "forgotten"), {FORGOTTEN}),
        "install": (("install", "-n", "sharing", *sources, "forgotten"), {FORGOTTEN}),
        "update": (("update", "-n", "sharing", *sources, "library"), {"library-2.0-0"}),
        "remove": (("remove", "-n", "sharing", "--offline", "-y", "self-linked"), set()),
        "remove all": (("remove", "-n", "sharing", "--offline", "-y", "--all"), None),
        "rename": (("rename", "-n", "sharing", "renamed"), None),
        "env create": (("env", "create", *file), {FORGOTTEN}),
        "env update": (("env", "update", "-n", "sharing", *file), {FORGOTTEN}),
        "env remove": (("env", "remove", "-y", "-n", "sharing"), None),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("create", "install", "update", "remove", "remove all", "rename"),
        *("env create", "env update", "env remove"),
    ],
)
def test_every_command_that_links_holds_a_lease_until_it_ends(changing, name):
    command, dists = commands(changing)[name]
    with stopped(changing, DONE, *command, leased=True) as to_its_end:
        lease = lease_in(changing)
        printed, code = to_its_end()
    assert code == 0, printed
    assert re.fullmatch(r"process \d+ \(conda [a-z_]+\)", lease.holder)
    assert name.removesuffix(" all").split()[-1] in lease.holder
    # Where conda tells of transactions it is known by the end what a clone links.
    assert lease.dists is None or dists is None or lease.dists - {"."} == dists
    assert lease.dists is not None or dists is None
    assert files_in(changing) == []


@pytest.mark.parametrize("command", ["list", "config --show", "hardlinks report", "clean -l"])
def test_a_command_that_links_nothing_takes_no_lease(installation, command):
    with stopped(installation, DONE, *command.split(), leased=True) as to_its_end:
        assert files_in(installation) == []
        to_its_end()


def test_a_killed_conda_keeps_nothing_and_the_next_one_removes_its_lease(made):
    with waiting(made, *create(made, "forgotten")) as process:
        assert lease_in(made).covers(FORGOTTEN)
        process.kill()
        process.wait()
    (dead,) = files_in(made)
    assert names(plan(made)["remove"]) == [FORGOTTEN, OTHER]
    assert files_in(made) == [dead]  # a plan only reads
    with stopped(made, BEGUN, *create(made, "forgotten"), leased=True) as to_its_end:
        assert len(files_in(made)) == 1
        assert dead not in files_in(made)
        to_its_end()
    assert files_in(made) == []


@contextmanager
def waiting(installation, *arguments):
    """A conda at its question, as a process."""
    python = f"{installation.root_prefix}/bin/python"
    with subprocess.Popen(
        [python, "-c", _INTERRUPTIBLE, *(word for word in arguments if word != "--yes")],
        env={**installation.environ, "CONDA_ALWAYS_YES": "false"},
        cwd=installation.directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        printed = b""
        while not printed.endswith(b")? "):
            letter = process.stdout.read(1)
            assert letter, printed
            printed += letter
        yield process


@pytest.mark.parametrize("way", ["no", "Ctrl-C"])
def test_a_command_that_the_user_stops_releases_its_lease(made, way):
    with waiting(made, *create(made, "forgotten")) as process:
        assert lease_in(made).covers(FORGOTTEN)
        if way == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(b"n\n" if way == "no" else b"")
        assert b"Traceback" not in printed
    assert not os.path.exists(made.prefix("new"))
    assert files_in(made) == []
    assert names(plan(made)["remove"]) == [FORGOTTEN, OTHER]


@pytest.mark.parametrize("spec", ["no-such-package", "library=3.0"])
def test_a_command_that_fails_releases_its_lease(changing, spec):
    done = changing.conda(*create(changing, spec), check=False)
    assert done.returncode
    assert "hardlinks" not in done.stderr
    assert files_in(changing) == []


def test_a_process_keeps_its_packages_when_another_one_ends(made):
    with waiting(made, *create(made, "forgotten")) as waits:
        made.conda(*create(made, "library=1.0", prefix=f"{made.directory}/another"))
        assert names(clean(made, *YES)["remove"]) == [OTHER]
        waits.communicate(b"y\n")
    assert waits.returncode == 0
    assert read(f"{made.prefix('new')}/lib/forgotten.bin")


def test_a_package_that_conda_needs_before_the_answer_to_a_clean_is_kept(made):
    with (
        asking(made, "hardlinks", "clean", *NOW) as say_yes,
        waiting(made, *create(made, "forgotten")) as conda,
    ):
        printed, code = say_yes()
        assert code == 0, printed
        assert f"Kept after all: {FORGOTTEN}: process {conda.pid} " in printed
        conda.communicate(b"y\n")
    assert conda.returncode == 0
    assert OTHER not in packages_in(made.pkgs_dir)
    assert read(f"{made.prefix('new')}/lib/forgotten.bin")


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator sees the homes of others")
def test_an_administrator_keeps_the_packages_that_a_conda_of_another_user_needs(made):
    home = f"{made.directory}/home-of-another"
    os.makedirs(home)
    theirs = {"HOME": home, "XDG_CACHE_HOME": f"{home}/.cache"}
    homes = {"OWN_HOMES": os.pathsep.join([made.environ["HOME"], home])}
    with asking(made, *create(made, "forgotten"), env=theirs) as say_yes:
        assert names(plan(made)["remove"]) == [FORGOTTEN, OTHER]
        assert names(clean(made, *YES, env=homes)["remove"]) == [OTHER]
        ignoring = plan(made, "--ignore-env", home, env=homes)
        assert names(ignoring["remove"]) == [FORGOTTEN]
        _, code = say_yes()
    assert code == 0


def cannot_be_had(installation, way):
    """Make a cache folder in which there can be no lease; return the variables that lead there."""
    folder = f"{installation.directory}/no-cache"
    if way == "it is a file":
        write(folder)
    elif way == "it may not be written":
        os.mkdir(folder, 0o555)
    elif way == "it may not be entered":
        os.mkdir(folder, 0)
    elif way == "it leads in a circle":
        os.symlink("no-cache", folder)
    elif way == "there is no home":
        write(folder)
        nowhere = {"HOME": f"{folder}/home", "XDG_CACHE_HOME": ""}
        return {**nowhere, "CONDA_REGISTER_ENVS": "false"}  # conda itself would want one
    return {"XDG_CACHE_HOME": folder}


@pytest.mark.parametrize(
    "way",
    [
        *("it is a file", "it may not be written", "it may not be entered"),
        *("it leads in a circle", "there is no home"),
    ],
)
def test_conda_works_without_a_lease_if_none_can_be_taken(changing, way):
    env = {**cannot_be_had(changing, way), "CONDA_PLUGINS_HARDLINKS_SUMMARY": "false"}
    done = as_ordinary_user(changing, "conda", *create(changing, "forgotten"), env=env)
    assert done.returncode == 0, done.stderr
    assert "hardlinks" not in done.stderr
    assert "Traceback" not in done.stderr
    assert read(f"{changing.prefix('new')}/lib/forgotten.bin")
    cleaned = as_ordinary_user(changing, "conda", "hardlinks", "clean", *YES, env=env)
    assert cleaned.returncode in (0, 1)
    assert "Traceback" not in cleaned.stderr


def test_odd_files_among_the_leases_stop_neither_conda_nor_a_clean(made):
    folder = folder_of(made)
    os.makedirs(f"{folder}/1-1/in-it")
    os.mkfifo(f"{folder}/2-2")
    os.symlink("/nowhere", f"{folder}/3-3")
    with open(f"{folder}/4-4", "xb") as file:
        file.write(os.urandom(2_000))
    assert names(plan(made)["remove"]) == [FORGOTTEN, OTHER]
    made.conda(*create(made, "odd-names"))
    assert sorted(os.listdir(folder)) == ["1-1", "2-2", "3-3"]


def test_a_lease_that_nobody_can_read_keeps_everything_and_is_printed_with_escapes(made):
    path = f"{folder_of(made)}/1-1"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b"a\x1b[31m\xff\nb")
        file.flush()
        answer = plan(made)
        text = made.hardlinks("clean", "--dry-run", "-v", *NOW).stdout
    assert answer["remove"] == []
    assert "a\\x1b[31m\\xff may be about to link it" in " ".join(text.split())
    assert "\x1b" not in text
