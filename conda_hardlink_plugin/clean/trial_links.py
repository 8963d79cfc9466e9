"""The trial links that conda left in environments; each one pins its package."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING

from ..filesystem import fs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..filesystem.protocol import FileStatus

# conda.gateways.disk.test.hardlink_supported
_TRIAL_LINK = re.compile(r"\.tmp\.index\.json\.[0-9a-f]{8}")


def find_trial_links(prefixes: Iterable[str], now_ns: int, grace_ns: int) -> tuple[str, ...]:
    """Return the paths, without symbolic links, of the trial links that are older than the grace.

    conda links `info/index.json` of a package into the prefix to test for hard links, and unlinks
    it at once. If conda is killed in between, the link is left.
    """
    found = []
    for prefix in dict.fromkeys(map(os.path.realpath, prefixes)):
        try:
            names = sorted(os.listdir(prefix))
        except OSError:  # the verdicts report it, and keeps every package
            continue
        paths = [os.path.join(prefix, name) for name in names if _TRIAL_LINK.fullmatch(name)]
        found += [path for path in paths if _is_left_over(path, now_ns - grace_ns)]
    return tuple(found)


def bytes_of_trial_links(trial_links: Sequence[str], removed: Iterable[str]) -> int:
    """Return the disk usage of the inodes whose links are all trial links or in what is removed.

    Args:
        trial_links: Absolute paths of the trial links.
        removed: Absolute paths of what is removed with them.

    """
    found = [status for path in trial_links if (status := _status(path))]
    status_of = {status.identity: status for status in found}
    links = Counter(status.identity for status in found)
    if any(links[inode] < status.link_count for inode, status in status_of.items()):
        links.update(
            inode
            for top in removed
            for path in _files_below(top)
            if (status := _status(path)) and (inode := status.identity) in status_of
        )
    return sum(
        status.disk_bytes
        for inode, status in status_of.items()
        if links[inode] == status.link_count
    )


def _files_below(path: str) -> Iterator[str]:
    """Yield a path, and every path below it that is not a folder."""
    yield path
    if os.path.islink(path):
        return
    for folder, _, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in names)


def _status(path: str) -> FileStatus | None:
    try:
        return fs.status(path)
    except OSError:
        return None


def _is_left_over(path: str, before_ns: int) -> bool:
    status = _status(path)
    return status is not None and status.ctime_ns <= before_ns and status.is_regular
