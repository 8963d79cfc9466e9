"""Small real trees on disk: package caches, environments linked from them, and random ones."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from conda_hardlink_plugin.scan.inventory import Root, RootKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

QUARANTINE = ".conda-hardlinks"
MOVED_ASIDE = (
    "moving-r1-a-1-0",
    "moving-r1-https%2Fb-1-0",
    "purge-r1-a-1-0",
    "held-9-r1-x-1-0.conda",
)
LEFTOVERS = (
    "a.c~",
    ".trash",
    "a-1-0.conda.c~",
    "a-1-0.conda_trash_2",
    "b.conda_trash",
    "b.mamba_trash",
)
ODD_NAMES = (
    "new\nline",
    "\x1b[31mred\x1b[0m",
    "with space",
    " ",
    "-rf",
    "ünïcödé",
    os.fsdecode(b"latin-\xe9"),
    os.fsdecode(b"\xff\xfe"),
    "tab\tand\\slash",
    "*?[x]",
    "'\"$(x)",
)


def cache_root(path: str) -> Root:
    return Root(RootKind.CACHE, path)


def environment_root(path: str) -> Root:
    return Root(RootKind.ENVIRONMENT, path)


def write(path: str, content: bytes = b"") -> str:
    """Write a file, creating its directories; return its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    return path


def write_sparse(path: str, size: int) -> str:
    """Create a sparse file: its apparent size exceeds its disk usage; return its path."""
    write(path, b"start")
    os.truncate(path, size)
    return path


def link(source: str, path: str) -> str:
    """Create a hard link, creating its directories; return its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.link(source, path, follow_symlinks=False)
    return path


def symlink(target: str, path: str) -> str:
    """Create a symbolic link, creating its directories; return its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(target, path)
    return path


def many_links(source: str, directory: str, count: int) -> None:
    """Create many hard links in a directory, for a scan to report its progress."""
    os.makedirs(directory, exist_ok=True)
    for number in range(count):
        os.link(source, f"{directory}/{number}")


def package(cache: str, name: str, files: Mapping[str, bytes] | None = None) -> str:
    """Create an extracted package that can be downloaded again; return its path."""
    path = f"{cache}/{name}"
    write(f"{path}/info/index.json", b'{"name": "made up"}')
    write(f"{path}/info/repodata_record.json", b'{"url": "https://made.up/p-1-0.conda"}')
    for relative, content in (files or {}).items():
        write(f"{path}/{relative}", content)
    return path


def install(extracted: str, prefix: str) -> None:
    """Hard-link the files of a package into an environment, as conda does."""
    for directory, names, files in os.walk(extracted):
        if directory == extracted:
            names[:] = [name for name in names if name != "info"]
        relative = os.path.relpath(directory, extracted)
        for name in files:
            link(f"{directory}/{name}", os.path.normpath(f"{prefix}/{relative}/{name}"))
    name = os.path.basename(extracted)
    write(f"{prefix}/conda-meta/{name}.json", b'{"name": "made up"}')
    write(f"{prefix}/conda-meta/history")


@dataclass(frozen=True)
class Installation:
    """A cache with two packages and a tarball, and two environments linked from it.

    `shared` is in both environments, `mine` in `first` alone, `unused` in none; each environment
    has files of its own.
    """

    cache: str
    shared: str
    mine: str
    unused: str
    tarball: str
    first: str
    second: str

    @property
    def roots(self) -> list[Root]:
        return [
            cache_root(self.cache),
            environment_root(self.first),
            environment_root(self.second),
        ]

    @property
    def paths(self) -> list[str]:
        return [root.path for root in self.roots]


def make_installation(top: str) -> Installation:
    """Create a small installation below an existing directory."""
    made = Installation(
        cache=f"{top}/pkgs",
        shared=package(
            f"{top}/pkgs", "shared-1-0", {"lib/big": b"s" * 70_000, "lib/small": b"s", "empty": b""}
        ),
        mine=package(f"{top}/pkgs", "mine-1-0", {"bin/tool": b"m" * 9_000, "lib/mine": b"m" * 5}),
        unused=package(f"{top}/pkgs", "unused-1-0", {"lib/unused": b"u" * 30_000}),
        tarball=write(f"{top}/pkgs/shared-1-0.conda", b"t" * 20_000),
        first=f"{top}/envs/first",
        second=f"{top}/envs/second",
    )
    write(f"{top}/pkgs/urls.txt", b"https://made.up/\n")
    install(made.shared, made.first)
    install(made.mine, made.first)
    install(made.shared, made.second)
    write(f"{made.first}/lib/own", b"o" * 12_345)
    write(f"{made.second}/lib/own", b"o" * 54_321)
    return made


class Kind(Enum):
    """The kinds of entries in a random tree."""

    DIRECTORY = "directory"
    PACKAGE = "package"
    FILE = "file"
    SPARSE = "sparse"
    LINK = "link"
    SYMLINK = "symlink"
    PIPE = "pipe"


@dataclass(frozen=True)
class Step:
    """One entry to create in one of the existing directories."""

    kind: Kind
    directory: int
    name: str
    number: int
    target: str


@dataclass(frozen=True)
class Layout:
    """The layout of a random tree: whether roots are nested, and the entries to create."""

    nested: bool
    steps: list[Step]


@dataclass
class RandomTree:
    """A random tree on disk."""

    base: str
    outside: str
    roots: list[Root]
    directories: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [root.path for root in self.roots]

    def make(self, step: Step) -> None:
        directory = self.directories[step.directory % len(self.directories)]
        path = f"{directory}/{step.name}"
        if step.kind is Kind.DIRECTORY:
            os.mkdir(path)
            self.directories.append(path)
            return
        if step.kind is Kind.PACKAGE:
            os.mkdir(path)
            self.directories += [path, f"{path}/info"]
            path = write(f"{path}/info/index.json", b"{}")
        elif step.kind is Kind.FILE:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            write(path, b"x" * step.number)
        elif step.kind is Kind.SPARSE:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.truncate(path, step.number * 1000)
        elif step.kind is Kind.SYMLINK:
            os.symlink(step.target, path)
        elif step.kind is Kind.PIPE:
            os.mkfifo(path)
        elif self.files:
            source = self.files[step.number % len(self.files)]
            os.link(source, path, follow_symlinks=False)
        else:
            return
        self.files.append(path)


_names = st.one_of(
    st.sampled_from(ODD_NAMES),
    st.sampled_from(["a", "b", "c", "lib", "info", "index.json", "x-1-0.conda", "y-1-0.tar.bz2"]),
    st.sampled_from([*LEFTOVERS, *MOVED_ASIDE]),
    st.binary(min_size=1, max_size=8)
    .filter(lambda name: not {0, ord("/")} & set(name) and name not in (b".", b".."))
    .map(os.fsdecode),
)
_targets = st.sampled_from(
    ["a", ".", "..", "../..", "a/../b", "../../../pkgs", "/nowhere", "lib/../../a", "./x-1-0.conda"]
)
_steps = st.builds(
    Step,
    kind=st.sampled_from([*Kind, Kind.FILE, Kind.LINK, Kind.LINK, Kind.LINK]),
    directory=st.integers(0, 60),
    name=_names,
    number=st.one_of(st.sampled_from([0, 1, 59, 4096]), st.integers(0, 20_000)),
    target=_targets,
)
_few_or_many = st.one_of(st.lists(_steps, max_size=12), st.lists(_steps, min_size=20, max_size=60))
layouts = st.builds(Layout, nested=st.booleans(), steps=_few_or_many)
flat_layouts = st.builds(Layout, nested=st.just(False), steps=_few_or_many)


@contextlib.contextmanager
def random_tree(layout: Layout) -> Iterator[RandomTree]:
    """Create a random tree: two caches, three environments, and a directory outside all of them.

    A nested one has roots inside other roots: the base holds everything, as conda's does, one
    environment holds another, and one a cache.
    """
    with tempfile.TemporaryDirectory() as top:
        base, outside = f"{top}/base", f"{top}/outside"
        caches = [f"{base}/pkgs", f"{base}/more/pkgs"]
        environments = [f"{base}/envs/a", f"{base}/envs/b", f"{base}/envs/c"]
        if layout.nested:
            caches.append(f"{base}/envs/b/pkgs")
            environments += [f"{base}/envs/a/inner", base]
        quarantines = [f"{path}/{QUARANTINE}" for path in caches]
        directories = [*caches, *environments, outside, *quarantines]
        for path in directories:
            os.makedirs(path, exist_ok=True)
        roots = [cache_root(path) for path in caches]
        roots += [environment_root(path) for path in environments]
        tree = RandomTree(base, outside, roots, directories=directories)
        for step in layout.steps:
            with contextlib.suppress(FileExistsError):
                tree.make(step)
        yield tree


def special_files(directory: str) -> list[str]:
    """Create a pipe, a socket and, if allowed, a device; return their paths."""
    made = [f"{directory}/pipe", f"{directory}/socket", f"{directory}/device"]
    os.mkfifo(made[0])
    os.mknod(made[1], stat.S_IFSOCK | 0o600)
    try:
        os.mknod(made[2], stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        made.pop()
    return made


def make_chain(top: str, depth: int, name: str, source: str) -> None:
    """Create nested directories, deeper than a path can reach.

    Every level has a file of its own, and every hundredth level also has a hard link to `source`
    and two more directories.
    """
    descriptor = os.open(top, os.O_RDONLY)
    try:
        for level in range(depth):
            own = os.open("own", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor)
            os.write(own, b"x" * (level % 50))
            os.close(own)
            if level % 100 == 0:
                os.link(source, "linked", dst_dir_fd=descriptor)
                for sibling in ("0-before", "zz-after"):
                    os.mkdir(sibling, dir_fd=descriptor)
                    os.mkdir(f"{sibling}/leaf", dir_fd=descriptor)
            os.mkdir(name, dir_fd=descriptor)
            below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
    finally:
        os.close(descriptor)
