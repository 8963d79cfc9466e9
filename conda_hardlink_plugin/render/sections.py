"""Print the parts of a report that were requested, one function for each part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.usage import Measure
from ..formatting import and_more, count, exact_size, percent, size
from .labels import CAUSE_HEADINGS, NO_PACKAGES, users_of
from .output import Column, text_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..report.environment_detail import EnvironmentDetail
    from ..report.model import DuRow, EnvironmentFigures, IfRemoved, Report
    from ..report.packages import PackageFigures
    from .output import Output

USE_LEGEND = {
    "softlink": "softlink: by symbolic links",
    "record": "record: only recorded, without links",
}
_ROWS_IN_DETAIL = 10


def print_requested_parts(
    report: Report, environments: Sequence[EnvironmentFigures], output: Output
) -> bool:
    """Print every requested part; return whether there was one."""
    parts: list[Callable[[], None]] = []
    if (detail := report.detail) is not None:
        parts.append(lambda: _print_detail(detail, environments, output))
    if any(row.private is not None for row in environments):
        parts.append(lambda: _print_causes(environments, output))
    if (packages := report.packages) is not None:
        parts.append(lambda: _print_packages(packages, output))
    if (if_removed := report.if_removed) is not None:
        parts.append(lambda: _print_if_removed(if_removed, output))
    if (du := report.du) is not None:
        parts.append(lambda: _print_du(du, report.measure, output))
    output.parts(parts)
    return bool(parts)


def _print_detail(
    detail: EnvironmentDetail, environments: Sequence[EnvironmentFigures], output: Output
) -> None:
    figures = next(row for row in environments if row.prefix == detail.prefix)
    output.say(figures.name, style="bold")
    output.say(
        f"{'At least ' if figures.incomplete else ''}{size(figures.size_bytes)}:"
        f" {size(figures.shared_bytes)} shared and {size(figures.exclusive_bytes)} exclusive."
        f" Removing it frees {size(figures.exclusive_bytes)}; removing it and the cached packages"
        f" that only it uses frees {size(figures.with_clean_bytes)}."
    )
    if figures.softlinked:
        output.say(
            f"It uses {size(figures.softlinked_bytes)} in package caches through"
            f" {count(figures.softlinks, 'symbolic link')}."
        )
    output.say()
    largest_first = sorted(detail.private.items(), key=lambda item: -item[1])
    output.table(
        [*text_columns("CAUSE OF PRIVATE BYTES"), Column("SIZE"), Column("RATIO")],
        [
            [CAUSE_HEADINGS[cause].lower(), size(amount), percent(amount, figures.exclusive_bytes)]
            for cause, amount in largest_first
            if amount
        ],
    )
    _print_packages_of(detail, output)
    output.say()
    if not detail.shares_with:
        output.say("It shares no files with other environments.")
        return
    output.table(
        [*text_columns("OTHER ENVIRONMENT"), Column("SHARED")],
        [[other.name, size(other.shared_bytes)] for other in detail.shares_with[:_ROWS_IN_DETAIL]],
    )
    more = len(detail.shares_with) - _ROWS_IN_DETAIL
    if more > 0:
        output.say(and_more(more, "environment", option=""))


def _print_packages_of(detail: EnvironmentDetail, output: Output) -> None:
    if not detail.packages:
        return
    output.say()
    shown = [package for package in detail.packages if package.exclusive_bytes][:_ROWS_IN_DETAIL]
    if shown:
        output.table(
            [*text_columns("PACKAGE"), Column("EXCLUSIVE")],
            [[package.name, size(package.exclusive_bytes)] for package in shown],
        )
    rest = detail.packages[len(shown) :]
    if rest:
        amount = sum(package.exclusive_bytes for package in rest)
        packages = count(len(rest), "more package" if shown else "package")
        output.say(f"{'... and ' if shown else ''}{packages} with {size(amount)} in total.")
    if detail.copied_packages:
        output.say(
            "conda records hard links, but these packages are copies, at least in part:"
            f" {', '.join(detail.copied_packages)}."
        )


def _print_causes(environments: Sequence[EnvironmentFigures], output: Output) -> None:
    """Print a row for each environment, and a column for each cause that is not 0 everywhere."""
    rows = [(row, row.private) for row in environments if row.private is not None]
    causes = [cause for cause in CAUSE_HEADINGS if any(private[cause] for _, private in rows)]
    headings = ["PRIVATE", *(CAUSE_HEADINGS[cause] for cause in causes)]
    output.table(
        [*text_columns("ENVIRONMENT"), *map(Column, headings)],
        [
            [row.name, size(row.exclusive_bytes), *(size(private[cause]) for cause in causes)]
            for row, private in rows
        ],
    )


def _print_packages(packages: Sequence[PackageFigures], output: Output) -> None:
    if not packages:
        output.say(NO_PACKAGES)
        return
    ordered = sorted(packages, key=lambda package: (-package.size_bytes, package.path))
    columns = [*text_columns("PACKAGE"), Column("SIZE"), *text_columns("USED BY")]
    rows = [
        [package.name, size(package.size_bytes), ", ".join(users_of(package))]
        for package in ordered
    ]
    caches = [os.path.dirname(package.path) for package in ordered]
    if len(set(caches)) > 1:
        columns += text_columns("CACHE")
        rows = [[*row, cache] for row, cache in zip(rows, caches, strict=True)]
    output.table(columns, rows)
    uses = {user.use for package in packages for user in package.environments}
    legend = [text for use, text in USE_LEGEND.items() if use in uses]
    if legend:
        output.say("; ".join([*legend, "others: by hard links."]), style="dim")
    unused = sum(package.unused for package in packages)
    output.say(f"{count(len(packages), 'package')}, {unused:,} unused.")


def _print_if_removed(if_removed: IfRemoved, output: Output) -> None:
    uses = "it uses" if len(if_removed.environments) == 1 else "they use"
    inside = f", including {', '.join(if_removed.inside)}," if if_removed.inside else ""
    output.say(
        f"Removing {', '.join(if_removed.environments)}{inside} would free"
        f" {exact_size(if_removed.exclusive_bytes)}; also removing the cached packages that only"
        f" {uses} would free {exact_size(if_removed.with_clean_bytes)}."
    )


def _print_du(rows: Sequence[DuRow], measure: Measure, output: Output) -> None:
    option = " --apparent-size" if measure is Measure.APPARENT else ""
    output.table(
        [Column("ALONE"), Column("ADDED"), *text_columns(f"PATH IN `du -B1 -s{option}`")],
        [[str(row.alone_bytes), str(row.added_bytes), row.path] for row in rows],
    )
