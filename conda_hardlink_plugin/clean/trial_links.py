"""What conda's trial links left in environments: each pins its package for ever."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from typing import TYPE_CHECKING

from ..scan.inventory import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..analysis.verdicts import Terms

# conda.gateways.disk.test.hardlink_supported
_PROBE = re.compile(r"\.tmp\.index\.json\.[0-9a-f]{8}")


def find_trial_links(prefixes: Iterable[str], terms: Terms) -> tuple[str, ...]:
    """Return the trial links that conda did not remove, older than the grace.

    conda links `info/index.json` of a package into the prefix to see whether it can, and unlinks
    it at once; killed in between, it leaves the link.
    """
    found = []
    folders = {os.path.realpath(prefix): prefix for prefix in prefixes}  # each once
    for prefix in folders.values():
        try:
            names = os.listdir(prefix)
        except OSError:  # the evidence says so, and keeps every package
            continue
        paths = [os.path.join(prefix, name) for name in sorted(names) if _PROBE.fullmatch(name)]
        found += [path for path in paths if _is_left_over(path, terms)]
    return tuple(found)


def bytes_of_trial_links(probes: Sequence[str], removed: Iterable[str]) -> int:
    """Return the bytes of the inodes that have links among the trial links and in what goes alone.

    Args:
        probes: Absolute paths of the trial links.
        removed: Absolute paths of what is removed with them.

    """
    found = [status for probe in probes if (status := _status(probe))]
    status_of = {(status.st_dev, status.st_ino): status for status in found}
    links = Counter((status.st_dev, status.st_ino) for status in found)
    if any(links[inode] < status.st_nlink for inode, status in status_of.items()):
        links.update(
            inode
            for top in removed
            for path in _files_below(top)
            if (status := _status(path)) and (inode := (status.st_dev, status.st_ino)) in status_of
        )
    return sum(
        status.st_blocks * BLOCK_BYTES
        for inode, status in status_of.items()
        if links[inode] == status.st_nlink
    )


def _files_below(path: str) -> Iterator[str]:
    """Yield a path, and what is below it but no folders."""
    yield path
    if os.path.islink(path):
        return
    for folder, _, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in names)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _is_left_over(path: str, terms: Terms) -> bool:
    status = _status(path)
    if status is None:
        return False
    old = terms.now_ns - status.st_ctime_ns >= terms.grace_ns
    return old and stat.S_ISREG(status.st_mode)
