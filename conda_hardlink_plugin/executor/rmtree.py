"""The removal of a tree by open directories, across no symbolic link and no mount."""

from __future__ import annotations

import contextlib
import secrets
import stat
from functools import cached_property
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.problems import reason_of
from ..metadata.quarantine_names import QuarantineEntry, Stage

if TYPE_CHECKING:
    from ..filesystem.protocol import Handle

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
        handle = fs.open_directory(entry, parent)
        try:
            status = fs.status_of(handle)
            if fs.mount_of(handle) != self._mount:
                self.problems.append(f"something is mounted at {entry}")
                return
            if not status.mode & stat.S_IWUSR:
                with contextlib.suppress(OSError):  # the removal then reports the reason
                    fs.make_writable(handle)
            for below in fs.list_names(handle):
                self._remove_entry(handle, below, depth + 1)
        finally:
            fs.close(handle)
        fs.remove_directory(entry, parent)
        self.freed_bytes += status.disk_bytes

    def _move_up(self, parent: Handle, entry: str) -> str:
        """Move a directory to the top, under the name of an entry that was given up."""
        moved = QuarantineEntry(Stage.PURGE, f"deep_{secrets.token_hex(8)}", "deep").name
        fs.rename(entry, parent, moved, self._top)
        return moved
