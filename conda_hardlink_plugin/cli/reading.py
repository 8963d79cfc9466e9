"""How the verbs that look at packages begin: find the installation and read it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from ..api import Analysis, IndexUse


def read_installation(
    args: argparse.Namespace,
    *,
    prefixes: Sequence[str] = (),
    removable: Iterable[str] = (),
    index: IndexUse | None = None,
    **more: Any,
) -> Analysis:
    """Find the installation that the options mean, and analyze it.

    Args:
        args: The options of `arguments.add_evidence_options` and `add_cache_option`.
        prefixes: Environments besides those that conda lists.
        removable: Environments that must be there, by name or path.
        index: As in `api.analyze`.
        more: Further arguments of `api.analyze`.

    """
    from .. import RetentionPolicy, api
    from ..render.progress import progress
    from .frontend import is_quiet

    # As given, too: a line of environments.txt may not be an absolute path.
    policy = RetentionPolicy(
        grace=args.grace_ns,
        older_than=getattr(args, "older_than_ns", None),
        ignored_environments=args.ignored_environments,
    )
    with ExitStack() as stack:
        executor = None
        if getattr(args, "dask", None) is not None:
            from .dask_workers import dask_workers

            executor = stack.enter_context(dask_workers(args.dask))
        installation = api.find_installation(
            search=args.search, caches=args.cache_folders, prefixes=prefixes, executor=executor
        )
        installation.check_removable(removable)
        on_progress = stack.enter_context(progress("files and folders read", quiet=is_quiet()))
        return api.analyze(
            installation,
            policy=policy,
            index=index,
            executor=executor,
            on_progress=on_progress,
            **more,
        )
