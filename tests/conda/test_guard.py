"""What is said before `conda clean`, when it is not, and that conda goes on as without us."""

from __future__ import annotations

import json
import os
import shutil
import sys

import pytest

from tests.conda.test_unreadable_paths import as_ordinary_user
from tests.support.conda_cleaning import packages_in, read_through
from tests.support.disk import snapshot
from tests.support.realconda.copying import copy_in_place
from tests.support.terminal_session import make_prefix
from tests.support.trees import many_links

LIBRARY = "library-2.0-0"
FORGOTTEN = "forgotten-1.0-0"
BLOCK, OFF, WARN = ({"CONDA_PLUGINS_HARDLINKS_GUARD": value} for value in ("block", "off", "warn"))
SOFT = {"CONDA_ALWAYS_SOFTLINK": "1"}
PACKAGES = ("clean", "--yes", "--packages")
REMOVING = (PACKAGES, ("clean", "--yes", "-a"), ("clean", "--yes", "-f"))
PYTHON = f"python-{'.'.join(map(str, sys.version_info[:3]))}-0"

# Runs conda with one function of ours that raises something, or one number that is another.
_FAULTY = """\
import builtins, importlib, sys

place, error = sys.argv[1:3]
del sys.argv[1:3]


def faulty(*arguments, **options):
    raise getattr(builtins, error)("a fault of the test")


if __name__ == "__main__":
    from conda.cli import main

    module, _, name = place.partition(":")
    other = faulty if hasattr(builtins, error) else float(error)
    setattr(importlib.import_module("conda_hardlink_plugin." + module), name, other)
    sys.exit(main())
"""


def sentence(names, packages):
    return (
        f"{', '.join(names)} may break: symbolic links there lead into {', '.join(packages)} in the"
        " cache. `conda hardlinks clean` removes only what no environment"
        " uses."
    )


def warning(names, packages):
    return f"hardlinks: warning: {sentence(names, packages)}\n"


def faulty(installation, place, error, *command, env=None):
    """Run conda with a function that raises."""
    python = f"{installation.root_prefix}/bin/python"
    script = (python, "-c", _FAULTY, place, error)
    return installation.run(*script, *command, check=False, env=env, fresh=False)


@pytest.mark.parametrize("command", REMOVING, ids=" ".join)
def test_a_warning_names_environment_and_packages_and_conda_goes_on(installation, command):
    with copy_in_place(installation.directory):
        silent = installation.conda(*command, env=OFF)
        left = read_through(installation.directory).keys()
        assert not os.path.exists(f"{installation.pkgs_dir}/{LIBRARY}")
    with copy_in_place(installation.directory):
        warned = installation.conda(*command)
        assert read_through(installation.directory).keys() == left
    packages = [LIBRARY] if "-f" not in command else ["entry-1.0-0", LIBRARY, PYTHON]
    assert silent.stderr == ""
    assert warned.stderr == warning(["softlinked"], packages)
    assert (warned.stdout, warned.returncode) == (silent.stdout, silent.returncode)


def test_a_warning_leaves_the_json_of_conda_alone(changing):
    done = changing.conda(*PACKAGES, "--json", env=WARN)
    assert LIBRARY in json.loads(done.stdout)["packages"]["pkgs_dirs"][changing.pkgs_dir]
    assert done.stderr == warning(["softlinked"], [LIBRARY])


@pytest.mark.parametrize("command", REMOVING, ids=" ".join)
def test_block_stops_conda_with_one_sentence_before_anything_is_removed(installation, command):
    before = snapshot(installation.directory)
    done = installation.conda(*command, check=False, env=BLOCK)
    assert snapshot(installation.directory) == before
    assert done.returncode == 1
    assert done.stdout == ""
    packages = [LIBRARY] if "-f" not in command else ["entry-1.0-0", LIBRARY, PYTHON]
    said = f"{sentence(['softlinked'], packages)} Nothing was removed: the setting"
    assert done.stderr.strip() == f"CleanRefusedError: {said} hardlinks_guard is `block`."


def test_block_prints_an_error_as_json(installation):
    done = installation.conda(*PACKAGES, "--json", check=False, env=BLOCK)
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert done.stderr.strip() == ""
    assert answer["exception_name"] == "CleanRefusedError"
    assert answer["message"].startswith(sentence(["softlinked"], [LIBRARY]))


@pytest.mark.parametrize(
    "options",
    [
        *("--tarballs", "--index-cache", "--logfiles", "--tempfiles"),
    ],
)
def test_the_guard_is_silent_if_conda_removes_no_package(changing, options):
    command = ("clean", "--yes", *options.split())
    packages = packages_in(changing.pkgs_dir)
    done = changing.conda(*command, env=BLOCK)
    assert done.returncode == 0
    assert "hardlinks" not in done.stderr
    assert packages_in(changing.pkgs_dir) == packages


def test_packages_that_conda_keeps_for_their_hard_links_cause_no_warning(changing):
    changing.create("hard", "library=2.0")
    before = read_through(changing.envs_dir)
    assert changing.conda(*PACKAGES, env=BLOCK).stderr == ""
    assert LIBRARY in packages_in(changing.pkgs_dir)
    assert FORGOTTEN not in packages_in(changing.pkgs_dir)
    assert read_through(changing.envs_dir) == before


def test_any_hard_link_keeps_a_package_for_conda_and_for_the_guard(changing):
    os.link(f"{changing.pkgs_dir}/{LIBRARY}/include/l.h", f"{changing.directory}/tmp/l.h")
    assert changing.conda(*PACKAGES, env=BLOCK).stderr == ""
    assert LIBRARY in packages_in(changing.pkgs_dir)


@pytest.mark.parametrize("command", REMOVING, ids=" ".join)
def test_the_guard_is_silent_without_softlinked_environments(changing, command):
    changing.remove("softlinked")
    done = changing.conda(*command, env=BLOCK)
    assert done.stderr == ""
    assert FORGOTTEN not in str(os.listdir(changing.root_prefix))


def test_broken_symbolic_links_cause_no_warning(changing):
    shutil.rmtree(f"{changing.pkgs_dir}/{LIBRARY}")
    assert changing.conda(*PACKAGES, env=BLOCK).stderr == ""


def test_an_unlisted_environment_is_found_by_the_setting(changing):
    prefix = f"{changing.directory}/elsewhere/deep/new"
    changing.remove("softlinked")
    changing.conda("create", "-qp", prefix, *changing.source_options, "library=2.0", env=SOFT)
    listed = changing.conda(*PACKAGES, check=False, env=BLOCK)
    assert sentence([prefix], [LIBRARY]) in listed.stderr
    os.unlink(changing.environments_txt)
    search = {"CONDA_PLUGINS_HARDLINKS_SEARCH": f"{changing.directory}/elsewhere"}
    found = changing.conda(*PACKAGES, check=False, env={**BLOCK, **search})
    assert sentence([prefix], [LIBRARY]) in found.stderr
    assert changing.conda(*PACKAGES, env=BLOCK).stderr == ""


@pytest.mark.parametrize("env", [BLOCK, WARN], ids=["block", "warn"])
def test_an_unreadable_environment_causes_a_warning(changing, env):
    disk = f"{changing.directory}/no-such-disk"
    changing.remove("softlinked")
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{disk}/envs/one\n")
    done = changing.conda(*PACKAGES, check=False, env=env)
    assert done.returncode == (env is BLOCK)
    assert (FORGOTTEN in packages_in(changing.pkgs_dir)) == (env is BLOCK)
    assert done.stderr.count(f"{disk}/envs/one cannot be read (its folder cannot be") == 1


@pytest.mark.parametrize("env", [BLOCK, WARN], ids=["block", "warn"])
def test_a_link_that_cannot_be_followed_causes_a_warning(changing, never_answering, env):
    changing.remove("softlinked")
    link = f"{changing.prefix('work')}/data"
    os.symlink(f"{never_answering.point}/data", link)
    done = changing.conda(*PACKAGES, check=False, env=env)
    assert done.returncode == (env is BLOCK)
    assert (FORGOTTEN in packages_in(changing.pkgs_dir)) == (env is BLOCK)
    assert done.stderr.count(f"{link} cannot be read (its filesystem does not answer)") == 1


def odd_link(made, prefix, way):
    """What a symbolic link says that leads from an environment into a package in some way."""
    package, elsewhere = f"{made.pkgs_dir}/{FORGOTTEN}", f"{made.directory}/elsewhere"
    os.symlink(made.pkgs_dir, f"{made.directory}/pkgs")
    os.makedirs(elsewhere)
    os.symlink(f"{package}/lib", f"{elsewhere}/lib")
    return {
        "to a folder": package,
        "relative": os.path.relpath(f"{package}/lib/forgotten.bin", prefix),
        "by another name": f"{made.directory}/pkgs/{FORGOTTEN}/lib",
        "over a link elsewhere": f"{elsewhere}/lib/forgotten.bin",
        "in and out again": f"{package}/lib/../../../envs/work/conda-meta/history",
    }[way]


@pytest.mark.parametrize(
    "way",
    ["to a folder", "relative", "by another name", "over a link elsewhere", "in and out again"],
)
def test_an_indirect_link_is_found(changing, way):
    prefix = make_prefix(changing.prefix("odd"))
    os.symlink(odd_link(changing, prefix, way), f"{prefix}/link")
    before = snapshot(changing.pkgs_dir)
    done = changing.conda(*PACKAGES, check=False, env=BLOCK)
    assert sentence(["odd", "softlinked"], [FORGOTTEN, LIBRARY]) in done.stderr
    assert snapshot(changing.pkgs_dir) == before


def test_many_environments_are_counted(changing):
    for number in range(5):
        prefix = make_prefix(changing.prefix(f"e{number}"))
        os.symlink(f"{changing.pkgs_dir}/{FORGOTTEN}", f"{prefix}/link")
    done = changing.conda(*PACKAGES, env=WARN)
    assert done.stderr.startswith("hardlinks: warning: e0, e1, e2 and 3 more may break: ")
    assert done.stderr.count("\n") == 1


def test_a_name_with_control_characters_is_printed_with_escapes(changing):
    prefix = make_prefix(f"{changing.envs_dir}/a\x1b[31m%s{{x}}")
    os.symlink(f"{changing.pkgs_dir}/{FORGOTTEN}", f"{prefix}/link")
    for env in (BLOCK, WARN):
        done = changing.conda(*PACKAGES, check=False, env=env)
        assert "a\\x1b[31m%s{x}, softlinked may break" in done.stderr
        assert "\x1b" not in done.stderr


def test_the_search_for_a_warning_has_a_time_limit(changing):
    many_links(f"{changing.pkgs_dir}/urls.txt", f"{changing.prefix('work')}/many", 12_000)
    place = ("hooks.clean_guard:_MAX_S", "0")
    done = faulty(changing, *place, *PACKAGES, env=BLOCK)
    assert sentence(["softlinked"], [LIBRARY]) in done.stderr
    done = faulty(changing, *place, *PACKAGES, env=WARN)
    assert done.returncode == 0
    assert done.stderr == (
        "hardlinks: warning: whether symbolic links lead into packages that will be removed is"
        " unknown after 0 seconds: `conda hardlinks clean` checks every environment.\n"
    )


FAULTS = (
    *("hooks.clean_guard:guard", "hooks.clean_guard:_removes_packages"),
    *("hooks.clean_guard:_danger", "hooks.clean_guard:_softlinked"),
    *("hooks.clean_guard:_linked_units", "hooks.clean_guard:join_names"),
    *("hooks.clean_guard:warning_line", "hooks.clean_guard:write_lines"),
    *("discovery.finder:find_installation", "scan.scanner:scan"),
    "analysis.symlinks:follow_symlinks",
    *("settings:search", "scan.inventory:Root"),
)


@pytest.mark.parametrize("place", FAULTS)
def test_a_failure_of_the_guard_does_not_fail_conda(changing, place):
    error = ("OSError", "RecursionError", "MemoryError", "SystemExit")[len(place) % 4]
    done = faulty(changing, place, error, *PACKAGES)
    assert done.returncode == 0, done.stderr
    assert "Will remove" in done.stdout
    assert "Traceback" not in done.stderr
    assert "a fault of the test" in done.stderr  # it is said
    assert FORGOTTEN not in packages_in(changing.pkgs_dir)


@pytest.mark.parametrize("env", [WARN, BLOCK], ids=["warn", "block"])
def test_ctrl_c_during_the_search_stops_conda_before_anything_is_removed(changing, env):
    packages = packages_in(changing.pkgs_dir)
    done = faulty(changing, "scan.scanner:scan", "KeyboardInterrupt", *PACKAGES, env=env)
    assert packages_in(changing.pkgs_dir) == packages
    assert done.returncode
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place", ["scan.scanner:scan", "discovery.finder:find_installation"])
def test_block_stops_conda_if_the_search_fails(changing, place):
    """Whoever has asked for that wants nothing removed that is not known to be unused."""
    packages = packages_in(changing.pkgs_dir)
    done = faulty(changing, place, "OSError", *PACKAGES, env=BLOCK)
    assert packages_in(changing.pkgs_dir) == packages
    assert done.returncode == 1


def test_block_stops_conda_if_another_setting_is_wrong(changing):
    """A folder where a list of folders belongs: an environment that only that names is not seen."""
    prefix = f"{changing.directory}/elsewhere/new"
    changing.remove("softlinked")
    changing.conda("create", "-qp", prefix, *changing.source_options, "library=2.0", env=SOFT)
    os.unlink(changing.environments_txt)
    with open(f"{changing.directory}/.condarc", "a", encoding="utf-8") as file:
        folder = f"{changing.directory}/elsewhere"
        file.write(f"plugins:\n  hardlinks_guard: block\n  hardlinks_search: {folder}\n")
    packages = packages_in(changing.pkgs_dir)
    done = changing.conda(*PACKAGES, check=False)
    assert "hardlinks_search" in done.stderr
    assert packages_in(changing.pkgs_dir) == packages
    assert done.returncode == 1


def test_packages_that_conda_cannot_remove_cause_no_warning(changing):
    """A cache that is shared and read-only: `conda clean` cleans writable ones alone."""
    shared = f"{changing.directory}/shared"
    os.rename(changing.pkgs_dir, shared)
    os.symlink(shared, changing.pkgs_dir)  # as the environments have it
    changing.run("chmod", "-R", "a-w", shared)
    mine = f"{changing.directory}/mine"
    os.mkdir(mine)
    env = {**BLOCK, "CONDA_PKGS_DIRS": f"{mine},{shared}"}
    try:
        done = as_ordinary_user(changing, "conda", *PACKAGES, env=env)
    finally:
        changing.run("chmod", "-R", "u+w", shared)
    assert LIBRARY in packages_in(shared)
    assert (done.returncode, done.stderr) == (0, "")
