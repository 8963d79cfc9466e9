"""The packages that the transactions of one conda command linked and unlinked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..analysis.transaction_figures import LinkFigures

if TYPE_CHECKING:
    from ..scan.index.trailer import IndexTotals


@dataclass(slots=True)
class TransactionSummary:
    """The packages that the transactions of one conda command linked and unlinked.

    Attributes:
        linked: The linked packages.
        added_bytes: The disk usage that new environments add; `None` if no environment is new.
        totals: The totals of the last report, if it is recent.
        totals_taken_s: The time of that report, in seconds since the epoch.
        unlinked_packages: The number of unlinked packages.
        unlinked_bytes: The disk usage of the unlinked files and of the folders that were removed;
            `None` if it was not measured, as for the next two fields.
        freed_bytes: The part of `unlinked_bytes` that is free again.
        left_bytes: The bytes of these packages that the cache still holds and that no other tree
            hard-links.
        why_copied: Why packages were copied although conda asked for hard links.
        over_budget: Whether measuring was stopped because it took too long.
        warned: Whether the user was warned about copies or symbolic links before the transaction.

    """

    linked: LinkFigures = field(default_factory=LinkFigures)
    added_bytes: int | None = None
    totals: IndexTotals | None = None
    totals_taken_s: float = 0
    unlinked_packages: int = 0
    unlinked_bytes: int | None = None
    freed_bytes: int | None = None
    left_bytes: int | None = None
    why_copied: str = ""
    over_budget: bool = False
    warned: bool = False
