"""What a command links and unlinks, as conda reports it or as the records before and after show."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import pytest
from conda.core.prefix_data import PrefixData

from conda_hardlink_plugin.hooks.transaction_state import (
    Process,
    RunningCommand,
    Transaction,
    compare_records,
    dist_of_record,
    installed_packages,
    list_all_records,
    measure_before_unlinking,
    record_transaction,
)
from conda_hardlink_plugin.metadata.conda_meta import FileRole
from tests.support.oracles import du
from tests.support.trees import write


def recorded(prefix, linked=("p",), unlinked=()):
    return record_transaction(prefix, linked, unlinked)


# ---------------------------------------------------------------------------- transactions


@pytest.mark.parametrize(
    ("paths", "is_new"),
    [
        ((), True),
        (("conda-meta/",), True),
        (("conda-meta/history",), False),
        (("conda-meta/", "bin/tool"), False),
        (("own-file",), False),
    ],
    ids=lambda value: " ".join(value) or "empty" if isinstance(value, tuple) else "",
)
def test_an_environment_is_new_if_only_what_conda_makes_first_is_there(tmp_path, paths, is_new):
    prefix = f"{tmp_path}/env"
    os.mkdir(prefix)
    for path in paths:
        if path.endswith("/"):
            os.makedirs(f"{prefix}/{path}")
        else:
            write(f"{prefix}/{path}")
    assert recorded(prefix).is_new is is_new


def test_a_missing_environment_is_new(tmp_path):
    assert recorded(f"{tmp_path}/env").is_new


def test_a_renamed_environment_is_not_new(tmp_path):
    Process.running = RunningCommand("rename")
    assert not recorded(f"{tmp_path}/env").is_new


def test_a_transaction_belongs_to_the_running_command(tmp_path):
    Process.running = RunningCommand("install")
    transactions = [recorded(f"{tmp_path}/{name}", ["p"], ["q", "r"]) for name in "ab"]
    assert Process.running.transactions == transactions
    assert (transactions[0].linked, transactions[0].unlinked) == (("p",), ("q", "r"))
    assert not transactions[0].happened
    Process.running = None
    assert recorded(f"{tmp_path}/c").prefix == f"{tmp_path}/c"


# ---------------------------------------------------------------------------- packages


@pytest.mark.parametrize("suffix", [".conda", ".tar.bz2", ""])
def test_the_dist_of_a_record_is_the_name_of_its_archive_without_the_suffix(suffix):
    assert dist_of_record(SimpleNamespace(fn=f"a.conda-b-1.0-0{suffix}")) == "a.conda-b-1.0-0"


def test_an_installed_package_is_as_its_record_has_it(conda):
    env = conda.environment("env")
    extracted = conda.link(env, "a-b-1.0-0", {"lib/f": b"f", "bin/g": b"g"})
    conda.link(env, "soft-1.0-0", {"s": b"s"}, "softlink")
    hard, soft = installed_packages(env, ["a-b", "missing", "soft"])
    assert (hard.dist, list(hard.files)) == ("a-b-1.0-0", ["lib/f", "bin/g"])
    assert hard.extracted == extracted
    assert (hard.hard_link_requested, hard.soft_link_requested) == (True, False)
    assert (soft.hard_link_requested, soft.soft_link_requested) == (False, True)
    assert [hard.role_of(index) for index in range(2)] == [FileRole.LINKABLE] * 2
    assert installed_packages(env, []) == []
    assert installed_packages(conda.prefix("missing"), ["a-b"]) == []


def test_a_package_without_details_of_its_files_has_linkable_ones(conda):
    env = conda.environment("env")
    conda.record(env, "p-1-0", {"f": b"f", "g": b"g"})
    record = PrefixData(env).get("p")
    record.paths_data.paths = record.paths_data.paths[:1]
    (package,) = installed_packages(env, ["p"])
    assert [package.role_of(index) for index in range(2)] == [FileRole.LINKABLE] * 2


# ---------------------------------------------------------------------------- measuring


def test_packages_are_measured_once_before_they_are_unlinked(conda):
    env = conda.environment("env")
    conda.link(env, "p-1-0", {"lib/f": b"f" * 9_000})
    conda.link(env, "q-1-0", {"lib/g": b"g" * 9_000})
    (record_bytes,) = du(f"{env}/conda-meta/p-1-0.json")
    transaction = Transaction(env, is_new=False, unlinked=("p",))
    measure_before_unlinking(transaction)
    before = transaction.before
    assert [package.dist for package in before.packages] == ["p-1-0"]
    assert before.size_bytes == sum(du(f"{env}/lib/f")) + record_bytes
    assert before.freed_bytes == record_bytes
    assert before.rest_bytes is None
    os.unlink(f"{env}/lib/f")
    measure_before_unlinking(transaction)
    assert transaction.before is before


def test_if_every_package_goes_and_none_comes_the_rest_is_measured_too(conda):
    env = conda.environment("env")
    conda.link(env, "p-1-0", {"f": b"f" * 9_000})
    write(f"{env}/own", b"own" * 9_000)
    whole = Transaction(env, is_new=False, unlinked=("p",))
    measure_before_unlinking(whole)
    recorded_bytes = sum(du(f"{env}/f", f"{env}/conda-meta/p-1-0.json"))
    assert whole.before.rest_bytes == du(env)[0] - recorded_bytes
    replaced = Transaction(env, is_new=False, linked=("q",), unlinked=("p",))
    measure_before_unlinking(replaced)
    assert replaced.before.rest_bytes is None


def test_if_nothing_is_unlinked_nothing_is_measured(conda):
    transaction = Transaction(conda.environment("env"), is_new=True, linked=("p",))
    measure_before_unlinking(transaction)
    assert transaction.before is None


# ---------------------------------------------------------------------------- without hooks


def listed(conda, command="install"):
    running = RunningCommand(command)
    list_all_records(running)
    return running


def changes(running):
    compare_records(running)
    return {
        os.path.basename(one.prefix): (one.linked, one.unlinked) for one in running.transactions
    }


def load(*prefixes):
    """Have conda read the records of environments, as it does when it changes them."""
    for prefix in prefixes:
        PrefixData(prefix).load()


def test_the_records_of_every_named_environment_and_of_the_target_are_listed(conda):
    one = conda.environment("one")
    conda.record(one, "p-1-0")
    os.mkdir(conda.prefix("folder"))
    elsewhere = f"{conda.top}/elsewhere"
    conda.record(elsewhere, "q-1-0")
    conda.set(prefix=elsewhere)
    assert listed(conda).records == {
        elsewhere: frozenset({"q-1-0.json"}),
        one: frozenset({"p-1-0.json"}),
    }


def test_the_difference_of_records_is_what_was_linked_and_unlinked(conda):
    env, other = conda.environment("env"), conda.environment("other")
    gone = conda.record(env, "a-b-1.0-0")
    conda.record(env, "stays-1-0")
    running = listed(conda)
    os.utime(f"{env}/conda-meta/stays-1-0.json", ns=(0, 0))
    os.unlink(gone)
    conda.record(env, "a-b-2.0-0")
    conda.record(other, "by-another-conda-1-0")
    load(env)
    assert changes(running) == {"env": (("a-b",), ("a-b",))}
    (transaction,) = running.transactions
    assert (transaction.happened, transaction.is_new) == (True, False)


def test_a_package_that_was_linked_again_was_unlinked_and_linked(conda):
    env = conda.environment("env")
    path = conda.record(env, "p-1-0")
    running = listed(conda)
    os.utime(path, ns=(running.began_ns - 1, running.began_ns - 1))
    load(env)
    assert changes(running) == {}
    os.utime(path, ns=(running.began_ns, running.began_ns))
    assert changes(running) == {"env": (("p",), ("p",))}


def test_an_environment_that_came_or_went_is_new_or_wholly_unlinked(conda):
    gone, new = conda.environment("gone"), conda.prefix("new")
    conda.record(gone, "p-1-0")
    running = listed(conda)
    load(gone)
    shutil.rmtree(gone)
    conda.record(new, "q-1-0")
    load(new)
    assert changes(running) == {"gone": ((), ("p",)), "new": (("q",), ())}
    assert [one.is_new for one in running.transactions] == [False, True]


def test_renaming_moves_an_environment_and_unlinks_nothing(conda):
    old, new = conda.environment("old"), conda.prefix("new")
    conda.record(old, "p-1-0")
    running = listed(conda, "rename")
    load(old)
    shutil.rmtree(old)
    conda.record(new, "p-1-0")
    load(new)
    assert changes(running) == {"new": (("p",), ())}
    assert not running.transactions[0].is_new


def test_earlier_measurements_stay_with_the_transaction(conda):
    env = conda.environment("env")
    conda.link(env, "p-1-0", {"f": b"f"})
    running = listed(conda)
    transaction = Transaction(env, is_new=False, unlinked=("p",))
    measure_before_unlinking(transaction)
    running.transactions.append(transaction)
    os.unlink(f"{env}/conda-meta/p-1-0.json")
    compare_records(running)
    (found,) = running.transactions
    assert found.before is transaction.before is not None


def test_without_a_list_of_records_the_transactions_stay_as_conda_reported_them(tmp_path):
    running = RunningCommand("install", transactions=[Transaction("/env", is_new=True)])
    compare_records(running)
    assert running.transactions == [Transaction("/env", is_new=True)]
