"""A part of the directories of a root that one process hands over to another."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filesystem import fs

if TYPE_CHECKING:
    from .inventory import Unit


@dataclass(frozen=True, slots=True)
class Share:
    """Some of the directories in one directory.

    Attributes:
        root: Index of the root.
        unit: What the directory's content belongs to.
        way: The names that lead from the root to the directory.
        identity: Device and inode of the directory.
        children: Names of the directories in it that are to be read.

    """

    root: int
    unit: Unit
    path_parts: tuple[str, ...]
    identity: tuple[int, int]
    children: list[str]


def reopen(share: Share, root_path: str) -> int:
    """Open the directory of a share, name by name; no symbolic link is followed.

    Returns:
        Its descriptor.

    Raises:
        OSError: It is gone, or another one is there by now.

    """
    descriptor = fs.open_root(root_path)
    try:
        for name in share.path_parts:
            above = descriptor
            descriptor = fs.open_directory(name, above)
            os.close(above)
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != share.identity:
            raise FileNotFoundError(errno.ENOENT, "replaced while scanning")  # noqa: TRY301
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
