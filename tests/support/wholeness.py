"""What must hold at any moment of a clean, by walking the disk and without asking the package."""

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
    """Return what there is at a path itself."""
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
    """Return everything there is, with link counts, in whichever run it was made.

    Lock files are left out, and a quarantine in which nothing waits.
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
    """Say in what two trees differ."""
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


class Things:
    """The packages, archives and left-overs in the caches of an installation.

    Attributes:
        places: Path of each to where it belongs and its stage, `""` in its place.

    """

    def __init__(self, made: SmallInstallation) -> None:
        """Find them."""
        self.places: dict[str, tuple[str, str]] = {}
        for cache in made.caches:
            for folder, folders, names in os.walk(cache):
                if folder == f"{cache}/{QUARANTINE}":
                    self._add_moved(cache, folder, [*folders, *names])
                    folders.clear()
                for name in [name for name in folders if _is_thing(f"{folder}/{name}")]:
                    self.places[f"{folder}/{name}"] = (f"{folder}/{name}", "")
                    folders.remove(name)
                if os.path.basename(folder) != QUARANTINE:
                    for name in [name for name in names if name.endswith(_FILES)]:
                        self.places[f"{folder}/{name}"] = (f"{folder}/{name}", "")

    def _add_moved(self, cache: str, folder: str, names: list[str]) -> None:
        for name in names:
            match = _STAGES.fullmatch(name)
            if match:
                home = f"{cache}/{unquote(match[3])}"
                self.places[f"{folder}/{name}"] = (home, match[1].partition("-")[0])

    def whole(self) -> Iterator[str]:
        """Yield the paths of those that were not given up."""
        return (path for path, (_, stage) in self.places.items() if stage != "purge")


def _is_thing(path: str) -> bool:
    return path.endswith(_TRASH) or os.path.isdir(f"{path}/info")


class Expected:
    """What a clean of a scenario comes to, and what is never to be lost on the way.

    Attributes:
        result: What an undisturbed run leaves.

    """

    def __init__(self, scenario: Scenario, directory: str) -> None:
        """Make the scenario and let a run come to its end."""
        made = scenario.made(directory)
        before = Things(made)
        self._copies: dict[str, list[Tree]] = {}
        for path in before.whole():
            self._copies.setdefault(before.places[path][0], []).append(tree(path))
        scenario.execute_plan(made)
        self.result = result(made)
        after = Things(made)
        self._lasting = {after.places[path][0] for path in after.whole()}
        self._unmoved = {path: tree(path) for path in before.places.keys() & after.places.keys()}

    def assert_nothing_lost(self, made: SmallInstallation) -> None:
        """Assert that each package is whole in its place or the quarantine, or was given up."""
        things = Things(made)
        for path in things.whole():
            home, _ = things.places[path]
            assert tree(path) in self._copies[home], f"{path} is torn"
        homes = {things.places[path][0] for path in things.whole()}
        assert self._lasting <= homes, "something is gone that stays"
        for path, content in self._unmoved.items():
            assert tree(path) == content, f"{path} does not go and was touched"

    def is_reached(self, made: SmallInstallation) -> bool:
        """Tell whether there is now what an undisturbed run leaves."""
        return result(made) == self.result

    def assert_reached(self, made: SmallInstallation) -> None:
        """Assert that there is now what an undisturbed run leaves."""
        assert result(made) == self.result, difference(result(made), self.result)


class Outside:
    """Everything outside the caches: what no clean changes, and what works through links."""

    def __init__(self, made: SmallInstallation) -> None:
        """Look at it."""
        self._made = made
        self._probed = {
            folder
            for folder in made.prefixes
            if any(_TRIAL_LINK in name for name in os.listdir(folder))
        }
        self._state = self._look()

    def assert_untouched(self) -> None:
        """Assert that every byte, mode and time is as it was, and leads where it did.

        What led nowhere may lead somewhere now.
        """
        found = self._look()
        expected = {
            path: seen if seen[-1] is not None else (*seen[:-1], found[path][-1])
            for path, seen in self._state.items()
            if path in found or seen[-1] is not None
        }
        assert found == expected, difference(found, expected)

    def _look(self) -> Tree:
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
        time_ns = 0 if path in self._probed else status.st_mtime_ns
        real = os.path.realpath(path) if stat.S_ISLNK(status.st_mode) else ""
        return (*entry(path), time_ns, status.st_ino, real, _led_to(path))


def _led_to(path: str) -> object:
    """Return what is found at a path through symbolic links, `None` if nothing is."""
    if os.path.isdir(path):
        return os.path.islink(path) and sorted(os.listdir(path))
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()
