"""Pages of the index."""

from __future__ import annotations

import pytest

from conda_hardlink_plugin.scan.index.page import Page, pack_page, unpack_pages


def test_packed_pages_are_unpacked_and_truncated_ones_are_refused():
    pages = [
        Page(
            unit, 2, 3, 4, 5, 6, 7, 8, 9, bytes(range(16)), bytes(range(16, 32)), 12, settled=False
        )
        for unit in range(3)
    ]
    packed = b"".join(map(pack_page, pages))
    assert list(unpack_pages(packed)) == pages
    with pytest.raises(ValueError, match="truncated"):
        unpack_pages(packed[:-1])
