"""Looking for package caches and environments: in conda's lists, in folders, where the user says.

Reads only. conda's own listing (`conda.core.envs_manager.list_all_known_prefixes`) rewrites
`environments.txt` and drops prefixes on unmounted disks from it, so the file is read here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from conda.base.context import context, env_name

from ..exceptions import HardlinksError, NotFoundError
from ..filesystem import fs
from ..filesystem.problems import PathProblem, reason_of
from .installation import Environment, FoundInstallation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


import errno
import re
from typing import TYPE_CHECKING

from conda.common._os import is_admin

from .. import settings
from ..filesystem.mounts import PSEUDO_FILESYSTEMS
from ..filesystem.paths import expand, is_within
from ..metadata.text_lists import read_environments_txt

if TYPE_CHECKING:
    from collections.abc import Iterable

_HISTORY = os.path.join("conda-meta", "history")


class Finder:
    """Looks for caches and environments, and says what it could not look at.

    Attributes:
        caches: Absolute paths of package caches.
        prefixes: Absolute paths of environments.
        unreachable: Environments, or lists of them, that cannot be looked at, to the reason.
        unreachable_caches: The same of caches.
        stale: Listed prefixes that were deleted.
        unsearched: Folders that cannot be listed, to the reason.

    """

    def __init__(self) -> None:
        """Begin with nothing found."""
        self.caches: dict[str, None] = {}
        self.prefixes: dict[str, None] = {}
        self.unreachable: dict[str, str] = {}
        self.unreachable_caches: dict[str, str] = {}
        self.stale: dict[str, None] = {}
        self.unsearched: dict[str, str] = {}

    def add_what_conda_knows(self) -> None:
        """Take the caches and environments of conda's configuration and lists."""
        for folder in context.pkgs_dirs:
            self.add_cache(expand(folder))
        for prefix in (context.root_prefix, *_activated()):
            self.add_listed(prefix, must_exist=False)
        for folder in context.envs_dirs:
            self.add_children(folder)
        for home in _homes():
            self.add_environments_txt(home)
        for folder in settings.search():
            self.add_configured(expand(folder))

    def add_cache(self, folder: str) -> None:
        """Take a folder if it can be a cache."""
        try:
            is_folder = fs.status(folder, follow_symlinks=True).is_directory
        except (FileNotFoundError, NotADirectoryError):
            return  # conda lists the folders it would make
        except OSError as error:
            self.unreachable_caches[folder] = reason_of(error)
            return
        if is_folder and not _has_history(folder):  # one that is is counted as such
            self.caches[folder] = None

    def add_named_cache(self, folder: str) -> None:
        """Take the cache that the user named, and the environments beside it.

        Raises:
            NotFoundError: It is no folder, or an environment.

        """
        path = existing_folder(folder, "--cache")
        if _has_history(path):
            raise NotFoundError(
                f"--cache {folder}: this is an environment. Give the folder of a package cache."
            )
        self.add_cache(path)
        self._add_neighbours(path)

    def refuse_if_not_a_cache_alone(self, folder: str) -> None:
        """Refuse a folder in which there is more than a cache.

        Raises:
            NotFoundError: Another cache or an environment is in it.

        """
        real = os.path.realpath(expand(folder))
        for path in map(os.path.realpath, (*self.caches, *self.prefixes)):
            if path != real and is_within(path, real):
                raise NotFoundError(
                    f"--cache {folder}: {path} is in it. Give the folder of a package cache alone."
                )

    def add_named_prefix(self, prefix: str) -> None:
        """Take the environment that the user named.

        Raises:
            NotFoundError: There is none.

        """
        may_be_read = os.access(prefix, os.X_OK)  # else the scan will say that it may not
        if not _has_history(prefix) and (may_be_read or not os.path.isdir(prefix)):
            raise NotFoundError(
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

    def add_configured(self, folder: str) -> None:
        """Take every environment below a folder of the setting; it may be on another disk."""
        try:
            os.listdir(folder)
        except OSError as error:
            self.unreachable[folder] = f"hardlinks_search names it, and {reason_of(error)}"
        else:
            self.add_below(folder)

    def _add_neighbours(self, cache: str) -> None:
        """Take the environments of the conda that a cache belongs to, where that is usual.

        Whoever cleans the cache of another conda or user need not see their `environments.txt`.
        """
        for path in (cache, os.path.realpath(cache)):
            base = os.path.dirname(path)
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
            self.unreachable[prefix] = "it is an empty folder: is a disk to be mounted there?"
        elif os.path.isdir(prefix):
            self.unreachable[prefix] = "it is a folder without conda-meta"
        elif _is_empty(parent):
            self.unreachable[prefix] = f"{parent} is empty: is a disk to be mounted there?"
        else:
            self.stale[prefix] = None

    def add_children(self, folder: str) -> None:
        """Take the environments in a folder of them."""
        if os.path.islink(folder):
            self._add_unfollowed(folder)
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
                self.unreachable[path] = f"what it leads to cannot be reached ({reason_of(error)})"
        except OSError as error:
            if error.errno != errno.ELOOP:
                self.unreachable[path] = reason_of(error)

    def add_below(self, folder: str) -> None:
        """Take every environment below a folder; inside one, only those in its `envs`.

        A symbolic link to an environment is one, too; through others it does not go.
        """
        mounts = fs.read_mounts().mounts
        pseudo = {mount.mount_point for mount in mounts if mount.filesystem in PSEUDO_FILESYSTEMS}
        waiting = [folder]
        while waiting:
            place = waiting.pop()
            if _may_be_environment(place):
                self.prefixes[place] = None
                place = os.path.join(place, "envs")
            for entry in self._entries(place):
                if entry.is_dir(follow_symlinks=False):
                    waiting += [entry.path] if entry.path not in pseudo else []
                elif entry.is_symlink() and _may_be_environment(entry.path):
                    self.prefixes[entry.path] = None

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self.unsearched[folder] = reason_of(error)
            return []


def _homes() -> Iterable[str]:
    """Return the user's home, and everybody's for an administrator."""
    return dict.fromkeys([os.path.expanduser("~"), *all_homes()])


def all_homes() -> list[str]:
    """Return the homes of all users, for an administrator; of nobody else's for others."""
    if not is_admin():
        return []
    return fs.all_homes()


def existing_folder(folder: str, option: str) -> str:
    """Return the absolute path of a folder that the user named.

    Raises:
        NotFoundError: It is none.

    """
    path: str = expand(folder)
    try:
        is_folder = bool(folder) and fs.status(path, follow_symlinks=True).is_directory
    except (FileNotFoundError, NotADirectoryError):
        is_folder = False
    except OSError as error:
        raise NotFoundError(f"{option} {folder}: {reason_of(error)}.") from None
    if not is_folder:
        raise NotFoundError(f"{option} {folder}: there is no such folder. Give one that exists.")
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


def find_installation(
    *, search: Sequence[str] = (), caches: Sequence[str] = (), prefixes: Sequence[str] = ()
) -> FoundInstallation:
    """Find every package cache and environment.

    Args:
        search: Folders below which every environment is taken too.
        caches: Package caches besides those of conda's configuration.
        prefixes: Environments besides those that are found.

    Raises:
        NotFoundError: One of `prefixes` is no environment.
        NotFoundError: One of `search` or `caches` is not a folder.
        HardlinksError: There is neither a cache nor an environment.

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
    found = FoundInstallation(
        caches=tuple(finder.caches),
        environments=tuple(_ordered(_named(sorted(finder.prefixes)))),
        unreachable=_problems(finder.unreachable),
        unreachable_caches=_problems(finder.unreachable_caches),
        stale=tuple(finder.stale),
        unsearched=_problems(finder.unsearched),
        other_homes=tuple(all_homes()),
        named_caches=tuple(map(expand, caches)),
    )
    if not found.caches and not found.environments:
        folders = ", ".join(context.pkgs_dirs)
        raise HardlinksError(
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


def _problems(reasons: Mapping[str, str]) -> tuple[PathProblem, ...]:
    return tuple(PathProblem(*item) for item in reasons.items())
