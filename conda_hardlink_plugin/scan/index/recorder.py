"""Writes pages of the index while directories are read, one unit's after another's."""

from __future__ import annotations

import os

from ...filesystem import fs
from ...filesystem.protocol import Access
from .page import Draft, pack_page

_DIRECTORIES_OF_PAGE = 256
_MOST_DRAFTS = 4  # units are read one in another: a package, in what is around it in its cache


class Recorder:
    """Notes what one process reads, and writes it at the end of a file that others write to too."""

    def __init__(self, path: str, began_ns: int) -> None:
        """Open the file; if that cannot be done, it is as if nothing could be written.

        Args:
            path: The file.
            began_ns: When the scan began, in nanoseconds since the epoch.

        """
        self._began_ns = began_ns
        self._drafts: dict[tuple[int, int], Draft] = {}
        self._pages = bytearray()
        self._failed = False
        self._handle = -1
        try:
            self._handle = fs.open_file(path, Access.APPEND)
        except OSError:
            self._failed = True

    def draft(self, unit: int, device: int) -> Draft:
        """Return what directories of a unit on a device are to be noted in, for the next few."""
        draft = self._drafts.pop((unit, device), None)
        if draft is not None and len(draft.directories) >= _DIRECTORIES_OF_PAGE:
            self._write(unit, device, draft)
            draft = None
        if draft is None and len(self._drafts) >= _MOST_DRAFTS:
            (oldest_unit, oldest_device), oldest = next(iter(self._drafts.items()))
            del self._drafts[oldest_unit, oldest_device]
            self._write(oldest_unit, oldest_device, oldest)
        self._drafts[unit, device] = draft or Draft(self._began_ns)
        return self._drafts[unit, device]

    def pages(self) -> bytes | None:
        """Write the rest, and return all pages, packed; `None` if not all could be written."""
        for (unit, device), draft in self._drafts.items():
            self._write(unit, device, draft)
        self._drafts.clear()
        return None if self._failed else bytes(self._pages)

    def close(self) -> None:
        """Close the file; what was not written is lost."""
        if self._handle >= 0:
            fs.close(self._handle)
            self._handle = -1

    def _write(self, unit: int, device: int, draft: Draft) -> None:
        if self._failed or not draft.directories:
            return
        page, content = draft.page(unit, device, 0)
        try:
            written = os.write(self._handle, content)
            end = os.lseek(self._handle, 0, os.SEEK_CUR)
        except OSError:
            written = -1
        if written != len(content):  # the disk is full, most likely
            self._failed = True
            return
        self._pages += pack_page(page._replace(offset=end - written))
