"""Words that several formats share: causes, users, marks, totals and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import count, percent, size, timestamp
from ..scan.inventory import ReadingMode

if TYPE_CHECKING:
    from collections.abc import Mapping

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
NO_PACKAGES = "No extracted packages were found."
_MARKS = ("softlinked", "incomplete")
_CACHE_COLUMNS = {
    "SIZE": "size_bytes",
    "USED": "used_bytes",
    "KEPT": "kept_bytes",
    "UNUSED": "unused_bytes",
    "TARBALLS": "tarball_bytes",
    "QUARANTINE": "quarantine_bytes",
    "OTHER": "other_bytes",
}
_OPTIONAL_COLUMNS = ("KEPT", "QUARANTINE")  # left out if they are 0 in every cache
_UNREACHABLE_SHOWN = 2


def name_suffix(row: EnvironmentFigures | CacheFigures) -> str:
    """Return the mark after the name of an environment or cache, with a space in front."""
    marks = [mark for mark in _MARKS if getattr(row, mark, False)]
    return f" ({', '.join(marks)})" if marks else ""


def cache_columns(report: Report) -> Mapping[str, str]:
    """Return the columns of the cache table: the field of each heading."""
    return {
        heading: field
        for heading, field in _CACHE_COLUMNS.items()
        if heading not in _OPTIONAL_COLUMNS or any(getattr(cache, field) for cache in report.caches)
    }


def users_of(package: PackageFigures) -> list[str]:
    """Return the users of a package, with the kind of use if that is not hard links.

    For a package without users, the only entry is `unused` or the reason to keep it.
    """
    if package.unused:
        return ["unused"]
    if not package.environments and not package.used_outside:
        return [f"kept: {package.verdict}"]
    users = [
        user.name if user.use == "hardlink" else f"{user.name} ({user.use})"
        for user in package.environments
    ]
    return [*users, "outside links"] if package.used_outside else users


def totals_sentence(report: Report) -> str:
    """Return the totals as a sentence; they are lower bounds if something could not be read."""
    totals = report.totals
    least = "at least " if report.incomplete else ""
    kind = "on disk" if report.measure.value == "disk" else "apparent size"
    return (
        f"{least}{size(totals.on_disk_bytes)} {kind}; {least}{size(totals.as_copies_bytes)} as"
        f" copies: hard links save {size(totals.saved_bytes)}"
        f" ({percent(totals.saved_bytes, totals.as_copies_bytes)}) and"
        f" {count(totals.saved_inodes, 'inode')}."
    )


def report_notes(report: Report, *, verbose: bool) -> list[str]:
    """Return the notes on the figures, one sentence each.

    Args:
        report: The report.
        verbose: Whether to name every path.

    """
    notes = list(report.warnings)
    if report.reading.mode is ReadingMode.QUICK:
        since = timestamp(report.reading.taken_s or 0)
        notes.insert(
            0,
            "Quick: only directories were checked. Files that have grown, and links that were made"
            f" elsewhere, since {since} are missing.",
        )
    unreachable = [
        f"{problem.path}: not scanned, {problem.reason}." for problem in report.unreachable
    ]
    if len(unreachable) > _UNREACHABLE_SHOWN and not verbose:
        unreachable[1:] = [f"{len(unreachable) - 1:,} more paths were not scanned: -v lists them."]
    notes += unreachable
    if len(report.stale) == 1:
        notes.append(f"{report.stale[0]} is in environments.txt but no longer an environment.")
    elif report.stale:
        notes.append(f"{len(report.stale):,} paths in environments.txt are no longer environments.")
    if verbose:
        notes += [
            f"{problem.path}: {problem.reason[:1].lower()}{problem.reason[1:]}."
            for problem in report.unreadable
        ]
    prefixes = {row.prefix for row in report.environments}
    notes += [
        f"{path} is the same folder as {same}."
        for path, same in report.aliases.items()
        if verbose or same in prefixes
    ]
    return notes
