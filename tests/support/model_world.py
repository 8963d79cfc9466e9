"""The world of the model test: an installation of conda, and what users do to it.

Choices are numbers modulo the number of things, so that every sequence of them is valid.
"""

from __future__ import annotations

import json
import os
import shutil
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.support.cleaning_oracle import QUARANTINE
from tests.support.small_installation import LINK_TYPES, SmallInstallation
from tests.support.trees import link, symlink, write

if TYPE_CHECKING:
    from collections.abc import Sequence

# The files of each kind of package with their sizes; `->` is a symbolic link, `=` a hard link to
# `lib/@`, and `@` the name of the package.
FILES = {
    "alpha": {"lib/@": 5000, "lib/common": 100, "bin/@": 1, "lib/@.so": "->@", "empty": 0},
    "beta": {"lib/@": 9000, "lib/common": 100, "share/@/data": 4096, "share/@/up": "->../../lib/@"},
    "linked": {"lib/@": 5000, "lib/@-again": "="},
    "meta": {},
    "filled": {"etc/@": 300},
}
DISTS = (
    *(f"alpha-{version}-0" for version in (1, 2, 10)),
    *(f"beta-1-{build}" for build in (0, 1)),
    *(f"{name}-1-0" for name in ("linked", "meta", "filled")),
)
URLS = ("https://made.up/noarch/{}.conda", "http://made.up/{}.tar.bz2", "file:///made.up/{}", "")
TRASH = ("{}.conda_trash", "{}.mamba_trash_1", "{}.c~", "{}.trash")


class World(SmallInstallation):
    """Two caches, base and other environments, and a folder that conda does not know.

    Attributes:
        pkgs: The cache inside base.
        more: The other cache; its packages are nested as mamba's are.
        outside: The folder that is not scanned.
    """

    def __init__(self, top: str) -> None:
        super().__init__(top)
        base = os.path.join(top, "base")
        self.pkgs, self.more = os.path.join(base, "pkgs"), os.path.join(top, "more")
        self.outside = os.path.join(top, "outside")
        for folder in (self.pkgs, self.more, self.outside, f"{top}/lost"):
            os.makedirs(folder)
        os.symlink("base/pkgs", f"{top}/alias")
        os.symlink("base", f"{top}/byway")
        self.files_of: dict[str, dict[str, list[str]]] = {}
        self.lost: dict[str, str] = {}
        self.numbers = count()
        self._add_environment(base)

    # What exists

    def packages(self) -> list[str]:
        """Return the extracted packages outside the quarantine, finished or not."""
        paths = [f"{folder}/{dist}" for folder in self._folders() for dist in DISTS]
        return [path for path in paths if os.path.exists(f"{path}/info/index.json")]

    def archives(self) -> list[str]:
        return self._in_caches((".conda", ".tar.bz2"))

    def trash(self) -> list[str]:
        return self._in_caches(("_trash", "_trash_1", ".c~", ".trash"))

    def caches_as(self, spelling: int) -> list[str]:
        """Return the caches, one of them twice for some spellings."""
        alias, byway = f"{self.directory}/alias", f"{self.directory}/byway/pkgs"
        spellings = (
            [self.pkgs, self.more],
            [self.more, alias],
            [alias, self.pkgs, self.more],
            [self.pkgs, self.more, byway, alias],
        )
        return spellings[spelling % len(spellings)]

    @property
    def both_caches(self) -> tuple[str, str]:
        return self.pkgs, self.more

    def prefixes_as(self, spelling: int) -> list[str]:
        """Return the environments, each by a second path, too, for some spellings."""
        byway = [path.replace("/base/envs/", "/byway/envs/", 1) for path in self.prefixes]
        also = [path for path in byway if path not in self.prefixes and os.path.isdir(path)]
        return [*self.prefixes, *(also if spelling % 2 else ())]

    def quarantines(self) -> list[str]:
        return [f"{cache}/{QUARANTINE}" for cache in self.both_caches]

    # What conda does

    def extract(self, dist: str, folder: int, url: int, flaw: str) -> None:
        path = f"{self._folders()[folder % 2]}/{dist}"
        if os.path.lexists(path):
            return
        name, version, build = dist.split("-")
        for relative, what in FILES[name].items():
            target = f"{path}/{relative}".replace("@", name)
            if what == "=":
                link(f"{path}/lib/{name}", target)
            elif isinstance(what, str):
                symlink(what[2:].replace("@", name), target)
            else:
                write(target, f"{dist}/{relative}".encode().ljust(what, b".")[:what])
        metadata = {"name": name, "version": version, "build_number": int(build)}
        write(f"{path}/info/index.json", json.dumps(metadata).encode())
        if flaw != "unfinished":
            metadata["url"] = URLS[url % len(URLS)].format(dist)
            content = b"{" if flaw == "corrupt" else json.dumps(metadata).encode()
            write(f"{path}/info/repodata_record.json", content)

    def archive(self, package: str, suffix: str, *, other: str | None, known: bool) -> None:
        """Put an archive beside a package: its own, or another one's."""
        folder, dist = os.path.split(package)
        name = f"{other or dist}{suffix}"
        write(f"{folder}/{name}", b"a" * 6000)
        if known:
            with open(f"{folder}/urls.txt", "a", encoding="utf-8") as file:
                file.write(f"https://made.up/noarch/{name}\n")

    def environment_at(self, number: int) -> str:
        """Return an environment, created if it does not exist."""
        prefix = f"{self.directory}/base/envs/{'abc'[number % 4 - 1]}"
        if number % 4 == 0:
            return f"{self.directory}/base"
        if prefix not in self.files_of:
            self._add_environment(prefix)
        return prefix

    def link_package(self, prefix: str, package: str, how: str, *, corrupt: bool) -> None:
        """Install a package and its record; remove any other package of its name."""
        if prefix in self.lost:
            return
        dist = os.path.basename(package)
        name = dist.split("-")[0]
        for old in [old for old in self.files_of[prefix] if old.split("-")[0] == name]:
            self._unlink_package(prefix, old)
        if how == "hardlink":  # conda tests for hard links
            os.unlink(link(f"{package}/info/index.json", f"{prefix}/.tmp.index.json.ffffffff"))
        relatives = _payload(package)
        for relative in relatives:
            self._link_file(f"{package}/{relative}", f"{prefix}/{relative}", how, name)
        claim = how if how in LINK_TYPES else "hardlink"
        path = self.record(prefix, dist, {relative: {} for relative in relatives}, claim)
        if corrupt:
            write(path, b"{")
        self.files_of[prefix][dist] = relatives

    def remove_environment(self, prefix: str) -> None:
        if prefix in self.lost or prefix == f"{self.directory}/base":
            return
        shutil.rmtree(prefix)
        self.prefixes.remove(prefix)
        del self.files_of[prefix]

    # What others do

    def lose_or_find(self, prefix: str) -> None:
        """Unmount an environment, or mount it again."""
        if prefix in self.lost:
            os.rename(self.lost.pop(prefix), prefix)
        elif prefix != f"{self.directory}/base":
            self.lost[prefix] = f"{self.directory}/lost/{os.path.basename(prefix)}"
            os.rename(prefix, self.lost[prefix])

    def overwrite(self, prefix: str, number: int, *, by_rename: bool) -> None:
        """Replace a file of an environment, as pip does."""
        others = ("conda-meta", "pkgs", "envs")
        paths = [path for path in _files(prefix) if not path.startswith(others)]
        if not paths:
            return
        path = f"{prefix}/{_pick(paths, number)}"
        if by_rename:
            write(f"{path}.new", b"pip")
            os.rename(f"{path}.new", path)
        else:
            os.unlink(path)
            write(path, b"pip")

    def link_outside(self, package: str, number: int) -> None:
        link(f"{package}/{_pick(_files(package), number)}", self._new(self.outside))

    def forget_outside(self, number: int) -> None:
        names = sorted(os.listdir(self.outside))
        if names:
            os.unlink(f"{self.outside}/{_pick(names, number)}")

    def link_into(self, package: str, source: str, number: int) -> None:
        """Create a hard link in a package to a file of a package, perhaps of the same one."""
        files = _payload(source)
        if files:
            link(f"{source}/{_pick(files, number)}", self._new(package))

    def leave_trash(self, package: str, kind: int, number: int) -> None:
        """Leave something in a cache as conda and mamba do if they cannot remove it."""
        path = TRASH[kind % len(TRASH)].format(f"{os.path.dirname(package)}/{next(self.numbers)}")
        files = _payload(package)
        if path.endswith(("_trash", "_trash_1")):
            os.rename(package, path)
        elif files:
            link(f"{package}/{_pick(files, number)}", path)
        else:
            write(path, b"left")

    def leave_trial_link(self, prefix: str, package: str, number: int) -> None:
        path = f"{prefix}/.tmp.index.json.{number:08x}"
        if not os.path.lexists(path):
            os.link(f"{package}/info/index.json", path)

    def chain(self, prefix: str, target: str, hops: Sequence[tuple[str, str]], other: str) -> None:
        """Create a chain of symbolic links to a target.

        Args:
            prefix: An environment.
            target: Absolute path; it need not exist.
            hops: The folder of each link, from the target on, and the spelling of its text.
            other: Another environment or package, for the hops in `other`.
        """
        for where, spelling in hops:
            folder = {"outside": self.outside, "other": other, "environment": prefix}[where]
            at = self._new(folder)
            if spelling == "folder":
                symlink(os.path.dirname(target), at)
                target = f"{at}/{os.path.basename(target)}"
                continue
            text = os.path.relpath(target, folder) if spelling == "relative" else target
            symlink(text, at)
            target = at

    # What a killed run leaves

    def interrupt(self, path: str, cache: str, stage: str) -> None:
        """Move something to the quarantine, as a killed run does that healed the cache before."""
        os.makedirs(f"{cache}/{QUARANTINE}", mode=0o700, exist_ok=True)
        relative = quote(os.fsencode(os.path.relpath(path, cache)), safe="")
        others = os.listdir(f"{cache}/{QUARANTINE}")
        if any(name.startswith("moving") and name.endswith(f"-{relative}") for name in others):
            return
        aside = f"{cache}/{QUARANTINE}/{stage}-run_{next(self.numbers)}-{relative}"
        os.rename(path, aside)
        if stage == "purge" and os.path.isdir(aside):
            os.unlink(f"{aside}/{_pick(_files(aside), 1)}")

    def cache_of(self, path: str) -> str:
        return self.pkgs if path.startswith(f"{self.pkgs}/") else self.more

    def _add_environment(self, prefix: str) -> None:
        write(f"{prefix}/conda-meta/history")
        self.prefixes.append(prefix)
        self.files_of[prefix] = {}

    def _link_file(self, source: str, target: str, how: str, name: str) -> None:
        if os.path.lexists(target):
            os.unlink(target)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if name == "filled":
            write(target, f"prefix: {target}".encode())
        elif how == "clone" or (how == "hardlink" and not os.path.islink(source)):
            os.link(source, target, follow_symlinks=False)
        elif how == "softlink" and not os.path.islink(source):
            os.symlink(source, target)
        else:
            shutil.copy(source, target, follow_symlinks=False)

    def _unlink_package(self, prefix: str, dist: str) -> None:
        for relative in self.files_of[prefix].pop(dist):
            if os.path.lexists(f"{prefix}/{relative}"):
                os.unlink(f"{prefix}/{relative}")
        os.unlink(f"{prefix}/conda-meta/{dist}.json")

    def _folders(self) -> tuple[str, str]:
        return self.pkgs, f"{self.more}/https/made.up/noarch"

    def _in_caches(self, suffixes: tuple[str, ...]) -> list[str]:
        return [
            f"{folder}/{name}"
            for folder in self._folders()
            if os.path.isdir(folder)
            for name in sorted(os.listdir(folder))
            if name.endswith(suffixes)
        ]

    def _new(self, folder: str) -> str:
        return f"{folder}/new{next(self.numbers)}"


def _files(folder: str) -> list[str]:
    """Return the files and symbolic links below a folder, relative to it."""
    found = []
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if f"{path}/{name}" != f"{folder}/pkgs"]
        folders.sort()
        links = [name for name in folders if os.path.islink(f"{path}/{name}")]
        found += [os.path.relpath(f"{path}/{name}", folder) for name in sorted(names + links)]
    return found


def _payload(package: str) -> list[str]:
    """Return the files of a package that are not its `info`."""
    return [path for path in _files(package) if not path.startswith("info/")]


def _pick(things: Sequence[str], number: int) -> str:
    return things[number % len(things)]
