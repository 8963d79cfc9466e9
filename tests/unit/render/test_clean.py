"""Plans and outcomes of a clean, as text and as JSON."""

from __future__ import annotations

import dataclasses
import io
import os

import pytest

from conda_hardlink_plugin.analysis.verdicts import Verdict
from conda_hardlink_plugin.clean.plan import Kept
from conda_hardlink_plugin.executor.outcome import Outcome, Spared
from conda_hardlink_plugin.executor.removal_plan import Action, Removal
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.cached_package import CachedPackage
from conda_hardlink_plugin.render.clean import print_outcome, print_plan
from conda_hardlink_plugin.render.terminal import Terminal
from tests.support.cleaning import plan_of
from tests.support.figures import KIB, MIB
from tests.support.small_installation import SmallInstallation

NOON = 1_600_000_000  # 2020-09-13, at 12:26:40 UTC
NOON_NS = NOON * 1_000_000_000
ODD = os.fsdecode(b"esc\x1b[31m\nnew\xff")
SHOWN = "esc\\x1b[31m\\nnew\\xff"

pytestmark = pytest.mark.usefixtures("utc")


@pytest.fixture
def plan(tmp_path):
    """A function that makes a plan with only the given changes."""
    nothing = plan_of(SmallInstallation(str(tmp_path)))

    def make(*remove, **fields):
        return dataclasses.replace(nothing, remove=remove, **fields)

    return make


def package(name, size, cache="/conda/pkgs", verdict=Verdict.UNUSED, used_ns=NOON_NS):
    cached = CachedPackage(name, "1", 0, "https://made.up", used_ns, used_ns)
    return Removal(Action.MOVE, name, f"{cache}/{name}", cache, size, verdict, cached)


def other(action, name, size=0, cache="/conda/pkgs"):
    return Removal(action, name, f"{cache}/{name}", cache, size)


def kept(name, verdict, reason, size=0, *users):
    return Kept(name, f"/conda/pkgs/{name}", size, verdict, reason, users)


def of_plan(shown, columns=None, *, verbose=False):
    stream = io.StringIO()
    print_plan(shown, Terminal(stream, columns), verbose=verbose)
    return stream.getvalue()


def of_outcome(columns=None, **fields):
    stream = io.StringIO()
    print_outcome(Outcome(run="r1", **fields), Terminal(stream, columns))
    return stream.getvalue()


def small(plan, **fields):
    return plan(
        package("numpy-1-0", 300 * KIB),
        package("zlib-1-0", 2 * MIB, verdict=Verdict.RECORDED, used_ns=0),
        other(Action.UNLINK, "zlib-1-0.tar.bz2", 5),
        other(Action.MOVE, "x.conda_trash"),
        other(Action.FINISH, "old-1-0", KIB),
        keep=(
            kept("a-1-0", Verdict.LINKED, "hard links in one, two", MIB),
            kept("b-1-0", Verdict.UNUSED, "does not match --name x", 10),
        ),
        planned_bytes=2 * MIB + 301 * KIB + 5,
        **fields,
    )


def test_a_plan_lists_removals_largest_first_and_counts_what_it_keeps(plan):
    assert of_plan(small(plan)) == (
        """\
REMOVAL              SIZE  LAST USE    REASON
zlib-1-0          2.0 MiB  1970-01-01  recorded
numpy-1-0         300 KiB  2020-09-13  unused
old-1-0           1.0 KiB              interrupted removal
zlib-1-0.tar.bz2      5 B              archive
x.conda_trash         0 B              left-over

Kept: 1 linked; 1 unused but kept (does not match --name x). -v lists them; see also `conda \
hardlinks explain PACKAGE`.

This frees 2.3 MiB (2,405,381 bytes).
"""
    )


def test_verbose_lists_what_is_kept(plan):
    text = of_plan(small(plan), verbose=True)
    assert text.partition("left-over\n")[2] == (
        """\

KEPT ITEM     SIZE  REASON
a-1-0      1.0 MiB  hard links in one, two
b-1-0         10 B  does not match --name x

Kept: 1 linked; 1 unused but kept (does not match --name x).

This frees 2.3 MiB (2,405,381 bytes).
"""
    )


def test_a_narrow_terminal_gets_blocks_and_folded_sentences(plan):
    text = of_plan(
        plan(
            package("numpy-1.26.4-py312h02b7e37_0", 300 * KIB),
            keep=(kept("a-1-0", Verdict.LINKED, "hard links in one, two", MIB),),
            planned_bytes=300 * KIB,
        ),
        40,
    )
    assert [line.rstrip() for line in text.splitlines()] == [
        "numpy-1.26.4-py312h02b7e37_0",
        "  SIZE 300 KiB  LAST USE 2020-09-13",
        "  REASON unused",
        "",
        "Kept: 1 linked. -v lists them; see",
        "  also `conda hardlinks explain",
        "  PACKAGE`.",
        "",
        "This frees 300 KiB (307,200 bytes).",
    ]


def test_a_long_plan_lists_the_largest_twenty(plan):
    shown = plan(*(package(f"p{number:02}-1-0", number * KIB) for number in range(23)))
    text = of_plan(shown)
    assert text.count("-1-0 ") == 20
    assert "\np03-1-0   3.0 KiB  2020-09-13  unused\n... and 3 more items: -v shows all.\n" in text
    everything = of_plan(shown, verbose=True)
    assert everything.count("-1-0 ") == 23
    assert "smaller" not in everything


def test_several_caches_are_named_in_a_column(plan):
    text = of_plan(plan(package("a-1-0", 1), package("b-1-0", 2, cache="/other")))
    assert text.startswith(
        """\
REMOVAL  SIZE  LAST USE    REASON  CACHE
b-1-0     2 B  2020-09-13  unused  /other
a-1-0     1 B  2020-09-13  unused  /conda/pkgs
"""
    )


def test_nothing_to_do_is_one_sentence(plan):
    assert of_plan(plan()) == "There is nothing to remove.\n"
    keep = (kept("a-1-0", Verdict.RECENT, "extracted a moment ago"),)
    assert of_plan(plan(keep=keep), verbose=True) == (
        """\
KEPT ITEM  SIZE  REASON
a-1-0       0 B  extracted a moment ago

Kept: 1 recent (see --grace) or in use by a running conda.

There is nothing to remove.
"""
    )


def test_kept_items_are_counted_by_verdict_the_strongest_first(plan):
    reasons = {
        Verdict.UNUSED: ("does not match --name x", "among the newest 2 of its name"),
        Verdict.UNOBTAINABLE: ("there is no archive",),
        Verdict.RECENT: ("it changed a moment ago", "it changed a moment ago"),
        Verdict.UNVERIFIABLE: ("/disk: it is not mounted", "/disk: it is not mounted"),
        Verdict.RECORDED: ("recorded in env",),
        Verdict.SOFTLINKED: ("symbolic links in env",),
        Verdict.LINKED: ("hard links in env",) * 1_200,
    }
    keep = [kept("p", verdict, reason) for verdict in reasons for reason in reasons[verdict]]
    assert of_plan(plan(keep=tuple(keep))).partition(" -v lists")[0] == (
        "Kept: 1,200 linked; 1 softlinked; 1 recorded in an environment without links (remove"
        " copies with --copied); 2 not verifiable (/disk: it is not mounted); 2 recent (see"
        " --grace) or in use by a running conda; 1 cannot be downloaded again (remove with"
        " --unobtainable); 2 unused but kept."
    )


def test_a_plan_may_have_only_trial_links_and_returning_packages(plan):
    shown = plan(
        trial_links=("/e/.tmp.index.json.0",), moving_back=("/c/a", "/c/b"), planned_bytes=0
    )
    assert of_plan(shown) == (
        """\
/e/.tmp.index.json.0: a trial link that conda left will be removed.
2 packages that an interrupted run moved aside will be put back first.

This frees 0 B (0 bytes).
"""
    )
    assert "1 package that an interrupted run" in of_plan(plan(moving_back=("/c/a",)))


def test_a_plan_shows_held_bytes_and_caches_that_stay_too_large(plan):
    shown = plan(
        package("a-1-0", 2 * KIB),
        planned_bytes=KIB,
        held_bytes=2 * KIB,
        excess_bytes={"/conda/pkgs": 3 * KIB, "/other": 1},
    )
    assert of_plan(shown).partition("unused\n")[2] == (
        """\

! /conda/pkgs is still 3.0 KiB larger than --max-size.
! /other is still 1 B larger than --max-size.

This moves 2.0 KiB (2,048 bytes) aside and frees 1.0 KiB now.
"""
    )


@pytest.mark.parametrize("columns", [None, 40])
def test_hostile_names_in_a_plan_are_escaped(plan, columns):
    cache = f"/{ODD}"
    shown = plan(
        package(ODD, 1, cache=cache),
        package("b", 1),
        keep=(kept(ODD, Verdict.UNVERIFIABLE, f"/{ODD}: permission denied"),),
        trial_links=(f"/{ODD}/.tmp.index.json.0",),
        excess_bytes={cache: 1},
    )
    text = of_plan(shown, columns, verbose=True)
    assert all(line.isprintable() for line in text.splitlines())
    assert "".join(text.split()).count("".join(SHOWN.split())) == 7


def test_an_outcome_shows_freed_bytes_and_deviations_from_the_plan():
    assert of_outcome() == "Freed 0 B (0 bytes).\n"
    text = of_outcome(
        removed=[package("a", 1)],
        held=[package("b", 1), package("c", 1)],
        spared=[Spared(package("d-1-0", 1), "hard links in env")],
        moved_back=["/conda/pkgs/e"],
        freed_bytes=5 * MIB,
        problems=[PathProblem("/conda/pkgs/f", "operation not permitted")],
    )
    assert text == (
        """\
Kept after all: d-1-0: hard links in env.
Put back: 1 package.
Moved aside: 2 items. To restore them: conda hardlinks restore r1
Freed 5.0 MiB (5,242,880 bytes).
! /conda/pkgs/f: operation not permitted.
The next clean tries these again.
"""
    )


def test_hostile_names_in_an_outcome_are_escaped():
    text = of_outcome(
        spared=[Spared(package(ODD, 1), f"hard links in {ODD}")],
        problems=[PathProblem(f"/{ODD}", "operation not permitted")],
    )
    assert text.count(SHOWN) == 3
    assert all(line.isprintable() for line in text.splitlines())


def test_a_refused_plan_has_no_conclusion(plan):
    stream = io.StringIO()
    print_plan(plan(), Terminal(stream), verbose=False, refused=True)
    assert stream.getvalue() == ""


def test_kept_archives_are_advised_on_by_what_was_chosen(plan):
    text = of_plan(small(plan, packages_with_archive=1))
    assert "To remove archives, too, add --tarballs." in text
    chosen = small(plan, packages_with_archive=1, archives_chosen=True)
    assert "--tarballs" not in of_plan(chosen)
    assert "With -v, the list says why these archives are kept." in of_plan(chosen)
    assert "The list above says why" in of_plan(chosen, verbose=True)
