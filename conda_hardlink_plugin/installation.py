"""Where conda's package caches and environments are. Reads only.

conda's own listing (`conda.core.envs_manager.list_all_known_prefixes`) rewrites
`environments.txt` and drops prefixes on unmounted disks from it, so the file is read here.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conda.base.context import context, env_name
from conda.common._os import is_admin
from conda.common.path import expand

from .errors import EnvironmentNotFoundError, FolderNotFoundError, NothingToReportError
from .mounts import PSEUDO_FILESYSTEMS, is_within, read_mount_table
from .records import PathProblem, read_environments_txt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_HISTORY = os.path.join("conda-meta", "history")


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

    """

    caches: tuple[str, ...]
    environments: tuple[Environment, ...]
    unreachable: tuple[PathProblem, ...]
    unreachable_caches: tuple[PathProblem, ...]
    stale: tuple[str, ...]
    unreadable: tuple[PathProblem, ...]

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
    finder = _Finder()
    for folder in context.pkgs_dirs:
        finder.add_cache(expand(folder))
    for folder in caches:
        finder.add_named_cache(folder)
    for prefix in (context.root_prefix, *_activated()):
        finder.add_listed(prefix, must_exist=False)
    for folder in context.envs_dirs:
        finder.add_children(folder)
    for home in _homes():
        finder.add_environments_txt(home)
    for folder in search:
        finder.add_below(_existing_folder(folder, "--search"))
    for prefix in prefixes:
        finder.add_named_prefix(expand(prefix))
    for folder in caches:
        finder.refuse_if_not_a_cache_alone(folder)
    found = finder.found()
    if not found.caches and not found.environments:
        folders = ", ".join(context.pkgs_dirs)
        raise NothingToReportError(
            f"There is no package cache ({folders}) and no environment: create an environment,"
            " or name folders with --search DIR and --cache DIR."
        )
    return found


class _Finder:
    def __init__(self) -> None:
        self.caches: dict[str, None] = {}
        self.prefixes: dict[str, None] = {}
        self.unreachable: dict[str, str] = {}
        self.unreachable_caches: dict[str, str] = {}
        self.stale: dict[str, None] = {}
        self.unreadable: dict[str, str] = {}

    def found(self) -> Installation:
        return Installation(
            caches=tuple(self.caches),
            environments=tuple(_ordered(_named(sorted(self.prefixes)))),
            unreachable=tuple(PathProblem(*item) for item in self.unreachable.items()),
            unreachable_caches=tuple(
                PathProblem(*item) for item in self.unreachable_caches.items()
            ),
            stale=tuple(self.stale),
            unreadable=tuple(PathProblem(*item) for item in self.unreadable.items()),
        )

    def add_cache(self, folder: str) -> None:
        try:
            is_folder = stat.S_ISDIR(os.stat(folder).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return  # conda lists the folders it would make
        except OSError as error:
            self.unreachable_caches[folder] = _reason(error)
            return
        if is_folder and not _has_history(folder):  # one that is is counted as such
            self.caches[folder] = None

    def add_named_cache(self, folder: str) -> None:
        path = _existing_folder(folder, "--cache")
        if _has_history(path):
            raise FolderNotFoundError(
                f"--cache {folder}: this is an environment. Give the folder of a package cache."
            )
        self.add_cache(path)
        self._add_neighbours(path)

    def refuse_if_not_a_cache_alone(self, folder: str) -> None:
        real = os.path.realpath(expand(folder))
        for path in map(os.path.realpath, (*self.caches, *self.prefixes)):
            if path != real and is_within(path, real):
                raise FolderNotFoundError(
                    f"--cache {folder}: {path} is in it. Give the folder of a package cache alone."
                )

    def add_named_prefix(self, prefix: str) -> None:
        may_be_read = os.access(prefix, os.X_OK)  # else the scan will say that it may not
        if not _has_history(prefix) and (may_be_read or not os.path.isdir(prefix)):
            raise EnvironmentNotFoundError(
                f"There is no environment at {prefix}: give the path of a folder with"
                " conda-meta/history in it."
            )
        self.prefixes[prefix] = None

    def add_environments_txt(self, home: str) -> None:
        """Take what the `environments.txt` of a home lists.

        Where conda puts the file: `conda.core.envs_manager.get_user_environments_txt_file`.
        """
        lines = read_environments_txt(os.path.join(home, ".conda", "environments.txt"))
        if isinstance(lines, PathProblem):
            self.unreachable[lines.path] = lines.reason  # and with it whatever it lists
            return
        for line in lines:
            path = line if os.path.isdir(line) else line.strip()
            if os.path.isabs(path) and "\0" not in path:
                self.add_listed(_tidied(path), must_exist=True)
            else:
                self.unreachable[path] = "the line in environments.txt is no absolute path"

    def _add_neighbours(self, cache: str) -> None:
        """Take the environments of the conda that a cache belongs to, where that is usual.

        Whoever cleans the cache of another conda or user need not see their `environments.txt`.
        """
        base = os.path.dirname(os.path.realpath(cache))
        self.add_listed(base, must_exist=False)
        self.add_children(os.path.join(base, "envs"))

    def add_listed(self, prefix: str, *, must_exist: bool) -> None:
        """Take a prefix that is an environment; say of one that is not what became of it."""
        try:
            os.stat(os.path.join(prefix, "conda-meta"))
        except (FileNotFoundError, NotADirectoryError):
            if must_exist:
                self._add_missing(prefix)
        except OSError as error:
            if os.path.isdir(prefix):
                self.prefixes[prefix] = None  # the scan will say what it cannot read
            elif must_exist:
                self.unreachable[prefix] = _reason(error)
        else:
            self.prefixes[prefix] = None

    def _add_missing(self, prefix: str) -> None:
        try:
            os.stat(os.path.dirname(os.path.realpath(prefix)))
        except OSError as error:
            self.unreachable[prefix] = f"its folder cannot be reached ({_reason(error)})"
        else:
            if _is_empty(prefix):
                self.unreachable[prefix] = "it is an empty folder: is a disk to be mounted there?"
            else:
                self.stale[prefix] = None

    def add_children(self, folder: str) -> None:
        for entry in self._entries(folder):
            if _may_be_environment(entry.path):
                self.prefixes[entry.path] = None
            elif os.path.isdir(entry.path):  # is_dir() would raise at a symlink loop
                self.add_listed(entry.path, must_exist=False)
            elif entry.is_symlink():
                self._add_unfollowed(entry.path)

    def _add_unfollowed(self, path: str) -> None:
        """Take note of a symbolic link that may lead to an environment on an unmounted disk."""
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            try:
                os.stat(os.path.dirname(os.path.realpath(path)))
            except OSError as error:
                self.unreachable[path] = f"what it leads to cannot be reached ({_reason(error)})"
        except OSError as error:
            if error.errno != errno.ELOOP:
                self.unreachable[path] = _reason(error)

    def add_below(self, folder: str) -> None:
        """Take every environment below a folder; inside one, only those in its `envs`."""
        mounts = read_mount_table().mounts
        pseudo = {mount.mount_point for mount in mounts if mount.filesystem in PSEUDO_FILESYSTEMS}
        waiting = [folder]
        while waiting:
            place = waiting.pop()
            if _may_be_environment(place):
                self.prefixes[place] = None
                place = os.path.join(place, "envs")
            waiting += [
                entry.path
                for entry in self._entries(place)
                if entry.is_dir(follow_symlinks=False) and entry.path not in pseudo
            ]

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self.unreadable[folder] = _reason(error)
            return []


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


def _homes() -> Iterable[str]:
    """Return the user's home, and everybody's for an administrator."""
    return dict.fromkeys([os.path.expanduser("~"), *(_all_homes() if is_admin() else ())])


def _all_homes() -> list[str]:
    if sys.platform == "win32":
        users = os.path.dirname(os.path.expanduser("~"))
        try:
            return [entry.path for entry in os.scandir(users)]
        except OSError:
            return []
    import pwd  # noqa: PLC0415  # not on Windows

    return [entry.pw_dir for entry in pwd.getpwall() if entry.pw_dir]


def _existing_folder(folder: str, option: str) -> str:
    path: str = expand(folder)
    try:
        is_folder = bool(folder) and stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_folder = False
    except OSError as error:
        raise FolderNotFoundError(f"{option} {folder}: {_reason(error)}.") from None
    if not is_folder:
        raise FolderNotFoundError(
            f"{option} {folder}: there is no such folder. Give one that exists."
        )
    return path


def _is_empty(folder: str) -> bool:
    """Tell whether there is a folder with nothing in it."""
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def _tidied(path: str) -> str:
    """Return a path without what adds nothing to it; what `..` leaves may be a symbolic link."""
    return os.path.realpath(path) if ".." in path.split("/") else os.path.normpath(path)


def _activated() -> list[str]:
    """Return the prefixes that are activated in the shell, one upon the other."""
    names = [name for name in os.environ if re.fullmatch("CONDA_PREFIX(_[0-9]+)?", name)]
    return [os.environ[name] for name in sorted(names) if os.path.isabs(os.environ[name])]


def _may_be_environment(path: str) -> bool:
    """Tell whether a folder is an environment, or one that is being made.

    conda writes `conda-meta/history` last: until then a `conda-meta` is what there is.
    """
    return os.path.isdir(os.path.join(path, "conda-meta"))


def _has_history(path: str) -> bool:
    """Tell whether a folder is an environment (`PREFIX_MAGIC_FILE` of conda)."""
    return os.path.isfile(os.path.join(path, _HISTORY))


def _same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
