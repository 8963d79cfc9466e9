"""The removal of a tree by open directories, across no symbolic link and no mount."""

from __future__ import annotations

import contextlib
import secrets
import stat
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from ..filesystem import fs
from ..filesystem.problems import reason_of
from ..metadata.quarantine_names import QuarantineEntry, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..filesystem.protocol import Handle

T = TypeVar("T")
_MAX_DEPTH = 100  # open directories; deeper ones are moved up first


class Rmtree:
    """Removes entries of a directory that no other process changes.

    Attributes:
        freed_bytes: Disk usage of the inodes whose last link was removed.
        problems: What could not be removed, with the reasons.

    """

    def __init__(self, top: Handle) -> None:
        """Take the handle of the directory; nothing on another mount is removed."""
        self.freed_bytes = 0
        self.problems: list[str] = []
        self._top = top
        self._waiting: list[str] = []

    def remove(self, name: str) -> None:
        """Remove an entry of the directory with everything below it.

        What cannot be removed is added to `problems`, and the rest is removed all the same. A
        directory `_MAX_DEPTH` levels down is first moved up beside `name`, so that few directories
        are open at once.
        """
        self._waiting = [name]
        while self._waiting:
            self._remove_entry(self._top, self._waiting.pop(), 0)

    @cached_property
    def _mount(self) -> tuple[int, str]:
        return fs.mount_of(self._top)

    def _is_mounted(self, handle: Handle) -> bool:
        """Return whether something else than the tree itself is at an open directory."""
        return fs.mount_of(handle) != self._mount

    def _remove_entry(self, parent: Handle, entry: str, depth: int) -> None:
        try:
            status = fs.status_at(entry, parent)
            if not status.is_directory:
                fs.unlink(entry, parent)
                if status.link_count == 1:
                    self.freed_bytes += status.disk_bytes
            elif depth == _MAX_DEPTH:
                self._waiting.append(self._move_up(parent, entry))
            else:
                self._remove_directory(parent, entry, depth)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.problems.append(f"{entry}: {reason_of(error)}")

    def _remove_directory(self, parent: Handle, entry: str, depth: int) -> None:
        handle = self._once_permitted(parent, entry, lambda: fs.open_directory(entry, parent))
        try:
            status = fs.status_of(handle)
            if self._is_mounted(handle):
                self.problems.append(f"something is mounted at {entry}")
                return
            _permit(handle)
            for below in fs.list_names(handle):
                self._remove_entry(handle, below, depth + 1)
        finally:
            fs.close(handle)
        fs.remove_directory(entry, parent)
        self.freed_bytes += status.disk_bytes

    def _move_up(self, parent: Handle, entry: str) -> str:
        """Move a directory to the top, under the name of an entry that was given up."""
        moved = QuarantineEntry(Stage.PURGE, f"deep_{secrets.token_hex(8)}", "deep").name
        self._once_permitted(
            parent, entry, lambda: fs.rename(entry, parent, moved, self._top)
        )  # rename(2): a directory that gets another parent must be writable
        return moved

    def _once_permitted(self, parent: Handle, entry: str, step: Callable[[], T]) -> T:
        """Do a step; if it needs permissions on a directory of this user, give them and retry."""
        try:
            return step()
        except PermissionError:
            handle = fs.locate_directory(entry, parent)
            try:
                if self._is_mounted(handle) or not _permit(handle):
                    raise
            finally:
                fs.close(handle)
            return step()


def _permit(handle: Handle) -> bool:
    """Give the owner of a directory the permissions for it; return whether some were missing."""
    if fs.status_of(handle).mode & stat.S_IRWXU == stat.S_IRWXU:
        return False
    with contextlib.suppress(OSError):  # the removal then reports the reason
        fs.make_writable(handle)
    return True
