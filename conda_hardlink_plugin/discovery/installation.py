"""Which package caches and environments conda has here. Reads only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..exceptions import NotFoundError
from ..filesystem.paths import expand, is_same_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..filesystem.problems import PathProblem


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that was found.

    Attributes:
        name: Its name; its path where conda knows it by no name.
        prefix: Absolute path.

    """

    name: str
    prefix: str


@dataclass(frozen=True, slots=True)
class FoundInstallation:
    """What conda has on this machine.

    Attributes:
        caches: Absolute paths of the package caches that exist.
        environments: The environments, base first.
        unreachable: Environments, or lists of them, that cannot be looked at.
        unreachable_caches: Package caches that cannot be looked at.
        stale: Listed prefixes that were deleted: their parent is there, they are not.
        unsearched: Folders below a searched one that cannot be listed.
        other_homes: For an administrator the homes of all users.
        named_caches: Package caches that the user named: no other one is cleaned then.
        read_only_caches: Package caches that are never cleaned.

    """

    caches: tuple[str, ...]
    environments: tuple[Environment, ...]
    unreachable: tuple[PathProblem, ...] = ()
    unreachable_caches: tuple[PathProblem, ...] = ()
    stale: tuple[str, ...] = ()
    unsearched: tuple[PathProblem, ...] = ()
    other_homes: tuple[str, ...] = ()
    named_caches: tuple[str, ...] = ()
    read_only_caches: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        caches: Iterable[str],
        prefixes: Iterable[str],
        read_only_caches: Iterable[str] = (),
    ) -> FoundInstallation:
        """Return the installation of some package caches and environments, as they are named.

        Raises:
            NotFoundError: One of them is not a folder.

        """
        named = tuple(dict.fromkeys(map(expand, caches)))
        paths = dict.fromkeys(map(expand, prefixes))
        for path in (*named, *paths):
            if not os.path.isdir(path):
                raise NotFoundError(f"{path} is not a folder: give one that exists.")
        return cls(
            caches=named,
            environments=tuple(Environment(path, path) for path in paths),
            named_caches=named,
            read_only_caches=tuple(map(expand, read_only_caches)),
        )

    @property
    def names(self) -> dict[str, str]:
        """Prefix to the name of the environment."""
        return {item.prefix: item.name for item in self.environments}

    def environment(self, name_or_prefix: str) -> Environment:
        """Return the environment of this name or path.

        Raises:
            NotFoundError: It is not among the environments.

        """
        for environment in self.environments:
            if environment.name == name_or_prefix:
                return environment
        if os.sep in name_or_prefix:
            path = expand(name_or_prefix)
            for environment in self.environments:
                if environment.prefix == path or is_same_file(environment.prefix, path):
                    return environment
            raise NotFoundError(
                f"There is no environment at {path}: give the path of a folder with"
                " conda-meta/history in it."
            )
        raise NotFoundError(
            f"No environment named '{name_or_prefix}' was found: `conda env list` shows the names,"
            " --search DIR finds environments that conda does not list."
        )

    def removable(self, name_or_prefix: str) -> str:
        """Return the prefix of an environment that removing would free.

        Raises:
            NotFoundError: It is not among the environments, or is a symbolic link to one.

        """
        environment = self.environment(name_or_prefix)
        if os.path.islink(environment.prefix):
            raise NotFoundError(
                f"{environment.name} is a symbolic link: removing it frees nothing. Give the"
                f" environment that it leads to, {os.path.realpath(environment.prefix)}."
            )
        return environment.prefix

    def paths_of(self, environment: Environment) -> list[str]:
        """Return every path in `environments` that leads to the folder of this one."""
        return [
            other.prefix
            for other in self.environments
            if other == environment or is_same_file(other.prefix, environment.prefix)
        ]
