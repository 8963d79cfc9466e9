"""Write a big conda-like root: a package cache and environments hard-linked from it.

    python benchmarks/make_root.py DIR [--cache-files N] [--environments N] [--paths N] [--seed N]

`DIR/pkgs` is a package cache, `DIR/envs/NAME` are environments. The same arguments write the
same tree. Conda and its plugins read it with CONDA_PKGS_DIRS=DIR/pkgs CONDA_ENVS_DIRS=DIR/envs.
Files beyond a few kilobytes are sparse: the shape of the tree is real, most bytes are not.
"""

import argparse
import os
import posixpath
import random
import stat
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from made_up import (
    SITE_PACKAGES,
    Package,
    dist_info,
    plan_packages,
    record_text,
    repodata_record,
    small_size,
)

_BLOCK = 4096
_NOISE = bytes(random.Random(0).choices(b"abcdefghijklmnopqrstuvwxyz \n", k=16 * _BLOCK))
_NAMES = ("analysis", "notebooks", "torch", "stats", "web", "geo", "build", "docs", "bio", "legacy")


@dataclass(frozen=True, slots=True)
class Census:
    """What lies below a directory, each entry looked at with lstat."""

    paths: int
    directories: int
    symlinks: int
    inodes: int
    multi_link_inodes: int
    disk_bytes: int

    def lines(self) -> str:
        """The figures as text, one a line."""
        return (
            f"paths               {self.paths:>12,}\n"
            f"directories         {self.directories:>12,}\n"
            f"symbolic links      {self.symlinks:>12,}\n"
            f"unique inodes       {self.inodes:>12,}\n"
            f"multi-link inodes   {self.multi_link_inodes:>12,}\n"
            f"disk usage, MiB     {self.disk_bytes / 2**20:>12,.1f}"
        )


def census(roots: Iterable[str]) -> Census:
    """Count by brute force what is in the roots; directories are not multi-link inodes."""
    paths = directories = symlinks = 0
    blocks: dict[tuple[int, int], int] = {}
    several: set[tuple[int, int]] = set()
    waiting = list(roots)
    for root in waiting:
        entry = os.lstat(root)
        blocks[entry.st_dev, entry.st_ino] = entry.st_blocks
    paths = directories = len(waiting)
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for item in entries:
                entry = item.stat(follow_symlinks=False)
                key = entry.st_dev, entry.st_ino
                paths += 1
                blocks[key] = entry.st_blocks
                if stat.S_ISDIR(entry.st_mode):
                    directories += 1
                    waiting.append(item.path)
                    continue
                symlinks += stat.S_ISLNK(entry.st_mode)
                if entry.st_nlink > 1:
                    several.add(key)
    disk = 512 * sum(blocks.values())
    return Census(paths, directories, symlinks, len(blocks), len(several), disk)


class Tree:
    """A directory that files are written below; makes the directories on the way."""

    def __init__(self, top: str, rng: random.Random) -> None:
        """Make the directory itself."""
        self.top = top
        self.entries = 1
        self._rng = rng
        self._made: set[str] = set()
        os.makedirs(top)

    def path(self, name: str) -> str:
        """The full path of `name`, its parents made."""
        above = posixpath.dirname(name)
        if above and above not in self._made:
            self._make(above)
        self.entries += 1
        return f"{self.top}/{name}"

    def write(self, name: str, data: bytes) -> None:
        """Write a file with exactly these bytes."""
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def fill(self, name: str, size: int) -> None:
        """Write a file of this apparent size with at most three real blocks, mostly one."""
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            if size:
                real = min(size, _BLOCK * self._rng.choice((1, 1, 1, 1, 2, 3)))
                start = self._rng.randrange(len(_NOISE) - real)
                os.write(descriptor, _NOISE[start : start + real])
                if real < size:
                    os.truncate(descriptor, size)
        finally:
            os.close(descriptor)

    def _make(self, name: str) -> None:
        above = posixpath.dirname(name)
        if above and above not in self._made:
            self._make(above)
        os.mkdir(f"{self.top}/{name}")
        self._made.add(name)
        self.entries += 1


def write_cache(top: str, packages: Sequence[Package], rng: random.Random) -> int:
    """Write the package cache; answers how many paths it has."""
    cache = Tree(top, rng)
    for package in packages:
        for item in package.files:
            name = f"{package.dist}/{item.cache_path}"
            if item.target:
                os.symlink(item.target, cache.path(name))
            elif item.text:
                cache.write(name, item.text.encode())
            elif item.same_inode_as:
                os.link(f"{top}/{package.dist}/{item.same_inode_as}", cache.path(name))
            else:
                cache.fill(name, item.size)
        for name, text in package.info:
            cache.write(f"{package.dist}/{name}", text.encode())
    for package in rng.sample(packages, len(packages) // 20):
        cache.fill(f"{package.dist}.conda", 4096 + 700 * len(package.files))
    urls = "".join(f"{repodata_record(package)['url']}\n" for package in packages)
    cache.write("urls.txt", urls.encode())
    cache.write("urls", b"")
    return cache.entries


def choose(
    rng: random.Random, packages: Sequence[Package], popularity: Sequence[float], room: int
) -> list[Package]:
    """Packages of one environment, popular ones more likely, up to about `room` paths."""
    order = sorted(
        (index for index, weight in enumerate(popularity) if weight),
        key=lambda index: rng.random() ** (1 / popularity[index]),
        reverse=True,
    )
    chosen: list[Package] = []
    for index in order:
        needed = packages[index].prefix_entries()
        if needed <= room or not chosen:
            chosen.append(packages[index])
            room -= needed
    return chosen


def write_environment(
    top: str, pkgs: str, packages: Sequence[Package], records: dict[str, bytes], rng: random.Random
) -> int:
    """Write one environment linked from the cache; answers how many paths it has."""
    environment = Tree(top, rng)
    for package in packages:
        source = f"{pkgs}/{package.dist}"
        for item in package.files:
            if item.rewritten:
                environment.fill(item.prefix_path, item.size)
            elif item.target:
                os.symlink(item.target, environment.path(item.prefix_path))
            else:
                os.link(f"{source}/{item.cache_path}", environment.path(item.prefix_path))
        for name in package.compiled:
            environment.fill(name, small_size(rng) + 200)
        for name in package.entry_points:
            environment.fill(name, 220)
        if package.dist not in records:
            records[package.dist] = record_text(package, pkgs).encode()
        environment.write(f"conda-meta/{package.dist}.json", records[package.dist])
    for number in range(rng.randint(2, 4)):
        _write_pip_package(environment, f"pipped{number}", rng)
    linked_dists = "".join(f"+made-up::{package.dist}\n" for package in packages)
    history = (
        "==> 2024-01-02 03:04:05 <==\n# cmd: conda create -n made-up\n# conda version: 24.7.1\n"
        f"{linked_dists}# update specs: ['python']\n"
    )
    environment.write("conda-meta/history", history.encode())
    return environment.entries


def _write_pip_package(environment: Tree, name: str, rng: random.Random) -> None:
    """Write what pip would install: files that no cache holds, owned by a RECORD."""
    version = f"1.{rng.randint(0, 9)}"
    metadata = f"{SITE_PACKAGES}/{name}-{version}.dist-info"
    paths = [f"{metadata}/{item}" for item in ("METADATA", "WHEEL", "INSTALLER", "RECORD")]
    paths.append(f"bin/{name}")
    for number in range(rng.randint(10, 150)):
        where = f"{SITE_PACKAGES}/{name}/part{number // 9}"
        paths.append(f"{where}/module{number}.py")
        paths.append(f"{where}/__pycache__/module{number}.cpython-311.pyc")
    texts = dist_info(name, version, paths, installer="pip")
    for path in paths:
        if path in texts:
            environment.write(path, texts[path].encode())
        else:
            environment.fill(path, small_size(rng))


def make_root(directory: str, cache_files: int, environments: int, paths: int, seed: int) -> None:
    """Write the whole root into an empty or absent directory."""
    rng = random.Random(seed)
    packages = plan_packages(rng, cache_files)
    # Some packages are in the cache only: old ones that no environment uses any more.
    popularity = [rng.paretovariate(1.2) * (rng.random() > 0.15) for _ in packages]
    popularity[0] = 1e9  # python, in every environment
    pkgs = f"{directory}/pkgs"
    left = paths - write_cache(pkgs, packages, rng)
    os.mkdir(f"{directory}/envs")
    records: dict[str, bytes] = {}
    shares = [rng.uniform(0.7, 1.3) for _ in range(environments)]
    for number, share in enumerate(shares):
        room = int(left * share / sum(shares[number:]))
        name = _NAMES[number] if number < len(_NAMES) else f"env{number:02d}"
        top = f"{directory}/envs/{name}"
        # Room for what pip brings, on average.
        chosen = choose(rng, packages, popularity, room - 600)
        left -= write_environment(top, pkgs, chosen, records, rng)


def parser() -> argparse.ArgumentParser:
    """The command line; also the source of the defaults of the benchmark."""
    found = argparse.ArgumentParser(description="Write a big conda-like root.")
    found.add_argument("directory", metavar="DIR", help="an empty or absent directory")
    add_sizes(found)
    return found


def add_sizes(to: argparse.ArgumentParser) -> None:
    """Add the options that say how big the root is."""
    group = to.add_argument_group("the generated root")
    group.add_argument("--cache-files", type=int, default=130_000, metavar="N")
    group.add_argument("--environments", type=int, default=12, metavar="N")
    group.add_argument("--paths", type=int, default=1_030_000, metavar="N", help="in all, about")
    group.add_argument("--seed", type=int, default=1, metavar="N")


def sizes_of(options: argparse.Namespace) -> dict[str, int]:
    """The sizes that the options of `add_sizes` say."""
    names = ("cache_files", "environments", "paths", "seed")
    return {name: getattr(options, name) for name in names}


def main() -> int:
    """Run the command line."""
    options = parser().parse_args()
    directory = os.path.abspath(options.directory)
    if min(options.cache_files, options.environments) < 1 or options.paths < options.cache_files:
        print("sizes must be positive, and --paths more than --cache-files", file=sys.stderr)
        return 2
    try:
        if os.listdir(directory):
            print(f"{directory} is not empty: nothing written", file=sys.stderr)
            return 1
    except FileNotFoundError:
        os.makedirs(directory)
    except NotADirectoryError:
        print(f"{directory} is not a directory: nothing written", file=sys.stderr)
        return 1
    start = time.monotonic()
    sizes = (options.cache_files, options.environments, options.paths, options.seed)
    make_root(directory, *sizes)
    print(f"{directory}: written in {time.monotonic() - start:.0f} s, seed {options.seed}")
    print(census([f"{directory}/{name}" for name in ("pkgs", "envs")]).lines())
    return 0


if __name__ == "__main__":
    sys.exit(main())
