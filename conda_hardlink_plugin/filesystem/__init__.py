"""The platform's file operations: one module per platform, selected here, behind one protocol."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import linux

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .protocol import Filesystem, Handle

fs: Filesystem = linux
"""The operations of `protocol.Filesystem` on this platform."""


@contextmanager
def closing(handle: Handle) -> Iterator[Handle]:
    """Close an open file or directory at the end of a `with` block."""
    try:
        yield handle
    finally:
        fs.close(handle)
