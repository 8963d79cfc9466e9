"""Which package caches and environments conda has here. Reads only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conda.common.path import expand

from ..exceptions import EnvironmentNotFoundError

if TYPE_CHECKING:
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
class Installation:
    """What conda has on this machine.

    Attributes:
        caches: Absolute paths of the package caches that exist.
        environments: The environments, base first.
        unreachable: Environments, or lists of them, that cannot be looked at.
        unreachable_caches: Package caches that cannot be looked at.
        stale: Listed prefixes that were deleted: their parent is there, they are not.
        unreadable: Folders below a searched one that cannot be listed.
        other_homes: For an administrator the homes of all users.

    """

    caches: tuple[str, ...]
    environments: tuple[Environment, ...]
    unreachable: tuple[PathProblem, ...]
    unreachable_caches: tuple[PathProblem, ...]
    stale: tuple[str, ...]
    unreadable: tuple[PathProblem, ...]
    other_homes: tuple[str, ...] = ()

    def environment(self, name_or_prefix: str) -> Environment:
        """Return the environment of this name or path.

        Raises:
            EnvironmentNotFoundError: It is not among the environments.

        """
        for environment in self.environments:
            if environment.name == name_or_prefix:
                return environment
        if os.sep in name_or_prefix:
            path = expand(name_or_prefix)
            for environment in self.environments:
                if environment.prefix == path or _same(environment.prefix, path):
                    return environment
            raise EnvironmentNotFoundError(
                f"There is no environment at {path}: give the path of a folder with"
                " conda-meta/history in it."
            )
        raise EnvironmentNotFoundError(
            f"No environment named '{name_or_prefix}' was found: `conda env list` shows the names,"
            " --search DIR finds environments that conda does not list."
        )

    def paths_of(self, environment: Environment) -> list[str]:
        """Return every path in `environments` that leads to the folder of this one."""
        return [
            other.prefix
            for other in self.environments
            if other == environment or _same(other.prefix, environment.prefix)
        ]


def _same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
