"""What a report has to say beside its figures: where they are bounds, and what was not seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .inventory import ProblemKind, RootKind
from .mounts import OVERLAYS, REFLINK_FILESYSTEMS
from .records import Record, read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .inventory import Inventory
    from .softlinks import SoftlinksOfEnvironment
    from .usage import Usage

_NAMES_IN_A_SENTENCE = 4
_UNOPENED = -1  # a root's device when it could not be opened


@dataclass(frozen=True, slots=True)
class PathProblem:
    """A path that could not be looked at, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notes:
    """What to say beside the figures.

    Attributes:
        unreadable: What below the roots could not be read; it is not in the figures.
        warnings: Whole sentences.

    """

    unreadable: tuple[PathProblem, ...]
    warnings: tuple[str, ...]


def find_notes(
    inventory: Inventory,
    usage: Usage,
    softlinks: Mapping[int, SoftlinksOfEnvironment],
    names: Mapping[str, str],
    filesystems: Sequence[str],
    *,
    unsearched: Sequence[PathProblem] = (),
) -> Notes:
    """Say what makes the figures bounds, and what was found that needs a word.

    Args:
        inventory: What the scan found.
        usage: Its arithmetic.
        softlinks: What `softlinks.follow_softlinks` found.
        names: Prefix to the name of the environment.
        filesystems: The filesystem type of each root, `""` where unknown.
        unsearched: Folders that could not be looked through for environments.

    """
    by_kind: dict[ProblemKind, list[PathProblem]] = {kind: [] for kind in ProblemKind}
    for problem in inventory.problems:
        by_kind[problem.kind].append(PathProblem(problem.path, problem.reason))
    unreadable = by_kind[ProblemKind.UNREADABLE]
    warnings = [
        *_incomplete(unreadable, by_kind[ProblemKind.VANISHED], by_kind[ProblemKind.REPEATED]),
        *_unsearched(unsearched),
        *_changed(usage),
        *_outside(usage),
        *_copies(inventory, names),
        *_softlinked(inventory, softlinks, names),
        *_filesystems(filesystems),
    ]
    return Notes(tuple(unreadable), tuple(warnings))


def is_on_other_filesystem(inventory: Inventory, root: int) -> bool:
    """Tell whether no package cache is on the environment's filesystem, so far as is known."""
    caches = {
        device
        for device, place in zip(inventory.root_devices, inventory.roots, strict=True)
        if place.kind is RootKind.CACHE
    } - {_UNOPENED}
    device = inventory.root_devices[root]
    return device != _UNOPENED and bool(caches) and device not in caches


def _incomplete(
    unreadable: Sequence[PathProblem],
    vanished: Sequence[PathProblem],
    repeated: Sequence[PathProblem],
) -> Iterator[str]:
    if unreadable:
        yield (
            f"{_count(len(unreadable), 'path')} could not be read: all figures are at least so"
            f" much, and EXCLUSIVE may lack what is in there ({unreadable[0].path}:"
            f" {unreadable[0].reason.lower()})."
        )
    if vanished:
        yield (
            f"{_count(len(vanished), 'path')} vanished while they were read: something is changing"
            " these trees, so run the report again when it has finished."
        )
    if repeated:
        yield (
            f"{_count(len(repeated), 'path')} can be reached in two ways, by a mount, and"
            f" counted where met first ({repeated[0].path})."
        )


def _unsearched(folders: Sequence[PathProblem]) -> Iterator[str]:
    if folders:
        yield (
            f"{_count(len(folders), 'folder')} could not be looked through for environments, which"
            f" count as outside these trees ({folders[0].path}: {folders[0].reason})."
        )


def _changed(usage: Usage) -> Iterator[str]:
    if usage.surplus_inodes:
        yield (
            "Links were added while the trees were read: run the report again when whatever"
            " changes them has finished."
        )


def _outside(usage: Usage) -> Iterator[str]:
    if usage.outside_inodes:
        verb = "is" if usage.outside_inodes == 1 else "are"
        yield (
            f"{_count(usage.outside_inodes, 'file')} {verb} also linked from outside these trees:"
            " an environment or a cache that conda does not list holds them"
            " (--search DIR and --cache DIR take it in)."
        )


def _copies(inventory: Inventory, names: Mapping[str, str]) -> Iterator[str]:
    """Name the environments that no cache can be hard-linked into, and what conda says of them."""
    apart = [
        root
        for root, place in enumerate(inventory.roots)
        if place.kind is RootKind.ENVIRONMENT
        and inventory.records.get(root)
        and is_on_other_filesystem(inventory, root)
    ]
    if not apart:
        return
    shown = _some(
        names.get(inventory.roots[root].path, inventory.roots[root].path) for root in apart
    )
    claimed = any(_claims_hard_links(inventory, root) for root in apart)
    yield (
        f"{shown}: on another filesystem than every package cache. "
        + (
            "conda says hard link; these are copies."
            if claimed
            else "Nothing in there can be hard-linked."
        )
    )


def _claims_hard_links(inventory: Inventory, root: int) -> bool:
    prefix = inventory.roots[root].path
    for name in sorted(inventory.records[root]):
        record = read_record(os.path.join(prefix, "conda-meta", name))
        if isinstance(record, Record) and record.files:
            return record.hard_link_asked_for
    return False


def _softlinked(
    inventory: Inventory, softlinks: Mapping[int, SoftlinksOfEnvironment], names: Mapping[str, str]
) -> Iterator[str]:
    if softlinks:
        paths = [inventory.roots[root].path for root in softlinks]
        shown = _some(names.get(path, path) for path in paths)
        yield (
            f"{shown}: softlinked into a package cache. `conda clean --packages` may not see that"
            " and would break it."
        )
    for root, links in softlinks.items():
        if links.broken:
            path = inventory.roots[root].path
            yield (
                f"{names.get(path, path)}: {_count(len(links.broken), 'symbolic link')} into a"
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
    reflinks = sorted(of_roots & REFLINK_FILESYSTEMS)
    if reflinks:
        yield (
            f"{', '.join(reflinks)}: blocks that files share by reflink are not visible here and"
            " are counted for each of them: what is freed may be less."
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:_NAMES_IN_A_SENTENCE])
    more = len(listed) - _NAMES_IN_A_SENTENCE
    return f"{shown} and {more} more" if more > 0 else shown
