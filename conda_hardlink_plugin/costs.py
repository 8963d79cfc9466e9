"""What each root costs: the figures of environments, caches and filesystems, and the totals.

Bytes are disk usage (`st_blocks * 512`), or apparent size (`st_size`) where that was asked for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .evidence import Evidence
from .inventory import ProblemKind, RootKind
from .mounts import is_within
from .notes import is_on_other_filesystem
from .softlinks import SoftlinksOfEnvironment, follow_softlinks
from .usage import CachePart, Measure, Usage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from .breakdown import Breakdown
    from .evidence import Terms
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
        incomplete: Something in it could not be read: its figures are at least so much.
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
    incomplete: bool
    on_other_filesystem: bool
    private_bytes: int | None = None
    private: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What one package cache holds.

    Attributes:
        path: Absolute path.
        size_bytes: Unique usage of it alone; the six parts below add up to it.
        used_bytes: Extracted packages that an environment, or somebody unseen, uses.
        kept_bytes: Those that nobody is known to use and that `conda hardlinks clean` keeps: they
            are recent, cannot be had again, or something could not be read.
        unused_bytes: Those that nothing keeps: what `conda hardlinks clean` removes.
        tarball_bytes: `.conda` and `.tar.bz2` files.
        quarantine_bytes: What `conda hardlinks clean` has moved aside.
        other_bytes: Everything else.
        packages: How many extracted packages.
        kept_packages: How many of them are kept without a known user.
        unused_packages: How many of them nothing keeps.
        inodes: Inodes with a link in it.
        links: Directory entries in it.
        incomplete: Something in it could not be read: its figures are at least so much.

    """

    path: str
    size_bytes: int
    used_bytes: int
    kept_bytes: int
    unused_bytes: int
    tarball_bytes: int
    quarantine_bytes: int
    other_bytes: int
    packages: int
    kept_packages: int
    unused_packages: int
    inodes: int
    links: int
    incomplete: bool


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


class Facts:
    """What every part of a report is computed from.

    Attributes:
        inventory: What the scan found.
        incomplete_roots: Indexes of the roots in which something could not be read.
        names: Prefix to the name of the environment.
        usage: Its arithmetic.
        softlinks: For each environment, where its symbolic links into caches lead.
        evidence: The verdict on each extracted package.
        roots_of_environments: Indexes of the roots that are environments.
        packages: The units that are extracted packages, by path.
        with_clean: For each environment, what removing it and its own packages frees.

    """

    def __init__(
        self, inventory: Inventory, names: Mapping[str, str], measure: Measure, terms: Terms
    ) -> None:
        """Do the arithmetic that several parts need."""
        self.inventory = inventory
        self.incomplete_roots = {
            problem.root for problem in inventory.problems if problem.kind is ProblemKind.UNREADABLE
        }
        self.names = names
        self.usage = Usage(inventory, measure)
        self.softlinks = follow_softlinks(inventory)
        self.evidence = Evidence(inventory, self.usage, self.softlinks, terms)
        self.roots_of_environments = [
            index for index, root in enumerate(inventory.roots) if root.kind is RootKind.ENVIRONMENT
        ]
        self.packages = sorted(self.evidence.uses, key=lambda unit: inventory.units[unit].path)
        only_user = self.evidence.by_only_user()
        self.with_clean = self.usage.exclusive_with_packages(
            {root: only_user.get(root, set()) for root in self.roots_of_environments}
        )


def roots_inside(inventory: Inventory, outer: Collection[int]) -> frozenset[int]:
    """Return the roots that lie inside some roots, and are not among them."""
    paths = [os.path.realpath(root.path) for root in inventory.roots]
    return frozenset(
        root
        for root, path in enumerate(paths)
        if root not in outer and any(is_within(path, paths[other]) for other in outer)
    )


def environment_figures(
    facts: Facts, breakdowns: Mapping[int, Breakdown]
) -> Iterator[EnvironmentFigures]:
    """Yield the figures of every environment.

    Args:
        facts: What they are computed from.
        breakdowns: For each environment (root index) whose causes are wanted, its private bytes.

    """
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
            incomplete=root in facts.incomplete_roots,
            on_other_filesystem=is_on_other_filesystem(inventory, root),
            private_bytes=exclusive_bytes if breakdown else None,
            private=breakdown.by_cause if breakdown else None,
        )


def cache_figures(facts: Facts) -> Iterator[CacheFigures]:
    """Yield the figures of every package cache."""
    inventory, usage = facts.inventory, facts.usage
    used, unused = facts.evidence.used(), facts.evidence.unused()
    for root, place in enumerate(inventory.roots):
        if place.kind is not RootKind.CACHE:
            continue
        parts = usage.cache_parts(root, used, unused)
        packages = {unit for unit in usage.units_of_root[root] if unit in facts.evidence.uses}
        yield CacheFigures(
            path=place.path,
            size_bytes=usage.unique_by_root[root],
            used_bytes=parts[CachePart.USED],
            kept_bytes=parts[CachePart.KEPT],
            unused_bytes=parts[CachePart.UNUSED],
            tarball_bytes=parts[CachePart.TARBALLS],
            quarantine_bytes=parts[CachePart.QUARANTINE],
            other_bytes=parts[CachePart.OTHER],
            packages=len(packages),
            kept_packages=len(packages - used - unused),
            unused_packages=len(packages & unused),
            inodes=usage.inodes_by_root[root],
            links=inventory.links[root],
            incomplete=root in facts.incomplete_roots,
        )


def totals_of(usage: Usage, inventory: Inventory) -> Totals:
    """Return the figures of all roots together."""
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


def device_figures(
    usage: Usage, inventory: Inventory, filesystems: Sequence[str]
) -> Iterator[DeviceFigures]:
    """Yield the figures of every filesystem; its type is known from the roots on it."""
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
