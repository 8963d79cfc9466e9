"""Usage and evidence to a report: every figure that is shown, named and with its unit.

The field names are the names in `--json`; `docs/reference/report.schema.json` describes them.
Bytes are disk usage (`st_blocks * 512`), or apparent size (`st_size`) where that was asked for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .breakdown import Breakdown, EnvironmentDetail, break_down, detail_of
from .evidence import find_package_uses, packages_by_only_user, packages_only_used_by
from .inventory import RootKind
from .notes import PathProblem, find_notes, is_on_other_filesystem
from .softlinks import SoftlinksOfEnvironment, follow_softlinks
from .usage import CachePart, Measure, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .inventory import Inventory


@dataclass(frozen=True, slots=True)
class EnvironmentFigures:
    """What one environment costs.

    Attributes:
        name: Its name; its path where conda knows it by no name.
        prefix: Absolute path.
        size_bytes: Unique usage of it alone: what `du -s` prints, less the other environments and
            caches that lie inside it. `shared_bytes + exclusive_bytes`.
        shared_bytes: Inodes that also have a link elsewhere; they stay when it is removed.
        exclusive_bytes: Inodes all of whose links are in it: what removing it frees.
        with_clean_bytes: What removing it and then the cached packages that only it used frees.
        softlinked: It has symbolic links that resolve into a package cache.
        softlinked_bytes: The files in caches that these links lead to, each once. They are not
            part of `size_bytes`.
        softlinks: How many such links.
        broken_softlinks: How many of them lead into a cache where nothing is.
        inodes: Inodes with a link in it.
        links: Directory entries in it.
        outside_linked_inodes: Inodes of it with links that lie in none of the trees.
        on_other_filesystem: No package cache is on its filesystem, so nothing in it can be
            hard-linked.
        private_bytes: Equal to `exclusive_bytes`; only when causes were asked for.
        private: The causes of the private bytes; they add up to `private_bytes`.

    """

    name: str
    prefix: str
    size_bytes: int
    shared_bytes: int
    exclusive_bytes: int
    with_clean_bytes: int
    softlinked: bool
    softlinked_bytes: int
    softlinks: int
    broken_softlinks: int
    inodes: int
    links: int
    outside_linked_inodes: int
    on_other_filesystem: bool
    private_bytes: int | None = None
    private: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What one package cache holds.

    Attributes:
        path: Absolute path.
        size_bytes: Unique usage of it alone; the four parts below add up to it.
        used_bytes: Extracted packages that an environment, or somebody unseen, uses.
        unused_bytes: Extracted packages that nobody uses.
        tarball_bytes: `.conda` and `.tar.bz2` files.
        other_bytes: Everything else.
        packages: How many extracted packages.
        unused_packages: How many of them nobody uses.
        inodes: Inodes with a link in it.
        links: Directory entries in it.

    """

    path: str
    size_bytes: int
    used_bytes: int
    unused_bytes: int
    tarball_bytes: int
    other_bytes: int
    packages: int
    unused_packages: int
    inodes: int
    links: int


@dataclass(frozen=True, slots=True)
class Totals:
    """All caches and environments together.

    Attributes:
        on_disk_bytes: Unique usage of all of them: what `du -s` of all together prints.
        as_copies_bytes: Each alone, added up: what they would take without hard links.
        saved_bytes: `as_copies_bytes - on_disk_bytes`.
        inodes: Inodes with a link in any of them.
        saved_inodes: Each alone, added up, less `inodes`.
        links: Directory entries.
        outside_links: Links to their inodes that lie in none of them.
        outside_linked_inodes: Inodes that have such links.

    """

    on_disk_bytes: int
    as_copies_bytes: int
    saved_bytes: int
    inodes: int
    saved_inodes: int
    links: int
    outside_links: int
    outside_linked_inodes: int


@dataclass(frozen=True, slots=True)
class PackageUser:
    """An environment that uses a package: by `hardlink`, by `softlink`, or only by `record`."""

    name: str
    prefix: str
    use: str


@dataclass(frozen=True, slots=True)
class PackageFigures:
    """An extracted package in a cache.

    Attributes:
        name: The name of its directory, `NAME-VERSION-BUILD`.
        path: Absolute path.
        size_bytes: Unique usage of it alone.
        environments: Who uses it, and how.
        used_outside: It has links that lie in none of the trees.
        unused: Nobody is known to use it.

    """

    name: str
    path: str
    size_bytes: int
    environments: tuple[PackageUser, ...]
    used_outside: bool
    unused: bool


@dataclass(frozen=True, slots=True)
class DuRow:
    """What `du -s` prints for a root: alone, and after those before it in one call."""

    path: str
    alone_bytes: int
    added_bytes: int


@dataclass(frozen=True, slots=True)
class IfRemoved:
    """What removing some environments together would free."""

    environments: tuple[str, ...]
    freed_bytes: int
    freed_with_clean_bytes: int


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """A filesystem that holds some of the trees.

    Attributes:
        device: Its `st_dev`.
        filesystem: Its type, `""` where unknown.
        on_disk_bytes: Unique usage of all trees on it.
        roots: The caches and prefixes on it.

    """

    device: int
    filesystem: str
    on_disk_bytes: int
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says. Parts that were not asked for are `None`."""

    measure: Measure
    environments: tuple[EnvironmentFigures, ...]
    caches: tuple[CacheFigures, ...]
    totals: Totals
    devices: tuple[DeviceFigures, ...]
    unreachable: tuple[PathProblem, ...]
    unreadable: tuple[PathProblem, ...]
    stale: tuple[str, ...]
    aliases: Mapping[str, str]
    warnings: tuple[str, ...]
    packages: tuple[PackageFigures, ...] | None = None
    du: tuple[DuRow, ...] | None = None
    if_removed: IfRemoved | None = None
    detail: EnvironmentDetail | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a report is to say beyond its tables; environments are given by prefix."""

    measure: Measure = Measure.DISK
    packages: bool = False
    causes: bool = False
    du: bool = False
    if_removed: tuple[str, ...] | None = None
    detail: str | None = None


def build_report(
    inventory: Inventory,
    *,
    names: Mapping[str, str],
    filesystems: Sequence[str],
    request: Request,
    unreachable: Sequence[PathProblem] = (),
    unreadable: Sequence[PathProblem] = (),
    stale: Sequence[str] = (),
) -> Report:
    """Compute a report from an inventory.

    Args:
        inventory: What the scan found.
        names: Prefix to the name of the environment.
        filesystems: The filesystem type of each root of the inventory, `""` where unknown.
        request: What to say.
        unreachable: Places that could not be scanned at all.
        unreadable: Folders that could not be looked through for environments.
        stale: Listed prefixes that are no more.

    """
    facts = _Facts(inventory, names, request.measure)
    breakdowns = _breakdowns(facts, request)
    notes = find_notes(
        inventory,
        facts.usage,
        facts.softlinks,
        names,
        filesystems,
        unsearched=unreadable,
    )
    unread_records = tuple(_unread_records(breakdowns))
    root_of = {root.path: index for index, root in enumerate(inventory.roots)}
    root_of |= {alias: root_of[path] for alias, path in inventory.aliases.items()}
    detail = request.detail
    return Report(
        measure=request.measure,
        environments=tuple(_environments(facts, breakdowns if request.causes else {})),
        caches=tuple(_caches(facts)),
        totals=_totals(facts.usage, inventory),
        devices=tuple(_devices(facts.usage, inventory, filesystems)),
        unreachable=tuple(unreachable),
        unreadable=(*unreadable, *notes.unreadable, *unread_records),
        stale=tuple(stale),
        aliases=dict(inventory.aliases),
        warnings=(*notes.warnings, *_about_records(unread_records)),
        packages=tuple(_packages(facts)) if request.packages else None,
        du=tuple(_du(facts.usage, inventory)) if request.du else None,
        if_removed=_if_removed(facts, request.if_removed, root_of) if request.if_removed else None,
        detail=detail_of(facts.usage, names, root_of[detail], breakdowns[root_of[detail]])
        if detail is not None
        else None,
    )


class _Facts:
    """What every part of a report is computed from."""

    def __init__(self, inventory: Inventory, names: Mapping[str, str], measure: Measure) -> None:
        self.inventory = inventory
        self.names = names
        self.usage = Usage(inventory, measure)
        self.softlinks = follow_softlinks(inventory)
        self.uses = find_package_uses(inventory, self.usage, self.softlinks)
        self.roots_of_environments = [
            index for index, root in enumerate(inventory.roots) if root.kind is RootKind.ENVIRONMENT
        ]
        only_user = packages_by_only_user(self.uses)
        self.with_clean = self.usage.exclusive_with_packages(
            {root: only_user.get(root, set()) for root in self.roots_of_environments}
        )


def _environments(
    facts: _Facts, breakdowns: Mapping[int, Breakdown]
) -> Iterator[EnvironmentFigures]:
    inventory, usage = facts.inventory, facts.usage
    for root in facts.roots_of_environments:
        prefix = inventory.roots[root].path
        size_bytes = usage.unique_by_root[root]
        exclusive_bytes = usage.exclusive_by_root[root]
        softlinks = facts.softlinks.get(root, SoftlinksOfEnvironment())
        breakdown = breakdowns.get(root)
        yield EnvironmentFigures(
            name=facts.names.get(prefix, prefix),
            prefix=prefix,
            size_bytes=size_bytes,
            shared_bytes=size_bytes - exclusive_bytes,
            exclusive_bytes=exclusive_bytes,
            with_clean_bytes=facts.with_clean[root],
            softlinked=bool(softlinks.links),
            softlinked_bytes=softlinks.target_bytes(usage.measure),
            softlinks=softlinks.count,
            broken_softlinks=len(softlinks.broken),
            inodes=usage.inodes_by_root[root],
            links=inventory.links[root],
            outside_linked_inodes=usage.outside_inodes_by_root[root],
            on_other_filesystem=is_on_other_filesystem(inventory, root),
            private_bytes=exclusive_bytes if breakdown else None,
            private=breakdown.by_cause if breakdown else None,
        )


def _caches(facts: _Facts) -> Iterator[CacheFigures]:
    inventory, usage = facts.inventory, facts.usage
    used = {unit for unit, use in facts.uses.items() if not use.unused}
    for root, place in enumerate(inventory.roots):
        if place.kind is not RootKind.CACHE:
            continue
        parts = usage.cache_parts(root, used)
        packages = [unit for unit in usage.units_of_root[root] if unit in facts.uses]
        yield CacheFigures(
            path=place.path,
            size_bytes=usage.unique_by_root[root],
            used_bytes=parts[CachePart.USED],
            unused_bytes=parts[CachePart.UNUSED],
            tarball_bytes=parts[CachePart.TARBALLS],
            other_bytes=parts[CachePart.OTHER],
            packages=len(packages),
            unused_packages=sum(unit not in used for unit in packages),
            inodes=usage.inodes_by_root[root],
            links=inventory.links[root],
        )


def _totals(usage: Usage, inventory: Inventory) -> Totals:
    return Totals(
        on_disk_bytes=usage.on_disk,
        as_copies_bytes=usage.as_copies,
        saved_bytes=usage.as_copies - usage.on_disk,
        inodes=usage.inodes_on_disk,
        saved_inodes=usage.inodes_as_copies - usage.inodes_on_disk,
        links=sum(inventory.links),
        outside_links=usage.outside_links,
        outside_linked_inodes=usage.outside_inodes,
    )


def _devices(
    usage: Usage, inventory: Inventory, filesystems: Sequence[str]
) -> Iterator[DeviceFigures]:
    for index, (device, on_disk_bytes) in enumerate(
        zip(inventory.devices, usage.on_disk_by_device, strict=True)
    ):
        roots = [root for root, place in enumerate(inventory.root_devices) if place == index]
        yield DeviceFigures(
            device=device,
            filesystem=filesystems[roots[0]] if roots else "",
            on_disk_bytes=on_disk_bytes,
            roots=tuple(inventory.roots[root].path for root in roots),
        )


def _packages(facts: _Facts) -> Iterator[PackageFigures]:
    sizes = facts.usage.unique_by_unit
    units = facts.inventory.units
    for unit in sorted(facts.uses, key=lambda unit: units[unit].path):
        use, path = facts.uses[unit], units[unit].path
        users = (
            PackageUser(facts.names.get(prefix, prefix), prefix, use.environments[root].value)
            for root in sorted(use.environments)
            for prefix in [facts.inventory.roots[root].path]
        )
        yield PackageFigures(
            name=os.path.basename(path),
            path=path,
            size_bytes=sizes[unit],
            environments=tuple(users),
            used_outside=use.outside,
            unused=use.unused,
        )


def _du(usage: Usage, inventory: Inventory) -> Iterator[DuRow]:
    """List caches first, then environments; one that contains others comes after them."""
    order = sorted(
        range(len(inventory.roots)),
        key=lambda root: (
            inventory.roots[root].kind is not RootKind.CACHE,
            -inventory.roots[root].path.count(os.sep),
            inventory.roots[root].path,
        ),
    )
    for root, added_bytes in zip(order, usage.added(order), strict=True):
        yield DuRow(inventory.roots[root].path, usage.unique_by_root[root], added_bytes)


def _if_removed(facts: _Facts, prefixes: Sequence[str], root_of: Mapping[str, int]) -> IfRemoved:
    roots = frozenset(root_of[prefix] for prefix in prefixes)
    units = {unit for root in roots for unit in facts.usage.units_of_root[root]}
    packages = packages_only_used_by(roots, facts.uses)
    paths = [facts.inventory.roots[root].path for root in sorted(roots)]
    return IfRemoved(
        environments=tuple(facts.names.get(path, path) for path in paths),
        freed_bytes=facts.usage.exclusive(units),
        freed_with_clean_bytes=facts.usage.exclusive(units | packages),
    )


def _breakdowns(facts: _Facts, request: Request) -> dict[int, Breakdown]:
    cached = {os.path.basename(facts.inventory.units[unit].path) for unit in facts.uses}
    softlinks: dict[int, list[str]] = {}
    for symlink in facts.inventory.symlinks:
        softlinks.setdefault(symlink.root, []).append(symlink.path)
    return {
        root: break_down(facts.usage, root, cached, softlinks.get(root, ()))
        for root in facts.inventory.own_files
        if request.causes or request.detail is not None
    }


def _unread_records(breakdowns: Mapping[int, Breakdown]) -> Iterator[PathProblem]:
    for breakdown in breakdowns.values():
        for record in breakdown.unreadable:
            yield PathProblem(record.path, record.reason)


def _about_records(unread: Sequence[PathProblem]) -> Iterator[str]:
    if unread:
        which = "1 record" if len(unread) == 1 else f"{len(unread):,} records"
        yield (
            f"{which} of installed packages could not be read, and what they list counts as"
            f" unowned ({unread[0].path}: {unread[0].reason})."
        )
