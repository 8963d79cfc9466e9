"""Findings to index: what a scan has read or recalled, as the next one is to find it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ..inventory import UnitKind
from .contents import to_json
from .page import pack_page, unpack_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    parts: Sequence[Findings],
    remembered: Remembered | None,
) -> None:
    """Complete an index, and have it take the place of the last one.

    Where it cannot be written there is none: the next report reads everything again.

    Args:
        new: What was read is already in it.
        inventory: What was found.
        scan_roots: The roots.
        parts: What it was made of; of their inodes nothing is needed any more.
        remembered: What was not read, if anything.

    """
    if any(part.pages is None for part in parts):
        return
    with suppress(OSError):
        number_of = {unit: number for number, unit in enumerate(inventory.units)}
        pages = new.append_checked(
            b"".join(
                pack_page(page)
                for some in (_read(parts, number_of), _copied(new, remembered, number_of))
                for page in some
            )
        )
        texts = {number: new.append_checked(text) for number, text in _texts(inventory, parts)}
        unread = frozenset(_unread(inventory))
        new.commit(to_json(inventory, scan_roots, pages, texts, unread), new.totals_of(inventory))


def _read(parts: Sequence[Findings], number_of: Mapping[Unit, int]) -> Iterator[Page]:
    """Yield the pages of what was read."""
    for part in parts:
        for page in unpack_pages(part.pages or b""):
            yield page._replace(unit=number_of[part.units[page.unit]])


def _copied(
    new: NewIndex, remembered: Remembered | None, number_of: Mapping[Unit, int]
) -> Iterator[Page]:
    """Copy the pages of what was recalled."""
    if remembered is None:
        return
    index = remembered.index
    for page in index.stored.pages:
        unit = remembered.recalled.get(page.unit)
        if unit is not None:
            offset = new.append(index.read(page.offset, page.bytes))
            yield page._replace(unit=number_of[unit], offset=offset)


def _texts(inventory: Inventory, parts: Sequence[Findings]) -> Iterator[tuple[int, bytes]]:
    """Yield the symbolic links of each environment: path and text, one after the other."""
    for number, unit in enumerate(inventory.units):
        if unit.kind is not UnitKind.ENVIRONMENT:
            continue
        links = [
            text
            for part in parts
            for found in (part.staying, part.leaving)
            for link in found.get(unit.root, {}).items()
            for text in link
        ]
        if links:
            yield number, os.fsencode("\0".join(links))


def _unread(inventory: Inventory) -> Iterator[int]:
    """Yield the units in which something could not be counted as it stands."""
    numbers: dict[tuple[int, str], list[int]] = {}
    for number, unit in enumerate(inventory.units):
        numbers.setdefault((unit.root, unit.path), []).append(number)
    for problem in inventory.problems:
        path, above = problem.path, ""
        while path != above:
            yield from numbers.get((problem.root, path), ())
            above, path = path, os.path.dirname(path)
