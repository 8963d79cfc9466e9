"""The contents of a directory, before anything in it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filesystem import fs

if TYPE_CHECKING:
    from collections.abc import Container

    from ..filesystem.protocol import FileStatus, Handle

Entry = tuple[str, int, "FileStatus | OSError | None"]


class UntrustedDeviceError(Exception):
    """The inode numbers in the directory listings of a device are not those of its files.

    Attributes:
        device: Device number of the directories.

    """

    def __init__(self, device: int) -> None:
        """Create the error for a device number."""
        super().__init__(device)
        self.device = device


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a directory.

    Attributes:
        handle: The open directory.
        status: Status of the directory.
        plain: Whether entries with a known inode were not examined.
        entries: For each entry the name, the inode number in the listing, and the status, or the
            error if it could not be examined; `None` if the inode is known.
        children: Names of the subdirectories.
        problem: Why the listing is incomplete, if it is.

    """

    handle: Handle
    status: FileStatus
    plain: bool
    entries: list[Entry]
    children: list[str]
    problem: OSError | None


def list_directory(
    handle: Handle,
    status: FileStatus,
    known: Container[int] | None = None,
    *,
    has_subvolumes: bool = False,
) -> Listing:
    """List a directory, and examine its entries.

    Args:
        handle: The open directory.
        status: Status of the directory.
        known: Numbers of the inodes on its device whose entries need not be examined, for a plain
            listing; `None` to examine every entry.
        has_subvolumes: Whether a directory may be listed with the inode number of some file.

    """
    plain = known is not None
    known = known or ()
    entries: list[Entry] = []
    children: list[str] = []
    problem = None
    try:
        with fs.scan(handle) as listed:
            for entry in listed:
                name, number = entry.name, entry.inode()
                is_known = number in known
                may_be_directory = has_subvolumes or not is_known
                if may_be_directory and entry.is_dir(follow_symlinks=False):
                    children.append(name)
                else:
                    entries.append((name, number, None if is_known else _examine(name, handle)))
    except OSError as error:
        problem = error
    return Listing(handle, status, plain, entries, children, problem)


def _examine(name: str, handle: Handle) -> FileStatus | OSError:
    try:
        return fs.status_at(name, handle)
    except OSError as error:
        return error
