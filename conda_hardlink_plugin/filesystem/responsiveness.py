"""Whether a filesystem answers: who asks one of a server that is gone waits for ever."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .mounts import Mount, MountTable

_PATIENCE_S = 5


class ResponsivenessCheck:
    """Asks what is mounted elsewhere, before it is looked at, whether it answers."""

    def __init__(self, mounts: MountTable, read: Iterable[str]) -> None:
        """Ask nothing yet.

        Args:
            mounts: What is mounted.
            read: Real paths of what was read: the filesystems that they are on have answered.

        """
        self._mounts = mounts
        self._points = {mount.mount_point for mount in mounts.mounts}
        self._heard = {mounts.mount_at(path) for path in read} | {None}
        self._silent: set[Mount | None] = set()
        self._asked: set[str] = set()

    def check(self, path: str) -> None:
        """Ask for a path, once for each mount point, of which enough may be known, and each folder.

        Args:
            path: A real path, or one whose folder is.

        Raises:
            OSError: `ETIMEDOUT`: its filesystem does not answer.

        """
        place = path if path in self._points else os.path.dirname(path) + "/"
        if place in self._asked:
            return
        mount = self._mounts.mount_at(path)
        if mount in self._silent or not (mount in self._heard or _answers(path)):
            self._silent.add(mount)
            raise OSError(errno.ETIMEDOUT, "its filesystem does not answer", path)
        self._asked.add(place)


def _answers(path: str) -> bool:
    """Tell whether there is an answer, if only an error, within some seconds.

    A thread waits for it: where there is none, nothing can end that but the end of the process.
    """
    import threading  # noqa: PLC0415  # most links lead to where others were

    asking = threading.Thread(target=_look_at, args=(path,), daemon=True)
    try:
        asking.start()
    except RuntimeError:  # no more are allowed
        return True
    asking.join(_PATIENCE_S)
    return not asking.is_alive()


def _look_at(path: str) -> None:
    with suppress(OSError):
        os.lstat(path)
