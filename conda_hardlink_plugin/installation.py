"""Which package caches and environments conda has here. Reads only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conda.base.context import context, env_name
from conda.common.path import expand

from .discovery import Finder, all_homes, existing_folder
from .errors import EnvironmentNotFoundError, NothingToReportError
from .records import PathProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


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


def find_installation(
    *, search: Sequence[str] = (), caches: Sequence[str] = (), prefixes: Sequence[str] = ()
) -> Installation:
    """Find every package cache and environment.

    Args:
        search: Folders below which every environment is taken too.
        caches: Package caches besides those of conda's configuration.
        prefixes: Environments besides those that are found.

    Raises:
        EnvironmentNotFoundError: One of `prefixes` is no environment.
        FolderNotFoundError: One of `search` or `caches` is not a folder.
        NothingToReportError: There is neither a cache nor an environment.

    """
    finder = Finder()
    finder.add_what_conda_knows()
    for folder in caches:
        finder.add_named_cache(folder)
    for folder in search:
        finder.add_below(existing_folder(folder, "--search"))
    for prefix in prefixes:
        finder.add_named_prefix(expand(prefix))
    for folder in caches:
        finder.refuse_if_not_a_cache_alone(folder)
    found = Installation(
        caches=tuple(finder.caches),
        environments=tuple(_ordered(_named(sorted(finder.prefixes)))),
        unreachable=_problems(finder.unreachable),
        unreachable_caches=_problems(finder.unreachable_caches),
        stale=tuple(finder.stale),
        unreadable=_problems(finder.unreadable),
        other_homes=tuple(all_homes()),
    )
    if not found.caches and not found.environments:
        folders = ", ".join(context.pkgs_dirs)
        raise NothingToReportError(
            f"There is no package cache ({folders}) and no environment: create an environment,"
            " or name folders with --search DIR and --cache DIR."
        )
    return found


def _ordered(environments: Iterable[Environment]) -> list[Environment]:
    """Put base first and those without a name last.

    Of two paths to one folder the report shows the first: one that conda has a name for, and
    the folder itself rather than a symbolic link to it.
    """
    root = context.root_prefix
    return sorted(
        environments,
        key=lambda item: (
            item.prefix != root,
            item.name == item.prefix,
            os.path.islink(item.prefix),
            item.prefix,
        ),
    )


def _named(prefixes: Iterable[str]) -> Iterator[Environment]:
    """Give each prefix the name that conda finds it by; conda finds the first of two."""
    taken = set()
    names = [(prefix, env_name(prefix) or prefix) for prefix in prefixes]
    order = {folder: place for place, folder in enumerate(context.envs_dirs)}
    by_folder = sorted(names, key=lambda item: order.get(os.path.dirname(item[0]), -1))
    first = {}
    for prefix, name in by_folder:
        if name not in taken:
            taken.add(name)
            first[prefix] = name
    for prefix, _ in names:
        yield Environment(first.get(prefix, prefix), prefix)


def _same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _problems(reasons: Mapping[str, str]) -> tuple[PathProblem, ...]:
    return tuple(PathProblem(*item) for item in reasons.items())
