"""What each root costs: the figures of environments, caches and filesystems, and the totals.

Bytes are disk usage, or apparent size where that was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.analysis import Analysis, is_on_other_filesystem
from ..analysis.symlinks import EnvironmentSymlinks
from ..analysis.usage import CachePart, Usage
from ..scan.inventory import RootKind
from .model import CacheFigures, DeviceFigures, EnvironmentFigures, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..scan.inventory import Inventory
    from .environment_detail import Breakdown


def environment_figures(
    analysis: Analysis, breakdowns: Mapping[int, Breakdown]
) -> Iterator[EnvironmentFigures]:
    """Yield the figures of every environment.

    Args:
        analysis: What they are computed from.
        breakdowns: For each environment (root index) whose causes are wanted, its private bytes.

    """
    inventory, usage = analysis.inventory, analysis.usage
    for root in analysis.roots_of_environments:
        prefix = inventory.roots[root].path
        size_bytes = usage.unique_by_root[root]
        exclusive_bytes = usage.exclusive_by_root[root]
        softlinks = analysis.softlinks.get(root, EnvironmentSymlinks())
        breakdown = breakdowns.get(root)
        yield EnvironmentFigures(
            name=analysis.name_of(prefix),
            prefix=prefix,
            size_bytes=size_bytes,
            shared_bytes=size_bytes - exclusive_bytes,
            exclusive_bytes=exclusive_bytes,
            with_clean_bytes=analysis.with_clean[root],
            softlinked=bool(softlinks.links),
            softlinked_bytes=softlinks.target_bytes(usage.measure),
            softlinks=softlinks.count,
            broken_softlinks=len(softlinks.broken),
            inodes=usage.inodes_by_root[root],
            links=inventory.links[root],
            outside_linked_inodes=usage.outside_inodes_by_root[root],
            incomplete=root in analysis.incomplete_roots,
            on_other_filesystem=is_on_other_filesystem(inventory, root),
            private_bytes=exclusive_bytes if breakdown else None,
            private=breakdown.by_cause if breakdown else None,
        )


def cache_figures(analysis: Analysis) -> Iterator[CacheFigures]:
    """Yield the figures of every package cache."""
    inventory, usage = analysis.inventory, analysis.usage
    used, unused = analysis.evidence.used(), analysis.evidence.unused()
    for root, place in enumerate(inventory.roots):
        if place.kind is not RootKind.CACHE:
            continue
        parts = usage.cache_parts(root, used, unused)
        packages = {unit for unit in usage.units_of_root[root] if unit in analysis.evidence.uses}
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
            incomplete=root in analysis.incomplete_roots,
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
