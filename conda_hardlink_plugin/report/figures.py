"""The figures of environments, caches and filesystems, and their totals.

Bytes are disk usage, or apparent size if the user asked for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.analysis import Analysis, is_on_other_filesystem
from ..analysis.symlinks import EnvironmentSymlinks
from ..analysis.usage import CachePart
from ..scan.inventory import RootKind
from .model import CacheFigures, DeviceFigures, EnvironmentFigures, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .environment_detail import PrivateUsage


def environment_figures(
    analysis: Analysis, private_by_root: Mapping[int, PrivateUsage]
) -> Iterator[EnvironmentFigures]:
    """Yield the figures of every environment.

    Args:
        analysis: The analysis to report on.
        private_by_root: The private bytes of each environment (root index) whose causes to show.

    """
    inventory, usage = analysis.inventory, analysis.usage
    for root in analysis.roots_of_environments:
        prefix = inventory.roots[root].path
        size_bytes = usage.unique_by_root[root]
        exclusive_bytes = usage.exclusive_by_root[root]
        symlinks = analysis.symlinks.get(root, EnvironmentSymlinks())
        private = private_by_root.get(root)
        yield EnvironmentFigures(
            name=analysis.name_of(prefix),
            prefix=prefix,
            size_bytes=size_bytes,
            shared_bytes=size_bytes - exclusive_bytes,
            exclusive_bytes=exclusive_bytes,
            with_clean_bytes=analysis.with_clean[root],
            softlinked=bool(symlinks.links),
            softlinked_bytes=symlinks.target_bytes(usage.measure),
            softlinks=symlinks.count,
            broken_softlinks=len(symlinks.broken),
            inodes=usage.inodes_by_root[root],
            links=inventory.links[root],
            outside_linked_inodes=usage.outside_inodes_by_root[root],
            incomplete=root in analysis.incomplete_roots,
            on_other_filesystem=is_on_other_filesystem(inventory, root),
            private_bytes=exclusive_bytes if private else None,
            private=private.by_cause if private else None,
        )


def cache_figures(analysis: Analysis) -> Iterator[CacheFigures]:
    """Yield the figures of every package cache."""
    inventory, usage = analysis.inventory, analysis.usage
    used, unused = analysis.verdicts.used(), analysis.verdicts.unused()
    for index, root in enumerate(inventory.roots):
        if root.kind is not RootKind.CACHE:
            continue
        parts = usage.cache_parts(index, used, unused)
        packages = analysis.verdicts.uses.keys() & usage.units_of_root[index]
        yield CacheFigures(
            path=root.path,
            size_bytes=usage.unique_by_root[index],
            used_bytes=parts[CachePart.USED],
            kept_bytes=parts[CachePart.KEPT],
            unused_bytes=parts[CachePart.UNUSED],
            tarball_bytes=parts[CachePart.ARCHIVES],
            quarantine_bytes=parts[CachePart.QUARANTINE],
            other_bytes=parts[CachePart.OTHER],
            packages=len(packages),
            kept_packages=len(packages - used - unused),
            unused_packages=len(packages & unused),
            inodes=usage.inodes_by_root[index],
            links=inventory.links[index],
            incomplete=index in analysis.incomplete_roots,
        )


def totals_of(analysis: Analysis) -> Totals:
    """Return the figures of all roots together."""
    usage = analysis.usage
    return Totals(
        on_disk_bytes=usage.on_disk,
        as_copies_bytes=usage.as_copies,
        saved_bytes=usage.as_copies - usage.on_disk,
        inodes=usage.inodes_on_disk,
        saved_inodes=usage.inodes_as_copies - usage.inodes_on_disk,
        links=sum(analysis.inventory.links),
        outside_links=usage.outside_links,
        outside_linked_inodes=usage.outside_inodes,
    )


def device_figures(analysis: Analysis) -> Iterator[DeviceFigures]:
    """Yield the figures of every filesystem; its type is that of the first root on it."""
    inventory = analysis.inventory
    for index, device in enumerate(inventory.devices):
        roots = [root for root, other in enumerate(inventory.root_devices) if other == index]
        yield DeviceFigures(
            device=device,
            filesystem=analysis.filesystems[roots[0]] if roots else "",
            on_disk_bytes=analysis.usage.on_disk_by_device[index],
            roots=tuple(inventory.roots[root].path for root in roots),
        )
