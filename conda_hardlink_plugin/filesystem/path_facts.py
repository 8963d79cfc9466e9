"""What is at many known paths."""

from __future__ import annotations

import errno
import os
from itertools import islice
from typing import TYPE_CHECKING

from . import closing, fs
from .native import look_at_paths, native_module
from .problems import GONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .native import PathFacts

_AT_ONCE = 8_000
_GONE_NUMBERS = frozenset({0, errno.ENOENT, errno.ENOTDIR})


def path_facts_below(folder: str, names: Iterable[str]) -> Iterator[PathFacts]:
    """Yield what is at each path below a folder, in order; an error where nothing is.

    A symbolic link is not followed, unless it is above what a path names.

    Raises:
        OSError: Something cannot be looked at.

    """
    native = native_module()
    if native is None:
        yield from (_facts_of(f"{folder}/{name}") for name in names)
        return
    rest = iter(names)
    try:
        handle = fs.open_root(folder)
    except OSError:  # it is gone, or may be passed through, but not read
        yield from (_facts_of(f"{folder}/{name}") for name in rest)
        return
    with closing(handle):
        while some := list(islice(rest, _AT_ONCE)):
            if _has_odd_name(some):
                yield from (_facts_of(f"{folder}/{name}") for name in some)
                continue
            for facts in look_at_paths(native, handle, some):
                if facts[0] not in _GONE_NUMBERS:
                    raise OSError(facts[0], os.strerror(facts[0]))
                yield facts


def _has_odd_name(names: Sequence[str]) -> bool:
    """Return whether a name is empty, absolute or has a NUL: records may say anything."""
    joined = "\0".join(names)
    return (
        joined.count("\0") != len(names) - 1
        or joined.startswith(("\0", "/"))
        or joined.endswith("\0")
        or "\0\0" in joined
        or "\0/" in joined
        or not joined
    )


def _facts_of(path: str) -> PathFacts:
    try:
        status = fs.status(path)
    except GONE as error:
        return error.errno or errno.ENOENT, 0, 0, 0, 0, 0
    except ValueError:  # a NUL, which no name has
        return errno.ENOENT, 0, 0, 0, 0, 0
    return 0, status.device, status.inode, status.mode, status.link_count, status.disk_bytes
