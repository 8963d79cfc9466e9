"""The reasons to remove nothing at all."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from ..filesystem.paths import is_within
from ..filesystem.problems import GONE
from ..metadata.bounded_reader import is_missing
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
    option = f"--ignore-env {shlex.quote(path)} (in Python: ignored_environments)"
    is_part = any(path != prefix and is_within(path, prefix) for prefix in prefixes)
    if is_part and os.path.islink(path):
        return f"If no package is reached through that symbolic link, add {option}"
    is_there = os.path.lexists(path) or not is_missing(path)
    is_list = os.path.basename(path) == "environments.txt"
    if is_list or _is_closed_folder(path) or (is_there and _is_in_one_of(prefixes, path)):
        return "Make it readable, or run this command as a user who can read it"
    return f"If that environment was deleted, add {option}"


def _is_in_one_of(prefixes: Sequence[str], path: str) -> bool:
    return any(is_within(path, prefix) and os.path.isdir(prefix) for prefix in prefixes)


def _is_closed_folder(path: str) -> bool:
    """Return whether a folder is there but cannot be listed."""
    try:
        os.listdir(path)
    except (*GONE, ValueError):  # the last for a NUL in a line of environments.txt
        return False
    except OSError:
        return True
    return False
