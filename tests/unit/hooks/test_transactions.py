"""The hooks around a command: its lease, what it prints and when, and that nothing fails it."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from conda.core.prefix_data import PrefixData
from conda.plugins.hookspec import CondaSpecs

from conda_hardlink_plugin.formatting import size
from conda_hardlink_plugin.hooks.transaction_state import Process, Transaction, record_transaction
from conda_hardlink_plugin.hooks.transactions import (
    after_command,
    after_solve,
    before_command,
    end_command,
    has_transaction_hooks,
    transaction_action,
)
from conda_hardlink_plugin.metadata.leases import lease_folder, read_leases
from tests.support.oracles import du, open_descriptors
from tests.support.trees import write

HOOK = "conda_pre_transaction_actions"  # of conda since 25.5


@pytest.fixture(autouse=True)
def ended():
    """Leave no lease behind."""
    yield
    end_command()


@pytest.fixture
def without_hooks(monkeypatch):
    """Have conda be older than its transaction hooks."""
    monkeypatch.delattr(CondaSpecs, HOOK, raising=False)


@pytest.fixture
def with_hooks(monkeypatch):
    """Have conda have transaction hooks."""
    monkeypatch.setattr(CondaSpecs, HOOK, None, raising=False)


@pytest.fixture
def action(conda, mocker):
    """The class for conda's transaction hooks, above the class that conda has for them."""

    class Action:
        def __init__(self, transaction_context, target_prefix, unlink_precs, link_precs):
            self.arguments = (transaction_context, target_prefix, unlink_precs, link_precs)

    mocker.patch("conda.core.path_actions.Action", Action, create=True)
    return transaction_action()


def record(dist):
    """A record as the solver gives it to us."""
    return SimpleNamespace(name=dist.rsplit("-", 2)[0], fn=f"{dist}.conda", size=1)


def leases():
    return [(lease.holder, lease.dists) for lease in read_leases([lease_folder()])]


def running_as(command):
    return f"process {os.getpid()} (conda {command})"


# ---------------------------------------------------------------------------- leases


def test_a_command_holds_a_lease_on_every_package_until_it_ends(conda):
    before = open_descriptors()
    before_command("install")
    assert leases() == [(running_as("install"), None)]
    after_command("install")
    assert (leases(), Process.running) == ([], None)
    assert open_descriptors() == before


def test_after_the_solver_a_lease_covers_only_what_is_linked(conda):
    before_command("install")
    after_solve([record("old-1-0")], [record("a-1-0"), record("b-1-0")])
    assert leases() == [(running_as("install"), {"a-1-0", "b-1-0"})]
    after_solve((), iter([record("c-1-0")]))
    (lease,) = read_leases([lease_folder()])
    assert all(map(lease.covers, ("a-1-0", "b-1-0", "c-1-0")))
    assert not lease.covers("old-1-0")


def test_a_command_that_begins_ends_the_one_before_which_failed(conda):
    before_command("create")
    before_command("install")
    assert leases() == [(running_as("install"), None)]
    end_command()
    end_command()
    assert leases() == []


def test_without_a_home_to_write_to_there_is_no_lease_and_no_error(conda, monkeypatch, logged):
    monkeypatch.setenv("HOME", write(f"{conda.top}/home"))
    before_command("install")
    assert (Process.running.command, Process.running.lease) == ("install", None)
    after_solve([], [record("a-1-0")])
    after_command("install")
    assert logged() == []


def test_a_solve_outside_a_command_of_ours_is_ignored(conda, logged):
    after_solve([record("a-1-0")], [record("b-1-0")])
    assert (Process.running, leases(), logged()) == (None, [], [])


# ---------------------------------------------------------------------------- printing


def linking(conda, command="install", **arguments):
    """Begin a command and have it link a package; return the environment."""
    conda.set(**arguments)
    env = conda.environment("env")
    before_command(command)
    Process.running.records = None
    transaction = record_transaction(env, ["p"], [])
    conda.link(env, "p-1-0", {"f": b"f" * 9_000})
    transaction.happened = True
    return env


def test_after_a_command_one_line_on_stderr_says_what_was_linked(conda, capsys):
    env = linking(conda)
    after_command("install")
    figure = size(du(f"{env}/f")[0])
    line = f"hardlinks: 1 package, {figure}: {figure} hard-linked to the cache\n"
    assert capsys.readouterr() == ("", line)
    after_command("install")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("option", ["json", "quiet", "dry_run", "download_only"])
def test_a_command_that_prints_no_text_or_changes_nothing_gets_no_line(conda, capsys, option):
    linking(conda, **{option: True})
    after_command("install")
    assert capsys.readouterr() == ("", "")
    assert Process.running is None


def test_the_setting_turns_the_lines_off(conda, capsys):
    linking(conda, settings={"hardlinks_summary": False})
    after_command("install")
    assert capsys.readouterr() == ("", "")


def test_the_end_of_another_command_prints_nothing_and_ends_this_one_too(conda, capsys):
    linking(conda, "create")
    after_command("install")
    assert (capsys.readouterr(), Process.running, leases()) == (("", ""), None, [])


def test_a_command_that_linked_nothing_prints_nothing(conda, capsys):
    before_command("install")
    Process.running.records = None
    after_command("install")
    assert capsys.readouterr() == ("", "")


def test_if_measuring_fails_the_command_ends_all_the_same(conda, capsys, logged):
    before_command("install")
    Process.running.records = None
    Process.running.transactions.append(
        Transaction(None, is_new=False, linked=("p",), happened=True)
    )
    after_command("install")
    assert (capsys.readouterr(), Process.running, leases()) == (("", ""), None, [])
    (line,) = logged()
    assert line.startswith("hardlinks: _print_summary failed: ")


def test_a_warning_is_printed_once_before_the_user_is_asked(conda, capsys):
    conda.set(env={"CONDA_ALWAYS_SOFTLINK": "1"}, prefix=conda.environment("env"))
    before_command("install")
    after_solve([], [record("p-1-0")])
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.startswith(f"hardlinks: warning: {conda.prefix('env')} is made of symbolic links")
    assert stderr.count("\n") == 1
    after_solve([], [record("p-1-0")])
    assert capsys.readouterr() == ("", "")


def test_a_clone_is_warned_of_before_it_begins_because_no_solver_is_asked(conda, capsys):
    variables = {"CONDA_ALWAYS_SOFTLINK": "1"}
    conda.set(env=variables, prefix=conda.environment("env"), clone="base")
    before_command("create")
    assert capsys.readouterr().err.startswith("hardlinks: warning: ")


# ---------------------------------------------------------------------------- older condas


def test_whether_conda_has_transaction_hooks_is_asked_of_conda(with_hooks, monkeypatch):
    assert has_transaction_hooks()
    monkeypatch.delattr(CondaSpecs, HOOK)
    assert not has_transaction_hooks()


def test_with_transaction_hooks_no_environment_is_looked_at_beforehand(conda, with_hooks):
    conda.record(conda.environment("env"), "p-1-0")
    before_command("install")
    assert Process.running.records is None


def test_an_environment_that_will_be_removed_is_measured_beforehand(conda, without_hooks):
    env = conda.environment("env")
    conda.link(env, "p-1-0", {"f": b"f"})
    conda.set(prefix=env)
    before_command("env_remove")
    (transaction,) = Process.running.transactions
    assert (transaction.prefix, transaction.unlinked) == (env, ("p",))
    assert transaction.before.rest_bytes is not None


@pytest.mark.parametrize(("everything", "measured"), [(True, 1), (None, 0)])
def test_conda_remove_removes_the_environment_only_with_all(
    conda, without_hooks, everything, measured
):
    env = conda.environment("env")
    conda.link(env, "p-1-0", {"f": b"f"})
    conda.set(prefix=env, all=everything)
    before_command("remove")
    assert len(Process.running.transactions) == measured


def test_a_folder_that_is_not_an_environment_is_not_measured(conda, without_hooks, logged):
    conda.set(prefix=f"{conda.top}/missing")
    before_command("env_remove")
    assert (Process.running.transactions, logged()) == ([], [])


def test_packages_that_the_solver_unlinks_are_measured_in_the_target(conda, without_hooks):
    env, other = conda.environment("env"), conda.environment("other")
    for prefix in (other, env):
        conda.record(prefix, "p-1-0")
    conda.set(prefix=env)
    before_command("install")
    after_solve([record("p-1-0")], [record("p-2-0")])
    (transaction,) = Process.running.transactions
    assert (transaction.prefix, transaction.unlinked) == (env, ("p",))
    assert transaction.before.size_bytes == du(f"{env}/conda-meta/p-1-0.json")[0]


@pytest.mark.parametrize("names", [("env",), ("env", "other")])
def test_an_environment_that_a_file_names_is_measured_if_it_is_the_only_one_with_the_packages(
    conda, without_hooks, names
):
    for name in names:
        conda.record(conda.environment(name), "p-1-0")
    conda.set(prefix=conda.root)
    before_command("env_update")
    after_solve([record("p-1-0")], [])
    (transaction,) = Process.running.transactions
    assert transaction.prefix in map(conda.prefix, names)
    assert (transaction.before is None) is (len(names) > 1)


def test_if_the_solver_unlinks_nothing_that_is_there_nothing_is_measured(conda, without_hooks):
    conda.record(conda.environment("env"), "p-1-0")
    before_command("install")
    after_solve([], [record("p-2-0")])
    after_solve([record("q-1-0")], [])
    assert Process.running.transactions == []


# ---------------------------------------------------------------------------- newer condas


def test_an_action_records_measures_and_confirms_a_transaction(conda, action):
    env = conda.environment("env")
    conda.link(env, "old-1-0", {"f": b"f"})
    before_command("install")
    done = action({}, env, [record("old-1-0")], [record("new-1-0")])
    assert Process.running.transactions == [done.transaction]
    assert (done.transaction.linked, done.transaction.unlinked) == (("new",), ("old",))
    assert leases() == [(running_as("install"), {"new-1-0"})]
    done.verify()
    done.execute()
    assert done.transaction.before.size_bytes > 0
    assert not done.transaction.happened
    done.cleanup()
    assert done.transaction.happened


def test_a_transaction_that_is_reversed_did_not_happen(conda, action):
    done = action({}, conda.environment("env"), [], [record("p-1-0")])
    done.execute()
    done.reverse()
    assert not done.transaction.happened


def test_a_transaction_of_a_command_without_hooks_of_ours_takes_a_lease(conda, action):
    action({}, conda.environment("env"), [], [record("p-1-0")])
    assert leases() == [(running_as("transaction"), {"p-1-0"})]


@pytest.mark.parametrize(
    "arguments",
    [(), ({}, None, None, None), ({}, "/env", [object()], [object()]), ({}, "/env", 1, 1)],
    ids=["none", "nothing", "other records", "other types"],
)
def test_an_action_that_conda_makes_in_another_way_never_fails(conda, action, arguments):
    done = action(*arguments)
    done.verify()
    done.execute()
    done.reverse()
    done.cleanup()
    PrefixData(conda.environment("env")).load()
    after_command("transaction")
    assert Process.running is None
