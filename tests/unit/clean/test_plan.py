"""The plan of a clean as a value: whether it does anything, and what is chosen by default."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.verdicts import Verdict
from conda_hardlink_plugin.clean.plan import CleanChoice, Kept, Plan
from conda_hardlink_plugin.executor.removal_plan import Action, Removal

EMPTY = Plan(
    remove=(),
    trial_links=(),
    caches_to_heal=(),
    cache_identities={},
    keep=(),
    planned_bytes=0,
    held_bytes=0,
    moving_back=(),
    excess_bytes={},
)
REMOVAL = Removal(Action.MOVE, "p-1-0", "/pkgs/p-1-0", "/pkgs", 0)


@pytest.mark.parametrize(
    "change",
    [
        {"remove": (REMOVAL,)},
        {"trial_links": ("/env/.tmp.index.json.0123abcd",)},
        {"moving_back": ("/pkgs/p-1-0",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_plan_that_removes_or_moves_back_does_something_even_if_it_frees_nothing(change):
    assert replace(EMPTY, **change).does_something


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"keep": (Kept("p-1-0", "/pkgs/p-1-0", 4096, Verdict.LINKED, "hard links in env"),)},
        {"excess_bytes": {"/pkgs": 4096}},
        {"cache_identities": {"/pkgs": (1, 2)}},
    ],
    ids=lambda change: next(iter(change), "empty"),
)
def test_a_plan_that_only_keeps_does_nothing(change):
    plan = replace(EMPTY, **change)
    assert plan.does_something is False


def test_by_default_only_unused_packages_that_can_be_downloaded_again_are_chosen():
    choice = CleanChoice()
    assert not any((choice.copied, choice.unobtainable, choice.tarballs, choice.trash))
    assert (choice.keep_newest, choice.max_size_bytes, choice.name_glob) == (None, None, None)
    assert not choice.hold
