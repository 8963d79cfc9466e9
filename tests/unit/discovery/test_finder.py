"""Caches and environments that are found, with conda's context pointed at made-up trees."""

from __future__ import annotations

import os
import pwd
import tempfile

import pytest
from conda.base.context import reset_context

from conda_hardlink_plugin.discovery.finder import find_installation
from conda_hardlink_plugin.discovery.installation import Environment
from conda_hardlink_plugin.exceptions import (
    HardlinksError,
    NotFoundError,
)
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.forking import in_child
from tests.support.trees import write

NOBODY = 65534


def environment(prefix):
    write(f"{prefix}/conda-meta/history")
    return prefix


class Machine:
    """A conda installation below a directory, with conda's context for it.

    Attributes:
        top: Everything is in here.
        root: The root prefix.
        home: The user's home.
        users: The homes that the system knows.
    """

    def __init__(self, top):
        self.top = str(top)
        self.root = f"{top}/conda"
        self.home = f"{top}/home"
        self.users = [self.home]
        self.environ = pytest.MonkeyPatch()
        os.mkdir(self.home)

    def point_conda_here(self, envs_dirs=(), pkgs_dirs=()):
        self.environ.setenv("HOME", self.home)
        self.environ.setenv("CONDA_ROOT_PREFIX", self.root)
        self.environ.setenv("CONDA_PKGS_DIRS", ",".join(pkgs_dirs or [f"{self.root}/pkgs"]))
        self.environ.setenv("CONDA_ENVS_DIRS", os.pathsep.join(envs_dirs))
        reset_context(())

    def list_in(self, home, *lines):
        return write(
            f"{home}/.conda/environments.txt", b"".join(os.fsencode(f"{x}\n") for x in lines)
        )

    def list(self, *lines):
        return self.list_in(self.home, *lines)


@pytest.fixture
def machine(mocker):
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        made = Machine(directory)
        mocker.patch(
            "pwd.getpwall",
            side_effect=lambda: [
                pwd.struct_passwd(("user", "x", 1, 1, "", home, "/bin/sh")) for home in made.users
            ],
        )
        made.point_conda_here()
        yield made
        made.environ.undo()
    reset_context(())


def prefixes(found):
    return [item.prefix for item in found.environments]


def test_base_the_environments_in_envs_dirs_and_the_cache_are_found(machine):
    environment(machine.root)
    environment(f"{machine.root}/envs/b")
    environment(f"{machine.root}/envs/a")
    os.makedirs(f"{machine.root}/envs/no-environment/bin")
    write(f"{machine.root}/envs/file")
    os.mkdir(f"{machine.root}/pkgs")
    found = find_installation()
    assert found.environments == (
        Environment("base", machine.root),
        Environment("a", f"{machine.root}/envs/a"),
        Environment("b", f"{machine.root}/envs/b"),
    )
    assert found.caches == (f"{machine.root}/pkgs",)
    assert (found.unreachable, found.stale, found.unsearched) == ((), (), ())


def test_every_existing_cache_is_found_once_in_the_order_of_conda(machine):
    caches = [f"{machine.top}/{name}" for name in ("z", "missing", "a", "file", "z")]
    os.mkdir(caches[0])
    os.mkdir(caches[2])
    write(caches[3])
    os.mkdir(f"{machine.top}/mamba")
    machine.point_conda_here(pkgs_dirs=caches)
    found = find_installation(caches=[f"{machine.top}/mamba/"])
    assert found.caches == (caches[0], caches[2], f"{machine.top}/mamba")
    assert found.unreachable == ()


def test_an_environment_listed_as_a_cache_is_not_a_cache(machine):
    mistaken = environment(f"{machine.top}/mistaken")
    machine.point_conda_here(pkgs_dirs=[mistaken])
    found = find_installation(prefixes=[mistaken])
    assert mistaken not in found.caches
    assert Environment(mistaken, mistaken) in found.environments
    with pytest.raises(NotFoundError, match="this is an environment"):
        find_installation(caches=[mistaken])


def test_of_two_environments_with_one_name_the_second_gets_its_path(machine):
    dirs = [f"{machine.top}/z", f"{machine.top}/a"]
    machine.point_conda_here(envs_dirs=dirs)
    for folder in dirs:
        environment(f"{folder}/same")
    assert find_installation().environments == (
        Environment("same", f"{machine.top}/z/same"),
        Environment(f"{machine.top}/a/same", f"{machine.top}/a/same"),
    )


def test_base_keeps_its_name_if_an_environment_has_the_same(machine):
    environment(machine.root)
    environment(f"{machine.root}/envs/base")
    found = find_installation()
    assert found.environment("base").prefix == machine.root
    assert [item.name for item in found.environments] == ["base", f"{machine.root}/envs/base"]


def test_an_environment_elsewhere_is_listed_by_its_path(machine):
    project = environment(f"{machine.top}/project/env")
    listed = machine.list(project)
    before = os.stat(listed)
    found = find_installation()
    assert found.environments == (Environment(project, project),)
    after = os.stat(listed)
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_nothing_is_written_even_with_stale_and_unreachable_lines(machine):
    """conda's own listing would drop both lines from the file."""
    environment(machine.root)
    text = f"# mine\n{machine.top}/gone\n{machine.top}/unmounted/env\n{machine.root}\n"
    listed = write(f"{machine.home}/.conda/environments.txt", text.encode())
    before = {path: os.lstat(path) for path in everything_in(machine.top)}
    found = find_installation(search=[machine.top])
    assert (len(found.stale), len(found.unreachable)) == (1, 1)
    with open(listed, encoding="utf-8") as file:
        assert file.read() == text
    after = {path: os.lstat(path) for path in everything_in(machine.top)}
    assert {
        path: (item.st_mtime_ns, item.st_ctime_ns, item.st_size) for path, item in after.items()
    } == {path: (item.st_mtime_ns, item.st_ctime_ns, item.st_size) for path, item in before.items()}


def everything_in(top):
    return [
        os.path.join(folder, name)
        for folder, folders, names in os.walk(top)
        for name in (".", *folders, *names)
    ]


def test_a_deleted_environment_is_stale_and_one_on_an_absent_disk_unreachable(machine):
    os.mkdir(f"{machine.top}/envs")
    os.mkdir(f"{machine.root}")
    os.mkdir(f"{machine.root}/pkgs")
    write(f"{machine.top}/envs/left-over/a-file")
    os.mkdir(f"{machine.top}/envs/mount-point")
    machine.list(
        f"{machine.top}/envs/deleted",
        f"{machine.top}/envs/slash/",
        f"{machine.top}/envs/left-over",
        f"{machine.top}/envs/mount-point",
        f"{machine.top}/disk/env",
    )
    found = find_installation()
    assert found.environments == ()
    assert found.stale == (f"{machine.top}/envs/deleted", f"{machine.top}/envs/slash")
    assert found.unreachable == (
        PathProblem(f"{machine.top}/envs/left-over", "it is a folder without conda-meta"),
        PathProblem(
            f"{machine.top}/envs/mount-point",
            "it is an empty folder; its disk may not be mounted",
        ),
        PathProblem(
            f"{machine.top}/disk/env", "its folder cannot be reached (no such file or directory)"
        ),
    )


@pytest.mark.parametrize("listed", [True, False])
def test_a_link_to_an_environment_on_an_absent_disk_is_unreachable(machine, listed):
    environment(machine.root)
    os.makedirs(f"{machine.root}/envs")
    os.symlink(f"{machine.top}/disk/deep/env", f"{machine.root}/envs/far")
    os.symlink(f"{machine.top}/deleted", f"{machine.root}/envs/deleted")
    if listed:
        machine.list(f"{machine.root}/envs/far", f"{machine.root}/envs/deleted")
    found = find_installation()
    assert [problem.path for problem in found.unreachable] == [f"{machine.root}/envs/far"]
    assert found.stale == ((f"{machine.root}/envs/deleted",) if listed else ())


def test_lines_that_are_not_absolute_paths_are_reported(machine):
    """A filesystem crash can leave files full of NUL."""
    env = environment(f"{machine.top}/env")
    machine.list("relative", "/nul\0", env)
    found = find_installation()
    assert prefixes(found) == [env]
    reason = "the line in environments.txt is not an absolute path"
    assert found.unreachable == (PathProblem("relative", reason), PathProblem("/nul\0", reason))


def test_an_unreadable_environments_txt_is_reported(machine):
    environment(machine.root)
    os.makedirs(f"{machine.home}/.conda/environments.txt")
    assert find_installation().unreachable == (
        PathProblem(f"{machine.home}/.conda/environments.txt", "not a regular file"),
    )


def test_a_listed_prefix_in_a_symlink_loop_is_unreachable(machine):
    environment(machine.root)
    os.symlink("loop", f"{machine.top}/loop")
    machine.list(f"{machine.top}/loop/env")
    assert find_installation().unreachable == (
        PathProblem(f"{machine.top}/loop/env", "too many levels of symbolic links"),
    )


def test_symlink_loops_among_the_environments_are_skipped(machine):
    env = environment(f"{machine.root}/envs/env")
    os.symlink("loop", f"{machine.root}/envs/loop")
    assert prefixes(find_installation(search=[f"{machine.root}/envs"])) == [env]


def test_an_environment_with_two_paths_comes_first_with_its_name(machine):
    real = environment(f"{machine.top}/a/real")
    os.makedirs(f"{machine.root}/envs")
    os.symlink(real, f"{machine.root}/envs/named")
    machine.list(real)
    found = find_installation()
    assert found.environments == (
        Environment("named", f"{machine.root}/envs/named"),
        Environment(real, real),
    )
    both = [f"{machine.root}/envs/named", real]
    assert found.prefixes_of(found.environment("named")) == both
    assert found.prefixes_of(found.environment(real)) == both


def test_unreadable_folders_are_reported(machine):
    visible = environment(f"{machine.root}/envs/visible")
    closed = environment(f"{machine.root}/envs/closed")
    elsewhere = environment(f"{machine.top}/secret/elsewhere")
    os.mkdir(f"{machine.top}/secret/pkgs")
    os.mkdir(f"{machine.top}/searched")
    os.mkdir(f"{machine.top}/searched/closed")
    machine.list(elsewhere)
    machine.point_conda_here(pkgs_dirs=[f"{machine.top}/secret/pkgs"])
    for folder in (closed, f"{machine.top}/secret", f"{machine.top}/searched/closed"):
        os.chmod(folder, 0)
    found = in_child(lambda: find_installation(search=[f"{machine.top}/searched"]), user=NOBODY)
    denied = "permission denied"
    assert prefixes(found) == [closed, visible]  # the scan says what it cannot read in `closed`
    assert found.caches == ()
    assert found.unreachable_caches == (PathProblem(f"{machine.top}/secret/pkgs", denied),)
    assert found.unreachable == (PathProblem(elsewhere, denied),)
    assert found.unsearched == (PathProblem(f"{machine.top}/searched/closed", denied),)


def test_an_unreadable_envs_dir_is_reported(machine):
    environment(machine.root)
    environment(f"{machine.root}/envs/hidden")
    os.chmod(f"{machine.root}/envs", 0o311)
    found = in_child(find_installation, user=NOBODY)
    assert prefixes(found) == [machine.root]
    assert found.unsearched == (PathProblem(f"{machine.root}/envs", "permission denied"),)


def test_search_finds_environments_at_any_depth_and_those_in_another_ones_envs(machine):
    top = f"{machine.top}/searched"
    deep = environment(f"{top}/a/b/c/env")
    base = environment(f"{top}/conda")
    inner = environment(f"{top}/conda/envs/inner")
    environment(f"{top}/conda/pkgs/python/not-an-environment")
    os.symlink(f"{top}/a", f"{top}/again")
    assert prefixes(find_installation(search=[top])) == sorted([deep, base, inner])
    assert prefixes(find_installation(search=[base, deep])) == sorted([deep, base, inner])


def test_an_administrator_sees_the_environments_of_all_users(machine, mocker):
    mine, theirs = environment(f"{machine.top}/mine"), environment(f"{machine.top}/theirs")
    machine.list(mine)
    machine.list_in(f"{machine.top}/other", theirs)
    machine.users += [f"{machine.top}/other", f"{machine.top}/no-home", ""]
    mocker.patch("conda_hardlink_plugin.discovery.finder.is_admin", return_value=True)
    assert prefixes(find_installation()) == [mine, theirs]
    mocker.patch("conda_hardlink_plugin.discovery.finder.is_admin", return_value=False)
    assert prefixes(find_installation()) == [mine]


def test_a_prefix_is_added_by_its_path(machine, monkeypatch):
    env = environment(f"{machine.top}/some/env")
    assert prefixes(find_installation(prefixes=[f"{env}/"])) == [env]
    monkeypatch.chdir(f"{machine.top}/some")
    assert prefixes(find_installation(prefixes=["env"])) == [env]


@pytest.mark.parametrize("argument", ["prefixes", "search", "caches"])
def test_a_named_folder_with_a_nul_in_its_path_is_refused(machine, argument):
    environment(machine.root)
    with pytest.raises(NotFoundError, match="nul"):
        find_installation(**{argument: [f"{machine.top}/nul\0"]})


def test_a_searched_folder_of_the_configuration_with_a_nul_is_unreachable(
    machine, read_configuration
):
    environment(machine.root)
    text = b'plugins: {hardlinks_search: ["/nul\\0"]}\n'
    read_configuration(write(f"{machine.top}/.condarc", text))
    assert find_installation().unreachable == (
        PathProblem("/nul\0", "hardlinks_search lists it: embedded null byte"),
    )


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (
            {"prefixes": ["{top}/missing"]},
            NotFoundError,
            (
                "There is no environment at {top}/missing: give the path of a folder with"
                " conda-meta/history in it."
            ),
        ),
        (
            {"search": ["{top}/missing"]},
            NotFoundError,
            "Searched folder {top}/missing: there is no such folder. Give one that exists.",
        ),
        (
            {"caches": ["{top}/conda/conda-meta/history"]},
            NotFoundError,
            (
                "Package cache {top}/conda/conda-meta/history: there is no such folder."
                " Give one that exists."
            ),
        ),
    ],
)
def test_a_named_folder_that_is_missing_is_refused(machine, arguments, error, sentence):
    environment(machine.root)
    named = {
        key: [path.format(top=machine.top) for path in paths] for key, paths in arguments.items()
    }
    with pytest.raises(error) as caught:
        find_installation(**named)
    assert str(caught.value) == sentence.format(top=machine.top)
    assert caught.value.exit_code == 1


def test_without_caches_and_environments_the_error_says_what_to_do(machine):
    with pytest.raises(HardlinksError) as caught:
        find_installation()
    assert str(caught.value) == (
        f"There is no package cache ({machine.root}/pkgs) and no environment: create an"
        " environment, or name folders with --search DIR and --cache DIR."
    )


def test_a_listed_folder_with_records_is_an_environment_without_its_history(machine):
    os.makedirs(f"{machine.root}/conda-meta")
    os.makedirs(f"{machine.top}/listed/conda-meta")
    machine.list(f"{machine.top}/listed")
    found = find_installation()
    assert prefixes(found) == [machine.root, f"{machine.top}/listed"]
    assert (found.stale, found.unreachable) == ((), ())


def test_a_listed_path_is_resolved_as_by_the_system(machine):
    """After a symbolic link, `..` is the parent of its target; a name may end in a space."""
    environment(f"{machine.top}/there/env")
    os.makedirs(f"{machine.top}/there/below")
    os.symlink("there/below", f"{machine.top}/link")
    environment(f"{machine.top}/space ")
    environment(f"{machine.top}/plain")
    machine.list(
        f"{machine.top}/link/../env",
        f"{machine.top}/space ",
        f"  {machine.top}/plain ",
    )
    found = find_installation()
    assert prefixes(found) == sorted(
        [f"{machine.top}/there/env", f"{machine.top}/space ", f"{machine.top}/plain"]
    )
    assert (found.stale, found.unreachable) == ((), ())


def test_activated_environments_are_found(machine):
    environment(f"{machine.top}/first")
    environment(f"{machine.top}/second")
    environment(f"{machine.root}")
    machine.environ.setenv("CONDA_PREFIX", f"{machine.top}/second")
    machine.environ.setenv("CONDA_PREFIX_1", f"{machine.top}/first")
    machine.environ.setenv("CONDA_PREFIX_2", "no/absolute/path")
    machine.environ.setenv("CONDA_PREFIX_OTHER", f"{machine.top}/other")
    environment(f"{machine.top}/other")
    assert prefixes(find_installation()) == [
        machine.root,
        f"{machine.top}/first",
        f"{machine.top}/second",
    ]


def test_a_named_cache_adds_the_environments_beside_it(machine):
    environment(machine.root)
    other = environment(f"{machine.top}/other")
    environment(f"{other}/envs/one")
    os.makedirs(f"{other}/pkgs")
    os.symlink("other/pkgs", f"{machine.top}/again")
    assert prefixes(find_installation()) == [machine.root]
    for cache in (f"{other}/pkgs", f"{machine.top}/again"):
        found = find_installation(caches=[cache])
        assert prefixes(found) == [machine.root, other, f"{other}/envs/one"]


@pytest.mark.parametrize("where", ["", "conda/envs"])
def test_a_named_cache_that_contains_other_roots_is_refused(machine, where):
    environment(machine.root)
    environment(f"{machine.root}/envs/one")
    folder = os.path.join(machine.top, where)
    with pytest.raises(NotFoundError, match=f"Package cache {folder}: this folder contains "):
        find_installation(caches=[folder])


def test_an_environment_in_an_empty_folder_may_be_on_an_unmounted_disk(machine):
    """The mount point is the folder of environments, not the environment."""
    environment(machine.root)
    os.makedirs(f"{machine.top}/disk")
    machine.list(f"{machine.top}/disk/env")
    found = find_installation()
    reason = f"{machine.top}/disk is empty; its disk may not be mounted"
    assert found.unreachable == (PathProblem(f"{machine.top}/disk/env", reason),)


def test_a_folder_of_environments_that_is_a_dangling_link_is_unreachable(machine):
    environment(machine.root)
    folder = f"{machine.top}/envs"
    os.symlink(f"{machine.top}/disk/envs", folder)
    machine.point_conda_here(envs_dirs=[folder])
    (problem,) = find_installation().unreachable
    assert problem.path == folder


def test_a_link_to_an_environment_below_a_searched_folder_is_found(machine):
    environment(machine.root)
    environment(f"{machine.top}/far/env")
    os.makedirs(f"{machine.top}/search/deep")
    os.symlink(f"{machine.top}/far/env", f"{machine.top}/search/deep/link")
    os.symlink(f"{machine.top}/far", f"{machine.top}/search/folder")
    found = find_installation(search=[f"{machine.top}/search"])
    assert prefixes(found) == [machine.root, f"{machine.top}/search/deep/link"]


def test_beside_a_named_cache_means_its_path_and_its_real_path(machine):
    environment(machine.root)
    near = environment(f"{machine.top}/near/envs/one")
    far = environment(f"{machine.top}/far/envs/two")
    os.makedirs(f"{machine.top}/far/pkgs")
    os.symlink("../far/pkgs", f"{machine.top}/near/pkgs")
    found = find_installation(caches=[f"{machine.top}/near/pkgs"])
    assert sorted(prefixes(found)) == sorted([machine.root, near, far])
