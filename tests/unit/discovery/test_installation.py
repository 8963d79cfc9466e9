"""An installation: its environments by name and by path, and those that can be removed."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.discovery.installation import Environment, FoundInstallation
from conda_hardlink_plugin.exceptions import NotFoundError

ODD = os.fsdecode(b"new\nline\x1b\xff")


@pytest.fixture
def top(tmp_path):
    """A folder with the environments `base`, `env` and one with an odd name, and a package cache.

    The folder `other` contains a symbolic link to `env`.
    """
    for name in ("base", "envs/env", f"envs/{ODD}", "pkgs", "other"):
        os.makedirs(tmp_path / name)
    os.symlink("../envs/env", tmp_path / "other" / "link")
    return str(tmp_path)


@pytest.fixture
def found(top):
    """The environments of the folder; the odd one has its path as its name."""
    return FoundInstallation(
        caches=(f"{top}/pkgs",),
        environments=(
            Environment("base", f"{top}/base"),
            Environment("env", f"{top}/envs/env"),
            Environment(f"{top}/envs/{ODD}", f"{top}/envs/{ODD}"),
            Environment("linked", f"{top}/other/link"),
        ),
    )


def test_an_environment_is_known_by_its_name_its_path_and_a_path_to_the_same_folder(
    top, found, monkeypatch
):
    os.symlink(f"{top}/envs", f"{top}/elsewhere")
    monkeypatch.chdir(f"{top}/envs")
    monkeypatch.setenv("HOME", top)
    monkeypatch.setenv("ENVS", f"{top}/envs")
    paths = (f"{top}/envs/env", f"{top}/envs/env/", "./env", "../envs//env", "~/envs/env")
    for name in ("env", *paths, "$ENVS/env", f"{top}/elsewhere/env"):
        assert found.environment(name) == Environment("env", f"{top}/envs/env")


def test_an_environment_with_an_odd_name_is_known_by_its_path(top, found):
    assert found.environment(f"{top}/envs/{ODD}").prefix == f"{top}/envs/{ODD}"


def test_an_environment_is_known_by_its_own_path_before_that_of_the_same_folder(top, found):
    os.symlink("other", f"{top}/elsewhere")
    for path in (f"{top}/other/link", f"{top}/elsewhere/link"):
        assert found.environment(path) == found.environment("linked")


def test_a_name_is_not_a_path_in_the_current_folder(top, found, monkeypatch):
    monkeypatch.chdir(f"{top}/other")
    for name in ("link", ".", "", "no%such\x1b"):
        with pytest.raises(NotFoundError) as caught:
            found.environment(name)
        assert str(caught.value) == (
            f"No environment named '{name}' was found: `conda env list` shows the names,"
            " --search DIR finds environments that conda does not list."
        )


@pytest.mark.parametrize(
    "path",
    ["{}/gone", "{}/pkgs", "{}/gone/../pkgs/", "{}/new\nline\x1b", "{}/nul\0", "{}\0/env"],
)
def test_a_path_without_an_environment_is_refused_in_full(top, found, path):
    given = path.format(top)
    with pytest.raises(NotFoundError) as caught:
        found.environment(given)
    assert str(caught.value) == (
        f"There is no environment at {os.path.abspath(given)}: give the path of a folder with"
        " conda-meta/history in it."
    )


@pytest.mark.parametrize("given", ["linked", "{}/other/link"])
def test_a_symbolic_link_to_an_environment_frees_nothing(top, found, given):
    assert found.removable("env") == f"{top}/envs/env"
    with pytest.raises(NotFoundError) as caught:
        found.removable(given.format(top))
    assert str(caught.value) == (
        f"linked is a symbolic link: removing it frees nothing. Give its target, {top}/envs/env."
    )


def test_an_environment_has_every_prefix_that_leads_to_its_folder(top, found):
    both = [f"{top}/envs/env", f"{top}/other/link"]
    assert [found.prefixes_of(found.environment(prefix)) for prefix in both] == [both, both]
    assert found.prefixes_of(found.environment("base")) == [f"{top}/base"]


def test_a_deleted_environment_still_has_its_own_prefix(top, found):
    os.rmdir(f"{top}/base")
    assert found.prefixes_of(found.environment("base")) == [f"{top}/base"]


def test_names_are_by_prefix(top, found):
    assert found.names[f"{top}/envs/env"] == "env"
    assert len(found.names) == 4


class TestGiven:
    """An installation of given folders."""

    def test_each_folder_counts_once_in_the_given_order(self, top, monkeypatch):
        monkeypatch.chdir(top)
        paths = [f"{top}/envs/env", "envs/env/", "base", f"{top}/base"]
        found = FoundInstallation.of(["pkgs", f"{top}/pkgs/"], iter(paths), ["gone"])
        assert found.caches == found.named_caches == (f"{top}/pkgs",)
        assert found.environments == (
            Environment(f"{top}/envs/env", f"{top}/envs/env"),
            Environment(f"{top}/base", f"{top}/base"),
        )
        assert found.read_only_caches == (f"{top}/gone",)

    @pytest.mark.parametrize("kind", ["caches", "prefixes"])
    def test_a_path_that_is_not_a_folder_is_refused(self, top, kind):
        given = {"caches": [f"{top}/pkgs"], "prefixes": [f"{top}/base"]}
        open(f"{top}/file", "x", encoding="utf-8").close()
        os.symlink("loop", f"{top}/loop")
        for name in ("gone", "file", "loop", "nul\0"):
            bad = {**given, kind: [*given[kind], f"{top}/{name}"]}
            with pytest.raises(NotFoundError) as caught:
                FoundInstallation.of(**bad)
            assert str(caught.value) == f"{top}/{name} is not a folder: give one that exists."

    def test_nothing_at_all_is_an_installation(self):
        found = FoundInstallation.of([], [])
        assert (found.caches, found.environments, found.names) == ((), (), {})
