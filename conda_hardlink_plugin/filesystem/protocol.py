"""What every platform provides: directories that are held open, files, links, locks, mounts.

A name is always relative to an open directory, and no symbolic link is followed on the way, so that
nobody can exchange a folder for a link meanwhile. A handle is whatever the platform opens; the
caller closes it. Every function raises `OSError` as the system reports it.
"""

from __future__ import annotations

import stat
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from os import DirEntry

    from .mounts import MountTable

Handle = int
Identity = tuple[int, int]  # device and file number: one file or folder, whatever its spelling
Owner = int
DirectoryFacts = tuple[int, int, int, int, int, int]
"""Device, inode, mtime_ns, ctime_ns, size and allocated bytes of a folder."""
EntryFacts = tuple[int, int, int, int]
"""Inode, link count, size and allocated bytes of a file."""


class FileStatus(NamedTuple):
    """What is known of a file or folder.

    A named tuple: one is made for each file, in a seventh of the time of a data class.

    Attributes:
        device: Number of the filesystem (`st_dev`; Windows: the volume's serial number).
        inode: Number of the file on it (`st_ino`; Windows: the file ID).
        mode: Type and permissions, as `stat` has them.
        link_count: Directory entries that name it.
        disk_bytes: Allocated bytes.
        size_bytes: Length.
        mtime_ns: When its content changed, in nanoseconds since the epoch.
        ctime_ns: When it or its links changed (Windows: ChangeTime).
        owner: Whose it is.

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
        """What changes whenever an entry of a folder comes or goes."""
        return (
            self.device, self.inode, self.mtime_ns, self.ctime_ns, self.size_bytes, self.disk_bytes
        )  # fmt: skip

    @property
    def entry_facts(self) -> EntryFacts:
        """What every figure of a file is made of."""
        return self.inode, self.link_count, self.size_bytes, self.disk_bytes

    @property
    def is_directory(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_writable_by_others(self) -> bool:
        """Whether its group or everybody may write to it."""
        return bool(self.mode & (stat.S_IWGRP | stat.S_IWOTH))


class Access(Enum):
    """What a file is opened for.

    Attributes:
        READ: Reading it.
        CHANGE: Reading, writing and locking it.
        APPEND: Writing at its end.
        CREATE: As CHANGE; it is made, and must not be there.
        CREATE_APPENDING: As CREATE, and every write goes to its end.
        LOCK: As CHANGE; it is made if it is not there.

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
    """Directories can be listed and read by handle."""
    can_remove_safely: bool
    """What is renamed or removed can be named relative to an open directory."""
    symlink_limit: int
    """How many symbolic links one path may lead through."""
    path_limit_bytes: int
    """How long a path may be."""

    # Open and close

    def open_root(self, path: str) -> Handle:
        """Open the folder at a path; a symbolic link to one stands for it."""

    def open_directory(self, name: str | bytes, parent: Handle) -> Handle:
        """Open a folder in an open one; a symbolic link is refused."""

    def open_own_directory(self, path: str) -> Handle:
        """Open the folder at a path; a symbolic link in its place is refused."""

    def open_file(
        self,
        name: str,
        access: Access,
        *,
        parent: Handle | None = None,
        follow_symlinks: bool = False,
        mode: int = 0o600,
    ) -> Handle:
        """Open a file without waiting for anybody, as for the writer of a FIFO.

        Args:
            name: Its name in `parent`, or its path.
            access: What for.
            parent: The folder it is in.
            follow_symlinks: A symbolic link stands for what it leads to; else it is refused.
            mode: The permissions of a file that is made.

        """

    def duplicate(self, handle: Handle) -> Handle:
        """Return a second handle on the same folder."""

    def close(self, handle: Handle) -> None:
        """Close a handle."""

    def most_open_directories(self) -> int:
        """Return how many handles this process is allowed; 0 where there is no limit."""

    # Look

    def status(self, path: str, *, follow_symlinks: bool = False) -> FileStatus:
        """Return what is known of the file at a path."""

    def status_at(self, name: str | bytes, parent: Handle) -> FileStatus:
        """Return what is known of a file in an open folder; of a symbolic link itself."""

    def status_of(self, handle: Handle) -> FileStatus:
        """Return what is known of an open file or folder."""

    def directory_facts_at(self, name: str | bytes, parent: Handle) -> DirectoryFacts:
        """Return `FileStatus.directory_facts` of a folder, in less time."""

    def directory_facts_of(self, handle: Handle) -> DirectoryFacts:
        """Return the same of an open folder."""

    def entry_facts_at(self, name: str | bytes, parent: Handle) -> EntryFacts:
        """Return `FileStatus.entry_facts` of a file, in less time."""

    def scan(self, handle: Handle) -> AbstractContextManager[Iterator[DirEntry[str]]]:
        """List an open folder: names, inode numbers, and what is a folder."""

    def list_names(self, handle: Handle) -> list[str]:
        """List the names in an open folder."""

    def read_link_at(self, name: str, parent: Handle) -> str:
        """Return the text of a symbolic link in an open folder."""

    def mount_of(self, handle: Handle) -> tuple[int, str]:
        """Return what tells the mount that an open folder is on from all others.

        A bind mount shows another folder of the same device.
        """

    # Change

    def make_directory(self, name: str, parent: Handle, mode: int = 0o777) -> None:
        """Make a folder in an open one."""

    def rename(self, name: str, parent: Handle, new_name: str, new_parent: Handle) -> None:
        """Rename a file or folder; an empty folder of the new name is replaced."""

    def link(self, name: str, parent: Handle, new_name: str, new_parent: Handle) -> None:
        """Make another hard link to a file; of a symbolic link to itself."""

    def unlink(self, name: str, parent: Handle) -> None:
        """Remove one directory entry that is not a folder."""

    def remove_directory(self, name: str, parent: Handle) -> None:
        """Remove an empty folder."""

    def make_writable(self, handle: Handle) -> None:
        """Let the owner change what is in an open folder."""

    def take_over_permissions(self, handle: Handle, path: str) -> None:
        """Give an open file the permissions and, where allowed, the owner of the file at a path."""

    # Locks

    def lock_file(self, handle: Handle) -> None:
        """Lock a whole file without waiting: `BlockingIOError` where somebody has it."""

    def lock_byte(self, handle: Handle, offset: int) -> None:
        """Lock one byte of a file without waiting, as conda and mamba do."""

    def is_locked(self, handle: Handle) -> bool:
        """Tell whether somebody holds the lock of a whole file."""

    def lock_holder(self, handle: Handle) -> str:
        """Name the process that holds a lock on a file, as a phrase."""

    # Users

    def current_user(self) -> Owner:
        """Return as whom this process creates files."""

    def is_administrator(self) -> bool:
        """Tell whether this process may read and write everybody's files."""

    def user_name(self, owner: Owner) -> str:
        """Return the name of a user."""

    def all_homes(self) -> list[str]:
        """Return the home folders of all users."""

    def cache_home(self, home: str | None = None) -> str:
        """Return the folder for cached files: of a user by their home, by default of this one."""

    def hard_links_are_protected(self) -> bool:
        """Tell whether the system forbids hard links to other users' files."""

    # Filesystems

    def read_mounts(self) -> MountTable:
        """Return what is mounted where."""

    def free_bytes(self, path: str) -> int:
        """Return the free space that this user may use on the filesystem of a path."""

    def is_own_descriptor(self, folder: str) -> bool:
        """Tell whether names in a folder stand for what this process has open."""
