"""Where a symbolic link leads, as far as its text tells."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def escapes(target: str, directory: str) -> bool:
    """Tell whether a symbolic link's text leads out of its tree, judged by its text alone.

    Args:
        target: What `readlink` gives.
        directory: Where the link lies, relative to the top of the tree; `""` for the top itself.

    """
    if target.startswith("/"):
        return True
    depth = directory.count("/") + 1 if directory else 0
    for component in target.split("/"):
        if component == "..":
            depth -= 1
            if depth < 0:
                return True
        elif component not in ("", "."):
            depth += 1
    return False


def passes_link(path: str, target: str, links: Collection[str]) -> bool:
    """Tell whether a symbolic link goes on from another one on its way, which may lead anywhere.

    One that ends at another one does not: that is looked at itself.

    Args:
        path: Absolute path of the link.
        target: What `readlink` gives; it does not lead out of the tree by its text.
        links: Absolute paths of all symbolic links of the tree.

    """
    current = os.path.dirname(path)
    for name in target.split("/"):
        if name in ("", "."):
            continue
        if current in links:
            return True
        current = os.path.dirname(current) if name == ".." else f"{current}/{name}"
    return False
