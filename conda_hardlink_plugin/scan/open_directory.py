"""A place in the walk: an open directory, what it is called, and whose its content is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..filesystem import fs

if TYPE_CHECKING:
    from .inventory import PrivateSums

_MAX_OPEN_DIRECTORIES = 200
_NAME_BYTES = 255  # NAME_MAX
_MAX_RELATIVE_BYTES = fs.path_limit_bytes - 2 * _NAME_BYTES - 86


class OpenDirectory:
    """A directory whose own directories are still to be read.

    Attributes:
        handle: Opens the directory itself while `relative` is empty. So deep down that keeping
            every level open would exhaust the handles it is borrowed from an ancestor, below
            which `relative` leads here; as far as a path may be long.
        unit: The unit that its content belongs to.
        identity: Its device and inode.
        parent: The directory it was found in, `None` for a root.
        name: Its name there; a root's path.
        inside: The path from the root to here, ending in `/`; empty for the root, and `None` so
            deep down that no path leads here.
        relative: The path from `handle` to here, ending in `/`; empty for the directory itself.
        sums: Where its single-link inodes are added up.
        plain: Its entries' inode numbers are trusted, and it does not belong to the part of a
            cache in which packages are still looked for.
        children: Names of the directories in it that are still to be read.
        users: How many need its handle: those that borrow it, and threads that open a
            directory in it.

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
        identity: tuple[int, int],
        children: list[str],
        *,
        plain: bool,
    ) -> None:
        """Note a directory; who opened it sets the handle."""
        self.parent = parent
        self.name = name
        self.unit = unit
        self.sums = sums
        self.identity = identity
        self.children = children
        self.plain = plain
        self.handle = -1
        self.inside: str | None = "" if parent is None else parent.inside_of(name)
        self.relative = ""
        self.users = 0
        self._lender: OpenDirectory | None = None

    @property
    def path(self) -> str:
        """The path of the directory, the root's path first."""
        return "/".join(self._names())

    @property
    def path_parts(self) -> tuple[str, ...]:
        """The names that lead from the root to the directory."""
        return tuple(self._names()[1:])

    def _names(self) -> list[str]:
        names = []
        place: OpenDirectory | None = self
        while place is not None:
            names.append(place.name)
            place = place.parent
        names.reverse()
        return names

    def inside_of(self, name: str) -> str | None:
        """Return `inside` of a directory in this one."""
        if self.inside is None or len(os.fsencode(self.inside)) > _MAX_RELATIVE_BYTES:
            return None
        return f"{self.inside}{name}/"

    def may_lend_handle(self) -> bool:
        """Tell whether a path from the handle through here is not too long yet."""
        return len(os.fsencode(self.relative)) <= _MAX_RELATIVE_BYTES

    def borrow_handle(self, ancestor: OpenDirectory) -> None:
        """Close the directory, and reach it from an ancestor from now on."""
        fs.close(self.handle)
        self.handle = ancestor.handle
        self.relative = f"{ancestor.relative}{self.name}/"
        self._lender = ancestor
        ancestor.users += 1

    def close(self) -> None:
        """Close the handle, or give it back if it is borrowed."""
        if self._lender is None:
            fs.close(self.handle)
        else:
            self._lender.users -= 1


def open_directories_allowed() -> int:
    """Return how many directories may be kept open: a part of what the process is allowed."""
    allowed = fs.most_open_directories()
    return min(_MAX_OPEN_DIRECTORIES, allowed // 4) if allowed else _MAX_OPEN_DIRECTORIES
