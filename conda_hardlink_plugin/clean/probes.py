"""What conda's trial links left in environments: each pins its package for ever."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..evidence import Terms

# conda.gateways.disk.test.hardlink_supported
_PROBE = re.compile(r"\.tmp\.index\.json\.[0-9a-f]{8}")


def find_probes(prefixes: Iterable[str], terms: Terms) -> tuple[str, ...]:
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


def _is_left_over(path: str, terms: Terms) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    old = terms.now_ns - status.st_ctime_ns >= terms.grace_ns
    return old and stat.S_ISREG(status.st_mode)
