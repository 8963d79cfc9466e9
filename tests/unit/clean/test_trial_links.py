"""The trial links that conda leaves in environments: which are left over, and what they hold."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from conda_hardlink_plugin.clean.trial_links import bytes_of_trial_links, find_trial_links
from tests.support.oracles import du
from tests.support.small_installation import SmallInstallation
from tests.support.trees import ODD_NAMES, link, symlink, write

NAME = ".tmp.index.json.0123abcd"  # as conda makes it
LATER_NS = 2**62


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


@pytest.fixture
def package(made):
    path = made.package("p-1-0", {})
    write(f"{path}/info/index.json", b"{}" * 9_000)
    return path


def trial_link(package, prefix, number=0):
    return link(f"{package}/info/index.json", f"{prefix}/.tmp.index.json.0123abc{number}")


def test_trial_links_of_all_environments_are_found_in_order(made, package):
    one, two = made.environment("one"), made.environment("two")
    first = trial_link(package, two)
    others = [trial_link(package, one, number) for number in (5, 1, 8, 3, 0, 7, 2, 9, 4, 6)]
    assert find_trial_links([two, one], LATER_NS, 0) == (first, *sorted(others))
    assert find_trial_links([], LATER_NS, 0) == ()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_environment_may_have_any_name(made, package, name):
    path = trial_link(package, made.environment(name))
    assert find_trial_links(made.prefixes, LATER_NS, 0) == (path,)


@pytest.mark.parametrize(
    "name",
    [
        ".tmp.index.json",
        ".tmp.index.json.0123abc",
        ".tmp.index.json.0123abcde",
        ".tmp.index.json.0123ABCD",
        ".tmp.index.json.0123abcd\n",
        "x.tmp.index.json.0123abcd",
        "-tmp.index.json.0123abcd",
        ".tmp.index-json.0123abcd",
        f"lib/{NAME}",
    ],
)
def test_only_the_name_that_conda_makes_in_the_prefix_is_that_of_a_trial_link(made, package, name):
    link(f"{package}/info/index.json", f"{made.environment('env')}/{name}")
    assert find_trial_links(made.prefixes, LATER_NS, 0) == ()


@pytest.mark.parametrize("kind", ["folder", "symbolic link", "pipe"])
def test_only_a_regular_file_is_a_trial_link(made, package, kind):
    path = f"{made.environment('env')}/{NAME}"
    if kind == "folder":
        os.mkdir(path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        symlink(f"{package}/info/index.json", path)
    assert find_trial_links(made.prefixes, LATER_NS, 0) == ()


def test_the_grace_of_a_trial_link_is_exact_to_the_nanosecond(made, package):
    """conda removes it at once, unless it is killed."""
    path = trial_link(package, made.environment("env"))
    then = os.lstat(path).st_ctime_ns
    assert find_trial_links(made.prefixes, then + 60, 60) == (path,)
    assert find_trial_links(made.prefixes, then + 59, 60) == ()
    assert find_trial_links(made.prefixes, then - 1, 0) == ()
    os.utime(path, ns=(0, 0))  # anybody can set the mtime
    assert find_trial_links(made.prefixes, time.time_ns(), 3600 * 10**9) == ()


def test_an_environment_with_several_paths_has_its_trial_links_once(made, package):
    env = made.environment("env")
    alias = symlink(env, f"{made.directory}/alias")
    path = trial_link(package, env)
    assert find_trial_links([alias, env, f"{env}/", alias], LATER_NS, 0) == (path,)


def test_an_environment_that_cannot_be_listed_has_no_trial_links(made, package):
    path = trial_link(package, made.environment("env"))
    others = [
        f"{made.directory}/missing",
        write(f"{made.directory}/file"),
        symlink("loop", f"{made.directory}/loop"),
    ]
    assert find_trial_links([*others, *made.prefixes], LATER_NS, 0) == (path,)


def test_without_trial_links_nothing_is_added(package):
    assert bytes_of_trial_links([], [package]) == 0


def test_a_trial_link_that_is_the_last_link_frees_its_inode_once(made, package):
    env = made.environment("env")
    paths = [trial_link(package, env, number) for number in range(3)]
    (size_bytes,) = du(paths[0])
    assert bytes_of_trial_links(paths, []) == 0
    shutil.rmtree(package)
    assert bytes_of_trial_links(paths, []) == size_bytes
    assert bytes_of_trial_links(paths[:2], []) == 0


def test_a_trial_link_frees_its_inode_with_the_package_that_is_removed(made, package):
    other = made.package("q-1-0", {})
    paths = [
        trial_link(path, made.environment("env"), n) for n, path in enumerate([package, other])
    ]
    sizes = du(*paths)
    assert bytes_of_trial_links(paths, [package]) == sizes[0]
    assert bytes_of_trial_links(paths, [package, other]) == sum(sizes)
    link(f"{package}/info/index.json", f"{made.directory}/outside")
    assert bytes_of_trial_links(paths, [package, other]) == sizes[1]


def test_a_single_file_that_is_removed_may_be_the_other_link(made):
    left = write(f"{made.directory}/pkgs/old.c~", b"x" * 9_000)
    path = link(left, f"{made.environment('env')}/{NAME}")
    assert bytes_of_trial_links([path], [left]) == du(path)[0]


def test_a_removed_symbolic_link_does_not_remove_what_it_leads_to(made, package):
    path = trial_link(package, made.environment("env"))
    alias = symlink(package, f"{made.directory}/pkgs/old.c~")
    file = symlink(f"{package}/info/index.json", f"{made.directory}/pkgs/file.c~")
    assert bytes_of_trial_links([path], [alias, file]) == 0


def test_a_path_that_vanished_frees_nothing(made, package):
    path = trial_link(package, made.environment("env"))
    gone = f"{path[:-1]}f"
    assert bytes_of_trial_links([gone], [package]) == 0
    assert bytes_of_trial_links([gone, path], [f"{made.directory}/gone", package]) == du(path)[0]
