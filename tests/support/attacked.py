"""A cache to attack during a clean, and a precious folder that must not change."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.scenarios import quick_directory
from tests.support.small_installation import SmallInstallation
from tests.support.trees import package, write

if TYPE_CHECKING:
    from collections.abc import Iterator

DIST = "thing-1-0"
FILES = {f"lib/{number}": b"x" * 500 for number in range(6)}
EVERYTHING = {"tarballs": True, "trash": True}


@contextmanager
def attacked_installation(directory: str) -> Iterator[SmallInstallation]:
    """Make a cache, `pkgs`, and an identical one in a precious folder outside."""
    with quick_directory(directory) as quick:
        made = SmallInstallation(quick)
        made.caches.append(f"{quick}/pkgs")
        fill(f"{quick}/pkgs")
        fill(f"{quick}/precious/pkgs")
        yield made


def fill(cache: str) -> None:
    """Fill a cache with packages, archives and left-overs that a clean removes."""
    for folder in (cache, f"{cache}/https/host"):
        package(folder, DIST, FILES)
        write(f"{folder}/{DIST}.conda", b"archive")
        write(f"{folder}/urls.txt", f"https://host/{DIST}.conda\n".encode())
    package(cache, "old.c~", FILES)


def look(directory: str) -> dict[str, tuple[object, ...]]:
    """Return mode, owner and content of everything below a folder, by relative path."""
    found = {}
    for folder, folders, names in os.walk(directory):
        for name in (*folders, *names):
            path = f"{folder}/{name}"
            status = os.lstat(path)
            content: object = ""
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            found[path[len(directory) :]] = (status.st_mode, status.st_uid, content)
    return found
