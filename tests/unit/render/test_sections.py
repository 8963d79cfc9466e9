"""The parts of a report that were requested, as text."""

from __future__ import annotations

import io

from conda_hardlink_plugin.analysis.causes import Cause
from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.render.table import print_report
from conda_hardlink_plugin.render.terminal import Terminal
from conda_hardlink_plugin.report.environment_detail import (
    EnvironmentDetail,
    PackagePrivate,
    SharedWith,
)
from conda_hardlink_plugin.report.model import DuRow, IfRemoved
from conda_hardlink_plugin.report.packages import PackageFigures
from tests.support.figures import KIB, MIB, environment, report, small_report

NO_BYTES = dict.fromkeys((cause.value for cause in Cause), 0)


def printed(shown, columns=None, **options):
    stream = io.StringIO()
    print_report(shown, Terminal(stream, columns), **options)
    return stream.getvalue()


def without_notes(**more):
    return small_report(warnings=(), unreachable=(), stale=(), **more)


def detail(prefix="/conda/envs/work", private=(), packages=(), shares_with=(), copied=()):
    return EnvironmentDetail(
        prefix, {**NO_BYTES, **dict(private)}, tuple(packages), tuple(shares_with), tuple(copied)
    )


def user(name, use="hardlink"):
    return PackageUser(name, f"/conda/envs/{name}", use)


def package(name, size, *users, outside=False, cache="/conda/pkgs", verdict="unused"):
    """Return a package; without a user it is unused, unless the verdict says what keeps it."""
    if users or outside:
        verdict = "linked"
    unused = verdict == "unused"
    return PackageFigures(name, f"{cache}/{name}", size, users, outside, verdict, unused)


def test_one_environment_has_causes_packages_and_sharing():
    shown = without_notes(
        detail=detail(
            private={"pip": 300 * KIB, "unowned": 12 * KIB, "directories": 200 * KIB},
            packages=[
                PackagePrivate("numpy-1-0", 200 * KIB),
                PackagePrivate("tool-2-0", 5),
                PackagePrivate("zlib-3-0", 0),
            ],
            shares_with=[SharedWith("soft", "/conda/envs/soft", MIB)],
            copied=["numpy-1-0"],
        )
    )
    assert printed(shown) == (
        """\
work
2.0 MiB: 1.5 MiB shared and 512 KiB exclusive. Removing it frees 512 KiB; \
removing it and the cached packages that only it uses frees 1.5 MiB.

CAUSE OF PRIVATE BYTES      SIZE  RATIO
pip                      300 KiB   59 %
directories              200 KiB   39 %
unowned                 12.0 KiB    2 %

PACKAGE    EXCLUSIVE
numpy-1-0    200 KiB
tool-2-0         5 B
... and 1 more package with 0 B in total.
conda records hard links, but these packages are copies, at least in part: numpy-1-0.

OTHER ENVIRONMENT   SHARED
soft               1.0 MiB
"""
    )


def test_a_softlinked_environment_alone_is_shown_without_empty_tables():
    shown = report(
        environment("soft", 10, 10, softlinked=True, softlinked_bytes=512, softlinks=2),
        detail=detail(
            "/conda/envs/soft", {"symlinks": 10}, [PackagePrivate("a", 0), PackagePrivate("b", 0)]
        ),
    )
    assert printed(shown) == (
        """\
soft
10 B: 0 B shared and 10 B exclusive. Removing it frees 10 B; \
removing it and the cached packages that only it uses frees 10 B.
It uses 512 B in package caches through 2 symbolic links.

CAUSE OF PRIVATE BYTES  SIZE  RATIO
symbolic links          10 B  100 %

2 packages with 0 B in total.

It shares no files with other environments.
"""
    )


def test_an_environment_without_packages_has_no_part_for_them():
    shown = without_notes(detail=detail(private={"pip": 512 * KIB}))
    assert printed(shown).endswith(
        """\
CAUSE OF PRIVATE BYTES     SIZE  RATIO
pip                     512 KiB  100 %

It shares no files with other environments.
"""
    )


def test_long_lists_of_one_environment_stop_after_ten():
    shown = without_notes(
        detail=detail(
            packages=[PackagePrivate(f"p{number:02}", 100 - number) for number in range(12)],
            shares_with=[SharedWith(f"e{number:02}", "/e", 100 - number) for number in range(11)],
        )
    )
    text = printed(shown)
    assert "\np09           91 B\n... and 2 more packages with 179 B in total.\n" in text
    assert "\ne09                  91 B\n... and 1 more environment.\n" in text
    assert "p10" not in text
    assert "e10" not in text


def test_why_has_a_column_for_each_cause_that_is_not_zero():
    shown = report(
        environment("a", 100, 30, private={**NO_BYTES, "pip": 20, "no_link": 10}),
        environment("b", 100, 5, private={**NO_BYTES, "prefix_rewritten": 5}),
    )
    assert printed(shown, sort="name") == (
        """\
ENVIRONMENT  PRIVATE  PREFIX REWRITTEN   PIP  NO_LINK
a               30 B               0 B  20 B     10 B
b                5 B               5 B   0 B      0 B
"""
    )


def test_packages_are_listed_largest_first_with_their_users():
    shown = without_notes(
        packages=[
            package("small-1-0", 5, user("a")),
            package("big-1-0", 2 * KIB, user("a"), user("b", "softlink"), user("c", "record")),
            package("lost-1-0", 5),
            package("held-1-0", KIB, outside=True),
            package("both-1-0", 7, user("a"), outside=True),
        ]
    )
    assert printed(shown) == (
        """\
PACKAGE       SIZE  USED BY
big-1-0    2.0 KiB  a, b (softlink), c (record)
held-1-0   1.0 KiB  outside links
both-1-0       7 B  a, outside links
lost-1-0       5 B  unused
small-1-0      5 B  a
softlink: by symbolic links; record: only recorded, without links; others: by hard links.
5 packages, 1 unused.
"""
    )


def test_a_kept_package_without_users_shows_why_and_is_not_unused():
    shown = without_notes(
        packages=[
            package("new-1-0", 9, verdict="recent"),
            package("only-1-0", 8, verdict="unobtainable"),
            package("dark-1-0", 7, verdict="unverifiable"),
            package("lost-1-0", 6),
        ]
    )
    assert printed(shown) == (
        """\
PACKAGE   SIZE  USED BY
new-1-0    9 B  kept: recent
only-1-0   8 B  kept: unobtainable
dark-1-0   7 B  kept: unverifiable
lost-1-0   6 B  unused
4 packages, 1 unused.
"""
    )


def test_packages_of_several_caches_name_theirs():
    shown = without_notes(
        packages=[package("a-1-0", 5, user("x")), package("a-1-0", 5, cache="/mamba")]
    )
    assert printed(shown) == (
        """\
PACKAGE  SIZE  USED BY  CACHE
a-1-0     5 B  x        /conda/pkgs
a-1-0     5 B  unused   /mamba
2 packages, 1 unused.
"""
    )


def test_no_packages():
    assert printed(report(packages=())) == "No extracted packages were found.\n"


def test_freed_bytes_are_exact():
    shown = without_notes(if_removed=IfRemoved(("a", "b"), (), 1536, 2 * MIB))
    assert printed(shown) == (
        "Removing a, b would free 1.5 KiB (1,536 bytes); also removing the cached packages that"
        " only they use would free 2.0 MiB (2,097,152 bytes).\n"
    )


def test_du_is_exact():
    rows = (DuRow("/conda/pkgs", 12_345_678, 12_345_678), DuRow("/conda/envs/a", 4096, 0))
    assert printed(without_notes(du=rows)) == (
        """\
   ALONE     ADDED  PATH IN `du -B1 -s`
12345678  12345678  /conda/pkgs
    4096         0  /conda/envs/a
"""
    )
    apparent = printed(without_notes(du=rows, measure=Measure.APPARENT))
    assert "PATH IN `du -B1 -s --apparent-size`\n" in apparent


def test_parts_are_separated_and_the_notes_come_last():
    shown = small_report(
        unreachable=(),
        stale=(),
        packages=(),
        du=(DuRow("/a", 1, 1),),
        if_removed=IfRemoved(("a",), (), 1, 2),
    )
    assert printed(shown) == (
        """\
No extracted packages were found.

Removing a would free 1 B (1 bytes); also removing the cached packages that only it uses would \
free 2 B (2 bytes).

ALONE  ADDED  PATH IN `du -B1 -s`
    1      1  /a

! 1 file is also linked from outside the scanned trees.
"""
    )


def test_hostile_names_are_escaped_everywhere():
    odd = "\x1b[2J\n"
    shown = report(
        environment(odd, 5, 5, prefix="/odd"),
        detail=detail(
            "/odd", {"pip": 5}, [PackagePrivate(odd, 5)], [SharedWith(odd, odd, 5)], [odd]
        ),
        packages=(package(odd, 5, user(odd)), package("a", 5, cache=f"/{odd}")),
        if_removed=IfRemoved((odd,), (odd,), 1, 2),
        du=(DuRow(odd, 1, 1),),
    )
    for columns in (None, 30):
        text = printed(shown, columns)
        assert "\x1b" not in text
        assert text.count("\\x1b[2J\\n") >= 8
