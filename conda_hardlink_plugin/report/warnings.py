"""What a report has to say beside its figures: where they are bounds, and what was not seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.analysis import Analysis, is_on_other_filesystem
from ..filesystem.mounts import OVERLAYS, REFLINK_FILESYSTEMS
from ..filesystem.problems import PathProblem
from ..formatting import count, listed
from ..metadata.conda_meta import Record, read_record
from ..metadata.quarantine_names import Stage
from ..scan.inventory import ProblemKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..analysis.symlinks import EnvironmentSymlinks
    from ..analysis.usage import Usage
    from ..analysis.verdicts import Evidence, PackageUse
    from ..scan.inventory import Inventory

_NAMES_IN_A_SENTENCE = 4


@dataclass(frozen=True, slots=True)
class Warnings:
    """What makes figures bounds, or needs a word beside them.

    Attributes:
        unreadable: What below the roots could not be read; it is not in the figures.
        warnings: Whole sentences.

    """

    unreadable: tuple[PathProblem, ...]
    warnings: tuple[str, ...]


def find_warnings(analysis: Analysis) -> Warnings:
    """Say what makes the figures bounds, and what was found that needs a word."""
    inventory, observations = analysis.inventory, analysis.observations
    by_kind: dict[ProblemKind, list[PathProblem]] = {kind: [] for kind in ProblemKind}
    for problem in inventory.problems:
        by_kind[problem.kind].append(PathProblem(problem.path, problem.reason))
    unreadable = by_kind[ProblemKind.UNREADABLE]
    hidden = bool(unreadable or observations.unreachable or observations.unreachable_caches)
    warnings = [
        *_incomplete(unreadable, by_kind[ProblemKind.VANISHED], by_kind[ProblemKind.REPEATED]),
        *_unsearched(observations.unsearched),
        *_changed(analysis.usage),
        *_outside(analysis.usage, hidden=hidden),
        *_uncertain(analysis.evidence),
        *_quarantined(inventory),
        *_copies(inventory, analysis.evidence.uses, analysis.names),
        *_softlinked(inventory, analysis.softlinks, analysis.names),
        *_filesystems(analysis.filesystems),
    ]
    return Warnings(tuple(unreadable), tuple(warnings))


def _incomplete(
    unreadable: Sequence[PathProblem],
    vanished: Sequence[PathProblem],
    repeated: Sequence[PathProblem],
) -> Iterator[str]:
    if unreadable:
        yield (
            f"{count(len(unreadable), 'path')} could not be read: all sizes are at least so much,"
            f" and lack what is in there ({unreadable[0].path}:"
            f" {unreadable[0].reason.lower()})."
        )
    if vanished:
        yield (
            f"{count(len(vanished), 'path')} vanished while they were read: something is changing"
            " these trees, so run the report again when it has finished."
        )
    if repeated:
        yield (
            f"{count(len(repeated), 'path')} can be reached in two ways, by a mount, and"
            f" counted where met first ({repeated[0].path})."
        )


def _unsearched(folders: Sequence[PathProblem]) -> Iterator[str]:
    if folders:
        yield (
            f"{count(len(folders), 'folder')} could not be looked through for environments, which"
            f" count as outside these trees ({folders[0].path}: {folders[0].reason})."
        )


def _changed(usage: Usage) -> Iterator[str]:
    if usage.surplus_inodes:
        yield (
            "Links were added while the trees were read: run the report again when whatever"
            " changes them has finished."
        )


def _outside(usage: Usage, *, hidden: bool) -> Iterator[str]:
    if usage.outside_inodes:
        verb = "is" if usage.outside_inodes == 1 else "are"
        holder = "what could not be read, or " if hidden else ""
        yield (
            f"{count(usage.outside_inodes, 'file')} {verb} also linked from outside these trees:"
            f" {holder}an environment or a cache that conda does not list holds them"
            " (--search DIR and --cache DIR take it in)."
        )


def _uncertain(evidence: Evidence) -> Iterator[str]:
    """Name what might hide who uses a package by copies or symbolic links."""
    if evidence.unseen:
        more = len(evidence.unseen) - 1
        others = f", and {count(more, 'more place')}" if more else ""
        yield (
            f"{evidence.unseen[0].path}: {evidence.unseen[0].reason}{others}. What cannot be looked"
            " at may use any package, so nothing counts as UNUSED or for WITH CLEAN; of an"
            " environment that is gone for good say so with --ignore-env PATH."
        )


def _quarantined(inventory: Inventory) -> Iterator[str]:
    """Say that an earlier run of clean was interrupted."""
    entries = [
        unit.entry
        for unit in inventory.units
        if unit.kind in (UnitKind.PACKAGE, UnitKind.QUARANTINED) and unit.entry is not None
    ]
    waiting = sum(entry.stage is not Stage.HELD for entry in entries)
    if waiting:
        yield (
            f"{count(waiting, 'package')} of an interrupted `conda hardlinks clean` wait in the"
            " quarantine: the next clean puts them back or finishes them."
        )


def _copies(
    inventory: Inventory, uses: Mapping[int, PackageUse], names: Mapping[str, str]
) -> Iterator[str]:
    """Name the environments with packages from another filesystem, and what conda says of them."""
    claimed: list[str] = []
    others: list[str] = []
    for root, place in enumerate(inventory.roots):
        dists = _from_other_filesystem(inventory, uses, root)
        if dists:
            asked_for = any(_claims_hard_links(place.path, dist) for dist in sorted(dists))
            (claimed if asked_for else others).append(names.get(place.path, place.path))
    if claimed:
        yield (
            f"{listed(claimed, _NAMES_IN_A_SENTENCE)}: packages of a cache on another filesystem."
            " conda says hard link; these are copies."
        )
    if others:
        yield (
            f"{listed(others, _NAMES_IN_A_SENTENCE)}: packages of a cache on another filesystem,"
            " from where nothing can be hard-linked."
        )


def _from_other_filesystem(
    inventory: Inventory, uses: Mapping[int, PackageUse], root: int
) -> set[str]:
    """Return the packages recorded in an environment that no cache on its filesystem has."""
    device = inventory.root_devices[root]
    here: set[str] = set()
    elsewhere: set[str] = set()
    for index in uses:
        unit = inventory.units[index]
        cache_device = inventory.root_devices[unit.root]
        (here if cache_device == device else elsewhere).add(unit.dist)
    recorded = {name.removesuffix(".json") for name in inventory.records.get(root, ())}
    special_inodes = is_on_other_filesystem(inventory, root)
    return recorded if special_inodes else recorded & (elsewhere - here)


def _claims_hard_links(prefix: str, dist: str) -> bool:
    record = read_record(os.path.join(prefix, "conda-meta", f"{dist}.json"))
    return isinstance(record, Record) and bool(record.files) and record.hard_link_asked_for


def _softlinked(
    inventory: Inventory, softlinks: Mapping[int, EnvironmentSymlinks], names: Mapping[str, str]
) -> Iterator[str]:
    paths = [inventory.roots[root].path for root, found in softlinks.items() if found.links]
    if paths:
        shown = listed([names.get(path, path) for path in paths], _NAMES_IN_A_SENTENCE)
        yield (
            f"{shown}: softlinked into a package cache. `conda clean --packages` may not see that"
            " and would break it."
        )
    for root, links in softlinks.items():
        if links.broken:
            path = inventory.roots[root].path
            yield (
                f"{names.get(path, path)}: {count(len(links.broken), 'symbolic link')} into a"
                f" package cache where nothing is ({links.broken[0]})."
            )


def _filesystems(filesystems: Sequence[str]) -> Iterator[str]:
    of_roots = {name for name in filesystems if name}
    overlays = sorted(of_roots & OVERLAYS)
    if overlays:
        yield (
            f"{overlays[0]}: files of a lower layer, such as those of a container's image, are not"
            " freed by removing them, and linking copies them up: EXCLUSIVE and WITH CLEAN are at"
            " most so much."
        )
    if filesystems and not any(filesystems):
        yield (
            "This system does not say which filesystems these are: where files share blocks by"
            " reflink, as on APFS, what is freed may be less."
        )
    reflinks = sorted(of_roots & REFLINK_FILESYSTEMS)
    if reflinks:
        yield (
            f"{', '.join(reflinks)}: blocks that files share by reflink are not visible here and"
            " are counted for each of them: what is freed may be less."
        )
