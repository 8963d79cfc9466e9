"""A clean as JSON: what is planned, and what became of it."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from conda_hardlink_plugin.analysis.verdicts import PackageUser, Verdict
from conda_hardlink_plugin.clean.plan import Kept
from conda_hardlink_plugin.executor.outcome import Outcome, Spared
from conda_hardlink_plugin.executor.removal_plan import Action, Removal
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.cached_package import CachedPackage
from conda_hardlink_plugin.render.clean_json import render_clean
from tests.support.cleaning import plan_of
from tests.support.small_installation import SmallInstallation

PKGS = "/conda/pkgs"
USED_NS = 1_600_000_000_000_000_000
ODD = os.fsdecode(b"esc\x1b[31m\nnew\xff")


@pytest.fixture
def plan(tmp_path):
    """A function that makes a plan with only the given changes."""
    nothing = plan_of(SmallInstallation(str(tmp_path)))

    def make(*remove, **fields):
        return dataclasses.replace(nothing, remove=remove, **fields)

    return make


def moved(name, size, verdict=Verdict.UNUSED, used_ns=USED_NS):
    cached = CachedPackage(name, "1", 0, "https://made.up", used_ns, used_ns)
    return Removal(Action.MOVE, name, f"{PKGS}/{name}", PKGS, size, verdict, cached)


def answer_of(plan, outcome=None, errors=(), *, dry_run=False):
    text = render_clean(plan, outcome or Outcome(), errors=errors, dry_run=dry_run)
    return json.loads(text)


def test_json_has_every_field_and_unescaped_names(plan):
    user = PackageUser(ODD, f"/envs/{ODD}", "hardlink")
    shown = plan(
        moved(ODD, 7),
        Removal(Action.UNLINK, "a.conda", f"{PKGS}/a.conda", PKGS, 5),
        keep=(Kept("b-1-0", f"{PKGS}/b-1-0", 3, Verdict.LINKED, "hard links in one", (user,)),),
        trial_links=("/e/.tmp.index.json.0",),
        planned_bytes=12,
        held_bytes=1,
        excess_bytes={"/conda/pkgs": 9},
    )
    outcome = Outcome(
        run="r1",
        removed=[shown.remove[1]],
        held=[shown.remove[0]],
        spared=[Spared(shown.remove[0], "somebody is about to link it")],
        moved_back=["/conda/pkgs/c"],
        freed_bytes=5,
        problems=[PathProblem("/conda/pkgs/d", "it failed")],
    )
    text = render_clean(shown, outcome, errors=["refused"], dry_run=False)
    assert text.isascii()
    assert text.endswith("\n}\n")
    assert json.loads(text) == {
        "schema_version": 1,
        "success": False,
        "dry_run": False,
        "run": "r1",
        "remove": [
            {
                "name": ODD,
                "path": f"/conda/pkgs/{ODD}",
                "size_bytes": 7,
                "verdict": "unused",
                "action": "move",
                "last_use_ns": USED_NS,
            },
            {
                "name": "a.conda",
                "path": "/conda/pkgs/a.conda",
                "size_bytes": 5,
                "verdict": "unused",
                "action": "unlink",
                "last_use_ns": None,
            },
        ],
        "keep": [
            {
                "name": "b-1-0",
                "path": "/conda/pkgs/b-1-0",
                "size_bytes": 3,
                "verdict": "linked",
                "reason": "hard links in one",
                "environments": [{"name": ODD, "prefix": f"/envs/{ODD}", "use": "hardlink"}],
            }
        ],
        "trial_links": ["/e/.tmp.index.json.0"],
        "planned_bytes": 12,
        "held_bytes": 1,
        "freed_bytes": 5,
        "removed": ["/conda/pkgs/a.conda"],
        "held": [f"/conda/pkgs/{ODD}"],
        "spared": [
            {"name": ODD, "path": f"/conda/pkgs/{ODD}", "reason": "somebody is about to link it"}
        ],
        "returned": ["/conda/pkgs/c"],
        "too_big": {"/conda/pkgs": 9},
        "archived": 0,
        "errors": ["refused", "/conda/pkgs/d: it failed"],
    }


@pytest.mark.parametrize(
    ("errors", "problems", "success"),
    [([], [], True), (["refused"], [], False), ([], [PathProblem("/p", "it failed")], False)],
)
def test_json_reports_success_if_nothing_was_refused_or_failed(plan, errors, problems, success):
    for dry_run in (True, False):
        text = render_clean(plan(), Outcome(problems=problems), errors=errors, dry_run=dry_run)
        answer = json.loads(text)
        assert (answer["success"], answer["dry_run"]) == (success, dry_run)


def test_a_plan_without_removals_has_empty_lists_and_zeros(plan):
    answer = answer_of(plan(), dry_run=True)
    lists = ("remove", "keep", "trial_links", "removed", "held", "spared", "returned", "errors")
    assert all(answer[name] == [] for name in lists)
    assert (answer["planned_bytes"], answer["held_bytes"], answer["freed_bytes"]) == (0, 0, 0)
    assert (answer["too_big"], answer["archived"]) == ({}, 0)


def test_removals_keep_the_order_of_the_plan_and_what_is_removed_that_of_the_outcome(plan):
    one, two = moved("z-1-0", 1, Verdict.RECORDED), moved("a-1-0", 2, used_ns=0)
    answer = answer_of(plan(one, two), Outcome(removed=[two, one]))
    assert [(item["name"], item["verdict"], item["last_use_ns"]) for item in answer["remove"]] == [
        ("z-1-0", "recorded", USED_NS),
        ("a-1-0", "unused", 0),
    ]
    assert answer["removed"] == [f"{PKGS}/a-1-0", f"{PKGS}/z-1-0"]


def test_refusals_come_before_failures_with_the_bytes_of_their_paths(plan):
    path = os.fsdecode(b"/conda/\xff\n")
    outcome = Outcome(problems=[PathProblem(path, "operation not permitted")])
    answer = answer_of(plan(), outcome, ["it is read-only"])
    assert answer["errors"] == ["it is read-only", f"{path}: operation not permitted"]
    assert os.fsencode(answer["errors"][1]).startswith(b"/conda/\xff\n: ")
