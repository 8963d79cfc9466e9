"""Real conda transactions, stopped where it hurts while the cache they install from is cleaned."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from conda.core import package_cache_data

from tests.support.realconda.copying import copy_in_place
from tests.support.realconda.installation import Installation

TRANSACTIONS = int(os.environ.get("RACE_TRANSACTIONS", "3"))
SPECS = ("forgotten", "library=1.0", "placeholder", "symlinked", "self-linked", "odd-names")
UNUSED = 5  # of these: library is in use
CLEAN = ("clean", "--yes", "--grace", "0", "--unobtainable")
FOLDER = b"a folder"
HARD, SOFT, COPY = {}, {"CONDA_ALWAYS_SOFTLINK": "1"}, {"CONDA_ALWAYS_COPY": "1"}
ASKING = {"CONDA_ALWAYS_YES": "false"}
NO_LEASE = {"CONDA_NO_PLUGINS": "true"}  # as the conda of another installation

# Runs conda, and waits at one of the calls of a function until it is told to go on.
_STOPPING = """\
import importlib, os, sys

place, number, when, reached, go_on = sys.argv[1:6]
del sys.argv[1:6]
left = int(number)


def stopping(function):
    def stopped(*arguments, **options):
        global left
        left -= 1
        stop = left == 0
        if stop and when == "before":
            wait()
        returned = function(*arguments, **options)
        if stop and when == "after":
            wait()
        return returned

    return stopped


def wait():
    os.write(int(reached), b".")
    os.read(int(go_on), 1)


if __name__ == "__main__":
    from conda.cli import main

    module, _, name = place.partition(":")
    owner = importlib.import_module(module)
    *classes, name = name.split(".")
    for item in classes:
        owner = getattr(owner, item)
    setattr(owner, name, stopping(getattr(owner, name)))
    sys.exit(main())
"""


@dataclass(frozen=True)
class Stop:
    """Where conda waits: at which call of which function."""

    place: str
    number: int = 1
    when: str = "before"

    def __str__(self):
        return f"{self.when} {self.place.rpartition(':')[2]} {self.number}"


FETCH = Stop("conda.core.package_cache_data:ProgressiveFetchExtract.execute")
INFO = Stop("conda.core.link:read_package_info")
INFO_HALF_READ = Stop("conda.core.link:read_package_info", 3)
PROBED = Stop("conda.core.link:determine_link_type", 3, "after")
VERIFIED = Stop("conda.core.link:UnlinkLinkTransaction._execute")
HALF_LINKED = Stop("conda.core.path_actions:create_link", 9)
LINKED = Stop("conda.core.path_actions:CreatePrefixRecordAction.execute")
RECORDED = Stop("conda.core.path_actions:UpdateHistoryAction.execute")
HALF_UNLINKED = Stop("conda.core.path_actions:UnlinkPathAction.execute", 2)
EXTRACTED = Stop(
    "conda.core.package_cache_data:extract_tarball"
    if hasattr(package_cache_data, "extract_tarball")
    else "conda.plugins.manager:CondaPluginManager.extract_package",  # since conda 26
    2,
    "after",
)
HALF_EXTRACTED = Stop("tarfile:TarFile.makefile", 9)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, channel):
    """An installation with two environments, and the packages of one that is gone."""
    made = Installation.new(str(tmp_path_factory.mktemp("race") / "i"), (channel,))
    made.create("work", "library=1.0")
    made.create("softlinked", "library=2.0", env=SOFT)
    expected = contents(made.create("gone", *SPECS))
    made.remove("gone")
    return made, expected


@pytest.fixture
def racing(prepared):
    """A copy of it to change; at the end its environments are what they were at the beginning."""
    made, _ = prepared
    with copy_in_place(made.directory):
        before = [state(made.prefix(name)) for name in ("work", "softlinked")]
        yield made
        assert [state(made.prefix(name)) for name in ("work", "softlinked")] == before


@pytest.fixture
def expected(prepared):
    """What is in an environment with all the packages."""
    return prepared[1]


def below(prefix):
    return sorted(
        os.path.join(directory, name)
        for directory, folders, names in os.walk(prefix)
        for name in (*folders, *names)
    )


def read(path):
    """What a path leads to: the content of a file, nothing if it leads nowhere."""
    if os.path.isdir(path):
        return FOLDER
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def state(prefix):
    """All that a clean may not change in an environment."""
    found = {}
    for path in below(prefix):
        status = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else None
        found[path] = status.st_mode, status.st_mtime_ns, status.st_ino, target, read(path)
    return found


def contents(prefix):
    """What is in an environment wherever it is and however it got there, and what is recorded."""
    found = {}
    for path in below(prefix):
        name = os.path.relpath(path, prefix)
        content = read(path)
        if os.path.dirname(name) == "conda-meta":
            if name.endswith(".json"):
                found[name] = json.loads(content)["files"]
        else:
            found[name] = content.replace(prefix.encode(), b"PREFIX") if content else content
    return found


@contextmanager
def running(installation, *command, env, **options):
    """Start a command whose output is read while it runs; wait for its end in any case."""
    with subprocess.Popen(
        command,
        env={**installation.environ, **env},
        cwd=installation.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    ) as process:
        yield process


@contextmanager
def stopped(installation, stop, *arguments, env=HARD, leased=False):
    """Run conda up to a stop; hand over a function that lets it go on, and returns its end."""
    env = env if leased else {**env, **NO_LEASE}
    reached, reached_by_conda = os.pipe()
    go_on_for_conda, go_on = os.pipe()
    python = os.path.join(installation.root_prefix, "bin", "python")
    place = (stop.place, str(stop.number), stop.when, str(reached_by_conda), str(go_on_for_conda))
    with running(
        *(installation, python, "-c", _STOPPING, *place, *arguments),
        env=env,
        stdin=subprocess.DEVNULL,
        pass_fds=(reached_by_conda, go_on_for_conda),
    ) as process:
        os.close(reached_by_conda)
        os.close(go_on_for_conda)

        def to_its_end():
            os.write(go_on, b".")
            return process.communicate()[0], process.returncode

        try:
            assert os.read(reached, 1) == b".", process.communicate()[0]
            yield to_its_end
        finally:
            os.close(reached)
            os.close(go_on)  # an end, if it still waits


@contextmanager
def asking(installation, *arguments, env=HARD):
    """Run conda up to its question; hand over a function that says yes, and returns its end."""
    conda = os.path.join(installation.root_prefix, "bin", "conda")
    arguments = [word for word in arguments if word != "--yes"]
    env = {**env, "CONDA_ALWAYS_YES": "false"}
    with running(installation, conda, *arguments, env=env, stdin=subprocess.PIPE) as process:
        printed = ""
        while not printed.endswith(")? "):
            letter = process.stdout.read(1)
            assert letter, printed
            printed += letter

        def say_yes():
            return process.communicate("y\n")[0], process.returncode

        yield say_yes


def cleaned(installation, *options):
    """Clean; return what that was."""
    done = installation.hardlinks(*CLEAN, "--json", *options)
    assert done.stderr == ""
    return json.loads(done.stdout)


def create(installation, name="new"):
    return ("create", "--quiet", "--name", name, *installation.source_options, *SPECS)


def assert_whole_or_failed(installation, expected, code):
    """That a transaction did all of it, or nothing and can be run again."""
    prefix = installation.prefix("new")
    if code:
        left = {os.path.relpath(path, prefix) for path in below(prefix) if not os.path.isdir(path)}
        assert left <= {"conda-meta/history"}
        if os.path.lexists(prefix):  # conda's `create` of 24.7 would not take an empty folder
            shutil.rmtree(prefix)
        installation.conda(*create(installation))
    assert contents(prefix) == expected


@pytest.mark.parametrize(
    ("env", "stop"),
    [
        *[(HARD, stop) for stop in (INFO, INFO_HALF_READ, PROBED, VERIFIED, HALF_LINKED, LINKED)],
        *[(SOFT, stop) for stop in (INFO_HALF_READ, VERIFIED, HALF_LINKED, LINKED, RECORDED)],
        *[(COPY, stop) for stop in (HALF_LINKED, LINKED)],
    ],
    ids=lambda value: str(value) if isinstance(value, Stop) else "".join(value) or "hard",
)
def test_an_environment_is_whole_or_absent_whenever_a_clean_runs(racing, expected, env, stop):
    with stopped(racing, stop, *create(racing), env=env) as to_its_end:
        report = cleaned(racing)
        _, code = to_its_end()
    assert report["removed"] or stop in (LINKED, RECORDED)
    assert (env, stop) != (HARD, LINKED) or report["removed"] == []
    assert_whole_or_failed(racing, expected, code)


@pytest.mark.parametrize("stop", [EXTRACTED, HALF_EXTRACTED], ids=str)
def test_a_package_that_conda_is_extracting_is_kept(racing, expected, stop):
    assert len(cleaned(racing)["removed"]) == UNUSED
    with stopped(racing, stop, *create(racing)) as to_its_end:
        report = cleaned(racing)
        assert "it has no repodata_record.json" in str(report["keep"])
        _, code = to_its_end()
    assert code == 0
    assert_whole_or_failed(racing, expected, code)


@pytest.mark.parametrize(("env", "stop"), [(SOFT, FETCH), (COPY, INFO)], ids=str)
def test_without_hard_links_conda_takes_a_missing_package_for_an_empty_one(racing, env, stop):
    """No promise of ours: it says what `docs/explanation/package-caches.md` says of conda."""
    with stopped(racing, stop, *create(racing), env=env) as to_its_end:
        assert len(cleaned(racing)["removed"]) == UNUSED
        _, code = to_its_end()
    assert code == 0
    assert list(contents(racing.prefix("new")).values()).count([]) == UNUSED


@pytest.mark.parametrize(
    ("env", "stop"), [(HARD, FETCH), (SOFT, FETCH), (COPY, INFO), (COPY, VERIFIED)], ids=str
)
def test_a_package_that_conda_is_about_to_link_is_kept(racing, expected, env, stop):
    with stopped(racing, stop, *create(racing), env=env, leased=True) as to_its_end:
        report = cleaned(racing)
        _, code = to_its_end()
    assert report["removed"] == []
    assert {row["verdict"] for row in report["keep"]} <= {"linked", "softlinked", "recent"}
    assert code == 0
    assert contents(racing.prefix("new")) == expected


NOT_FOUND = pytest.mark.xfail(strict=True, reason="nobody knows of it until conda has finished it")


@pytest.mark.parametrize(
    ("option", "leased"),
    [pytest.param("", False, marks=NOT_FOUND), ("--search", False), ("", True)],
)
def test_a_softlinked_environment_that_is_created_elsewhere_is_whole(
    racing, expected, option, leased
):
    prefix = f"{racing.directory}/elsewhere/new"
    command = ("create", "-q", "-p", prefix, *racing.source_options, *SPECS)
    with stopped(racing, LINKED, *command, env=SOFT, leased=leased) as to_its_end:
        cleaned(racing, *([option, os.path.dirname(prefix)] if option else []))
        to_its_end()
    assert contents(prefix) == expected


def test_a_conda_that_waits_for_an_answer_fails_cleanly(racing, expected):
    with asking(racing, *create(racing), env=NO_LEASE) as say_yes:
        assert len(cleaned(racing)["removed"]) == UNUSED
        _, code = say_yes()
    assert code == 1
    assert_whole_or_failed(racing, expected, code)


def test_a_conda_with_the_plugin_keeps_its_packages_while_it_waits_for_an_answer(racing, expected):
    with asking(racing, *create(racing)) as say_yes:
        report = cleaned(racing)
        _, code = say_yes()
    assert report["removed"] == []
    assert "(conda create) may be about to link it" in str(report["keep"])
    assert code == 0
    assert contents(racing.prefix("new")) == expected


def test_an_install_during_a_clean_leaves_its_environment_unchanged(racing, expected):
    prefix = racing.create("new", "library=1.0")
    before = contents(prefix)
    install = ("install", "-q", "-n", "new", *racing.source_options, *SPECS)
    with stopped(racing, HALF_LINKED, *install) as to_its_end:
        assert cleaned(racing)["removed"]
        _, code = to_its_end()
    assert code == 1
    assert {name: left for name, left in contents(prefix).items() if left != FOLDER} == {
        name: there for name, there in before.items() if there != FOLDER
    }
    racing.conda(*install)
    assert contents(prefix) == expected


def test_a_package_is_kept_until_its_removal_from_an_environment_ends(racing):
    prefix = racing.create("new", *SPECS)
    others = racing.create("others", "library=1.0", "forgotten", "symlinked", "self-linked")
    racing.conda("install", "-q", "-n", "others", *racing.source_options, "odd-names")
    remove = ("remove", "-q", "-y", "--offline", "-n", "new", "placeholder")
    with stopped(racing, HALF_UNLINKED, *remove) as to_its_end:
        assert cleaned(racing)["removed"] == []
        _, code = to_its_end()
    assert code == 0
    assert contents(prefix) == contents(others)
    assert cleaned(racing)["removed"] == [f"{racing.pkgs_dir}/placeholder-1.0-0"]


@pytest.mark.parametrize("env", [HARD, SOFT, COPY], ids=lambda env: "".join(env) or "hard")
def test_a_package_that_was_installed_before_the_answer_to_a_clean_is_kept(racing, expected, env):
    prefix = f"{racing.directory}/elsewhere/new"
    command = ("create", "-q", "-p", prefix, *racing.source_options, *SPECS)
    with asking(racing, "hardlinks", *CLEAN) as say_yes:
        racing.conda(*command, env=env)
        printed, code = say_yes()
    assert code == 0
    assert "Kept after all" in printed
    assert contents(prefix) == expected
    assert cleaned(racing)["remove"] == []


def test_transactions_and_cleans_in_a_loop_leave_every_environment_whole(racing, expected):
    """A clean may find that an environment goes while it looks, and refuse."""
    over = threading.Event()
    errors = []

    def clean():
        while not over.is_set():
            done = racing.hardlinks(*CLEAN, "--json", check=False)
            errors.extend(json.loads(done.stdout)["errors"])

    cleaning = threading.Thread(target=clean)
    cleaning.start()
    try:
        for number in range(TRANSACTIONS):
            done = racing.conda(*create(racing), check=False)
            assert_whole_or_failed(racing, expected, done.returncode)
            if number % 2:
                racing.conda("install", "-q", "-n", "new", *racing.source_options, "library=2.0")
            racing.remove("new")
    finally:
        over.set()
        cleaning.join()
    assert [said for said in errors if "cannot be read (" not in said] == []
