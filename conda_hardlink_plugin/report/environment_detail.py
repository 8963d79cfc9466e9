"""One environment from close by: why it has bytes of its own, and whom it shares with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.causes import PrivateBytes, split_private_bytes
from ..filesystem.problems import PathProblem
from ..metadata.conda_meta import Record, read_record
from ..metadata.pip_record import read_pip_files
from ..scan.inventory import RootKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..analysis.usage import Usage


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The private bytes of one environment, split up.

    Attributes:
        by_cause: Name of the cause to bytes; they add up to the exclusive usage.
        by_package: `NAME-VERSION-BUILD` of every installed conda package to the exclusive bytes
            of its files.
        copied_packages: Packages recorded as hard-linked of which some files are copies.
        unreadable: Records that could not be made sense of; their files count as unowned.

    """

    by_cause: dict[str, int]
    by_package: dict[str, int]
    copied_packages: tuple[str, ...]
    unreadable: tuple[PathProblem, ...]


@dataclass(frozen=True, slots=True)
class PackagePrivate:
    """The bytes of one installed package that are the environment's own."""

    name: str
    exclusive_bytes: int


@dataclass(frozen=True, slots=True)
class SharedWith:
    """How many bytes an environment has in common with another one."""

    name: str
    prefix: str
    shared_bytes: int


@dataclass(frozen=True, slots=True)
class EnvironmentDetail:
    """One environment from close by.

    Attributes:
        prefix: Absolute path.
        private: The causes of its private bytes.
        packages: Its conda packages, most exclusive bytes first.
        shares_with: The other environments with which it has inodes in common, most bytes first.
        copied_packages: Packages that conda recorded as hard-linked and that are copies.

    """

    prefix: str
    private: dict[str, int]
    packages: tuple[PackagePrivate, ...]
    shares_with: tuple[SharedWith, ...]
    copied_packages: tuple[str, ...]


def break_down(usage: Usage, root: int, cached: Collection[str]) -> Breakdown:
    """Split the private bytes of an environment that was scanned in detail.

    Args:
        usage: The arithmetic of the scan.
        root: Index of the environment.
        cached: `NAME-VERSION-BUILD` of the packages that are in a cache.

    """
    inventory = usage.inventory
    prefix = inventory.roots[root].path
    records: list[Record] = []
    unreadable: list[PathProblem] = []
    for name in sorted(inventory.records.get(root, ())):
        match read_record(os.path.join(prefix, "conda-meta", name)):
            case Record() as record:
                records.append(record)
            case PathProblem() as problem:
                unreadable.append(problem)
    pip_files, pip_problems = read_pip_files(prefix)
    private: PrivateBytes = split_private_bytes(
        inventory.own_files[root],
        directory_bytes=usage.directories_by_root[root],
        measure=usage.measure,
        records=records,
        cached=cached,
        pip_files=pip_files,
    )
    return Breakdown(
        by_cause={cause.value: amount for cause, amount in private.by_cause.items()},
        by_package={record.dist: private.by_package.get(record.dist, 0) for record in records},
        copied_packages=tuple(
            record.dist
            for record in records
            if record.hard_link_asked_for and record.dist in private.copied
        ),
        unreadable=(*unreadable, *pip_problems),
    )


def detail_of(
    usage: Usage, names: Mapping[str, str], root: int, breakdown: Breakdown
) -> EnvironmentDetail:
    """Return one environment from close by.

    Args:
        usage: The arithmetic of the scan.
        names: Prefix to the name of the environment.
        root: Index of the environment.
        breakdown: What `break_down` returned for it.

    """
    roots = usage.inventory.roots
    shares_with = [
        SharedWith(names.get(other.path, other.path), other.path, shared_bytes)
        for index, other in enumerate(roots)
        if index != root
        and other.kind is RootKind.ENVIRONMENT
        and (shared_bytes := usage.shared_between(root, index))
    ]
    packages = [PackagePrivate(*item) for item in breakdown.by_package.items()]
    return EnvironmentDetail(
        prefix=roots[root].path,
        private=breakdown.by_cause,
        packages=tuple(sorted(packages, key=lambda item: (-item.exclusive_bytes, item.name))),
        shares_with=tuple(sorted(shares_with, key=lambda item: (-item.shared_bytes, item.name))),
        copied_packages=breakdown.copied_packages,
    )
