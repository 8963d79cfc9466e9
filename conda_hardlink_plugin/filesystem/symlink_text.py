"""What the text of a symbolic link reveals about where the link leads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def escapes(target: str, directory: str) -> bool:
    """Return whether the text of a symbolic link leads out of its tree.

    Args:
        target: The text of the link, as `readlink` returns it.
        directory: The directory of the link, relative to the top of the tree; `""` for the top.

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
    """Return whether a symbolic link leads through another one, which may lead anywhere.

    A link that ends at another link does not: the other link is judged by itself.

    Args:
        path: Absolute path of the link.
        target: The text of the link; it does not lead out of the tree.
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
