"""An oracle that decides what a clean may remove: slow, by the definitions, without the package.

It walks every tree with `lstat`, follows every symbolic link name by name, and answers every
question from the lists of all paths.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from urllib.parse import unquote

QUARANTINE = ".conda-hardlinks"
VERDICTS = ("linked", "softlinked", "recorded", "unverifiable", "recent", "unobtainable", "unused")
_ENTRY = re.compile(r"(moving|purge|held-(\d+))-\w+-(.+)", re.DOTALL)
_TRASH = re.compile(r".*\.(c~|trash|conda_trash|mamba_trash)(_[0-9]+)?", re.DOTALL)
_TRIAL_LINK = re.compile(r"\.tmp\.index\.json\.[0-9a-f]{8}")
_MAX_LINKS = 40  # path_resolution(7)

DAY_NS = 24 * 3600 * 10**9


@dataclass(frozen=True)
class Question:
    """The input of a clean. `choice` has the fields of `clean.plan.CleanChoice`."""

    caches: tuple[str, ...]
    prefixes: tuple[str, ...]
    now_ns: int
    grace_ns: int
    unseen: bool
    ignored: tuple[str, ...]
    closed: frozenset[str]
    choice: Any
    older_than_ns: int | None = None


@dataclass(eq=False)
class Unit:
    """A package, an archive, a left-over, or an entry of a quarantine.

    `path` is its real path, and `home` the real path that it was moved from, or the same.
    """

    kind: str
    path: str
    home: str
    cache: str
    expires_s: int = 0
    paths: list[str] = field(default_factory=list)


@dataclass
class Answer:
    """What is removed and what is moved back, by real paths.

    `blocked` cannot be moved back: something partial is at its home. `aside` are the entries of the
    quarantine that are not judged, because they are removed or blocked.
    """

    packages: set[str]
    archives: set[str]
    trash: set[str]
    finished: set[str]
    aside: set[str]
    returned: set[str]
    blocked: set[str]
    trial_links: set[str]


class Oracle:
    """All paths of all trees at one moment, and the answers from them."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.caches = list(dict.fromkeys(map(os.path.realpath, question.caches)))
        self.closed = {os.path.realpath(cache) for cache in question.closed}
        prefixes = list(dict.fromkeys(map(os.path.realpath, question.prefixes)))
        self.environments = [prefix for prefix in prefixes if os.path.isdir(prefix)]
        self.units: list[Unit] = []
        self.status: dict[str, os.stat_result] = {}
        self.paths_of: dict[tuple[int, int], list[str]] = defaultdict(list)
        self.root_of: dict[str, str] = {}
        self.environment_of: dict[str, str] = {}
        for root in (*self.caches, *self.environments):
            self._walk(root)
        self.unseen = question.unseen or any(
            not os.path.isdir(prefix) and prefix not in question.ignored
            for prefix in question.prefixes
        )

    def _walk(self, root: str) -> None:
        waiting: list[tuple[str, Unit | None]] = [(root, None)]
        others = {*self.caches, *self.environments} - {root}
        while waiting:
            path, unit = waiting.pop()
            self._note(root, path, unit)
            if not stat.S_ISDIR(self.status[path].st_mode):
                continue
            for name in os.listdir(path):
                below = f"{path}/{name}"
                if below in others:
                    continue
                is_apart = unit is not None or root not in self.caches
                waiting.append((below, unit if is_apart else self._unit_at(root, path, name)))

    def _note(self, root: str, path: str, unit: Unit | None) -> None:
        status = self.status[path] = os.lstat(path)
        self.root_of[path] = root
        self.paths_of[status.st_dev, status.st_ino].append(path)
        if unit is not None:
            unit.paths.append(path)
        elif root not in self.caches:
            self.environment_of[path] = root

    def _unit_at(self, cache: str, folder: str, name: str) -> Unit | None:
        path = home = f"{folder}/{name}"
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
        kind, expires_s = "", 0
        entry = _ENTRY.fullmatch(name) if folder == f"{cache}/{QUARANTINE}" else None
        if entry is not None:
            home = f"{cache}/{unquote(entry[3], errors='surrogateescape')}"
            kind, expires_s = entry[1].partition("-")[0], int(entry[2] or 0)
            is_trash = _TRASH.fullmatch(os.path.basename(home))
            if kind == "moving" and is_folder and not is_trash and _is_package(path):
                kind = "package"
        elif _TRASH.fullmatch(name):
            kind = "trash"
        elif is_folder and not name.startswith(".") and _is_package(path):
            kind = "package"
        elif not is_folder and name.endswith((".conda", ".tar.bz2")):
            kind = "archive"
        if not kind:
            return None
        self.units.append(Unit(kind, path, home, cache, expires_s))
        return self.units[-1]

    @cached_property
    def packages(self) -> list[Unit]:
        return [unit for unit in self.units if unit.kind == "package"]

    @cached_property
    def hard_users(self) -> dict[str, set[str]]:
        """For the path of each package, the environments with a link to it; `""` is outside."""
        found: dict[str, set[str]] = {}
        for unit in self.packages:
            users: set[str] = set()
            for path in unit.paths:
                status = self.status[path]
                links = self.paths_of[status.st_dev, status.st_ino]
                if stat.S_ISDIR(status.st_mode):
                    continue
                users |= self.environment_of.keys() & set(links)
                if status.st_nlink > len(links):
                    users.add("")
            found[unit.path] = {self.environment_of.get(user, "") for user in users}
        return found

    @cached_property
    def soft_users(self) -> dict[str, set[str]]:
        """For the path of each unit, the environments with a symbolic link that passes it."""
        unit_at = {unit.home: unit for unit in self.units if unit.path != unit.home}
        unit_at |= {unit.path: unit for unit in self.units}
        found: dict[str, set[str]] = {unit.path: set() for unit in self.units}
        for path, environment in self.environment_of.items():
            if stat.S_ISLNK(self.status[path].st_mode):
                for passed in paths_on_the_way(path):
                    folder = passed
                    while folder != "/" and folder not in unit_at:
                        folder = os.path.dirname(folder)
                    if folder in unit_at:
                        found[unit_at[folder].path].add(environment)
        return found

    @cached_property
    def recording(self) -> dict[str, set[str]]:
        """For each environment the names in its `conda-meta`."""
        found: dict[str, set[str]] = {}
        for prefix in self.environments:
            if os.path.isdir(f"{prefix}/conda-meta"):
                found[prefix] = set(os.listdir(f"{prefix}/conda-meta"))
        return found

    def record_users(self, unit: Unit) -> set[str]:
        """Return the environments that record a package and link no package of its name."""
        name = os.path.basename(unit.home)
        linking = {
            user
            for other in self.packages
            if os.path.basename(other.home) == name and self._unit_at_home_of(other) is None
            for user in self.hard_users[other.path] | self.soft_users[other.path]
        }
        return {
            prefix
            for prefix, names in self.recording.items()
            if f"{name}.json" in names and prefix not in linking
        }

    def reasons_to_keep(self, unit: Unit) -> list[str]:
        """Return every reason to keep a package, the strongest first."""
        question = self.question
        found = []
        if self.hard_users[unit.path]:
            found.append("linked")
        if self.soft_users[unit.path]:
            found.append("softlinked")
        if self.record_users(unit):
            found.append("recorded")
        metadata = self.metadata(unit)
        if self.unseen or metadata is None:
            found.append("unverifiable")
        if metadata is not None:
            is_finished = os.path.lexists(f"{unit.path}/info/repodata_record.json")
            stays_ns = question.grace_ns if is_finished else max(question.grace_ns, DAY_NS)
            if question.now_ns - self.last_use_ns(unit) < stays_ns:
                found.append("recent")
            names = (f"{unit.home}.conda", f"{unit.home}.tar.bz2")
            is_archived = any(
                other.kind in ("archive", "moving") and other.home in names for other in self.units
            )
            if is_finished and not is_archived and not _is_url(metadata.get("url")):
                found.append("unobtainable")
        return found

    def verdict(self, unit: Unit) -> str:
        return (*self.reasons_to_keep(unit), "unused")[0]

    def metadata(self, unit: Unit) -> dict[str, Any] | None:
        """Return the metadata of a package; `None` if it cannot be parsed."""
        path = f"{unit.path}/info/repodata_record.json"
        if not os.path.lexists(path):
            path = f"{unit.path}/info/index.json"
        try:
            with open(path, "rb") as file:
                metadata = json.load(file)
        except ValueError:
            return None
        return metadata if isinstance(metadata, dict) else None

    def last_use_ns(self, unit: Unit) -> int:
        names = ("index.json", "repodata_record.json")
        paths = [f"{unit.path}/info/{name}" for name in names]
        return max(self.status[path].st_ctime_ns for path in paths if path in self.status)

    def answer(self) -> Answer:
        """Return the answer, without `--max-size`."""
        choice = self.question.choice
        here = [unit for unit in self.units if unit.cache not in self.closed]
        finished = {unit.path for unit in here if self._is_to_finish(unit)}
        moved = [
            unit
            for unit in here
            if unit.path not in finished and unit.path != unit.home and unit.kind != "held"
        ]
        aside = {unit for unit in here if unit.path in finished or self._unit_at_home_of(unit)}
        wanted = [
            unit
            for unit in here
            if unit.kind == "package" and unit not in aside and self._may_go(unit)
        ]
        newest = self._newest([unit for unit in self.packages if unit not in aside])
        return Answer(
            packages={unit.home for unit in wanted if unit.path not in newest},
            archives={
                unit.path
                for unit in here
                if choice.tarballs and unit.kind == "archive" and self._archive_may_go(unit)
            },
            trash={
                unit.path
                for unit in here
                if choice.trash and unit.kind == "trash" and self._is_left(unit.path)
                if not self.soft_users[unit.path]
            },
            finished=finished,
            returned={unit.home for unit in moved if self._unit_at_home_of(unit) is None},
            aside={unit.path for unit in aside},
            blocked={unit.home for unit in moved if self._unit_at_home_of(unit) is not None},
            trial_links={
                path
                for path, environment in self.environment_of.items()
                if choice.trash and os.path.dirname(path) == environment and self._is_left(path)
                if _TRIAL_LINK.fullmatch(os.path.basename(path))
                if stat.S_ISREG(self.status[path].st_mode)
            },
        )

    def cache_bytes_without(self, cache: str, homes: set[str], others: set[str]) -> int:
        """Return the disk usage of a cache without some packages, others and the held ones."""
        gone: set[str] = set()
        for unit in self.units:
            is_gone = unit.home in homes and unit.kind == "package"
            if is_gone or unit.path in others or unit.kind == "held":
                gone.update(unit.paths)
        return sum(
            self.status[paths[0]].st_blocks * 512
            for paths in self.paths_of.values()
            if any(self.root_of[path] == cache and path not in gone for path in paths)
        )

    def _is_to_finish(self, unit: Unit) -> bool:
        if unit.kind == "held":
            return unit.expires_s * 10**9 <= self.question.now_ns
        return unit.kind == "purge" or self._came_again(unit)

    def _came_again(self, unit: Unit) -> bool:
        """Return whether something whole is at the home of what was moved aside."""
        other = self._unit_at_home_of(unit)
        if other is None or other.kind != "package":
            return other is not None
        is_finished = os.path.lexists(f"{other.path}/info/repodata_record.json")
        return is_finished and self.metadata(other) is not None

    def _unit_at_home_of(self, unit: Unit) -> Unit | None:
        """Return the unit at the path that another unit was moved from."""
        return None if unit.path == unit.home else self._unit_at_path.get(unit.home)

    @cached_property
    def _unit_at_path(self) -> dict[str, Unit]:
        return {unit.path: unit for unit in self.units}

    def _may_go(self, unit: Unit) -> bool:
        choice = self.question.choice
        allowed = {"recorded"} if choice.copied else set()
        if choice.unobtainable:
            allowed.add("unobtainable")
        if not set(self.reasons_to_keep(unit)) <= allowed:
            return False
        if any(not self._is_copy(unit, prefix) for prefix in self.record_users(unit)):
            return False
        names = (os.path.basename(unit.home), (self.metadata(unit) or {}).get("name", ""))
        if choice.name_glob is not None and not any(
            fnmatchcase(name, choice.name_glob) for name in names
        ):
            return False
        age_ns = self.question.now_ns - self.last_use_ns(unit)
        return self.question.older_than_ns is None or age_ns >= self.question.older_than_ns

    def _is_copy(self, unit: Unit, prefix: str) -> bool:
        """Return whether a record says that the package has no symbolic links."""
        try:
            with open(f"{prefix}/conda-meta/{os.path.basename(unit.home)}.json", "rb") as file:
                return bool(json.load(file)["link"]["type"] != 2)
        except ValueError:
            return False

    def _newest(self, packages: list[Unit]) -> set[str]:
        if self.question.choice.keep_newest is None:
            return set()
        by_name: dict[tuple[str, str], list[tuple[tuple[int, ...], str]]] = defaultdict(list)
        for unit in packages:
            metadata = self.metadata(unit)
            if metadata is not None:
                order = (int(metadata["version"]), metadata["build_number"], self.last_use_ns(unit))
                by_name[unit.cache, metadata["name"]].append((order, unit.path))
        return {
            path
            for found in by_name.values()
            for _, path in sorted(found, reverse=True)[: self.question.choice.keep_newest]
        }

    def _is_left(self, path: str) -> bool:
        return self._age_ns(path) >= self.question.grace_ns

    def _age_ns(self, path: str) -> int:
        return int(self.question.now_ns - self.status[path].st_ctime_ns)

    def _archive_may_go(self, unit: Unit) -> bool:
        if not self._is_left(unit.path) or self.soft_users[unit.path]:
            return False
        choice, age_ns = self.question.choice, self._age_ns(unit.path)
        if self.question.older_than_ns is not None and age_ns < self.question.older_than_ns:
            return False
        dist = os.path.basename(unit.path).removesuffix(".conda").removesuffix(".tar.bz2")
        names = (dist, dist.split("-")[0])
        if choice.name_glob is not None and not any(
            fnmatchcase(name, choice.name_glob) for name in names
        ):
            return False
        dist = unit.path.removesuffix(".conda").removesuffix(".tar.bz2")
        extracted = [package for package in self.packages if package.home == dist]
        extracted = [each for each in extracted if self._unit_at_home_of(each) is None]
        name = os.path.basename(unit.path)
        metadata = [self.metadata(package) or {} for package in extracted]
        urls = [each.get("url", "") for each in metadata]
        try:
            with open(f"{os.path.dirname(unit.path)}/urls.txt", encoding="utf-8") as file:
                urls += file.read().split("\n")
        except FileNotFoundError:
            pass
        is_obtainable = any(_is_url(url) and url.endswith(f"/{name}") for url in urls)
        if not is_obtainable and not self.question.choice.unobtainable:
            return False
        record = f"{os.path.basename(dist)}.json"
        is_recorded = any(record in names for names in self.recording.values())
        if extracted:
            return all(self.metadata(package) is not None for package in extracted)
        return not (self.unseen or is_recorded)


def paths_on_the_way(path: str) -> list[str]:
    """Return every real path that the system passes when it follows a symbolic link."""
    passed = []
    folder, rest, links = os.path.dirname(path), [os.path.basename(path)], 0
    while rest:
        name = rest.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            folder = os.path.dirname(folder)
            continue
        below = os.path.join(folder, name)
        passed.append(below)
        try:
            text = os.readlink(below)
        except OSError:
            if rest and not os.path.isdir(below):
                break
            folder = below
            continue
        links += 1
        if links > _MAX_LINKS:
            break
        if text.startswith("/"):
            folder = "/"
        rest = [*text.split("/"), *rest]
    return passed[1:]


def _is_package(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(f"{path}/info/index.json").st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_url(text: object) -> bool:
    return isinstance(text, str) and text.startswith(("http://", "https://"))
