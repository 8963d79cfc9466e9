"""The figures after a transaction agree with du, and are only those that could be measured."""

from __future__ import annotations

import os
import shutil
import time

import pytest
from conda.core.prefix_data import PrefixData

from conda_hardlink_plugin.analysis.causes import Cause
from conda_hardlink_plugin.hooks.summary import summarize
from conda_hardlink_plugin.hooks.transaction_state import (
    RunningCommand,
    Transaction,
    measure_before_unlinking,
)
from conda_hardlink_plugin.scan.index.trailer import (
    INDEX_NAME,
    IndexTotals,
    Trailer,
    checksum_of,
    index_folder,
    pack_trailer,
)
from tests.support.oracles import du
from tests.support.trees import link, write

HOUR_S = 3600.0
TOTALS = IndexTotals(5_000_000, 9_000_000, 1, 2, 0, 0)
REFUSED = "the filesystem refused to link them"


def running(*transactions, began_s_ago=HOUR_S, **options):
    """A command that took so long that there is time to measure."""
    began_s = time.monotonic() - began_s_ago
    for transaction in transactions:
        transaction.happened = True
    return RunningCommand("install", began_s, transactions=list(transactions), **options)


def test_a_command_that_changed_nothing_has_no_summary():
    assert summarize(running()) is None
    assert summarize(running(Transaction("/env", is_new=False))) is None


def test_a_transaction_that_did_not_happen_is_not_in_the_summary(conda):
    env = conda.environment("env")
    conda.link(env, "p-1-0", {"f": b"f"})
    command = running(Transaction(env, is_new=False, linked=("p",)))
    command.transactions[0].happened = False
    assert summarize(command) is None


def test_linked_packages_are_counted_with_their_links_and_the_files_of_their_own(conda):
    env = conda.environment("env")
    conda.link(env, "hard-1-0", {"lib/f": b"f" * 9_000, "lib/g": b"g"})
    conda.link(env, "soft-1-0", {"s": b"s"}, "softlink")
    conda.link(env, "copied-1-0", {"c": b"c" * 9_000}, "copy")
    names = ("hard", "soft", "copied", "missing")
    summary = summarize(running(Transaction(env, is_new=False, linked=names)))
    linked = summary.linked
    assert linked.packages == 3
    assert linked.hardlinked_bytes == sum(du(f"{env}/lib/f", f"{env}/lib/g"))
    assert linked.private_bytes == sum(du(f"{env}/c", f"{env}/s"))
    assert [package.dist for package in linked.softlinked] == ["soft-1-0"]
    assert (linked.copied, summary.why_copied) == ([], "")  # conda was asked to copy
    assert (summary.added_bytes, summary.unlinked_packages) == (None, 0)
    assert not summary.over_budget


def test_copies_instead_of_hard_links_are_named_with_the_reason(conda):
    env = conda.environment("env")
    conda.link(env, "p-1-0", {"f": b"f" * 9_000}, "copy")
    conda.record(env, "p-1-0", {"f": b"f"}, "hardlink")
    summary = summarize(running(Transaction(env, is_new=False, linked=("p",))))
    assert [package.dist for package in summary.linked.copied] == ["p-1-0"]
    assert summary.linked.by_cause == {Cause.COPIED: du(f"{env}/f")[0]}
    assert summary.why_copied == REFUSED


def test_several_transactions_add_up(conda):
    envs = [conda.environment("a"), conda.environment("b")]
    for number, env in enumerate(envs):
        conda.link(env, f"p{number}-1-0", {"f": b"f" * 9_000})
        conda.link(env, f"c{number}-1-0", {"c": b"c" * 5_000}, "copy")
    transactions = [
        Transaction(env, is_new=False, linked=(f"p{number}", f"c{number}"))
        for number, env in enumerate(envs)
    ]
    linked = summarize(running(*transactions)).linked
    assert linked.packages == 4
    assert linked.hardlinked_bytes == sum(du(*(f"{env}/f" for env in envs)))
    assert linked.private_bytes == sum(du(*(f"{env}/c" for env in envs)))


def test_a_new_environment_adds_what_it_holds_alone(conda):
    env = conda.environment("new")
    conda.link(env, "p-1-0", {"lib/f": b"f" * 9_000})
    conda.link(env, "c-1-0", {"lib/c": b"c" * 9_000}, "copy")
    write(f"{env}/own", b"o" * 5_000)
    summary = summarize(running(Transaction(env, is_new=True, linked=("p", "c"))))
    assert summary.added_bytes == du(conda.pkgs, env)[1]
    empty = running(Transaction(conda.environment("other"), is_new=True, linked=("missing",)))
    assert summarize(empty).added_bytes is None


def write_totals(age_s, *caches):
    """Write the totals of a report on some caches, so old."""
    totals = TOTALS._replace(caches_checksum=checksum_of(caches))
    path = write(f"{index_folder()}/{INDEX_NAME}", pack_trailer(Trailer(0, 0, 0, totals)))
    then_s = time.time() - age_s
    os.utime(path, (then_s, then_s))
    return totals, then_s


def totals_of(conda, *caches, is_new=True):
    """The totals in the summary of a command that began an hour ago."""
    env = conda.environment("new")
    conda.link(env, "p-1-0", {"f": b"f"})
    summary = summarize(running(Transaction(env, is_new=is_new, linked=("p",))), caches)
    shutil.rmtree(env)
    return summary.totals, summary.totals_taken_s


def test_a_new_environment_is_compared_with_the_report_before_the_command(conda):
    missing = f"{conda.top}/missing"
    totals, then_s = write_totals(2 * HOUR_S, conda.pkgs)
    assert totals_of(conda, missing, conda.pkgs) == (totals, pytest.approx(then_s))
    assert totals_of(conda, conda.pkgs, is_new=False) == (None, 0)


@pytest.mark.parametrize("age_s", [0, 0.9 * HOUR_S, 24.1 * HOUR_S])
def test_a_report_during_the_command_or_more_than_a_day_old_is_not_shown(conda, age_s):
    write_totals(age_s, conda.pkgs)
    assert totals_of(conda, conda.pkgs) == (None, 0)


def test_a_report_on_other_caches_is_not_shown(conda):
    write_totals(2 * HOUR_S, conda.pkgs, conda.top)
    assert totals_of(conda, conda.pkgs) == (None, 0)
    assert totals_of(conda) == (None, 0)


def unlinking(conda, env, *names):
    transaction = Transaction(env, is_new=False, unlinked=names)
    measure_before_unlinking(transaction)
    return transaction


def test_unlinked_files_are_freed_as_far_as_the_cache_does_not_hold_them(conda):
    env = conda.environment("env")
    extracted = conda.link(env, "hard-1-0", {"lib/f": b"f" * 9_000})
    conda.link(env, "copied-1-0", {"share/c": b"c" * 9_000}, "copy")
    write(f"{env}/lib/own", b"own")
    transaction = unlinking(conda, env, "hard", "copied")
    records = [f"{env}/conda-meta/{name}-1-0.json" for name in ("hard", "copied")]
    hard_bytes = du(f"{env}/lib/f")[0]
    freed_bytes = sum(du(f"{env}/share", *records))  # a folder that goes, too
    for path in (*records, f"{env}/lib/f"):
        os.unlink(path)
    shutil.rmtree(f"{env}/share")
    summary = summarize(running(transaction))
    assert summary.unlinked_packages == 2
    assert summary.freed_bytes == freed_bytes
    assert summary.unlinked_bytes == freed_bytes + hard_bytes
    assert summary.left_bytes == sum(du(extracted, f"{conda.pkgs}/copied-1-0"))


def test_a_package_that_another_environment_holds_is_not_left_over(conda):
    env, other = conda.environment("env"), conda.environment("other")
    extracted = conda.link(env, "p-1-0", {"lib/f": b"f" * 9_000})
    link(f"{extracted}/lib/f", f"{other}/lib/f")
    transaction = unlinking(conda, env, "p")
    shutil.rmtree(f"{env}/lib")
    assert summarize(running(transaction)).left_bytes == 0


def test_a_removed_environment_frees_the_rest_of_it_too(conda):
    env = conda.environment("env")
    conda.link(env, "p-1-0", {"lib/f": b"f" * 9_000})
    write(f"{env}/own", b"o" * 5_000)
    transaction = unlinking(conda, env, "p")
    (whole_bytes,), freed_bytes = du(env), du(conda.pkgs, env)[1]
    shutil.rmtree(env)
    summary = summarize(running(transaction))
    assert summary.unlinked_bytes == whole_bytes
    assert summary.freed_bytes == freed_bytes


def test_unmeasured_packages_have_unknown_figures_rather_than_zero():
    transaction = Transaction("/env", is_new=False, unlinked=("p", "q"))
    summary = summarize(running(transaction))
    assert summary.unlinked_packages == 2
    assert (summary.unlinked_bytes, summary.freed_bytes, summary.left_bytes) == (None, None, None)


def test_measuring_stops_after_a_small_part_of_the_time_that_the_command_took(conda, monkeypatch):
    """Time is looked at after each 256 files."""
    monkeypatch.setattr("conda_hardlink_plugin.hooks.summary._MIN_S", 0)
    env = conda.environment("env")
    conda.link(env, "many-1-0", {f"lib/{number}": b"" for number in range(300)})
    transaction = Transaction(env, is_new=True, linked=("many",))
    summary = summarize(running(transaction, began_s_ago=0.0))
    assert summary.over_budget
    assert (summary.added_bytes, summary.linked.packages) == (None, 0)


def test_a_small_environment_is_measured_however_short_the_command_was(conda):
    env = conda.environment("env")
    conda.link(env, "few-1-0", {f"lib/{number}": b"" for number in range(300)})
    transaction = Transaction(env, is_new=True, linked=("few",))
    summary = summarize(running(transaction, began_s_ago=0.0))
    assert (summary.over_budget, summary.linked.packages) == (False, 1)


@pytest.mark.parametrize("warned", [True, False])
def test_the_summary_says_whether_the_user_was_warned(conda, warned):
    transaction = Transaction("/env", is_new=False, unlinked=("p",))
    assert summarize(running(transaction, warned=warned)).warned is warned


def test_where_conda_has_no_transaction_hooks_the_records_are_compared(conda):
    env = conda.environment("env")
    command = running(records={env: frozenset()})
    conda.link(env, "p-1-0", {"f": b"f" * 9_000})
    PrefixData(env).load()
    assert summarize(command).linked.hardlinked_bytes == du(f"{env}/f")[0]
