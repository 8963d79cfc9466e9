"""A package cache and environments as conda makes them, small enough to count by hand."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field

from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.symlinks import follow_symlinks
from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.analysis.verdicts import Verdicts
from conda_hardlink_plugin.metadata.quarantine_names import home_of
from conda_hardlink_plugin.scan.inventory import Inventory, Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.circumstances import LATER, Circumstances
from tests.support.trees import link, package, symlink, write

LINK_TYPES = {"hardlink": 1, "softlink": 2, "copy": 3}
URL = b'{"url": "https://made.up/p-1-0.conda"}'


@dataclass
class SmallInstallation:
    """Trees below a directory, and functions that make them.

    Attributes:
        directory: The parent of `pkgs` and `envs`.
        caches: Paths of the caches with a package.
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
        """Make an empty environment; return its prefix."""
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
        """Write a record of files, each with its entry in `paths_data`; return its path."""
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

        `claim` is the link type in the record, if it differs.
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
        """Scan all roots."""
        return scan(
            [
                *(Root(RootKind.CACHE, path) for path in self.caches),
                *(Root(RootKind.ENVIRONMENT, prefix) for prefix in self.prefixes),
            ],
            detailed=self.prefixes if detailed else (),
        )

    def judge(self, terms: Circumstances = LATER, inventory: Inventory | None = None) -> Verdicts:
        """Judge all packages; scan first if no inventory is given."""
        inventory = inventory or self.scan()
        return Verdicts(
            inventory,
            Usage(inventory),
            follow_symlinks(inventory),
            terms.policy,
            terms.observations,
        )

    def verdicts(self, terms: Circumstances = LATER) -> dict[str, str]:
        """Return the verdict on each package, by its path in the directory."""
        inventory = self.scan()
        verdicts = self.judge(terms, inventory)
        return {
            os.path.relpath(inventory.units[unit].path, self.directory): verdicts.verdict(
                unit
            ).value
            for unit in verdicts.uses
        }

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


@dataclass(frozen=True)
class PackagePlan:
    """A package of a random installation: its path, and its evidence for removal."""

    dist: str
    cache: str
    folder: str
    finished_by: str
    content: bytes
    has_archive: bool
    has_inner: bool


@dataclass(frozen=True)
class UsePlan:
    """How an environment of a random installation, or another package, uses a package."""

    how: str
    environment: int
    package: int
    other: int


@dataclass(frozen=True)
class Plan:
    """A random small installation: its packages and their uses."""

    packages: list[PackagePlan]
    uses: list[UsePlan]

    def make(self, directory: str) -> SmallInstallation:
        """Make it with two caches and two environments, one inside the other."""
        made = SmallInstallation(directory)
        made.environment("env")
        made.environment("env/envs/inner")
        planned = {(item.cache, item.folder, item.dist): item for item in self.packages}
        packages = [self._make_package(made, item) for item in planned.values()]
        for number, use in enumerate(self.uses):
            path, other = (packages[index % len(packages)] for index in (use.package, use.other))
            self._make_use(made, use, number, path, other)
        return made

    def _make_package(self, made: SmallInstallation, plan: PackagePlan) -> str:
        path = made.package(f"{plan.folder}{plan.dist}", {"lib/f": b"f" * 50}, plan.cache)
        record = f"{path}/info/repodata_record.json"
        write(record, plan.content)
        if plan.finished_by != "record":
            os.unlink(record)
        if plan.finished_by == "lock":
            write(f"{home_of(path)}.lock")
        if plan.has_archive:
            write(f"{home_of(path)}.conda")
        if plan.has_inner:
            package(path, "share/info-of/inner-1-0")
        return path

    def _make_use(
        self, made: SmallInstallation, use: UsePlan, number: int, path: str, other: str
    ) -> None:
        prefix, home = made.prefixes[use.environment], home_of(path)
        elsewhere = f"{made.directory}/elsewhere/{number}"
        if use.how == "hardlink":
            link(f"{path}/lib/f", f"{prefix}/lib/{number}")
        elif use.how == "record":
            write(f"{prefix}/conda-meta/{os.path.basename(home)}.json")
        elif use.how == "softlink":
            symlink(f"{home}/lib/f", f"{prefix}/lib/{number}")
        elif use.how == "chain":
            symlink(f"{home}/lib/f", f"{elsewhere}/f")
            symlink(f"{elsewhere}/f", f"{prefix}/lib/{number}")
        elif use.how == "folder":
            symlink(f"{home}/lib", f"{elsewhere}/lib")
            symlink(f"{elsewhere}/lib/f", f"{prefix}/lib/{number}")
        elif use.how == "package":
            symlink(f"{home}/lib/f", f"{other}/lib/{number}")
            symlink(f"{home_of(other)}/lib/{number}", f"{prefix}/lib/{number}")
        elif use.how == "other":
            link(f"{path}/lib/f", f"{other}/lib/{number}")
        else:
            link(f"{path}/lib/f", f"{elsewhere}/f")


_package_plans = st.builds(
    PackagePlan,
    dist=st.sampled_from(["a-1-0", "b-1-0", "c-1-0"]),
    cache=st.sampled_from(["pkgs", "pkgs", "other"]),
    folder=st.sampled_from(["", "", "https/host/", ".conda-hardlinks/moving-r1-"]),
    finished_by=st.sampled_from(["record", "record", "record", "lock", "nothing"]),
    content=st.sampled_from([URL, URL, URL, b"{}", b"{"]),
    has_archive=st.booleans(),
    has_inner=st.booleans(),
)
_use_plans = st.builds(
    UsePlan,
    how=st.sampled_from(
        ["hardlink", "record", "softlink", "chain", "folder", "package", "other", "outside"]
    ),
    environment=st.integers(0, 1),
    package=st.integers(0, 5),
    other=st.integers(0, 5),
)
plans = st.builds(
    Plan,
    packages=st.lists(_package_plans, min_size=1, max_size=6),
    uses=st.lists(_use_plans, max_size=5),
)
