"""What is on this machine: the installation found and scanned, as every verb begins."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conda.base.context import context
from conda.common.path import expand

from ..analysis.verdicts import Terms
from ..discovery.finder import find_installation
from ..exceptions import UnsupportedPlatformError
from ..filesystem.mounts import MountTable, read_mount_table
from ..metadata.leases import lease_folder, read_leases
from ..render.progress import progress
from ..scan.inventory import Inventory, Root, RootKind
from ..scan.scanner import SUPPORTED, scan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence

    from ..discovery.installation import Installation
    from ..scan.crew import Worker
    from ..scan.index.lookup import Lookup


@dataclass(frozen=True, slots=True)
class Survey:
    """The installation and what a scan of it found.

    Attributes:
        installation: Which caches and environments there are.
        inventory: What is in them.
        mounts: The mounts at that time.
        terms: On what terms packages are judged.

    """

    installation: Installation
    inventory: Inventory
    mounts: MountTable
    terms: Terms

    @property
    def names(self) -> dict[str, str]:
        """Prefix to the name of the environment."""
        return {item.prefix: item.name for item in self.installation.environments}

    @property
    def filesystems(self) -> list[str]:
        """The filesystem type of each root of the inventory, `""` where unknown."""
        roots = self.inventory.roots
        return [self.mounts.filesystem(os.path.realpath(root.path)) for root in roots]


def find(args: argparse.Namespace, prefixes: Sequence[str] = ()) -> Installation:
    """Find the caches and environments of conda, of `--search` and of `--cache`.

    Args:
        args: The options.
        prefixes: Environments besides those.

    """
    if not SUPPORTED:
        raise UnsupportedPlatformError(
            "On this platform folders cannot be read by descriptor: use Linux or macOS."
        )
    return find_installation(search=args.search, caches=args.cache_folders, prefixes=prefixes)


def take_survey(
    args: argparse.Namespace,
    installation: Installation,
    crew: Sequence[Worker],
    detailed: Collection[str] = (),
    lookup: Lookup | None = None,
) -> Survey:
    """Scan an installation.

    Args:
        args: The options of `arguments.add_evidence_options`.
        installation: What `find` found.
        crew: Processes to read with.
        detailed: Roots of which the files are wanted one by one.
        lookup: The index, if it is to be used.

    """
    mounts = read_mount_table()
    homes = (os.path.expanduser("~"), *installation.other_homes)
    terms = Terms(
        now_ns=time.time_ns(),
        grace_ns=args.grace_ns,
        unseen=(*installation.unreachable, *installation.unreadable),
        # As it stands, too: a line of environments.txt may be no absolute path.
        ignored=tuple(name for path in args.ignored_environments for name in (path, expand(path))),
        leases=read_leases([lease_folder(), *map(lease_folder, homes)]),
        mounted=tuple(mount.mount_point for mount in mounts.mounts),
    )
    roots = [
        *(Root(RootKind.CACHE, path) for path in installation.caches),
        *(Root(RootKind.ENVIRONMENT, item.prefix) for item in installation.environments),
    ]
    quiet = context.json or context.quiet
    with progress("files and folders read", quiet=quiet) as on_progress:
        inventory = scan(
            roots,
            detailed=detailed,
            mounts=mounts,
            on_progress=on_progress,
            crew=crew,
            lookup=lookup,
        )
    return Survey(installation, inventory, mounts, terms)
