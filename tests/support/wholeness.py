"""The checks that hold at every moment of a clean, by walking the disk without the package."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.support.trees import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.scenarios import Scenario
    from tests.support.small_installation import SmallInstallation

    Tree = dict[str, tuple[object, ...]]

_STAGES = re.compile(r"(moving|purge|held-\d+)-(\w+)-(.+)")
_TRASH = (".c~", ".trash", ".conda_trash", ".mamba_trash")
_FILES = (".conda", ".tar.bz2", *_TRASH)
_TRIAL_LINK = ".tmp.index.json."


def below(directory: str) -> Iterator[str]:
    """Yield a directory, or a file, and everything below it."""
    yield directory
    for folder, folders, names in os.walk(directory):
        for name in (*folders, *names):
            yield f"{folder}/{name}"


def entry(path: str) -> tuple[object, ...]:
    """Return mode and content of what is at a path; a symbolic link is not followed."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return status.st_mode, os.readlink(path)
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode,)
    with open(path, "rb") as file:
        return status.st_mode, file.read()


def tree(directory: str) -> Tree:
    """Return everything at and below a path, by relative path."""
    return {path[len(directory) :]: entry(path) for path in below(directory)}


def result(made: SmallInstallation) -> Tree:
    """Return everything in an installation with link counts, and without the names of runs.

    Lock files are left out, and a quarantine without entries.
    """
    found = {}
    for path in below(made.directory):
        if _is_lock(made, path) or _is_idle_quarantine(path):
            continue
        links = 0 if stat.S_ISDIR(os.lstat(path).st_mode) else os.lstat(path).st_nlink
        name = re.sub(rf"(/{QUARANTINE}/(?:moving|purge|held-\d+))-\w+-", r"\1-RUN-", path)
        found[name[len(made.directory) :]] = (links, *entry(path))
    return found


def difference(found: Tree, expected: Tree) -> str:
    """Return the differences of two trees as text."""
    names = sorted(found.keys() | expected.keys())
    return "\n".join(
        f"{name}: {found.get(name)} and not {expected.get(name)}"
        for name in names
        if found.get(name) != expected.get(name)
    )


def _is_lock(made: SmallInstallation, path: str) -> bool:
    parent, name = os.path.split(path)
    if os.path.basename(parent) == QUARANTINE:
        return name == "lock"
    return parent in made.caches and name in (".cache.lock", f"{os.path.basename(parent)}.lock")


def _is_idle_quarantine(path: str) -> bool:
    return os.path.basename(path) == QUARANTINE and set(os.listdir(path)) <= {"lock"}


class CacheContents:
    """The packages, archives and left-overs in the caches of an installation.

    Attributes:
        stages: Path of each to its home and its stage; `""` outside the quarantine.

    """

    def __init__(self, made: SmallInstallation) -> None:
        """Find them."""
        self.stages: dict[str, tuple[str, str]] = {}
        for cache in made.caches:
            for folder, folders, names in os.walk(cache):
                if folder == f"{cache}/{QUARANTINE}":
                    self._add_moved(cache, folder, [*folders, *names])
                    folders.clear()
                for name in [name for name in folders if _is_item(f"{folder}/{name}")]:
                    self.stages[f"{folder}/{name}"] = (f"{folder}/{name}", "")
                    folders.remove(name)
                if os.path.basename(folder) != QUARANTINE:
                    for name in [name for name in names if name.endswith(_FILES)]:
                        self.stages[f"{folder}/{name}"] = (f"{folder}/{name}", "")

    def _add_moved(self, cache: str, folder: str, names: list[str]) -> None:
        for name in names:
            match = _STAGES.fullmatch(name)
            if match:
                home = f"{cache}/{unquote(match[3])}"
                self.stages[f"{folder}/{name}"] = (home, match[1].partition("-")[0])

    def whole(self) -> Iterator[str]:
        """Yield the paths of everything that was not given up."""
        return (path for path, (_, stage) in self.stages.items() if stage != "purge")


def _is_item(path: str) -> bool:
    return path.endswith(_TRASH) or os.path.isdir(f"{path}/info")


class Expected:
    """The result of a clean of a scenario, and what must not be lost in between.

    Attributes:
        result: The tree that an undisturbed run leaves.

    """

    def __init__(self, scenario: Scenario, directory: str) -> None:
        """Create the scenario and run the clean without a disturbance."""
        made = scenario.made(directory)
        before = CacheContents(made)
        self._copies: dict[str, list[Tree]] = {}
        for path in before.whole():
            self._copies.setdefault(before.stages[path][0], []).append(tree(path))
        scenario.execute_plan(made)
        self.result = result(made)
        after = CacheContents(made)
        self._lasting = {after.stages[path][0] for path in after.whole()}
        self._unmoved = {path: tree(path) for path in before.stages.keys() & after.stages.keys()}

    def assert_nothing_lost(self, made: SmallInstallation) -> None:
        """Assert that each package is whole in its place or the quarantine, or was given up."""
        contents = CacheContents(made)
        for path in contents.whole():
            home, _ = contents.stages[path]
            assert tree(path) in self._copies[home], f"{path} is partial"
        homes = {contents.stages[path][0] for path in contents.whole()}
        assert self._lasting <= homes, "something to keep is gone"
        for path, content in self._unmoved.items():
            assert tree(path) == content, f"{path} is kept and was changed"

    def is_reached(self, made: SmallInstallation) -> bool:
        """Return whether the installation is as an undisturbed run leaves it."""
        return result(made) == self.result

    def assert_reached(self, made: SmallInstallation) -> None:
        """Assert that the installation is as an undisturbed run leaves it."""
        assert result(made) == self.result, difference(result(made), self.result)


class Outside:
    """Everything outside the caches: no clean changes it, and its links keep working."""

    def __init__(self, made: SmallInstallation) -> None:
        """Take a snapshot."""
        self._made = made
        self._with_trial_links = {
            folder
            for folder in made.prefixes
            if any(_TRIAL_LINK in name for name in os.listdir(folder))
        }
        self._state = self._snapshot()

    def assert_untouched(self) -> None:
        """Assert that every byte, mode, time and link target is unchanged.

        A symbolic link that was broken may work now.
        """
        found = self._snapshot()
        expected = {
            path: seen if seen[-1] is not None else (*seen[:-1], found[path][-1])
            for path, seen in self._state.items()
            if path in found or seen[-1] is not None
        }
        assert found == expected, difference(found, expected)

    def _snapshot(self) -> Tree:
        above = {os.path.dirname(cache) for cache in self._made.caches}
        return {
            path: self._seen(path)
            for path in below(self._made.directory)
            if not any(f"{path}/".startswith(f"{cache}/") for cache in self._made.caches)
            and path not in above
            and _TRIAL_LINK not in path
        }

    def _seen(self, path: str) -> tuple[object, ...]:
        status = os.lstat(path)
        time_ns = 0 if path in self._with_trial_links else status.st_mtime_ns
        real = os.path.realpath(path) if stat.S_ISLNK(status.st_mode) else ""
        return (*entry(path), time_ns, status.st_ino, real, _content_behind(path))


def _content_behind(path: str) -> object:
    """Return the content at a path through symbolic links; `None` if there is none."""
    if os.path.isdir(path):
        return os.path.islink(path) and sorted(os.listdir(path))
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()
