"""The totals of an inventory, which the index stores for the next command."""

from __future__ import annotations

from ..scan.index.trailer import IndexTotals, checksum_of
from ..scan.inventory import Inventory, RootKind
from .usage import Usage


def index_totals(inventory: Inventory) -> IndexTotals:
    """Return the totals over all roots, in bytes of disk usage."""
    usage = Usage(inventory)
    caches = [root.path for root in inventory.roots if root.kind is RootKind.CACHE]
    return IndexTotals(
        on_disk_bytes=usage.on_disk,
        as_copies_bytes=usage.as_copies,
        caches=len(caches),
        environments=len(inventory.roots) - len(caches),
        incomplete=int(bool(inventory.problems)),
        caches_checksum=checksum_of(caches),
    )
