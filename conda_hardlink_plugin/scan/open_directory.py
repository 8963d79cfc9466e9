"""A step on the walker's stack: an open directory with its name and its unit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..filesystem import fs

if TYPE_CHECKING:
    from ..filesystem.protocol import Identity
    from .inventory import PrivateSums

_MAX_OPEN_DIRECTORIES = 200
_NAME_BYTES = 255  # NAME_MAX
_MAX_RELATIVE_BYTES = fs.max_path_bytes - 2 * _NAME_BYTES - 86


class OpenDirectory:
    """A directory whose subdirectories are still to be read.

    Attributes:
        handle: The open directory while `relative` is empty. Deep in a tree, where keeping every
            level open would exhaust the handles, it is borrowed from an ancestor, and `relative`
            leads from there to this directory, as long as a path may be.
        unit: The unit that the directory's content belongs to.
        identity: Device and inode of the directory.
        parent: The directory that contains it, `None` for a root.
        name: Its name in `parent`; the path of a root.
        inside: The path from the root to the directory, ending in `/`; empty for the root, and
            `None` if the directory is deeper than a path can reach.
        relative: The path from `handle` to the directory, ending in `/`; empty if `handle` is the
            directory itself.
        sums: The sums of its single-link inodes.
        plain: Whether the inode numbers of its entries are trusted, and it is not in the part of a
            cache in which packages are searched for.
        children: Names of the subdirectories that are still to be read.
        users: Number of users of the handle: directories that borrow it, and threads that open a
            subdirectory.

    """

    __slots__ = (
        "_lender", "children", "handle", "identity", "inside", "name", "parent", "plain",
        "relative", "sums", "unit", "users",
    )  # fmt: skip

    def __init__(
        self,
        parent: OpenDirectory | None,
        name: str,
        unit: int,
        sums: PrivateSums,
        identity: Identity,
        children: list[str],
        *,
        plain: bool,
    ) -> None:
        """Describe a directory; the caller that opened it sets the handle."""
        self.parent = parent
        self.name = name
        self.unit = unit
        self.sums = sums
        self.identity = identity
        self.children = children
        self.plain = plain
        self.handle = -1
        self.inside: str | None = ""
        if parent is not None:
            above = parent.inside
            too_long = above is None or len(os.fsencode(above)) > _MAX_RELATIVE_BYTES
            self.inside = None if too_long else f"{above}{name}/"
        self.relative = ""
        self.users = 0
        self._lender: OpenDirectory | None = None

    @property
    def path(self) -> str:
        """The absolute path of the directory."""
        return "/".join(self.path_parts())

    def path_parts(self) -> list[str]:
        """Return the path of the root and the names that lead from there to the directory."""
        names = []
        directory: OpenDirectory | None = self
        while directory is not None:
            names.append(directory.name)
            directory = directory.parent
        return names[::-1]

    def borrow_handle(self) -> None:
        """Close the directory, and use the handle of its parent if the path is short enough."""
        lender = self.parent
        if lender is not None and len(os.fsencode(lender.relative)) <= _MAX_RELATIVE_BYTES:
            fs.close(self.handle)
            self.handle = lender.handle
            self.relative = f"{lender.relative}{self.name}/"
            self._lender = lender
            lender.users += 1

    def close(self) -> None:
        """Close the handle, or return it if it is borrowed."""
        if self._lender is None:
            fs.close(self.handle)
        else:
            self._lender.users -= 1


def open_directories_allowed() -> int:
    """Return how many directories may be kept open: a fraction of the limit of the process."""
    allowed = fs.most_open_directories()
    return min(_MAX_OPEN_DIRECTORIES, allowed // 4) if allowed else _MAX_OPEN_DIRECTORIES
