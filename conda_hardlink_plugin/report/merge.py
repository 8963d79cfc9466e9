"""Add up the reports of several machines."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ..exceptions import HardlinksError
from .model import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LIMIT = 2**63  # more than the bytes and inodes of any filesystem
_HINT = "give the output of `conda hardlinks report --json`"


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """The totals of one report, or of several reports added up.

    Attributes:
        name: The name of its file without `.json`; `""` for the sum of several reports.
        environments: The number of environments.
        caches: The number of package caches.
        on_disk_bytes: Unique usage of all of them.
        as_copies_bytes: The sum of their unique usages.
        saved_bytes: The bytes that hard links save.
        unused_bytes: Extracted packages that `conda hardlinks clean` removes.
        tarball_bytes: Archives of packages.
        incomplete: Whether something could not be read or reached; then sizes are lower bounds.

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
    """A tree that several reports list with the same path and the same figures.

    Attributes:
        path: Absolute path of the tree.
        size_bytes: Its size in each report.
        machines: Names of the reports.

    """

    path: str
    size_bytes: int
    machines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MergedReport:
    """The sum of several reports.

    Attributes:
        measure: What the bytes are: `disk` or `apparent`.
        machines: The totals of each report, in the given order.
        together: The sums of these totals.
        seen_again: Trees that may be one tree, on a filesystem that several machines mount. The
            sums count it once for each machine.

    """

    measure: str
    machines: tuple[MachineFigures, ...]
    together: MachineFigures
    seen_again: tuple[SeenAgain, ...]


@dataclass(frozen=True, slots=True)
class MachineReport:
    """The parts of one report that are added up.

    Attributes:
        measure: What the bytes are: `disk` or `apparent`.
        figures: The totals, without a name.
        trees: Path, size in bytes and number of links of each cache and environment.

    """

    measure: str
    figures: MachineFigures
    trees: tuple[tuple[str, int, int], ...]


def read_report(name: str, text: str) -> MachineReport:
    """Parse the output of `conda hardlinks report --json`.

    Args:
        name: The name of the report in messages, such as its file.
        text: The report.

    Raises:
        HardlinksError: The text is not a report that this version can read.

    """
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HardlinksError(f"{name} is not valid JSON: {_HINT}.") from error
    if not isinstance(report, dict) or "schema_version" not in report:
        raise HardlinksError(f"{name} is not a report: {_HINT}.")
    if report["schema_version"] != SCHEMA_VERSION:
        raise HardlinksError(
            f"{name} has report version {report['schema_version']!r}, but this program reads"
            f" version {SCHEMA_VERSION}: use the same plugin version on every machine."
        )
    try:
        return _machine_report(report)
    except (KeyError, TypeError, ValueError) as error:
        raise HardlinksError(f"{name} is not a complete report: {_HINT}.") from error


def add_up(reports: Mapping[str, MachineReport]) -> MergedReport:
    """Return the sum of some reports.

    Args:
        reports: The reports, by the path of their files.

    Raises:
        HardlinksError: The reports do not have the same measure.

    """
    measures = {report.measure for report in reports.values()}
    if len(measures) > 1:
        raise HardlinksError(
            "Some of these reports were made with --apparent-size and some without: make all of"
            " them in the same way."
        )
    names = _names_of(list(reports))
    machines = [
        replace(report.figures, name=name)
        for name, report in zip(names, reports.values(), strict=True)
    ]
    holders: defaultdict[tuple[str, int, int], list[str]] = defaultdict(list)
    for name, report in zip(names, reports.values(), strict=True):
        for tree in report.trees:
            holders[tree].append(name)
    return MergedReport(
        measure=measures.pop(),
        machines=tuple(machines),
        together=_sum_of(machines),
        seen_again=tuple(
            SeenAgain(path, size_bytes, tuple(machine_names))
            for (path, size_bytes, _), machine_names in holders.items()
            if len(machine_names) > 1
        ),
    )


def _names_of(paths: Sequence[str]) -> list[str]:
    """Return the names of the files, or the paths of files that have the same name."""
    names = [os.path.basename(path).removesuffix(".json") for path in paths]
    times = Counter(names)
    return [name if times[name] == 1 else path for name, path in zip(names, paths, strict=True)]


def _machine_report(report: Mapping[str, Any]) -> MachineReport:
    """Return the parts of a report that are added up.

    Raises:
        KeyError: A field is missing.
        TypeError: A field has the wrong type.
        ValueError: A field has a value that no report has.

    """
    totals, caches, environments = report["totals"], report["caches"], report["environments"]
    if not all(isinstance(part, list) for part in (caches, environments, report["unreachable"])):
        raise TypeError("a field is not a list")
    if report["measure"] not in ("disk", "apparent") or not isinstance(report["incomplete"], bool):
        raise ValueError("a field has an unknown value")
    trees = [
        *((cache["path"], cache) for cache in caches),
        *((environment["prefix"], environment) for environment in environments),
    ]
    if not all(isinstance(path, str) for path, _ in trees):
        raise TypeError("a path is not a string")
    return MachineReport(
        measure=report["measure"],
        figures=MachineFigures(
            name="",
            environments=len(environments),
            caches=len(caches),
            on_disk_bytes=_amount(totals["on_disk_bytes"]),
            as_copies_bytes=_amount(totals["as_copies_bytes"]),
            saved_bytes=_amount(totals["saved_bytes"]),
            unused_bytes=sum(_amount(cache["unused_bytes"]) for cache in caches),
            tarball_bytes=sum(_amount(cache["tarball_bytes"]) for cache in caches),
            incomplete=report["incomplete"] or len(report["unreachable"]) > 0,
        ),
        trees=tuple(
            (path, _amount(tree["size_bytes"]), _amount(tree["links"])) for path, tree in trees
        ),
    )


def _amount(value: object) -> int:
    """Return a figure of a report; JSON allows other numbers, too."""
    if type(value) is not int or not 0 <= value < _LIMIT:
        raise ValueError(f"{value!r} is not a figure")
    return value


def _sum_of(machines: Sequence[MachineFigures]) -> MachineFigures:
    sums = {
        field.name: sum(getattr(machine, field.name) for machine in machines)
        for field in fields(MachineFigures)
        if field.name not in {"name", "incomplete"}
    }
    incomplete = any(machine.incomplete for machine in machines)
    return MachineFigures(name="", incomplete=incomplete, **sums)
