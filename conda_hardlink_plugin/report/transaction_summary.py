"""What the transactions of a command linked and unlinked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..analysis.package_usage import LinkFigures

if TYPE_CHECKING:
    from ..scan.index.trailer import Totals


@dataclass(slots=True)
class TransactionSummary:
    """What the transactions of a command linked and unlinked.

    Attributes:
        linked: What was linked.
        added_bytes: What new environments add to the disk; `None` if none is new.
        totals: What the last report found in all, if that was not long ago.
        totals_taken_s: When that was, in seconds since the epoch.
        unlinked_packages: How many packages were unlinked.
        unlinked_bytes: What they took, with folders that are gone; `None` if it was not measured.
        freed_bytes: What of that the disk has again; the same.
        left_bytes: What of them is in the cache and has no hard link outside; the same.
        why_copied: Why packages were copied although hard links were asked for.
        over_budget: Measuring was stopped.
        warned: The user was told before of what would go otherwise than expected.

    """

    linked: LinkFigures = field(default_factory=LinkFigures)
    added_bytes: int | None = None
    totals: Totals | None = None
    totals_taken_s: float = 0
    unlinked_packages: int = 0
    unlinked_bytes: int | None = None
    freed_bytes: int | None = None
    left_bytes: int | None = None
    why_copied: str = ""
    over_budget: bool = False
    warned: bool = False
