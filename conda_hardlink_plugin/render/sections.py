"""The parts of a report that are shown when asked for, one function each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.usage import Measure
from ..formatting import count, percent, size
from .labels import CAUSE_HEADINGS, users_of
from .output import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..report.environment_detail import EnvironmentDetail
    from ..report.model import DuRow, EnvironmentFigures, IfRemoved, Report
    from ..report.packages import PackageFigures
    from .output import Output

USE_LEGEND = {
    "softlink": "softlink: by symbolic links",
    "record": "record: installed, but nothing is linked",
}
_ROWS_IN_DETAIL = 10


def print_views(
    report: Report, environments: Sequence[EnvironmentFigures], terminal: Output
) -> bool:
    """Print every part that was asked for; tell whether there was any."""
    parts = 0
    if report.detail is not None:
        _print_detail(report.detail, environments, terminal)
        parts += 1
    if any(row.private is not None for row in environments):
        terminal.say() if parts else None
        _print_causes(environments, terminal)
        parts += 1
    if report.packages is not None:
        terminal.say() if parts else None
        _print_packages(report.packages, terminal)
        parts += 1
    if report.if_removed is not None:
        terminal.say() if parts else None
        _print_if_removed(report.if_removed, terminal)
        parts += 1
    if report.du is not None:
        terminal.say() if parts else None
        _print_du(report.du, report.measure, terminal)
        parts += 1
    return parts > 0


def _print_detail(
    detail: EnvironmentDetail, environments: Sequence[EnvironmentFigures], terminal: Output
) -> None:
    figures = next(row for row in environments if row.prefix == detail.prefix)
    terminal.say(figures.name, style="bold")
    terminal.say(
        f"{'At least ' if figures.incomplete else ''}{size(figures.size_bytes)}, of which"
        f" {size(figures.shared_bytes)} shared and"
        f" {size(figures.exclusive_bytes)} exclusive. Removing it frees"
        f" {size(figures.exclusive_bytes)}; cleaning the cache of what only it used brings that to"
        f" {size(figures.with_clean_bytes)}."
    )
    if figures.softlinked:
        terminal.say(
            f"It reaches {size(figures.softlinked_bytes)} in package caches by"
            f" {count(figures.softlinks, 'symbolic link')}."
        )
    terminal.say()
    terminal.table(
        [Column("PRIVATE BECAUSE", figures=False), Column("SIZE"), Column("RATIO")],
        [
            [CAUSE_HEADINGS[cause].lower(), size(amount), percent(amount, figures.exclusive_bytes)]
            for cause, amount in _present(detail.private)
        ],
    )
    _print_packages_of(detail, terminal)
    terminal.say()
    if not detail.shares_with:
        terminal.say("It has no file in common with another environment.")
        return
    terminal.table(
        [Column("SHARES WITH", figures=False), Column("SHARED")],
        [[other.name, size(other.shared_bytes)] for other in detail.shares_with[:_ROWS_IN_DETAIL]],
    )
    more = len(detail.shares_with) - _ROWS_IN_DETAIL
    if more > 0:
        terminal.say(f"... and {count(more, 'more environment')}.")


def _print_packages_of(detail: EnvironmentDetail, terminal: Output) -> None:
    if not detail.packages:
        return
    terminal.say()
    shown = [package for package in detail.packages if package.exclusive_bytes][:_ROWS_IN_DETAIL]
    if shown:
        terminal.table(
            [Column("PACKAGE", figures=False), Column("EXCLUSIVE")],
            [[package.name, size(package.exclusive_bytes)] for package in shown],
        )
    rest = detail.packages[len(shown) :]
    if rest:
        amount = sum(package.exclusive_bytes for package in rest)
        packages = count(len(rest), "more package" if shown else "package")
        terminal.say(f"{'... and ' if shown else ''}{packages} with {size(amount)} in all.")
    if detail.copied_packages:
        terminal.say(
            f"conda says hard link; these are copies, at least in part: "
            f"{', '.join(detail.copied_packages)}."
        )


def _print_causes(environments: Sequence[EnvironmentFigures], terminal: Output) -> None:
    """Print a row for each environment and a column for each cause that any of them has."""
    causes = [
        cause
        for cause in CAUSE_HEADINGS
        if any(row.private is not None and row.private[cause] for row in environments)
    ]
    terminal.table(
        [
            Column("ENVIRONMENT", figures=False),
            Column("PRIVATE"),
            *(Column(CAUSE_HEADINGS[cause]) for cause in causes),
        ],
        [
            [row.name, size(row.exclusive_bytes), *(size(row.private[cause]) for cause in causes)]
            for row in environments
            if row.private is not None
        ],
    )


def _print_packages(packages: Sequence[PackageFigures], terminal: Output) -> None:
    if not packages:
        terminal.say("There is no extracted package in any cache.")
        return
    ordered = sorted(packages, key=lambda package: (-package.size_bytes, package.path))
    caches = {os.path.dirname(package.path) for package in packages}
    terminal.table(
        [
            Column("PACKAGE", figures=False),
            Column("SIZE"),
            Column("USED BY", figures=False),
            *([Column("CACHE", figures=False)] if len(caches) > 1 else []),
        ],
        [
            [
                package.name,
                size(package.size_bytes),
                ", ".join(users_of(package)),
                *([os.path.dirname(package.path)] if len(caches) > 1 else []),
            ]
            for package in ordered
        ],
    )
    uses = {user.use for package in packages for user in package.environments}
    if uses & USE_LEGEND.keys():
        legend = [text for use, text in USE_LEGEND.items() if use in uses]
        terminal.say("; ".join([*legend, "else by hard links."]), style="dim")
    unused = sum(package.unused for package in packages)
    terminal.say(f"{count(len(packages), 'package')}, {unused:,} unused.")


def _print_if_removed(if_removed: IfRemoved, terminal: Output) -> None:
    users = "it" if len(if_removed.environments) == 1 else "they"
    inside = f", with {', '.join(if_removed.inside)} inside," if if_removed.inside else ""
    terminal.say(
        f"Removing {', '.join(if_removed.environments)}{inside} would free"
        f" {size(if_removed.freed_bytes)} ({if_removed.freed_bytes:,} bytes); with the cache"
        f" cleaned of what only {users} used, {size(if_removed.freed_with_clean_bytes)}"
        f" ({if_removed.freed_with_clean_bytes:,} bytes)."
    )


def _print_du(rows: Sequence[DuRow], measure: Measure, terminal: Output) -> None:
    option = " --apparent-size" if measure is Measure.APPARENT else ""
    printed = f"WHAT `du -B1 -s{option}` PRINTS"
    terminal.table(
        [Column("ALONE"), Column("ADDED"), Column(printed, figures=False)],
        [[str(row.alone_bytes), str(row.added_bytes), row.path] for row in rows],
    )


def _present(private: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the causes that there are, most bytes first."""
    return sorted(
        ((cause, amount) for cause, amount in private.items() if amount),
        key=lambda item: -item[1],
    )
