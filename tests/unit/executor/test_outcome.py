"""The outcome of a run, correct at every moment, and the names of runs."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest

from conda_hardlink_plugin.executor.outcome import Outcome, new_run
from conda_hardlink_plugin.executor.removal_plan import Action, Removal
from conda_hardlink_plugin.metadata.quarantine_names import QuarantineEntry, Stage


def removal(name, action=Action.MOVE):
    return Removal(action, name, f"/pkgs/{name}", "/pkgs", 4096)


@pytest.fixture
def far_east(monkeypatch):
    """Have the local time be nine hours ahead."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_run_that_has_done_nothing_has_an_empty_outcome():
    outcome = Outcome()
    assert (outcome.unfinished, outcome.freed_bytes) == (0, 0)
    outcome.removed.append(removal("p-1-0"))
    assert Outcome().removed == []


def test_final_removals_are_unfinished_until_they_are_complete():
    outcome = Outcome(committed=[removal("p-1-0"), removal("q-1-0")])
    assert outcome.unfinished == 2
    outcome.removed.append(removal("p-1-0"))
    assert outcome.unfinished == 1
    outcome.removed.append(removal("q-1-0"))
    assert outcome.unfinished == 0


def test_a_file_removed_in_its_place_was_never_unfinished():
    outcome = Outcome(removed=[removal("p-1-0.conda", Action.UNLINK)])
    assert outcome.unfinished == 0
    outcome.committed.append(removal("p-1-0"))
    assert outcome.unfinished == 1


def test_freed_bytes_add_up():
    outcome = Outcome()
    for freed_bytes in (4096, 0, 512):
        outcome.add_freed(freed_bytes)
    assert outcome.freed_bytes == 4608


def test_the_name_of_a_run_is_the_utc_time_to_the_microsecond(far_east):
    before_us, name, after_us = time.time_ns() // 1000, new_run(), time.time_ns() // 1000
    then = datetime.strptime(name, "%Y%m%dT%H%M%S_%f").replace(tzinfo=timezone.utc)
    age = then - datetime(1970, 1, 1, tzinfo=timezone.utc)
    then_us = (age.days * 24 * 3600 + age.seconds) * 1_000_000 + age.microseconds
    assert before_us <= then_us <= after_us


def test_names_of_runs_sort_by_time():
    names = [new_run() for _ in range(1000)]
    assert names == sorted(names)
    assert len(set(map(len, names))) == 1


def test_the_name_of_a_run_fits_into_names_of_the_quarantine():
    entry = QuarantineEntry(Stage.MOVING, new_run(), "p-1-0")
    assert QuarantineEntry.of_name(entry.name) == entry
