"""The recorder: writes pages of the index while directories are read."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...filesystem import fs
from ...filesystem.protocol import Access
from .page import Draft, pack_page, page_of_facts

if TYPE_CHECKING:
    from ...filesystem.protocol import Handle
    from .page import Page

_DIRECTORIES_OF_PAGE = 256
_MAX_DRAFTS = 4  # units are nested: a package is read while the rest of its cache is begun


class Recorder:
    """Records what is read."""

    def __init__(self, path: str, began_ns: int) -> None:
        """Open the file; if that fails, `pages` returns `None`.

        Args:
            path: Path of the file.
            began_ns: Start time of the scan, in nanoseconds since the epoch.

        """
        self._began_ns = began_ns
        self._drafts: dict[tuple[int, int], Draft] = {}
        self._pages = bytearray()
        self._handle: Handle | None = None
        with suppress(OSError):
            self._handle = fs.open_file(path, Access.APPEND)
        self._failed = self._handle is None

    def draft(self, unit: int, device: int) -> Draft:
        """Return the draft for the next few directories of a unit on a device."""
        key = unit, device
        draft = self._drafts.pop(key, None)
        if draft is not None and len(draft.directories) >= _DIRECTORIES_OF_PAGE:
            self._write(key, draft)
            draft = None
        if draft is None and len(self._drafts) >= _MAX_DRAFTS:
            oldest = next(iter(self._drafts))
            self._write(oldest, self._drafts.pop(oldest))
        self._drafts[key] = draft = draft or Draft(self._began_ns)
        return draft

    def pages(self) -> bytes | None:
        """Write the remaining drafts; return all pages, packed, or `None` if a write failed."""
        for key, draft in self._drafts.items():
            self._write(key, draft)
        self._drafts.clear()
        return None if self._failed else bytes(self._pages)

    def close(self) -> None:
        """Close the file; drafts that were not written are lost."""
        if self._handle is not None:
            fs.close(self._handle)
            self._handle = None

    def write_facts(self, *facts: Any) -> Page:
        """Write a page from facts of the native module; return it."""
        page, content = page_of_facts(self._began_ns, *facts)
        return page._replace(offset=self._append(content))

    def add(self, page: Page) -> None:
        """Add a page that was written."""
        self._pages += pack_page(page)

    def _write(self, key: tuple[int, int], draft: Draft) -> None:
        if draft.directories:
            page, content = draft.page(*key)
            self.add(page._replace(offset=self._append(content)))

    def _append(self, content: bytes) -> int:
        """Append content; return its offset, or 0 once a write has failed."""
        if self._handle is None or self._failed:
            return 0
        try:
            written = os.write(self._handle, content)
            end = os.lseek(self._handle, 0, os.SEEK_CUR)
        except OSError:
            written = -1
        self._failed = written != len(content)  # the disk is full, most likely
        return 0 if self._failed else end - written
