"""The package caches and environments that were found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..exceptions import NotFoundError
from ..filesystem.paths import expand, is_same_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..filesystem.problems import PathProblem

NO_ENVIRONMENT = (
    "There is no environment at {}: give the path of a folder with conda-meta/history in it."
)


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that was found.

    Attributes:
        name: Its name; its path if conda has no name for it.
        prefix: Absolute path.

    """

    name: str
    prefix: str


@dataclass(frozen=True, slots=True)
class FoundInstallation:
    """The package caches and environments of this machine.

    Attributes:
        caches: Absolute paths of the package caches that exist.
        environments: The environments, base first.
        unreachable: Environments, or lists of them, that are unreadable.
        unreachable_caches: Package caches that are unreadable.
        stale: Listed prefixes that were deleted: only their parent folder exists.
        unsearched: Folders that cannot be searched for environments.
        other_homes: The homes of all users, for an administrator.
        named_caches: Package caches that the user named; if any, only these are cleaned.
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
        """Return an installation of the given package caches and environments.

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
        """Return the environment with a name or path.

        Raises:
            NotFoundError: It is not among the environments.

        """
        for environment in self.environments:
            if environment.name == name_or_prefix:
                return environment
        if os.sep not in name_or_prefix:
            raise NotFoundError(
                f"No environment named '{name_or_prefix}' was found: `conda env list` shows the"
                " names, --search DIR finds environments that conda does not list."
            )
        path = expand(name_or_prefix)
        for is_meant in (str.__eq__, _is_same_entry, is_same_file):  # a symbolic link means itself
            for environment in self.environments:
                if is_meant(environment.prefix, path):
                    return environment
        raise NotFoundError(NO_ENVIRONMENT.format(path))

    def removable(self, name_or_prefix: str) -> str:
        """Return the prefix of an environment whose removal frees disk space.

        Raises:
            NotFoundError: It is not among the environments, or it is a symbolic link to one.

        """
        environment = self.environment(name_or_prefix)
        if os.path.islink(environment.prefix):
            raise NotFoundError(
                f"{environment.name} is a symbolic link: removing it frees nothing. Give its"
                f" target, {os.path.realpath(environment.prefix)}."
            )
        return environment.prefix

    def prefixes_of(self, environment: Environment) -> list[str]:
        """Return every prefix that leads to the folder of an environment."""
        return [
            other.prefix
            for other in self.environments
            if other == environment or is_same_file(other.prefix, environment.prefix)
        ]


def _is_same_entry(path: str, other: str) -> bool:
    """Return whether two paths lead to one entry of a folder, without following that entry."""
    (folder, name), (other_folder, other_name) = os.path.split(path), os.path.split(other)
    return name == other_name and is_same_file(folder, other_folder)
