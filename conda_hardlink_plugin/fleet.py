"""Reports of several machines, added up: what each says in all, and what they say together."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SCHEMA_VERSION = 1  # of the reports; a field that is added does not change it
_MEASURES = ("disk", "apparent")
_HINT = "give what `conda hardlinks report --json` prints"


class NotAReportError(ValueError):
    """A text is no report, or one of another version; says what it is in one sentence."""


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """What one report says in all, or several together.

    Attributes:
        name: The name of its file without `.json`; `""` for several together.
        environments: How many environments it has.
        caches: How many package caches.
        on_disk_bytes: Unique usage of all of them.
        as_copies_bytes: Each alone, added up.
        saved_bytes: What hard links save.
        unused_bytes: Extracted packages that `conda hardlinks clean` would remove.
        tarball_bytes: Archives of packages.
        incomplete: Something could not be read or reached: the sizes are at least so much.

    """

    name: str
    environments: int
    caches: int
    on_disk_bytes: int
    as_copies_bytes: int
    saved_bytes: int
    unused_bytes: int
    tarball_bytes: int
    incomplete: bool


@dataclass(frozen=True, slots=True)
class SeenAgain:
    """A tree that several reports have under the same path, with the same figures.

    Attributes:
        path: Where it is.
        size_bytes: Its size in each of them.
        machines: Names of the reports.

    """

    path: str
    size_bytes: int
    machines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Several reports.

    Attributes:
        measure: What their bytes are: `disk` or `apparent`.
        machines: What each says, in the order in which they were given.
        together: What they say together: each figure is the sum of theirs.
        seen_again: Trees that may be one, on a filesystem that several machines have mounted: it
            was counted for each of them.

    """

    measure: str
    machines: tuple[MachineFigures, ...]
    together: MachineFigures
    seen_again: tuple[SeenAgain, ...]


def read_report(text: str) -> Mapping[str, Any]:
    """Return the report that `conda hardlinks report --json` has printed.

    Raises:
        NotAReportError: It is none.

    """
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotAReportError(f"it is no JSON: {_HINT}") from error
    if not isinstance(report, dict) or "schema_version" not in report:
        raise NotAReportError(f"it is no report: {_HINT}")
    if report["schema_version"] != _SCHEMA_VERSION:
        raise NotAReportError(
            f"it is a report of version {report['schema_version']!r}, and this program knows"
            f" version {_SCHEMA_VERSION}: use the same version everywhere"
        )
    try:
        _figures_of("", report)
        list(_trees_of(report))
        is_whole = report["measure"] in _MEASURES and isinstance(report["incomplete"], bool)
    except (KeyError, TypeError, ValueError) as error:
        raise NotAReportError(f"it is no whole report: {_HINT}") from error
    if not is_whole:
        raise NotAReportError(f"it is no whole report: {_HINT}")
    return report


def add_up(reports: Mapping[str, Mapping[str, Any]]) -> Fleet:
    """Add up reports that `read_report` has returned.

    Args:
        reports: The path of the file of each, and the report.

    Raises:
        NotAReportError: Not all of them count the same.

    """
    measures = {str(report["measure"]) for report in reports.values()}
    if len(measures) > 1:
        raise NotAReportError(
            "some of these reports were made with --apparent-size and some without: that cannot be"
            " added up"
        )
    names = _names_of(list(reports))
    machines = [
        _figures_of(name, report) for name, report in zip(names, reports.values(), strict=True)
    ]
    return Fleet(
        measure=measures.pop(),
        machines=tuple(machines),
        together=_together(machines),
        seen_again=tuple(_seen_again(dict(zip(names, reports.values(), strict=True)))),
    )


def _names_of(paths: Sequence[str]) -> list[str]:
    """Return what reports are called: by their files, or by their paths if those are the same."""
    names = [os.path.basename(path).removesuffix(".json") for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def _figures_of(name: str, report: Mapping[str, Any]) -> MachineFigures:
    totals = report["totals"]
    return MachineFigures(
        name=name,
        environments=len(report["environments"]),
        caches=len(report["caches"]),
        on_disk_bytes=int(totals["on_disk_bytes"]),
        as_copies_bytes=int(totals["as_copies_bytes"]),
        saved_bytes=int(totals["saved_bytes"]),
        unused_bytes=sum(int(cache["unused_bytes"]) for cache in report["caches"]),
        tarball_bytes=sum(int(cache["tarball_bytes"]) for cache in report["caches"]),
        incomplete=report["incomplete"] or len(report["unreachable"]) > 0,
    )


def _together(machines: Sequence[MachineFigures]) -> MachineFigures:
    return MachineFigures(
        name="",
        environments=sum(machine.environments for machine in machines),
        caches=sum(machine.caches for machine in machines),
        on_disk_bytes=sum(machine.on_disk_bytes for machine in machines),
        as_copies_bytes=sum(machine.as_copies_bytes for machine in machines),
        saved_bytes=sum(machine.saved_bytes for machine in machines),
        unused_bytes=sum(machine.unused_bytes for machine in machines),
        tarball_bytes=sum(machine.tarball_bytes for machine in machines),
        incomplete=any(machine.incomplete for machine in machines),
    )


def _seen_again(reports: Mapping[str, Mapping[str, Any]]) -> Iterator[SeenAgain]:
    holders: defaultdict[tuple[str, int, int], list[str]] = defaultdict(list)
    for name, report in reports.items():
        for tree in _trees_of(report):
            holders[tree].append(name)
    for (path, size_bytes, _), names in holders.items():
        if len(names) > 1:
            yield SeenAgain(path, size_bytes, tuple(names))


def _trees_of(report: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and number of links of each cache and environment of a report."""
    for cache in report["caches"]:
        yield str(cache["path"]), int(cache["size_bytes"]), int(cache["links"])
    for environment in report["environments"]:
        yield str(environment["prefix"]), int(environment["size_bytes"]), int(environment["links"])
