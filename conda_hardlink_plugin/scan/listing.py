"""What is in a directory, before anything of it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filesystem import fs

if TYPE_CHECKING:
    from collections.abc import Container

    from ..filesystem.protocol import FileStatus, Handle

Entry = tuple[str, int, "FileStatus | OSError | None"]


class UntrustedDeviceError(Exception):
    """The inode numbers in directory listings of a device are not those of its files.

    Attributes:
        device: The number of the directories on it.

    """

    def __init__(self, device: int) -> None:
        """Name the device by its number."""
        super().__init__(device)
        self.device = device


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a directory.

    Attributes:
        handle: Opens the directory.
        status: What is known of it.
        plain: Entries whose inode was known were not looked at, and directories are apart.
        entries: Of each entry the name, the inode number by the listing, and its `lstat`, or why
            there is none; `None` where the inode was known.
        children: The names of its directories if it is plain, else none: they are among `entries`.
        problem: Why it could not be listed to its end.

    """

    handle: Handle
    status: FileStatus
    plain: bool
    entries: list[Entry]
    children: list[str]
    problem: OSError | None


def list_all(handle: Handle, status: FileStatus) -> Listing:
    """List a directory, and look at each of its entries."""
    entries: list[Entry] = []
    problem = None
    try:
        with fs.scan(handle) as listed:
            entries.extend(
                (entry.name, entry.inode(), _look_at(entry.name, handle)) for entry in listed
            )
    except OSError as error:
        problem = error
    return Listing(handle, status, plain=False, entries=entries, children=[], problem=problem)


def list_plain(
    handle: Handle, status: FileStatus, known: Container[int], *, has_subvolumes: bool
) -> Listing:
    """List a directory, and look at those entries whose inode is not known.

    Args:
        handle: Opens the directory.
        status: What is known of it.
        known: Numbers of inodes of its device that need no `lstat`.
        has_subvolumes: A directory may be listed with the inode number of some file.

    """
    entries: list[Entry] = []
    children: list[str] = []
    problem = None
    try:
        with fs.scan(handle) as listed:
            for entry in listed:
                name, number = entry.name, entry.inode()
                is_known = number in known
                if (has_subvolumes or not is_known) and entry.is_dir(follow_symlinks=False):
                    children.append(name)
                else:
                    found = None if is_known else _look_at(name, handle)
                    entries.append((name, number, found))
    except OSError as error:
        problem = error
    return Listing(handle, status, plain=True, entries=entries, children=children, problem=problem)


def _look_at(name: str, handle: Handle) -> FileStatus | OSError:
    try:
        return fs.status_at(name, handle)
    except OSError as error:
        return error
