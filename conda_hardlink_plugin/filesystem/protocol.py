"""The operations that every platform provides: open directories, files, links, locks, mounts.

A name is relative to an open directory, and no symbolic link is followed, so that another process
cannot redirect an operation by replacing a directory with a link. A handle is an open file or
directory of the platform; the caller closes it. Every function raises the `OSError` of the system.
"""

from __future__ import annotations

import stat
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from os import DirEntry

    from .mounts import MountTable

Handle = int
Identity = tuple[int, int]  # device and inode: the same file or directory by any path
Owner = int
DirectoryFacts = tuple[int, int, int, int, int, int]
"""Device, inode, mtime_ns, ctime_ns, size and allocated bytes of a directory."""
EntryFacts = tuple[int, int, int, int]
"""Inode, link count, size and allocated bytes of a file."""


class FileStatus(NamedTuple):
    """The status of a file or directory.

    A named tuple, because one is created for every file, and a data class takes seven times longer.

    Attributes:
        device: Device number (`st_dev`; on Windows the serial number of the volume).
        inode: Inode number (`st_ino`; on Windows the file ID).
        mode: Type and permissions, as in `st_mode`.
        link_count: Number of hard links.
        disk_bytes: Allocated bytes.
        size_bytes: Apparent size.
        mtime_ns: Time of the last change of content, in nanoseconds since the epoch.
        ctime_ns: Time of the last change of content, status or links (Windows: ChangeTime).
        owner: The user that owns it.

    """

    device: int
    inode: int
    mode: int
    link_count: int
    disk_bytes: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    owner: Owner

    @property
    def identity(self) -> Identity:
        """Device and inode."""
        return self.device, self.inode

    @property
    def directory_facts(self) -> DirectoryFacts:
        """The values that change whenever an entry of the directory is added or removed."""
        return (
            self.device, self.inode, self.mtime_ns, self.ctime_ns, self.size_bytes, self.disk_bytes
        )  # fmt: skip

    @property
    def entry_facts(self) -> EntryFacts:
        """The values from which every figure about a file is computed."""
        return self.inode, self.link_count, self.size_bytes, self.disk_bytes

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        """Whether this is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_symlink(self) -> bool:
        """Whether this is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_writable_by_others(self) -> bool:
        """Whether the group or everyone has write permission."""
        return bool(self.mode & (stat.S_IWGRP | stat.S_IWOTH))


class Access(Enum):
    """The purpose of opening a file.

    Attributes:
        READ: Read.
        CHANGE: Read, write and lock.
        APPEND: Write at the end of the file.
        CREATE: Like CHANGE, for a new file; fails if the file exists.
        CREATE_APPENDING: Like CREATE, and every write appends.
        LOCK: Like CHANGE; creates the file if it does not exist.

    """

    READ = "read"
    CHANGE = "change"
    APPEND = "append"
    CREATE = "create"
    CREATE_APPENDING = "create appending"
    LOCK = "lock"


class Filesystem(Protocol):
    """The operations of one platform."""

    can_scan: bool
    """Whether directories can be listed and read by handle."""
    can_remove_safely: bool
    """Whether entries can be renamed and removed relative to an open directory."""
    max_symlinks: int
    """Maximum number of symbolic links that the resolution of one path may follow."""
    max_path_bytes: int
    """Maximum length of a path."""

    # Open and close

    def open_root(self, path: str) -> Handle:
        """Open the directory at a path; follows a symbolic link."""

    def open_directory(self, name: str | bytes, parent: Handle) -> Handle:
        """Open a subdirectory of an open directory; fails for a symbolic link."""

    def locate_directory(self, name: str, parent: Handle) -> Handle:
        """Open a subdirectory, for its status and permissions only, without needing any on it."""

    def open_own_directory(self, path: str) -> Handle:
        """Open the directory at a path; fails if its last component is a symbolic link."""

    def open_file(
        self,
        name: str,
        access: Access,
        *,
        parent: Handle | None = None,
        follow_symlinks: bool = False,
        mode: int = 0o600,
    ) -> Handle:
        """Open a file without blocking, even if it is a FIFO without a writer.

        Args:
            name: The name in `parent`, or a path.
            access: The purpose of opening the file.
            parent: The directory of the file.
            follow_symlinks: Follow a symbolic link; otherwise opening a link fails.
            mode: The permissions of a new file.

        """

    def read_bytes(self, handle: Handle, size_bytes: int) -> bytes:
        """Return at most the next `size_bytes` of an open file."""

    def duplicate(self, handle: Handle) -> Handle:
        """Return a second handle of the same directory."""

    def close(self, handle: Handle) -> None:
        """Close a handle."""

    def most_open_directories(self) -> int:
        """Return the maximum number of open handles of this process; 0 if it is unlimited."""

    # Status and listings

    def status(self, path: str, *, follow_symlinks: bool = False) -> FileStatus:
        """Return the status of the file at a path."""

    def status_at(self, name: str | bytes, parent: Handle) -> FileStatus:
        """Return the status of a file in an open directory; does not follow a symbolic link."""

    def status_of(self, handle: Handle) -> FileStatus:
        """Return the status of an open file or directory."""

    block_bytes: int
    """Unit of the last of `raw_facts`."""

    def raw_status_of(self, handle: Handle) -> os.stat_result:
        """Return the status of an open file as the system gives it, in less time."""

    def raw_facts(self, raw: os.stat_result) -> tuple[int, int, int, int, int]:
        """Return device, inode, link count, size and blocks of a status of the system."""

    def directory_facts(self, raw: os.stat_result) -> DirectoryFacts:
        """Return `FileStatus.directory_facts` of a status of the system."""

    def from_raw(self, raw: os.stat_result) -> FileStatus:
        """Convert a status of the system."""

    def directory_facts_at(
        self, names: Iterable[str | bytes], parent: Handle
    ) -> list[DirectoryFacts]:
        """Return `FileStatus.directory_facts` of several directories, in less time."""

    def directory_facts_of(self, handle: Handle) -> DirectoryFacts:
        """Return `FileStatus.directory_facts` of an open directory, in less time."""

    def entry_facts_at(self, names: Iterable[str | bytes], parent: Handle) -> list[EntryFacts]:
        """Return `FileStatus.entry_facts` of several files, in less time."""

    def scan(self, handle: Handle) -> AbstractContextManager[Iterator[DirEntry[str]]]:
        """List an open directory: names, inode numbers and types."""

    def list_names(self, handle: Handle) -> list[str]:
        """Return the names in an open directory."""

    def read_link_at(self, name: str, parent: Handle) -> str:
        """Return the text of a symbolic link in an open directory."""

    def mount_of(self, handle: Handle) -> tuple[int, str]:
        """Return a value that identifies the mount of an open directory.

        The device alone does not: a bind mount shows another directory of the same device.
        """

    # Changes

    def make_directory(self, name: str, parent: Handle, mode: int = 0o777) -> None:
        """Create a subdirectory of an open directory."""

    def rename(self, name: str, parent: Handle, new_name: str, new_parent: Handle) -> None:
        """Rename a file or directory; replaces an empty directory of the new name."""

    def link(self, name: str, parent: Handle, new_name: str, new_parent: Handle) -> None:
        """Create a hard link; does not follow a symbolic link."""

    def unlink(self, name: str, parent: Handle) -> None:
        """Remove an entry that is not a directory."""

    def remove_directory(self, name: str, parent: Handle) -> None:
        """Remove an empty directory."""

    def make_writable(self, handle: Handle) -> None:
        """Allow the owner to list, enter and change an open directory."""

    def take_over_permissions(self, handle: Handle, path: str) -> None:
        """Copy permissions and, if allowed, ownership from the file at a path to an open file."""

    # Locks

    def lock_file(self, handle: Handle) -> None:
        """Lock a whole file without waiting; raises `BlockingIOError` if it is locked."""

    def lock_byte(self, handle: Handle, offset: int) -> None:
        """Lock one byte of a file without waiting, as conda and mamba do."""

    def is_locked(self, handle: Handle) -> bool:
        """Return whether a whole file is locked."""

    def lock_holder(self, handle: Handle) -> str:
        """Return a phrase that names the process that holds a lock on a file."""

    # Users

    def current_user(self) -> Owner:
        """Return the user that owns the files this process creates."""

    def is_administrator(self) -> bool:
        """Return whether this process may read and write the files of all users."""

    def user_name(self, owner: Owner) -> str:
        """Return the name of a user."""

    def all_homes(self) -> list[str]:
        """Return the home directories of all users."""

    def cache_home(self, home: str | None = None) -> str:
        """Return the directory for cached files of a user, given their home; default: this user."""

    def hard_links_are_protected(self) -> bool:
        """Return whether the system forbids hard links to files of other users."""

    # Processes

    def voluntary_switches(self) -> int:
        """Return how often this thread, or this process, gave up the processor to wait."""

    def processors(self) -> int:
        """Return the number of processors that this process may use."""

    # Filesystems

    def read_mounts(self) -> MountTable:
        """Return the mount table."""

    def free_bytes(self, path: str) -> int:
        """Return the free space available to this user on the filesystem of a path."""

    def is_own_descriptor(self, directory: str) -> bool:
        """Return whether the names in a directory stand for open files of this process."""
