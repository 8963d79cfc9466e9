"""`conda hardlinks` alone."""

from __future__ import annotations

import os


def print_where_to_begin() -> int:
    """Print what the last report of this conda found, and the first commands. Returns 0, or 1."""
    from conda.base.context import context

    from ..render.guide import print_guide
    from ..render.terminal import Terminal
    from ..scan.index.trailer import checksum_of, index_folder, read_totals
    from .output import is_closed, show

    if is_closed("the guide"):
        return 1
    found = read_totals(index_folder())
    caches = [path for path in context.pkgs_dirs if os.path.isdir(path)]
    elsewhere = found is not None and found[0].which_caches != checksum_of(caches)
    show(lambda: print_guide(found, Terminal(), elsewhere=elsewhere))
    return 0
