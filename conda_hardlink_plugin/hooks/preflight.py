"""The warning before a transaction that will not do what the user may expect."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from conda.base.context import context

from ..formatting import size
from ..metadata.conda_meta import SOFT_LINK_REQUESTED
from .copy_reasons import free_bytes, will_copy
from .transaction_state import dist_of_record

if TYPE_CHECKING:
    from collections.abc import Sequence


def preflight_warning(command: str, linked: Sequence[Any]) -> str:
    """Return the warning that the user should read first, `""` without one.

    Args:
        command: conda's name for the command.
        linked: The records of the packages that will be linked.

    """
    if not linked and not context._argparse_args.get("clone"):  # noqa: SLF001  # has no property
        return ""
    prefix = _target(command)
    if context.always_softlink or _is_softlinked(prefix):
        return (
            f"{prefix} is made of symbolic links into the cache: `conda clean --packages` may break"
            " it, `conda hardlinks clean` does not"
        )
    cache = _cache_of(linked)
    reason = "" if context.always_copy or not cache else will_copy(prefix, cache)
    if not reason and not context.always_copy:
        return ""
    room_bytes, least_bytes = free_bytes(prefix), sum(int(record.size or 0) for record in linked)
    if room_bytes is not None and room_bytes < least_bytes:
        return (
            f"the packages will be copied and need at least {size(least_bytes)}, and"
            f" {os.path.dirname(prefix)} has {size(room_bytes)} free"
        )
    return f"the packages will be copied: {reason}" if reason else ""


def _target(command: str) -> str:
    """Return the path of the environment; of one that a file names, a path in the right folder."""
    named = any(context._argparse_args.get(name) for name in ("name", "prefix"))  # noqa: SLF001
    if command.startswith("env_") and not named and context.envs_dirs:
        return os.path.join(str(context.envs_dirs[0]), "new")
    return str(context.target_prefix)


def _cache_of(linked: Sequence[Any]) -> str:
    """Return the path of a package that will be linked, or the cache that it will be put in."""
    folders: list[str] = [os.path.expanduser(folder) for folder in context.pkgs_dirs]
    for record in linked:
        name = dist_of_record(record)
        for folder in folders:
            if os.path.isdir(os.path.join(folder, name)):
                return os.path.join(folder, name)
    return next((folder for folder in folders if os.access(folder, os.W_OK)), "")


def _is_softlinked(prefix: str) -> bool:
    """Tell whether conda requested symbolic links when it made an environment."""
    from conda.core.prefix_data import PrefixData

    if not os.path.isdir(os.path.join(prefix, "conda-meta")):
        return False
    links = (getattr(record, "link", None) for record in PrefixData(prefix).iter_records())
    return any(link is not None and link.type.value == SOFT_LINK_REQUESTED for link in links)
