"""Finding package caches and environments: in conda's lists, in folders, and by the user's options.

This module only reads. conda's own listing (`conda.core.envs_manager.list_all_known_prefixes`)
rewrites `environments.txt` and drops prefixes on unmounted disks, so the file is read here.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from conda.base.context import context, env_name
from conda.common._os import is_admin

from .. import settings
from ..exceptions import HardlinksError, NotFoundError
from ..filesystem import fs
from ..filesystem.paths import expand, is_within
from ..filesystem.problems import GONE, PathProblem, reason_of
from ..metadata.text_lists import read_environments_txt
from ..scan.executor_search import find_with
from ..scan.search import find_below
from .installation import NO_ENVIRONMENT, Environment, FoundInstallation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Executor


class Finder:
    """Collects caches, environments, and unreadable paths.

    Attributes:
        caches: Absolute paths of package caches.
        prefixes: Absolute paths of environments.
        unreachable: Environments, or lists of them, that are unreadable, to the reason.
        unreachable_caches: Package caches that are unreadable, to the reason.
        stale: Listed prefixes that were deleted.
        unsearched: Folders that cannot be listed, to the reason.

    """

    def __init__(self) -> None:
        """Start without any cache or environment."""
        self.caches: dict[str, None] = {}
        self.prefixes: dict[str, None] = {}
        self.unreachable: dict[str, str] = {}
        self.unreachable_caches: dict[str, str] = {}
        self.stale: dict[str, None] = {}
        self.unsearched: dict[str, str] = {}

    def add_what_conda_knows(self) -> None:
        """Add the caches and environments in conda's configuration and lists."""
        for folder in context.pkgs_dirs:
            self.add_cache(expand(folder))
        for prefix in (context.root_prefix, *_activated()):
            self.add_listed(prefix, must_exist=False)
        for folder in context.envs_dirs:
            self.add_children(folder)
        for home in dict.fromkeys([os.path.expanduser("~"), *_other_homes()]):
            self.add_environments_txt(home)
        for folder in settings.search():
            self.add_configured(expand(folder))

    def add_cache(self, folder: str) -> None:
        """Add a folder unless it is missing, as conda lists missing ones, or is an environment."""
        try:
            if fs.status(folder, follow_symlinks=True).is_directory and not _has_history(folder):
                self.caches[folder] = None
        except GONE:
            pass
        except OSError as error:
            self.unreachable_caches[folder] = reason_of(error)

    def add_named_cache(self, folder: str) -> None:
        """Add a cache that the user named, and the environments of the conda it belongs to.

        You can clean the cache of another conda or user without access to their
        `environments.txt`.

        Raises:
            NotFoundError: The folder is missing, or is an environment.

        """
        path = _existing_folder(folder, "Package cache")
        if _has_history(path):
            raise NotFoundError(
                f"Package cache {folder}: this is an environment. Give the folder of a package"
                " cache."
            )
        self.add_cache(path)
        for base in map(os.path.dirname, (path, os.path.realpath(path))):
            self.add_listed(base, must_exist=False)
            self.add_children(os.path.join(base, "envs"))

    def refuse_if_not_a_cache_alone(self, folder: str) -> None:
        """Refuse a folder that contains more than one cache.

        Raises:
            NotFoundError: The folder contains another cache or an environment.

        """
        real = os.path.realpath(expand(folder))
        for path in map(os.path.realpath, (*self.caches, *self.prefixes)):
            if path != real and is_within(path, real):
                raise NotFoundError(
                    f"Package cache {folder}: this folder contains {path}. Give a folder that is"
                    " only a package cache."
                )

    def add_named_prefix(self, prefix: str) -> None:
        """Add an environment that the user named.

        Raises:
            NotFoundError: It is not an environment.

        """
        is_closed = os.path.isdir(prefix) and not os.access(prefix, os.X_OK)
        if not _has_history(prefix) and not is_closed:  # the scan reports a closed one
            raise NotFoundError(NO_ENVIRONMENT.format(prefix))
        self.prefixes[prefix] = None

    def add_environments_txt(self, home: str) -> None:
        """Add the environments that the `environments.txt` of a home lists.

        For its path see `conda.core.envs_manager.get_user_environments_txt_file`.
        """
        lines = read_environments_txt(os.path.join(home, ".conda", "environments.txt"))
        if isinstance(lines, PathProblem):
            self.unreachable[lines.path] = lines.reason  # the environments that it lists, too
            return
        for line in lines:
            path = line if os.path.isdir(line) else line.strip()
            if os.path.isabs(path) and "\0" not in path:
                self.add_listed(_normalized(path), must_exist=True)
            else:
                self.unreachable[path] = "the line in environments.txt is not an absolute path"

    def add_configured(self, folder: str) -> None:
        """Add every environment below a folder in `hardlinks_search`; its disk may be missing."""
        try:
            os.listdir(folder)
        except (OSError, ValueError) as error:  # the latter for a NUL in the path
            self.unreachable[folder] = f"hardlinks_search lists it: {reason_of(error)}"
        else:
            self.add_below(folder)

    def add_listed(self, prefix: str, *, must_exist: bool) -> None:
        """Add a prefix if it is an environment; if it must exist, note why it is not one."""
        try:
            os.stat(os.path.join(prefix, "conda-meta"))
        except GONE:
            if must_exist:
                self._add_missing(prefix)
        except OSError as error:
            if os.path.isdir(prefix):
                self.prefixes[prefix] = None  # the scan reports unreadable paths
            elif must_exist:
                self.unreachable[prefix] = reason_of(error)
        else:
            self.prefixes[prefix] = None

    def _add_missing(self, prefix: str) -> None:
        parent = os.path.dirname(os.path.realpath(prefix))
        try:
            os.stat(parent)
        except OSError as error:
            self.unreachable[prefix] = f"its folder cannot be reached ({reason_of(error)})"
            return
        if _is_empty(prefix):
            self.unreachable[prefix] = "it is an empty folder; its disk may not be mounted"
        elif os.path.isdir(prefix):
            self.unreachable[prefix] = "it is a folder without conda-meta"
        elif _is_empty(parent):
            self.unreachable[prefix] = f"{parent} is empty; its disk may not be mounted"
        else:
            self.stale[prefix] = None

    def add_children(self, folder: str) -> None:
        """Add the environments in a folder of environments."""
        if os.path.islink(folder):
            self._add_dangling(folder)
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except GONE:
            return
        except OSError as error:
            self.unsearched[folder] = reason_of(error)
            return
        for entry in found:
            if os.path.isdir(entry.path):  # is_dir() would raise at a symlink loop
                self.add_listed(entry.path, must_exist=False)
            elif entry.is_symlink():
                self._add_dangling(entry.path)

    def _add_dangling(self, path: str) -> None:
        """Note a symbolic link that may lead to an environment on an unmounted disk."""
        try:
            os.stat(path)
        except GONE:
            try:
                os.stat(os.path.dirname(os.path.realpath(path)))
            except OSError as error:
                self.unreachable[path] = f"its target cannot be reached ({reason_of(error)})"
        except OSError as error:
            if error.errno != errno.ELOOP:
                self.unreachable[path] = reason_of(error)

    def add_below(self, folder: str, executor: Executor | None = None) -> None:
        """Add every environment below a folder; inside an environment, only those in its `envs`."""
        found = find_below(folder) if executor is None else find_with(executor, folder)
        self.prefixes.update(dict.fromkeys(found.prefixes))
        self.unsearched.update({path: reason_of(error) for path, error in found.unsearched.items()})


def find_installation(
    *,
    search: Sequence[str] = (),
    caches: Sequence[str] = (),
    prefixes: Sequence[str] = (),
    executor: Executor | None = None,
) -> FoundInstallation:
    """Find every package cache and environment.

    Args:
        search: Folders below which to find further environments.
        caches: Package caches besides those in conda's configuration.
        prefixes: Environments besides those that are found.
        executor: Searches in its processes.

    Raises:
        NotFoundError: One of `prefixes` is not an environment.
        NotFoundError: One of `search` or `caches` is not a folder.
        HardlinksError: There is neither a cache nor an environment.

    """
    finder = Finder()
    finder.add_what_conda_knows()
    for folder in caches:
        finder.add_named_cache(folder)
    for folder in search:
        finder.add_below(_existing_folder(folder, "Searched folder"), executor)
    for prefix in prefixes:
        finder.add_named_prefix(expand(prefix))
    for folder in caches:
        finder.refuse_if_not_a_cache_alone(folder)
    if not finder.caches and not finder.prefixes:
        raise HardlinksError(
            f"There is no package cache ({', '.join(context.pkgs_dirs)}) and no environment: create"
            " an environment, or name folders with --search DIR and --cache DIR."
        )
    return FoundInstallation(
        caches=tuple(finder.caches),
        environments=tuple(_named(sorted(finder.prefixes))),
        unreachable=_problems(finder.unreachable),
        unreachable_caches=_problems(finder.unreachable_caches),
        stale=tuple(finder.stale),
        unsearched=_problems(finder.unsearched),
        other_homes=tuple(_other_homes()),
        named_caches=tuple(map(expand, caches)),
    )


def _named(prefixes: Sequence[str]) -> list[Environment]:
    """Return the environments with their names, base first and those without a name last.

    If two have the same name, conda finds the first; the other one gets its path. If two paths lead
    to one folder, a report shows the first: one with a name, and rather the folder itself than a
    symbolic link to it.
    """
    order = {folder: position for position, folder in enumerate(context.envs_dirs)}
    prefix_of: dict[str, str] = {}
    for prefix in sorted(prefixes, key=lambda path: order.get(os.path.dirname(path), -1)):
        prefix_of.setdefault(env_name(prefix) or prefix, prefix)
    names = {prefix: name for name, prefix in prefix_of.items()}
    environments = [Environment(names.get(prefix, prefix), prefix) for prefix in prefixes]
    return sorted(
        environments,
        key=lambda item: (
            item.prefix != context.root_prefix,
            item.name == item.prefix,
            os.path.islink(item.prefix),
            item.prefix,
        ),
    )


def _problems(reasons: Mapping[str, str]) -> tuple[PathProblem, ...]:
    return tuple(PathProblem(*item) for item in reasons.items())


def _other_homes() -> Iterable[str]:
    """Return the homes of all users for an administrator, none for anyone else."""
    return fs.all_homes() if is_admin() else ()


def _existing_folder(folder: str, kind: str) -> str:
    """Return the absolute path of a folder that the user named.

    Raises:
        NotFoundError: It is not a folder, or cannot be reached.

    """
    path: str = expand(folder)
    try:
        if folder and fs.status(path, follow_symlinks=True).is_directory:
            return path
    except GONE:
        pass
    except (OSError, ValueError) as error:
        raise NotFoundError(f"{kind} {folder}: {reason_of(error)}.") from None
    raise NotFoundError(f"{kind} {folder}: there is no such folder. Give one that exists.")


def _is_empty(folder: str) -> bool:
    """Return whether a path is a folder without entries."""
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def _normalized(path: str) -> str:
    """Return a path in its shortest form; `..` is resolved, as it may follow a symbolic link."""
    return os.path.realpath(path) if ".." in path.split("/") else os.path.normpath(path)


def _activated() -> list[str]:
    """Return the prefixes that are activated in the shell, one stacked on another."""
    names = [name for name in os.environ if re.fullmatch("CONDA_PREFIX(_[0-9]+)?", name)]
    return [os.environ[name] for name in sorted(names) if os.path.isabs(os.environ[name])]


def _has_history(path: str) -> bool:
    """Return whether a folder is an environment (conda's `PREFIX_MAGIC_FILE`)."""
    return os.path.isfile(os.path.join(path, "conda-meta", "history"))
