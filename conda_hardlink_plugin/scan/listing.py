"""What is in a directory, before anything of it is counted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

Entry = tuple[str, int, "os.stat_result | OSError | None"]


class UntrustedDeviceError(Exception):
    """The inode numbers in directory listings of a device are not those of its files.

    Attributes:
        device: The `st_dev` of the directories on it.

    """

    def __init__(self, device: int) -> None:
        """Name the device by its `st_dev`."""
        super().__init__(device)
        self.device = device


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a directory.

    Attributes:
        descriptor: Opens the directory.
        status: Its `fstat`.
        plain: Entries whose inode was known were not looked at, and directories are apart.
        entries: Of each entry the name, the inode number by the listing, and its `lstat`, or why
            there is none; `None` where the inode was known.
        children: The names of its directories if it is plain, else none: they are among `entries`.
        problem: Why it could not be listed to its end.

    """

    descriptor: int
    status: os.stat_result
    plain: bool
    entries: list[Entry]
    children: list[str]
    problem: OSError | None


def list_all(descriptor: int, status: os.stat_result) -> Listing:
    """List a directory, and look at each of its entries."""
    entries: list[Entry] = []
    problem = None
    try:
        with os.scandir(descriptor) as listed:
            entries.extend(
                (entry.name, entry.inode(), _look_at(entry.name, descriptor)) for entry in listed
            )
    except OSError as error:
        problem = error
    return Listing(descriptor, status, plain=False, entries=entries, children=[], problem=problem)


def list_plain(
    descriptor: int, status: os.stat_result, known: Container[int], *, has_subvolumes: bool
) -> Listing:
    """List a directory, and look at those entries whose inode is not known.

    Args:
        descriptor: Opens the directory.
        status: Its `fstat`.
        known: Numbers of inodes of its device that need no `lstat`.
        has_subvolumes: A directory may be listed with the inode number of some file.

    """
    entries: list[Entry] = []
    children: list[str] = []
    problem = None
    try:
        with os.scandir(descriptor) as listed:
            for entry in listed:
                name, number = entry.name, entry.inode()
                is_known = number in known
                if (has_subvolumes or not is_known) and entry.is_dir(follow_symlinks=False):
                    children.append(name)
                else:
                    found = None if is_known else _look_at(name, descriptor)
                    entries.append((name, number, found))
    except OSError as error:
        problem = error
    return Listing(
        descriptor, status, plain=True, entries=entries, children=children, problem=problem
    )


def _look_at(name: str, descriptor: int) -> os.stat_result | OSError:
    try:
        return os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except OSError as error:
        return error
