"""Whether filesystems respond: a call to one whose server is gone blocks forever."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .mounts import Mount, MountTable

_PATIENCE_S = 5


class ResponsivenessCheck:
    """Checks that a filesystem responds before a path on it is examined."""

    def __init__(self, mounts: MountTable, read: Iterable[str]) -> None:
        """Prepare the check without accessing any path.

        Args:
            mounts: The mount table.
            read: Real paths that were read already: their filesystems respond.

        """
        self._mounts = mounts
        self._mount_points = {mount.mount_point for mount in mounts.mounts}
        self._responsive = {mounts.mount_at(path) for path in read} | {None}
        self._silent: set[Mount | None] = set()
        self._checked: set[str] = set()

    def check(self, path: str) -> None:
        """Check the filesystem of a path: once for each mount point and each directory.

        Args:
            path: A real path, or a path in a real directory.

        Raises:
            OSError: `ETIMEDOUT`: the filesystem does not answer.

        """
        checked = path if path in self._mount_points else os.path.dirname(path) + "/"
        if checked in self._checked:
            return
        mount = self._mounts.mount_at(path)
        if mount in self._silent or not (mount in self._responsive or _responds(path)):
            self._silent.add(mount)
            raise OSError(errno.ETIMEDOUT, "its filesystem does not answer", path)
        self._checked.add(checked)


def _responds(path: str) -> bool:
    """Return whether examining a path ends, even with an error, within a few seconds.

    A thread makes the call, because only the end of the process can interrupt a call that blocks.
    """
    import threading  # noqa: PLC0415  # rarely needed: most links lead to a known filesystem

    thread = threading.Thread(target=os.path.lexists, args=(path,), daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the thread limit is reached
        return True
    thread.join(_PATIENCE_S)
    return not thread.is_alive()
