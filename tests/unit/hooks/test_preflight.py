"""The warning before a transaction: of symbolic links, of copies, and of too little room."""

from __future__ import annotations

import os
import tempfile
from types import SimpleNamespace

import pytest

from conda_hardlink_plugin.formatting import size
from conda_hardlink_plugin.hooks.preflight import preflight_warning
from tests.support.trees import package, symlink

SHM = "/dev/shm"
PETABYTE = 10**15
ALWAYS_SOFTLINK, ALWAYS_COPY = ({f"CONDA_ALWAYS_{how}": "true"} for how in ("SOFTLINK", "COPY"))


@pytest.fixture
def elsewhere(tmp_path):
    """A folder on another filesystem."""
    if not os.path.isdir(SHM) or os.stat(SHM).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("no second filesystem")
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        yield folder


def record(dist="p-1-0", size_bytes=1):
    """A record as the solver gives it to us."""
    return SimpleNamespace(name=dist.rsplit("-", 2)[0], fn=f"{dist}.conda", size=size_bytes)


def softlinked(prefix):
    return (
        f"{prefix} is made of symbolic links into the cache: `conda clean --packages` may break it,"
        " `conda hardlinks clean` does not"
    )


def different(prefix, source):
    return f"the packages will be copied: {prefix} and {source} are on different filesystems"


def test_packages_that_will_be_hard_linked_give_no_warning(conda):
    conda.set(prefix=conda.prefix("new"))
    conda.package("p-1-0", {})
    assert preflight_warning("create", [record()]) == ""
    assert preflight_warning("create", [record("not-there-yet-1-0", PETABYTE)]) == ""


@pytest.mark.parametrize("variables", [ALWAYS_SOFTLINK, ALWAYS_COPY], ids=["soft", "copy"])
def test_a_command_that_links_nothing_gives_no_warning(conda, variables):
    conda.set(env=variables, prefix=conda.environment("env"))
    assert preflight_warning("install", []) == ""


def test_symbolic_links_that_conda_is_to_make_are_warned_of(conda):
    prefix = conda.prefix("new\nline\x1b[31m")
    conda.set(env=ALWAYS_SOFTLINK, prefix=prefix)
    assert preflight_warning("create", [record()]) == softlinked(prefix)


def test_an_environment_that_has_symbolic_links_is_warned_of_again(conda):
    env = conda.environment("env")
    conda.set(prefix=env)
    conda.record(env, "hard-1-0")
    conda.record(env, "copied-1-0", link="copy")
    assert preflight_warning("install", [record()]) == ""
    other = conda.environment("other")
    conda.record(other, "hard-1-0")
    conda.record(other, "soft-1-0", link="softlink")
    conda.set(prefix=other)
    assert preflight_warning("install", [record()]) == softlinked(other)


def test_a_clone_that_links_nothing_new_is_warned_of(conda):
    prefix = conda.prefix("new")
    conda.set(env=ALWAYS_SOFTLINK, prefix=prefix, clone="base")
    assert preflight_warning("create", []) == softlinked(prefix)


def test_a_package_on_another_filesystem_is_named_with_the_nearest_folder(conda, elsewhere):
    prefix = f"{elsewhere}/envs/new"
    conda.set(prefix=prefix)
    path = conda.package("q-1-0", {})
    linked = [record("not-there-yet-1-0"), record("q-1-0")]
    assert preflight_warning("create", linked) == different(elsewhere, path)


def test_only_the_packages_of_a_cache_on_another_filesystem_are_named(conda, elsewhere):
    conda.set(pkgs=f"{conda.pkgs},{elsewhere}", prefix=conda.prefix("new"))
    conda.package("p-1-0", {})
    package(elsewhere, "q-1-0")
    envs = f"{conda.root}/envs"
    sentence = different(envs, f"{elsewhere}/q-1-0").replace("the packages", "q")
    linked = [record(), record("q-1-0"), record("not-there-yet-1-0")]
    assert preflight_warning("create", linked) == sentence
    conda.package("q-1-0", {})  # conda takes it from the first cache that has it
    assert preflight_warning("create", linked) == ""


def test_packages_that_are_not_there_yet_go_to_the_first_cache_that_can_be_written(
    conda, elsewhere
):
    missing = f"{conda.top}/missing"
    conda.set(pkgs=f"{missing},{elsewhere},{conda.pkgs}", prefix=conda.prefix("new"))
    envs = f"{conda.root}/envs"
    assert preflight_warning("create", [record()]) == different(envs, elsewhere)
    conda.package("p-1-0", {})
    assert preflight_warning("create", [record()]) == ""


def test_an_environment_that_a_file_names_is_expected_where_conda_makes_new_ones(conda, elsewhere):
    """Before it has read the file, conda takes the active environment for the target."""
    conda.set(pkgs=elsewhere)
    variables = {"CONDA_PREFIX": conda.environment("active"), "CONDA_ENVS_DIRS": elsewhere}
    conda.set(env=variables)
    assert preflight_warning("env_create", [record()]) == different(elsewhere, conda.pkgs)
    assert preflight_warning("install", [record()]) == ""
    conda.set(env=variables, prefix=conda.prefix("named"))
    assert preflight_warning("env_create", [record()]) == ""


def test_copies_that_the_user_wants_are_warned_of_only_if_there_is_no_room(conda):
    prefix = conda.prefix("new")
    conda.set(env=ALWAYS_COPY, prefix=prefix)
    assert preflight_warning("create", [record()]) == ""
    start = f"the packages will be copied and need at least {size(2 * PETABYTE)}, and"
    found = preflight_warning("create", [record("p-1-0", PETABYTE), record("q-1-0", PETABYTE)])
    assert found.startswith(f"{start} {conda.root}/envs has ")
    assert found.endswith(" free")


def test_copies_that_the_user_wants_need_no_reason(conda, elsewhere):
    conda.set(env=ALWAYS_COPY, prefix=f"{elsewhere}/new")
    assert preflight_warning("create", [record()]) == ""


def test_copies_for_which_there_is_no_room_are_warned_of_for_that(conda, elsewhere):
    conda.set(prefix=f"{elsewhere}/new")
    found = preflight_warning("create", [record("p-1-0", PETABYTE)])
    assert found.startswith("the packages will be copied and need at least")
    assert f", and {elsewhere} has " in found


def test_packages_of_unknown_size_need_no_room(conda):
    conda.set(env=ALWAYS_COPY, prefix=conda.prefix("new"))
    assert preflight_warning("create", [record(size_bytes=None), record(size_bytes=0)]) == ""


def test_a_cache_that_is_a_symbolic_link_is_where_it_leads(conda, elsewhere):
    alias = symlink(elsewhere, f"{conda.top}/alias")
    conda.set(pkgs=alias, prefix=f"{elsewhere}/new")
    assert preflight_warning("create", [record()]) == ""
