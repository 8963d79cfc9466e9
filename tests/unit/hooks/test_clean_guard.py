"""The guard of `conda clean`: what it warns of, what it stops, and when it says nothing."""

from __future__ import annotations

import os
import shutil
from argparse import Namespace

import pytest
from conda.base.context import context, reset_context

from conda_hardlink_plugin.hooks.clean_guard import refusal_of_clean
from conda_hardlink_plugin.settings import Guard
from tests.support.trees import link, symlink, write

BLOCKED = " Nothing was removed: the setting hardlinks_guard is `block`."
NAME = "new\nline\x1b[31m"


@pytest.fixture
def softlinked(conda):
    """An environment of symbolic links into a package that `conda clean` removes."""
    env = conda.environment("soft")
    conda.link(env, "p-1-0", {"lib/f": b"f"}, "softlink")
    return env


def guarded(conda, capsys, mode=Guard.WARN, **arguments):
    """Return the refusal, and what is printed on stderr; nothing is ever printed on stdout."""
    conda.set(settings={"hardlinks_guard": mode}, **(arguments or {"packages": True}))
    refusal = refusal_of_clean()
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    return refusal, stderr


def sentence(names, packages):
    return (
        f"{names} may break: symbolic links there lead into {packages} in the cache."
        " `conda hardlinks clean` removes only what no environment uses."
    )


def warning(text):
    return f"hardlinks: warning: {text}\n"


def test_an_installation_without_symbolic_links_gives_no_warning(conda, capsys):
    conda.link(conda.environment("env"), "p-1-0", {"f": b"f"})
    conda.package("unused-1-0", {"f": b"f"})
    assert guarded(conda, capsys) == ("", "")
    assert guarded(conda, capsys, Guard.BLOCK) == ("", "")


def test_warn_prints_one_line_and_does_not_object(conda, capsys, softlinked):
    assert guarded(conda, capsys) == ("", warning(sentence("soft", "p-1-0")))


def test_block_objects_and_prints_nothing(conda, capsys, softlinked):
    assert guarded(conda, capsys, Guard.BLOCK) == (sentence("soft", "p-1-0") + BLOCKED, "")


def test_off_neither_prints_nor_objects(conda, capsys, softlinked):
    assert guarded(conda, capsys, Guard.OFF) == ("", "")


@pytest.mark.parametrize("option", ["packages", "all", "force_pkgs_dirs"])
def test_every_option_that_removes_packages_is_guarded(conda, capsys, softlinked, option):
    assert guarded(conda, capsys, **{option: True})[1] == warning(sentence("soft", "p-1-0"))


def test_a_dry_run_warns_and_never_stops(conda, capsys, softlinked):
    """A careful user looks there before anything is removed."""
    expected = "", warning(sentence("soft", "p-1-0"))
    assert guarded(conda, capsys, Guard.WARN, packages=True, dry_run=True) == expected
    assert guarded(conda, capsys, Guard.BLOCK, packages=True, dry_run=True) == expected


@pytest.mark.parametrize("option", ["tarballs", "index_cache", "logfiles", "tempfiles"])
def test_a_clean_that_removes_no_packages_is_not_guarded(conda, capsys, softlinked, option):
    assert guarded(conda, capsys, Guard.BLOCK, **{option: True, "packages": False}) == ("", "")


def test_a_package_that_conda_keeps_is_not_named_unless_the_whole_cache_goes(
    conda, capsys, softlinked
):
    """It keeps those of which a file has several links."""
    link(f"{conda.pkgs}/p-1-0/lib/f", f"{conda.environment('hard')}/lib/f")
    assert guarded(conda, capsys) == ("", "")
    assert guarded(conda, capsys, force_pkgs_dirs=True) == (
        "",
        warning(sentence("soft", "p-1-0")),
    )


def test_of_many_the_first_are_named_and_the_rest_counted(conda, capsys):
    for number in range(5):
        env = conda.environment(f"env-{number}")
        conda.link(env, f"p{number}-1-0", {"f": b"f"}, "softlink")
    names = "env-0, env-1, env-2 and 2 more"
    text = sentence(names, "p0-1-0, p1-1-0, p2-1-0 and 2 more")
    assert guarded(conda, capsys) == ("", warning(text))


def test_a_name_that_a_terminal_would_obey_is_printed_with_escapes(conda, capsys):
    conda.link(conda.environment(NAME), "p-1-0", {"f": b"f"}, "softlink")
    _, stderr = guarded(conda, capsys)
    assert stderr == warning(sentence("new\\nline\\x1b[31m", "p-1-0"))


def test_symbolic_links_that_conda_clean_does_not_break_are_fine(conda, capsys):
    env = conda.environment("env")
    conda.package("unused-1-0", {"f": b"f"})
    symlink(write(f"{conda.top}/outside"), f"{env}/outside")
    symlink(write(f"{conda.pkgs}/cache/1.json"), f"{env}/other")
    symlink(f"{conda.pkgs}/gone-1-0/f", f"{env}/gone")
    assert guarded(conda, capsys, Guard.BLOCK) == ("", "")


@pytest.fixture
def unreachable(conda):
    """An environment that conda lists, on a disk that is not mounted."""
    path = f"{conda.top}/disk/env"
    write(f"{os.environ['HOME']}/.conda/environments.txt", f"{path}\n".encode())
    return path


UNSEEN = (
    "{} cannot be read ({}): symbolic links of environments there may lead into packages that will"
    " be removed. `conda hardlinks clean` has --ignore-env."
)
NOT_MOUNTED = "its folder cannot be reached (no such file or directory)"


def test_an_environment_that_cannot_be_reached_may_break(conda, capsys, unreachable):
    conda.package("p-1-0", {"f": b"f"})
    unseen = UNSEEN.format(unreachable, NOT_MOUNTED)
    assert guarded(conda, capsys) == ("", warning(unseen))
    assert guarded(conda, capsys, Guard.BLOCK) == (unseen + BLOCKED, "")


def test_an_environment_that_cannot_be_reached_does_not_hide_those_that_break(
    conda, capsys, softlinked, unreachable
):
    both = f"{sentence('soft', 'p-1-0')} {UNSEEN.format(unreachable, NOT_MOUNTED)}"
    assert guarded(conda, capsys) == ("", warning(both))
    assert guarded(conda, capsys, Guard.BLOCK) == (both + BLOCKED, "")


def test_a_part_that_cannot_be_read_does_not_hide_those_that_break(conda, capsys, softlinked):
    records = f"{softlinked}/conda-meta"
    shutil.rmtree(records)
    write(records, b"not a folder")
    both = f"{sentence('soft', 'p-1-0')} {UNSEEN.format(records, 'cannot be listed')}"
    assert guarded(conda, capsys) == ("", warning(both))


def test_of_several_that_cannot_be_read_the_first_is_named_and_the_rest_counted(
    conda, capsys, unreachable
):
    lines = "".join(f"{unreachable}{number}\n" for number in (1, 2, 3))
    write(f"{os.environ['HOME']}/.conda/environments.txt", lines.encode())
    _, stderr = guarded(conda, capsys)
    reason = f"({NOT_MOUNTED}) (and 2 more paths): "
    assert stderr.startswith(f"hardlinks: warning: {unreachable}1 cannot be read {reason}")


def test_if_looking_fails_only_block_stops_conda(conda, capsys, mocker):
    error = RuntimeError("made up")
    mocker.patch("conda.base.context.Context.envs_dirs", mocker.PropertyMock(side_effect=error))
    assert guarded(conda, capsys, Guard.BLOCK) == (
        f"Which environments may break is unknown (RuntimeError: made up).{BLOCKED}",
        "",
    )
    with pytest.raises(RuntimeError):
        guarded(conda, capsys)


@pytest.mark.parametrize("mode", [Guard.WARN, Guard.BLOCK])
@pytest.mark.parametrize("value", ["{a: b}", "5", "/x"])
def test_a_setting_that_names_environments_and_cannot_be_read_stops_the_clean(
    conda, softlinked, mode, value, monkeypatch, capsys
):
    """The environments that it names are not known, so that nobody can say which would break."""
    monkeypatch.setenv("CONDA_PLUGINS_HARDLINKS_GUARD", mode.value)
    condarc = write(f"{conda.root}/.condarc", f"plugins: {{hardlinks_search: {value}}}".encode())
    conda.set(packages=True)
    context.__dict__.pop("plugins", None)
    reset_context((condarc,), Namespace(packages=True))
    refusal = refusal_of_clean()
    assert refusal.startswith("The setting hardlinks_search must be a list of folders")
    assert refusal.endswith("Nothing was removed.")
    assert capsys.readouterr().err == ""
