"""What differs between platforms: one module for each, chosen here, behind one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import linux

if TYPE_CHECKING:
    from .protocol import Filesystem

fs: Filesystem = linux
