"""`conda hardlinks` alone."""

from __future__ import annotations

import os


def print_where_to_begin() -> int:
    """Print what the last report of this conda found, and the first commands. Returns 0, or 1."""
    from ..api import last_totals
    from ..render.guide import print_guide
    from ..render.terminal import Terminal
    from .frontend import package_caches
    from .output import is_closed, show

    if is_closed("the guide"):
        return 1
    found = last_totals([path for path in package_caches() if os.path.isdir(path)])
    show(lambda: print_guide(found, Terminal()))
    return 0
