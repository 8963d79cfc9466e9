"""The reasons to remove nothing at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..filesystem.paths import is_within
from ..filesystem.problems import GONE
from .permissions import is_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..analysis.analysis import Analysis


def find_refusals(
    analysis: Analysis,
    prefixes: Sequence[str],
    closed: Mapping[str, str],
    named_caches: Sequence[str],
) -> list[str]:
    """Return why nothing may be removed, as sentences without the full stop at the end.

    Args:
        analysis: The packages and their users.
        prefixes: The environments.
        closed: Package caches that must not be changed, to the reason.
        named_caches: The caches that the user named.

    """
    unseen: dict[str, str] = {}
    for problem in analysis.verdicts.unseen:
        unseen.setdefault(problem.path, problem.reason)
    refusals = [
        f"{path} cannot be read ({reason}) and may use any package, so nothing was removed."
        f" {_remedy(path, prefixes)}"
        for path, reason in unseen.items()
    ]
    return refusals + [
        f"{cache} cannot be cleaned: {reason}"
        for cache, reason in closed.items()
        if is_named(cache, named_caches)
    ]


def _remedy(path: str, prefixes: Sequence[str]) -> str:
    """Return what to do about an environment, a part of one, or a list or folder of them."""
    is_part = any(is_within(path, prefix) and os.path.isdir(prefix) for prefix in prefixes)
    if is_part or os.path.basename(path) == "environments.txt" or _is_closed_folder(path):
        return "Make it readable, or run this command as a user who can read it"
    option = f"--ignore-env {path} (in Python: ignored_environments)"
    return f"If that environment was deleted, add {option}"


def _is_closed_folder(path: str) -> bool:
    """Return whether a folder is there but cannot be listed."""
    try:
        os.listdir(path)
    except (*GONE, ValueError):  # the last for a NUL in a line of environments.txt
        return False
    except OSError:
        return True
    return False
