"""What every format says alike: the words for causes, users, marks, totals and notes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..formatting import count, percent, size
from ..scan.inventory import ReadingMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..report.model import CacheFigures, EnvironmentFigures, Report
    from ..report.packages import PackageFigures

CAUSE_HEADINGS = {
    "prefix_rewritten": "PREFIX REWRITTEN",
    "bytecode": "BYTECODE",
    "entry_points_and_records": "ENTRY POINTS, RECORDS",
    "pip": "PIP",
    "copied": "COPIED THOUGH LINKABLE",
    "not_in_cache": "PACKAGE NOT IN CACHE",
    "symlinks": "SYMBOLIC LINKS",
    "no_link": "NO_LINK",
    "unowned": "UNOWNED",
    "directories": "DIRECTORIES",
}
_MARKS = ("softlinked", "incomplete")
_PARTS_OF_CACHES = {
    "SIZE": "size_bytes",
    "USED": "used_bytes",
    "KEPT": "kept_bytes",
    "UNUSED": "unused_bytes",
    "TARBALLS": "tarball_bytes",
    "QUARANTINE": "quarantine_bytes",
    "OTHER": "other_bytes",
}
_PARTS_OF_FEW = ("KEPT", "QUARANTINE")  # shown where a cache has any
_NOTES_OF_A_KIND = 2


def mark_of(row: EnvironmentFigures | CacheFigures) -> str:
    """Return what stands behind the name of an environment or cache, with a space before it."""
    marks = [mark for mark in _MARKS if getattr(row, mark, False)]
    return f" ({', '.join(marks)})" if marks else ""


def parts_of_caches(report: Report) -> Mapping[str, str]:
    """Return the columns of the package caches: the heading and the field."""
    return {
        heading: field
        for heading, field in _PARTS_OF_CACHES.items()
        if heading not in _PARTS_OF_FEW or any(getattr(cache, field) for cache in report.caches)
    }


def users_of(package: PackageFigures) -> list[str]:
    """Name the users of a package; how they use it where that is not by hard links.

    Where there are none, the one entry says what becomes of it.
    """
    if package.unused:
        return ["unused"]
    if not package.environments and not package.used_outside:
        return [f"nobody, kept: {package.verdict}"]
    users = [
        user.name if user.use == "hardlink" else f"{user.name} ({user.use})"
        for user in package.environments
    ]
    if package.used_outside:
        users.append("somebody outside")
    return users


def totals_sentence(report: Report) -> str:
    """Return the totals; they are a lower bound where something could not be read."""
    totals = report.totals
    least = "at least " if report.incomplete else ""
    kind = "on disk" if report.measure.value == "disk" else "apparent size"
    return (
        f"{least}{size(totals.on_disk_bytes)} {kind}; {least}{size(totals.as_copies_bytes)} as"
        f" copies: hard links save {size(totals.saved_bytes)}"
        f" ({percent(totals.saved_bytes, totals.as_copies_bytes)}) and"
        f" {count(totals.saved_inodes, 'inode')}."
    )


def notes_of(report: Report, *, verbose: bool) -> list[str]:
    """Return what to know beside the figures, a sentence each.

    Args:
        report: What it is about.
        verbose: Name every place, also where there are many of a kind.

    """
    notes = [*_about_quick(report), *report.warnings]
    unreachable = [
        f"{problem.path}: not looked at, {problem.reason}." for problem in report.unreachable
    ]
    if len(unreachable) > _NOTES_OF_A_KIND and not verbose:
        more = count(len(unreachable) - 1, "more place")
        unreachable = [unreachable[0], f"{more} not looked at: -v names them."]
    notes += unreachable
    if report.stale:
        names = report.stale[0] if len(report.stale) == 1 else count(len(report.stale), "place")
        notes.append(f"{names} in environments.txt: no environment any more, and counted nowhere.")
    if verbose:
        notes += [
            f"{problem.path}: {_begin_small(problem.reason)}." for problem in report.unreadable
        ]
    prefixes = {row.prefix for row in report.environments}
    notes += [
        f"{path} is the same folder as {same}."
        for path, same in report.aliases.items()
        if verbose or same in prefixes
    ]
    return notes


def _about_quick(report: Report) -> Iterator[str]:
    if report.reading.mode is ReadingMode.QUICK:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(report.reading.taken_s))
        yield (
            "Quick: only folders were looked at again. Files that have grown, and links that were"
            f" made elsewhere, since {since} are not in these figures."
        )


def _begin_small(phrase: str) -> str:
    return phrase[:1].lower() + phrase[1:]
