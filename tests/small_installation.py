"""A package cache and environments as conda leaves them, small enough to count by hand."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field

from conda_hardlink_plugin.inventory import Inventory, Root, RootKind
from conda_hardlink_plugin.scan import scan
from tests.trees import package, write

LINK_TYPES = {"hardlink": 1, "softlink": 2, "copy": 3}


@dataclass
class SmallInstallation:
    """Makes the trees below `directory`.

    Attributes:
        directory: Everything is in here: `pkgs`, `envs`.
        caches: Paths of the caches that have a package.
        prefixes: Paths of the environments.
    """

    directory: str
    caches: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)

    def package(self, dist: str, files: dict[str, bytes], cache: str = "pkgs") -> str:
        """Extract a package; return its path."""
        folder = os.path.join(self.directory, cache)
        if folder not in self.caches:
            self.caches.append(folder)
        return package(folder, dist, files)

    def environment(self, name: str) -> str:
        """Make an environment with nothing in it; return its prefix."""
        prefix = os.path.join(self.directory, "envs", name)
        write(os.path.join(prefix, "conda-meta", "history"))
        self.prefixes.append(prefix)
        return prefix

    def record(
        self,
        prefix: str,
        dist: str,
        files: dict[str, dict],
        link: str = "hardlink",
    ) -> str:
        """Write a record; each file with its entry in `paths_data`."""
        content = {
            "files": list(files),
            "link": {"source": "somewhere", "type": LINK_TYPES[link]},
            "paths_data": {
                "paths": [
                    {"_path": name, "path_type": "hardlink", **detail}
                    for name, detail in files.items()
                ],
                "paths_version": 1,
            },
        }
        path = os.path.join(prefix, "conda-meta", f"{dist}.json")
        return write(path, json.dumps(content).encode())

    def install(
        self, prefix: str, package: str, link: str = "hardlink", *, claim: str | None = None
    ) -> None:
        """Link or copy a package's files into an environment, and record it.

        `claim` is what the record says was done, where that is something else.
        """
        files = []
        for folder, _, names in os.walk(package):
            for name in names:
                source = os.path.join(folder, name)
                relative = os.path.relpath(source, package)
                if relative.startswith("info/"):
                    continue
                files.append(relative)
                target = os.path.join(prefix, relative)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                if link == "hardlink":
                    os.link(source, target, follow_symlinks=False)
                elif link == "softlink":
                    os.symlink(source, target)
                else:
                    shutil.copy(source, target, follow_symlinks=False)
        self.record(prefix, os.path.basename(package), {name: {} for name in files}, claim or link)

    def scan(self, *, detailed: bool = False) -> Inventory:
        """Scan all of it."""
        return scan(
            [
                *(Root(RootKind.CACHE, path) for path in self.caches),
                *(Root(RootKind.ENVIRONMENT, prefix) for prefix in self.prefixes),
            ],
            detailed=self.prefixes if detailed else (),
        )

    def names(self) -> dict[str, str]:
        """Return the names of the environments by prefix."""
        return {prefix: os.path.basename(prefix) for prefix in self.prefixes}


def below(directory: str) -> list[str]:
    """Return a directory and everything below it, as absolute paths."""
    found = [directory]
    for folder, folders, names in os.walk(directory):
        found += [os.path.join(folder, name) for name in (*folders, *names)]
    return found


def directory_bytes(directory: str) -> int:
    """Return the lengths of a directory and those below it."""
    return sum(
        os.lstat(path).st_size
        for path in below(directory)
        if os.path.isdir(path) and not os.path.islink(path)
    )
