"""The check of symbolic links into package caches: none, all good, or some that lead nowhere."""

from __future__ import annotations

import os
import shutil

import pytest

from conda_hardlink_plugin.hooks.health_checks.symlinks import check
from tests.support.disk import snapshot
from tests.support.trees import symlink, write

TITLE = "Symbolic links into package caches"
NONE = f"✅ {TITLE}: none."
REMEDY = "  Their targets were removed: install those packages again."


def checked(capsys, prefix, *, verbose=False):
    """Return the lines that the check prints, without the empty ones."""
    check(prefix, verbose)
    stdout, stderr = capsys.readouterr()
    assert stderr == ""
    return [line for line in stdout.splitlines() if line]


def good(number):
    return (
        f"✅ {TITLE}: {number}, and all targets exist. `conda clean --packages` may remove them;"
        " `conda hardlinks clean` does not."
    )


@pytest.fixture
def env(conda):
    return conda.environment("env")


def test_an_environment_without_symbolic_links_into_a_cache_is_good(conda, capsys, env):
    conda.link(env, "p-1-0", {"lib/f": b"f"})
    symlink("f", f"{env}/lib/g")
    symlink("/nowhere", f"{env}/lib/nowhere")
    before = snapshot(conda.top)
    assert checked(capsys, env) == [NONE]
    assert snapshot(conda.top) == before


def test_links_with_targets_are_counted(conda, capsys, env):
    conda.link(env, "p-1-0", {"lib/f": b"f", "lib/g": b"g"}, "softlink")
    assert checked(capsys, env) == [good(2)]


def test_links_without_a_target_are_named_with_the_remedy(conda, capsys, env):
    conda.link(env, "p-1-0", {"lib/f": b"f"}, "softlink")
    conda.link(env, "q-1-0", {"lib/g": b"g"}, "softlink")
    shutil.rmtree(f"{conda.pkgs}/q-1-0")
    assert checked(capsys, env) == [
        f"❌ {TITLE}: 1 of 2 lead nowhere.",
        f"  {env}/lib/g",
        REMEDY,
    ]


def test_verbose_names_all(conda, capsys, env):
    paths = [symlink(f"{conda.pkgs}/gone-1-0/{n}", f"{env}/{n}") for n in range(7)]
    assert len(checked(capsys, env)) == 8
    _, *named, remedy = checked(capsys, env, verbose=True)
    assert (sorted(named), remedy) == ([f"  {path}" for path in paths], REMEDY)


def test_a_name_that_a_terminal_would_obey_is_printed_with_escapes(conda, capsys, env):
    name = os.fsdecode(b"esc\x1b[31m\nnew\xff")
    symlink(f"{conda.pkgs}/gone-1-0/f", f"{env}/{name}")
    assert checked(capsys, env)[1] == f"  {env}/esc\\x1b[31m\\nnew\\xff"


def test_links_of_an_environment_inside_belong_to_that_one(conda, capsys):
    """Named environments lie in the base environment."""
    conda.link(conda.environment("env"), "p-1-0", {"f": b"f"}, "softlink")
    assert checked(capsys, conda.root) == [NONE]
    symlink(f"{conda.pkgs}/p-1-0/f", f"{conda.root}/f")
    assert checked(capsys, conda.root) == [good(1)]


def test_an_environment_that_conda_does_not_know_is_checked_too(conda, capsys):
    prefix = f"{conda.top}/unlisted"
    write(f"{prefix}/conda-meta/history")
    conda.link(prefix, "p-1-0", {"f": b"f"}, "softlink")
    assert checked(capsys, prefix) == [good(1)]
