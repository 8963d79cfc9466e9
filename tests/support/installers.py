"""Installs like those of conda, without conda: fast enough for a hundred thousand of them.

The order is that of conda's `UnlinkLinkTransaction` (24.7 to 26.8): extract missing packages,
`read_package_info`, the trial link of `hardlink_supported`, verify, `create_link` file by file, the
record. A failed install is rolled back.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.trees import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TRIAL_LINK = ".tmp.index.json.01234567"
_HELD = 3  # packages that an environment has at once


class InstallFailedError(Exception):
    """An install failed and was rolled back."""


def files_of(dist: str) -> dict[str, bytes]:
    """Return the files of a package with their content."""
    paths = (f"bin/{dist}", f"lib/{dist}.so", f"lib/{dist}/one", f"lib/{dist}/two", f"share/{dist}")
    return {path: f"{path}\n".encode() * 20 for path in paths}


def extract(cache: str, dist: str) -> str:
    """Extract a package in place, `info` first and `repodata_record.json` last; return its path."""
    package = f"{cache}/{dist}"
    os.makedirs(f"{package}/info")
    paths = {"paths": [{"_path": path} for path in files_of(dist)], "paths_version": 1}
    name, version, build = dist.rsplit("-", 2)
    index = {"name": name, "version": version, "build": build}
    write(f"{package}/info/index.json", json.dumps(index).encode())
    write(f"{package}/info/paths.json", json.dumps(paths).encode())
    for path, content in files_of(dist).items():
        write(f"{package}/{path}", content)
    record = {**index, "url": f"https://made.up/{dist}.conda"}
    write(f"{package}/info/repodata_record.json", json.dumps(record).encode())
    return package


@dataclass
class Installed:
    """A package in an environment.

    Attributes:
        dist: Its `NAME-VERSION-BUILD`.
        files: The paths that were linked.
        source: Descriptor of the directory that it was linked from, even if that was moved; -1 if
            the directory was replaced before the first link.

    """

    dist: str
    files: list[str]
    source: int

    @property
    def is_stripped(self) -> bool:
        """Whether the directory that it was linked from was removed."""
        return self.source >= 0 and os.fstat(self.source).st_nlink == 0

    def close(self) -> None:
        """Close the descriptor of the directory that it was linked from."""
        if self.source >= 0:
            os.close(self.source)


@dataclass
class Installer:
    """Installs into one environment, and removes from it again.

    Attributes:
        cache: The package cache.
        prefix: The environment.
        locks: A folder for locks that keep two installers from extracting one package at the same
            time; nothing else takes them.
        softlink: Make symbolic links, without a trial link, as with `always_softlink`.
        trusting: Treat a package without `info/paths.json` as one of an old format without files,
            as conda does; else fail.
        before: Called before each step with its name.
        seen: The number of installs by outcome.

    """

    cache: str
    prefix: str
    locks: str
    softlink: bool = False
    trusting: bool = False
    before: Callable[[str], object] = str  # which does nothing with it
    seen: Counter[str] = field(default_factory=Counter)

    def install(self, dist: str) -> Installed:
        """Install a package.

        Raises:
            InstallFailedError: A step failed.

        """
        package = f"{self.cache}/{dist}"
        done: list[str] = []
        source = -1
        try:
            self._extract(dist)
            with suppress(FileNotFoundError):
                source = os.open(package, os.O_RDONLY | os.O_DIRECTORY)
            self.before("read")
            files = self._read_package_info(package)
            self.before("probe")
            if not self.softlink:
                os.link(f"{package}/info/index.json", f"{self.prefix}/{_TRIAL_LINK}")
                os.unlink(f"{self.prefix}/{_TRIAL_LINK}")
            self.before("verify")
            for path in files:
                os.lstat(f"{package}/{path}")
            for path in files:
                self.before(f"link {len(done) + 1}")
                self._link(f"{package}/{path}", f"{self.prefix}/{path}")
                done.append(path)
            self.before("record")
            write(self._record(dist), json.dumps({"files": files}).encode())
        except (OSError, ValueError) as error:
            for path in done:
                os.unlink(f"{self.prefix}/{path}")
            if source >= 0:
                os.close(source)
            raise InstallFailedError(str(error)) from None
        installed = Installed(dist, files, source)
        if not self._came_from(installed):
            installed.close()
            installed.source = -1
        return installed

    def remove(self, installed: Installed) -> None:
        """Remove a package from the environment."""
        for path in installed.files:
            os.unlink(f"{self.prefix}/{path}")
        os.unlink(self._record(installed.dist))
        installed.close()

    def missing(self, dist: str) -> list[str]:
        """Return the files of a package that are not in the environment with their content."""
        return [path for path, content in files_of(dist).items() if self._content(path) != content]

    def settled_missing(self, dist: str) -> list[str]:
        """Return `missing` while no installer extracts the package and no clean runs."""
        with (
            self._extracting(dist, fcntl.LOCK_SH),
            open(f"{self.cache}/{os.path.basename(self.cache)}.lock", "ab") as lock,
        ):
            fcntl.lockf(lock, fcntl.LOCK_EX, 1, 21)
            return self.missing(dist)

    def left(self, dist: str) -> list[str]:
        """Return the files and the record of a package that are in the environment."""
        paths = [f"{self.prefix}/{path}" for path in files_of(dist)]
        return [path for path in [*paths, self._record(dist)] if os.path.lexists(path)]

    def _record(self, dist: str) -> str:
        return f"{self.prefix}/conda-meta/{dist}.json"

    def _content(self, path: str) -> bytes | None:
        try:
            with open(f"{self.prefix}/{path}", "rb") as file:
                return file.read()
        except OSError:
            return None

    def _extract(self, dist: str) -> None:
        """Extract a package in place unless it is fully extracted."""
        finished = f"{self.cache}/{dist}/info/repodata_record.json"
        if os.path.exists(finished):
            return
        with self._extracting(dist, fcntl.LOCK_EX):
            if not os.path.exists(finished):
                extract(self.cache, dist)
                self.seen["extracted"] += 1

    @contextmanager
    def _extracting(self, dist: str, how: int) -> Iterator[None]:
        with open(f"{self.locks}/{dist}", "ab") as file:
            fcntl.flock(file, how)
            yield

    def _read_package_info(self, package: str) -> list[str]:
        path = f"{package}/info/paths.json"
        if self.trusting and not os.path.isfile(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [item["_path"] for item in json.load(file)["paths"]]

    def _link(self, source: str, target: str) -> None:
        os.lstat(source)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if self.softlink:
            os.symlink(source, target)
        else:
            os.link(source, target)

    def _came_from(self, installed: Installed) -> bool:
        if self.softlink or not installed.files or installed.source < 0:
            return False
        path = installed.files[0]
        with suppress(FileNotFoundError):
            source = os.stat(path, dir_fd=installed.source)
            return os.path.samestat(source, os.stat(f"{self.prefix}/{path}"))
        return False

    def install_often(self, dists: list[str], times: int, seed: int) -> Counter[str]:
        """Install and remove in a tight loop, the first packages more often than the last ones.

        Returns:
            The number of installs by outcome. `installed` and `failed` add up to all installs. Of
            the installed ones, `empty` have no files although the package has some, `missing` lack
            files, `broken` lacked files only later, `stripped` lost the directory that they were
            linked from, and `shaken` lacked files only while the cache was changing. Of the failed
            ones, `left` left files behind.

        """
        source, seen, here = random.Random(seed), self.seen, {}
        for _ in range(times):
            while len(here) >= _HELD:
                self._check_and_remove(here.pop(source.choice(sorted(here))), "broken")
            dist = dists[int(len(dists) * source.random() ** 2)]
            if dist in here:
                self._check_and_remove(here.pop(dist), "broken")
            try:
                installed = self.install(dist)
            except InstallFailedError:
                seen["failed"] += 1
                seen["left"] += bool(self.left(dist))
                continue
            seen["installed"] += 1
            if not installed.files:
                seen["empty"] += 1
                self.remove(installed)
            elif self._is_whole(dist, "missing"):
                here[dist] = installed
            else:
                self.remove(installed)
        for installed in here.values():
            self._check_and_remove(installed, "broken")
        return seen

    def _check_and_remove(self, installed: Installed, otherwise: str) -> None:
        self._is_whole(installed.dist, otherwise)
        self.seen["stripped"] += installed.is_stripped
        self.remove(installed)

    def _is_whole(self, dist: str, otherwise: str) -> bool:
        if not self.missing(dist):
            return True
        whole = not self.settled_missing(dist)
        self.seen["shaken" if whole else otherwise] += 1
        return whole
