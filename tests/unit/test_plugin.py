"""The hooks: conda knows each one, and no failure in one reaches conda."""

from __future__ import annotations

import logging
from argparse import ArgumentParser

import pytest
from conda.base.context import Context
from conda.exceptions import CondaError
from conda.plugins.hookspec import CondaSpecs
from conda.plugins.manager import CondaPluginManager

from conda_hardlink_plugin import plugin
from conda_hardlink_plugin.hooks.health_checks import health_checks
from tests.support.trees import symlink

CLEAN = {"packages": True, "all": None, "force_pkgs_dirs": None, "dry_run": None}


def guard_of_clean():
    """Return what conda calls before `conda clean`."""
    (hook,) = (hook for hook in plugin.conda_pre_commands() if "clean" in hook.run_for)
    return hook.action


@pytest.fixture
def log(caplog, monkeypatch):
    """Return the records that conda's log has of this plugin."""
    monkeypatch.setattr(logging.getLogger("conda"), "propagate", True)
    return caplog


def test_conda_knows_every_hook():
    manager = CondaPluginManager()
    manager.add_hookspecs(CondaSpecs)
    manager.register(plugin)
    manager.check_pending()
    (subcommand,) = manager.get_hook_results("subcommands")
    assert subcommand.name == "hardlinks"
    assert len(manager.get_hook_results("settings")) == 4


def test_the_subcommand_parses_the_options_of_a_verb():
    (subcommand,) = plugin.conda_subcommands()
    parser = ArgumentParser()
    subcommand.configure_parser(parser)
    assert parser.parse_args(["index", "--clear"]).clear


def test_every_command_that_has_a_hook_before_it_has_one_after_it():
    """The hook after a command releases the lease that the one before it took."""
    before, guard = plugin.conda_pre_commands()
    (after,) = plugin.conda_post_commands()
    assert (
        before.run_for == after.run_for >= {"create", "install", "update", "remove", "env_create"}
    )
    assert guard.run_for == {"clean"}


def test_health_checks_are_those_of_the_package():
    names = [check.name for check in plugin.conda_health_checks()]
    assert names == [check.name for check in health_checks()]
    assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_hook_that_fails_leaves_one_line_in_the_log(mocker, log, error):
    mocker.patch("conda.common.configuration.SequenceParameter", side_effect=error("made\nup"))
    assert list(plugin.conda_settings()) == []
    assert log.messages == [f"hardlinks: settings failed: {error.__name__}: made"]


def test_ctrl_c_before_a_clean_stops_the_clean(mocker):
    mocker.patch.object(Context, "plugins", mocker.PropertyMock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        guard_of_clean()("clean")


def test_any_other_failure_before_a_clean_does_not_stop_it(
    configured, mocker, read_configuration, log
):
    read_configuration(options=CLEAN)
    mocker.patch.object(Context, "dry_run", mocker.PropertyMock(side_effect=SystemExit(3)))
    guard_of_clean()("clean")
    assert log.messages == ["hardlinks: refusal_of_clean failed: SystemExit: 3"]


def test_a_blocked_clean_is_an_error_of_conda_in_one_sentence(
    configured, monkeypatch, read_configuration
):
    package = configured.package("soft-1-0", {"lib/soft": b"s"})
    prefix = configured.environment("softlinked\x1b")
    symlink(f"{package}/lib/soft", f"{prefix}/lib/soft")
    monkeypatch.setenv("CONDA_PLUGINS_HARDLINKS_GUARD", "block")
    read_configuration(options=CLEAN)
    with pytest.raises(CondaError) as caught:
        guard_of_clean()("clean")
    assert type(caught.value).__name__ == "CleanRefusedError"
    assert str(caught.value) == (
        "softlinked\\x1b may break: symbolic links there lead into soft-1-0 in the cache."
        " `conda hardlinks clean` removes only what no environment uses. Nothing was removed: the"
        " setting hardlinks_guard is `block`."
    )
