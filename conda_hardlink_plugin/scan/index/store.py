"""Findings to index: stores what a scan has read or recalled for the next scan."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from ..inventory import UnitKind
from .contents import to_json
from .page import pack_page, unpack_pages
from .trailer import read_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..collector import Findings
    from ..inventory import Inventory, Unit
    from ..scan_roots import ScanRoots
    from .file import NewIndex
    from .page import Page
    from .recall import Remembered


def store(
    new: NewIndex,
    inventory: Inventory,
    scan_roots: ScanRoots,
    found: Findings,
    pages: bytes,
    remembered: Remembered | None,
) -> None:
    """Complete an index, and replace the previous one.

    If it cannot be written, the previous index stays, if there is one.

    Args:
        new: The new index, which already contains the pages of what was read.
        inventory: The inventory.
        scan_roots: The roots.
        found: The findings behind the inventory.
        pages: The packed pages of what was read, with indexes of `found.units` as units.
        remembered: The units that were recalled from the previous index, if any.

    """
    with suppress(OSError):
        number_of = {unit: number for number, unit in enumerate(inventory.units)}
        read = (
            page._replace(unit=number_of[found.units[page.unit]]) for page in unpack_pages(pages)
        )
        all_pages = chain(read, _copied(new, remembered, number_of))
        extent = new.append_checked(b"".join(map(pack_page, all_pages)))
        texts = {number: new.append_checked(text) for number, text in _texts(inventory, found)}
        unread = frozenset(_unread(inventory))
        new.commit(to_json(inventory, scan_roots, extent, texts, unread), new.totals_of(inventory))


def _copied(
    new: NewIndex, remembered: Remembered | None, number_of: Mapping[Unit, int]
) -> Iterator[Page]:
    """Copy the pages of the units that were recalled; yield them."""
    if remembered is None:
        return
    index = remembered.index
    for page in index.stored.pages:
        unit = remembered.recalled.get(page.unit)
        if unit is not None:
            offset = new.append(read_at(index.handle, page.offset, page.bytes))
            yield page._replace(unit=number_of[unit], offset=offset)


def _texts(inventory: Inventory, found: Findings) -> Iterator[tuple[int, bytes]]:
    """Yield the symbolic links of each environment: alternating paths and texts."""
    for number, unit in enumerate(inventory.units):
        if unit.kind is UnitKind.ENVIRONMENT:
            links = found.staying.get(unit.root, {}) | found.leaving.get(unit.root, {})
            if links:
                yield number, os.fsencode("\0".join(chain.from_iterable(links.items())))


def _unread(inventory: Inventory) -> Iterator[int]:
    """Yield the units in which something could not be counted correctly."""
    numbers: dict[tuple[int, str], list[int]] = {}
    for number, unit in enumerate(inventory.units):
        numbers.setdefault((unit.root, unit.path), []).append(number)
    for problem in inventory.problems:
        path, above = problem.path, ""
        while path != above:
            yield from numbers.get((problem.root, path), ())
            above, path = path, os.path.dirname(path)
