"""The details of one environment: its private bytes by cause, and its sharing with others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.causes import split_private_bytes
from ..filesystem.problems import PathProblem
from ..metadata.conda_meta import Record, read_record
from ..metadata.pip_record import read_pip_files
from ..scan.inventory import RootKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..analysis.usage import Usage


@dataclass(frozen=True, slots=True)
class PrivateUsage:
    """The private bytes of one environment by cause and by package.

    Attributes:
        by_cause: The bytes of each cause; they add up to the exclusive usage.
        by_package: The exclusive bytes of the files of each installed conda package, by
            `NAME-VERSION-BUILD`.
        copied_packages: Packages recorded as hard-linked that have files which are copies.
        unreadable: Records that could not be read or parsed; their files count as unowned.

    """

    by_cause: dict[str, int]
    by_package: dict[str, int]
    copied_packages: tuple[str, ...]
    unreadable: tuple[PathProblem, ...]


@dataclass(frozen=True, slots=True)
class PackagePrivate:
    """The bytes of one installed package that only its environment holds."""

    name: str
    exclusive_bytes: int


@dataclass(frozen=True, slots=True)
class SharedWith:
    """The bytes that an environment shares with another one."""

    name: str
    prefix: str
    shared_bytes: int


@dataclass(frozen=True, slots=True)
class EnvironmentDetail:
    """The details of one environment.

    Attributes:
        prefix: Absolute path.
        private: Its private bytes by cause.
        packages: Its conda packages, most exclusive bytes first.
        shares_with: The other environments with which it shares inodes, most bytes first.
        copied_packages: Packages recorded as hard-linked that have files which are copies.

    """

    prefix: str
    private: dict[str, int]
    packages: tuple[PackagePrivate, ...]
    shares_with: tuple[SharedWith, ...]
    copied_packages: tuple[str, ...]


def private_usage(usage: Usage, root: int, cached: Collection[str]) -> PrivateUsage:
    """Return the private bytes of an environment that was scanned in detail, split up.

    Args:
        usage: The usage figures of the scan.
        root: Root index of the environment.
        cached: `NAME-VERSION-BUILD` of the packages in the caches.

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
    private = split_private_bytes(
        inventory.own_files[root],
        directory_bytes=usage.directories_by_root[root],
        measure=usage.measure,
        records=records,
        cached=cached,
        pip_files=pip_files,
    )
    return PrivateUsage(
        by_cause={cause.value: amount for cause, amount in private.by_cause.items()},
        by_package={record.dist: private.by_package.get(record.dist, 0) for record in records},
        copied_packages=tuple(
            record.dist
            for record in records
            if record.hard_link_requested and record.dist in private.copied
        ),
        unreadable=(*unreadable, *pip_problems),
    )


def environment_detail(
    usage: Usage, names: Mapping[str, str], root: int, private: PrivateUsage
) -> EnvironmentDetail:
    """Return the details of one environment.

    Args:
        usage: The usage figures of the scan.
        names: The name of each environment, by prefix.
        root: Root index of the environment.
        private: The result of `private_usage` for it.

    """
    roots = usage.inventory.roots
    shares_with = [
        SharedWith(names.get(other.path, other.path), other.path, shared_bytes)
        for index, other in enumerate(roots)
        if index != root
        and other.kind is RootKind.ENVIRONMENT
        and (shared_bytes := usage.shared_between(root, index))
    ]
    packages = [PackagePrivate(*item) for item in private.by_package.items()]
    return EnvironmentDetail(
        prefix=roots[root].path,
        private=private.by_cause,
        packages=tuple(sorted(packages, key=lambda item: (-item.exclusive_bytes, item.name))),
        shares_with=tuple(sorted(shares_with, key=lambda item: (-item.shared_bytes, item.name))),
        copied_packages=private.copied_packages,
    )
