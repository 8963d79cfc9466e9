"""Removing a tree by open directories: never through a symbolic link, never across a mount."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from functools import cached_property

from ..metadata.quarantine_names import QuarantineEntry, Stage
from ..scan.inventory import BLOCK_BYTES

_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_MAX_DEPTH = 100  # open directories; what lies deeper is moved up first


class Rmtree:
    """Removes entries of a directory that only this process changes.

    Attributes:
        freed_bytes: Disk usage of the inodes whose last link was removed.
        problems: What could not be removed, and why.

    """

    def __init__(self, top: int) -> None:
        """Remove below the directory that `top` opens, on its mount only."""
        self.freed_bytes = 0
        self.problems: list[str] = []
        self._top = top
        self._waiting: list[str] = []

    def remove(self, name: str) -> None:
        """Remove an entry of the top directory with everything below it.

        What cannot be removed is noted, and the rest is removed all the same. A directory that lies
        `_MAX_DEPTH` levels down is first moved up beside `name`, so that few are open at once.
        """
        self._waiting = [name]
        while self._waiting:
            self._remove_entry(self._top, self._waiting.pop(), 0)

    @cached_property
    def _mount(self) -> tuple[int, str]:
        return mount_of(self._top)

    def _remove_entry(self, parent: int, entry: str, depth: int) -> None:
        try:
            status = os.stat(entry, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(entry, dir_fd=parent)
                if status.st_nlink == 1:
                    self.freed_bytes += status.st_blocks * BLOCK_BYTES
            elif depth == _MAX_DEPTH:
                self._waiting.append(self._move_up(parent, entry))
            else:
                self._remove_directory(parent, entry, depth)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.problems.append(f"{entry}: {(error.strerror or str(error)).lower()}")

    def _remove_directory(self, parent: int, entry: str, depth: int) -> None:
        descriptor = os.open(entry, _OPEN, dir_fd=parent)
        try:
            status = os.fstat(descriptor)
            if mount_of(descriptor) != self._mount:
                self.problems.append(f"something is mounted at {entry}")
                return
            if not status.st_mode & stat.S_IWUSR:
                with contextlib.suppress(OSError):  # then removing says what is wrong
                    os.fchmod(descriptor, stat.S_IRWXU)
            for below in os.listdir(descriptor):
                self._remove_entry(descriptor, below, depth + 1)
        finally:
            os.close(descriptor)
        os.rmdir(entry, dir_fd=parent)
        self.freed_bytes += status.st_blocks * BLOCK_BYTES

    def _move_up(self, parent: int, entry: str) -> str:
        """Move a directory to the top, under a name that says that it was given up."""
        moved = QuarantineEntry(Stage.PURGE, f"deep_{secrets.token_hex(8)}", "deep").name
        os.rename(entry, moved, src_dir_fd=parent, dst_dir_fd=self._top)
        return moved


def mount_of(descriptor: int) -> tuple[int, str]:
    """Return what tells the mount that an open directory is on from all others.

    Its device, and where the system tells it (proc_pid_fdinfo(5)) the number of the mount: a bind
    mount shows another folder of the same device.
    """
    number = ""
    with (
        contextlib.suppress(OSError),
        open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file,
    ):
        number = next((line for line in file if line.startswith("mnt_id:")), "")
    return os.fstat(descriptor).st_dev, number
