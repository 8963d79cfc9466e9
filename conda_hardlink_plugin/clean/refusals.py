"""Why nothing may be removed at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..filesystem.paths import is_within
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
    """Return why nothing may be removed, as sentences without their full stop.

    Args:
        analysis: What is there, and who uses it.
        prefixes: The environments.
        closed: Package caches that are not to be touched, to the reason.
        named_caches: Those that the user named.

    """
    unseen: dict[str, str] = {}
    for problem in analysis.evidence.unseen:
        unseen.setdefault(problem.path, problem.reason)
    return [
        *(
            f"{path} cannot be looked at ({reason}) and may use any package, so nothing is removed."
            f" {_remedy(path, prefixes)}"
            for path, reason in unseen.items()
        ),
        *(
            f"{cache} cannot be cleaned: {reason}"
            for cache, reason in closed.items()
            if is_named(cache, named_caches)
        ),
    ]


def _remedy(path: str, prefixes: Sequence[str]) -> str:
    """Return what to do about an environment, or a part of one, that cannot be looked at."""
    if any(is_within(path, prefix) and os.path.isdir(prefix) for prefix in prefixes):
        return "Make it readable, or run this as somebody who can read it"
    return f"Where that environment is gone for good, say --ignore-env {path}"
