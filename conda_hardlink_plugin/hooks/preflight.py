"""The warning before a transaction that will not do what the user may expect."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from conda.base.context import context

from ..formatting import join_names, size
from ..metadata.conda_meta import SOFT_LINK_REQUESTED
from .copy_reasons import free_bytes, will_copy
from .transaction_state import dist_of_record

if TYPE_CHECKING:
    from collections.abc import Sequence


_NAMES = 3  # of packages


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
    copied, reason = (list(linked), "") if context.always_copy else _copied(prefix, linked)
    if not reason and not context.always_copy:
        return ""
    named = "the packages"
    if len(copied) < len(linked):
        named = join_names(sorted(record.name for record in copied), _NAMES)
    room_bytes, least_bytes = free_bytes(prefix), sum(int(record.size or 0) for record in copied)
    if room_bytes is not None and room_bytes < least_bytes:
        return (
            f"{named} will be copied and need at least {size(least_bytes)}, and"
            f" {os.path.dirname(prefix)} has {size(room_bytes)} free"
        )
    return f"{named} will be copied: {reason}" if reason else ""


def _target(command: str) -> str:
    """Return the path of the environment; of one that a file names, a path in the right folder."""
    named = any(context._argparse_args.get(name) for name in ("name", "prefix"))  # noqa: SLF001
    if command.startswith("env_") and not named and context.envs_dirs:
        return os.path.join(str(context.envs_dirs[0]), "new")
    return str(context.target_prefix)


def _copied(prefix: str, linked: Sequence[Any]) -> tuple[list[Any], str]:
    """Return the packages that will be copied, and the first reason why.

    One package of each cache is looked at. conda takes a package from a cache that it can write, if
    one has it, else from another one, else it fetches the package into the first that it can write
    (`conda.core.package_cache_data`).
    """
    given = [os.path.expanduser(folder) for folder in context.pkgs_dirs]
    writable = [folder for folder in given if os.access(folder, os.W_OK)]
    folders = list(dict.fromkeys([*writable, *given]))
    from_cache: dict[str, list[Any]] = {}
    example: dict[str, str] = {}
    for record in linked or [None]:  # a clone names no packages
        name = "" if record is None else dist_of_record(record)
        has_it = (folder for folder in folders if name and os.path.isdir(f"{folder}/{name}"))
        if cache := next(has_it, ""):
            example.setdefault(cache, f"{cache}/{name}")
        if cache or writable:
            from_cache.setdefault(cache or writable[0], []).append(record)
    copied, first_reason = [], ""
    for cache, records in from_cache.items():
        if reason := will_copy(prefix, example.get(cache, cache)):
            first_reason = first_reason or reason
            copied += [record for record in records if record is not None]
    return copied, first_reason


def _is_softlinked(prefix: str) -> bool:
    """Tell whether conda requested symbolic links when it made an environment."""
    from conda.core.prefix_data import PrefixData

    if not os.path.isdir(os.path.join(prefix, "conda-meta")):
        return False
    links = (getattr(record, "link", None) for record in PrefixData(prefix).iter_records())
    return any(link is not None and link.type.value == SOFT_LINK_REQUESTED for link in links)
