"""Reports of several machines, added up: what each says in all, and what they say together."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ..exceptions import HardlinksError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SCHEMA_VERSION = 1  # of the reports, as `render.json` writes it
_MOST = 2**63  # bytes and inodes of a filesystem are fewer
_MEASURES = ("disk", "apparent")
_HINT = "give what `conda hardlinks report --json` prints"


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
class MergedReport:
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


@dataclass(frozen=True, slots=True)
class MachineReport:
    """What is needed of one report.

    Attributes:
        measure: What its bytes are: `disk` or `apparent`.
        figures: What it says in all; without a name.
        trees: Path, size and number of links of each cache and environment.

    """

    measure: str
    figures: MachineFigures
    trees: tuple[tuple[str, int, int], ...]


def read_report(name: str, text: str) -> MachineReport:
    """Return the report that `conda hardlinks report --json` has printed.

    Args:
        name: What it is called in messages, such as its file.
        text: The report.

    Raises:
        HardlinksError: It is not a report.

    """
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HardlinksError(f"{name} is not valid JSON: {_HINT}.") from error
    if not isinstance(report, dict) or "schema_version" not in report:
        raise HardlinksError(f"{name} is not a report: {_HINT}.")
    if report["schema_version"] != _SCHEMA_VERSION:
        raise HardlinksError(
            f"{name} is a report of version {report['schema_version']!r}, and this program knows"
            f" version {_SCHEMA_VERSION}: use the same version everywhere."
        )
    try:
        return _machine(report)
    except (KeyError, TypeError, ValueError) as error:
        raise HardlinksError(f"{name} is not a complete report: {_HINT}.") from error


def add_up(reports: Mapping[str, MachineReport]) -> MergedReport:
    """Add up reports.

    Args:
        reports: The path of the file of each, and the report.

    Raises:
        HardlinksError: Not all of them count the same.

    """
    measures = {report.measure for report in reports.values()}
    if len(measures) > 1:
        raise HardlinksError(
            "Some of these reports were made with --apparent-size and some without: they cannot be"
            " added up."
        )
    names = _names_of(list(reports))
    machines = [
        replace(report.figures, name=name)
        for name, report in zip(names, reports.values(), strict=True)
    ]
    return MergedReport(
        measure=measures.pop(),
        machines=tuple(machines),
        together=_together(machines),
        seen_again=tuple(_seen_again(dict(zip(names, reports.values(), strict=True)))),
    )


def _names_of(paths: Sequence[str]) -> list[str]:
    """Return what reports are called: by their files; by their paths those of the same name."""
    names = [os.path.basename(path).removesuffix(".json") for path in paths]
    met = Counter(names)
    return [name if met[name] == 1 else path for name, path in zip(names, paths, strict=True)]


def _machine(report: Mapping[str, Any]) -> MachineReport:
    """Return what is needed of a report.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another type.
        ValueError: Something has a value that no report has.

    """
    totals, caches, environments = report["totals"], report["caches"], report["environments"]
    if not all(isinstance(part, list) for part in (caches, environments, report["unreachable"])):
        raise TypeError("a list is none")
    if report["measure"] not in _MEASURES or not isinstance(report["incomplete"], bool):
        raise ValueError("a word is another")
    figures = MachineFigures(
        name="",
        environments=len(environments),
        caches=len(caches),
        on_disk_bytes=_amount(totals["on_disk_bytes"]),
        as_copies_bytes=_amount(totals["as_copies_bytes"]),
        saved_bytes=_amount(totals["saved_bytes"]),
        unused_bytes=sum(_amount(cache["unused_bytes"]) for cache in caches),
        tarball_bytes=sum(_amount(cache["tarball_bytes"]) for cache in caches),
        incomplete=report["incomplete"] or len(report["unreachable"]) > 0,
    )
    trees = [
        *((cache["path"], cache) for cache in caches),
        *((environment["prefix"], environment) for environment in environments),
    ]
    return MachineReport(
        measure=report["measure"],
        figures=figures,
        trees=tuple(
            (_path(path), _amount(tree["size_bytes"]), _amount(tree["links"]))
            for path, tree in trees
        ),
    )


def _amount(value: object) -> int:
    """Return a figure of a report: JSON knows others, too."""
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError(f"{value!r} is no figure")
    return value


def _path(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no path")
    return value


def _together(machines: Sequence[MachineFigures]) -> MachineFigures:
    sums = {
        field.name: sum(getattr(machine, field.name) for machine in machines)
        for field in fields(MachineFigures)
        if field.name not in {"name", "incomplete"}
    }
    return MachineFigures(
        name="", incomplete=any(machine.incomplete for machine in machines), **sums
    )


def _seen_again(reports: Mapping[str, MachineReport]) -> Iterator[SeenAgain]:
    holders: defaultdict[tuple[str, int, int], list[str]] = defaultdict(list)
    for name, report in reports.items():
        for tree in report.trees:
            holders[tree].append(name)
    for (path, size_bytes, _), names in holders.items():
        if len(names) > 1:
            yield SeenAgain(path, size_bytes, tuple(names))
