"""The totals of an inventory, as the index keeps them for the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..scan.index.trailer import Totals, checksum_of
from ..scan.inventory import RootKind
from .usage import Usage

if TYPE_CHECKING:
    from ..scan.inventory import Inventory


def index_totals(inventory: Inventory) -> Totals:
    """Return the totals over all roots, in bytes of disk usage."""
    usage = Usage(inventory)
    kinds = [root.kind for root in inventory.roots]
    return Totals(
        on_disk_bytes=usage.on_disk,
        as_copies_bytes=usage.as_copies,
        caches=kinds.count(RootKind.CACHE),
        environments=kinds.count(RootKind.ENVIRONMENT),
        incomplete=int(bool(inventory.problems)),
        which_caches=checksum_of(
            root.path for root in inventory.roots if root.kind is RootKind.CACHE
        ),
    )
