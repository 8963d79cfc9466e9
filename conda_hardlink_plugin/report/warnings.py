"""The warnings of a report: which figures are bounds, and what the scan could not see."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.analysis import Analysis, is_on_other_filesystem
from ..filesystem.mounts import OVERLAYS, REFLINK_FILESYSTEMS
from ..filesystem.problems import PathProblem
from ..formatting import and_others, count, join_names
from ..metadata.conda_meta import Record, read_record
from ..metadata.quarantine_names import Stage
from ..scan.inventory import ProblemKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..analysis.verdicts import Verdicts
    from ..scan.inventory import Inventory

_NAMES_IN_A_SENTENCE = 4


def unreadable_trees(inventory: Inventory) -> list[PathProblem]:
    """Return the paths below the roots that could not be read; the figures lack them."""
    return _problems(inventory, ProblemKind.UNREADABLE)


def find_warnings(analysis: Analysis) -> Iterator[str]:
    """Yield a sentence for each reason that makes figures bounds, and for each odd finding."""
    inventory, observations = analysis.inventory, analysis.observations
    yield from _incomplete(inventory)
    if observations.unsearched:
        first = observations.unsearched[0]
        yield (
            f"{count(len(observations.unsearched), 'folder')} could not be searched for"
            " environments. Environments in there count as outside the scanned trees"
            f" ({first.path}: {first.reason})."
        )
    if analysis.usage.surplus_inodes:
        yield (
            "Links were added during the scan: something is changing these trees. Run the report"
            " again when it has finished."
        )
    yield from _outside(analysis)
    yield from _uncertain(analysis.verdicts)
    yield from _quarantined(inventory)
    yield from _copies(analysis)
    yield from _softlinked(analysis)
    yield from _filesystems(analysis.filesystems)


def unreadable_records_warning(unreadable: Sequence[PathProblem]) -> Iterator[str]:
    """Yield a warning if some records of installed packages could not be read."""
    if unreadable:
        yield (
            f"The files of {count(len(unreadable), 'unreadable package record')} count as unowned"
            f" ({unreadable[0].path}: {unreadable[0].reason})."
        )


def _problems(inventory: Inventory, kind: ProblemKind) -> list[PathProblem]:
    return [
        PathProblem(problem.path, problem.reason)
        for problem in inventory.problems
        if problem.kind is kind
    ]


def _incomplete(inventory: Inventory) -> Iterator[str]:
    if unreadable := unreadable_trees(inventory):
        yield (
            f"{count(len(unreadable), 'path')} could not be read, so sizes are lower bounds"
            f" ({unreadable[0].path}: {unreadable[0].reason.lower()})."
        )
    if vanished := _problems(inventory, ProblemKind.VANISHED):
        yield (
            f"{count(len(vanished), 'path')} vanished during the scan: something is changing these"
            " trees. Run the report again when it has finished."
        )
    if repeated := _problems(inventory, ProblemKind.REPEATED):
        yield (
            f"{count(len(repeated), 'path')} can be reached in two ways, through a mount, but"
            f" counted only once ({repeated[0].path})."
        )


def _outside(analysis: Analysis) -> Iterator[str]:
    files = analysis.usage.outside_inodes
    if files:
        observations = analysis.observations
        hidden = (
            unreadable_trees(analysis.inventory)
            or observations.unreachable
            or observations.unreachable_caches
        )
        yield (
            f"{count(files, 'file')} {'is' if files == 1 else 'are'} also linked from outside"
            f" the scanned trees: from {'an unreadable path, or from ' if hidden else ''}an"
            " environment or a cache that conda does not list. Include it with --search DIR or"
            " --cache DIR."
        )


def _uncertain(verdicts: Verdicts) -> Iterator[str]:
    """Name what may hide an environment that uses packages as copies or by symbolic links."""
    if verdicts.unseen:
        others = and_others(len(verdicts.unseen) - 1, "path")
        yield (
            f"{verdicts.unseen[0].path}: {verdicts.unseen[0].reason}{others}. An environment that"
            " cannot be read may use any package, so no package counts as UNUSED or toward WITH"
            " CLEAN. If it is gone for good, pass --ignore-env PATH."
        )


def _quarantined(inventory: Inventory) -> Iterator[str]:
    """Report the packages that an interrupted clean left in the quarantine."""
    waiting = sum(
        unit.kind in (UnitKind.PACKAGE, UnitKind.QUARANTINED)
        and unit.entry is not None
        and unit.entry.stage is not Stage.HELD
        for unit in inventory.units
    )
    if waiting:
        yield (
            f"The quarantine contains {count(waiting, 'package')} from an interrupted `conda"
            " hardlinks clean`: the next clean restores or deletes each of them."
        )


def _copies(analysis: Analysis) -> Iterator[str]:
    """Name the environments with packages from another filesystem, and what conda records."""
    recorded_as_links: list[str] = []
    others: list[str] = []
    for index, root in enumerate(analysis.inventory.roots):
        dists = _from_other_filesystem(analysis.inventory, analysis.verdicts.uses, index)
        if dists:
            requested = any(_records_hard_links(root.path, dist) for dist in sorted(dists))
            (recorded_as_links if requested else others).append(analysis.name_of(root.path))
    if recorded_as_links:
        yield (
            f"{join_names(recorded_as_links, _NAMES_IN_A_SENTENCE)}: conda records hard links, but"
            " some packages are copies, because their cache is on another filesystem."
        )
    if others:
        yield (
            f"{join_names(others, _NAMES_IN_A_SENTENCE)}: some packages cannot be hard-linked,"
            " because their cache is on another filesystem."
        )


def _from_other_filesystem(inventory: Inventory, packages: Iterable[int], root: int) -> set[str]:
    """Return the packages recorded in an environment that no cache on its filesystem holds."""
    recorded = {name.removesuffix(".json") for name in inventory.records.get(root, ())}
    if is_on_other_filesystem(inventory, root):
        return recorded
    here: set[str] = set()
    elsewhere: set[str] = set()
    for index in packages:
        unit = inventory.units[index]
        is_here = inventory.root_devices[unit.root] == inventory.root_devices[root]
        (here if is_here else elsewhere).add(unit.dist)
    return recorded & (elsewhere - here)


def _records_hard_links(prefix: str, dist: str) -> bool:
    record = read_record(os.path.join(prefix, "conda-meta", f"{dist}.json"))
    return isinstance(record, Record) and bool(record.files) and record.hard_link_requested


def _softlinked(analysis: Analysis) -> Iterator[str]:
    environments = [
        (analysis.name_of(analysis.inventory.roots[root].path), symlinks)
        for root, symlinks in analysis.symlinks.items()
    ]
    softlinked = [name for name, symlinks in environments if symlinks.links]
    if softlinked:
        yield (
            f"{join_names(softlinked, _NAMES_IN_A_SENTENCE)}: symbolic links lead into a package"
            " cache. `conda clean --packages` may not notice that and break the environment."
        )
    for name, symlinks in environments:
        if symlinks.broken:
            yield (
                f"{name}: {count(len(symlinks.broken), 'broken symbolic link')} into a package"
                f" cache ({symlinks.broken[0]})."
            )


def _filesystems(filesystems: Sequence[str]) -> Iterator[str]:
    of_roots = {name for name in filesystems if name}
    overlays = sorted(of_roots & OVERLAYS)
    if overlays:
        yield (
            f"{overlays[0]}: removing a file of a lower layer, such as a container image, frees"
            " nothing, and hard-linking it copies it to the upper layer. EXCLUSIVE and WITH CLEAN"
            " are upper bounds."
        )
    if filesystems and not of_roots:
        yield (
            "The types of these filesystems are unknown. Where files share blocks through"
            " reflinks, as on APFS, removing them may free less."
        )
    reflinks = sorted(of_roots & REFLINK_FILESYSTEMS)
    if reflinks:
        yield (
            f"{', '.join(reflinks)}: blocks that files share through reflinks count once for each"
            " file, so removing files may free less."
        )
