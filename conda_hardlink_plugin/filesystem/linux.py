"""The operations of `protocol.Filesystem` on Linux."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from operator import attrgetter
from typing import TYPE_CHECKING

from .protocol import Access, FileStatus

with contextlib.suppress(ImportError):  # Windows has neither
    import fcntl
    import pwd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from os import DirEntry

    from .mounts import MountTable
    from .protocol import DirectoryFacts, EntryFacts, Handle, Owner

block_bytes = 512  # the unit of st_blocks, stat(3type)

can_scan = os.scandir in os.supports_fd and os.open in os.supports_dir_fd
can_remove_safely = (
    can_scan
    and {os.stat, os.rename, os.unlink, os.rmdir, os.mkdir} <= os.supports_dir_fd
    and hasattr(os, "O_NOFOLLOW")
)
max_symlinks = 40  # path_resolution(7)
max_path_bytes = 4096  # PATH_MAX, limits.h

_ROOT = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FILE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_FLAGS_OF_ACCESS = {
    Access.READ: os.O_RDONLY,
    Access.CHANGE: os.O_RDWR,
    Access.APPEND: os.O_WRONLY | os.O_APPEND,
    Access.CREATE: os.O_RDWR | os.O_CREAT | os.O_EXCL,
    Access.CREATE_APPENDING: os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND,
    Access.LOCK: os.O_RDWR | os.O_CREAT,
}
_PROTECTED = "/proc/sys/fs/protected_hardlinks"  # proc_sys_fs(5)


raw_facts = attrgetter("st_dev", "st_ino", "st_nlink", "st_size", "st_blocks")


def from_raw(found: os.stat_result) -> FileStatus:
    """Convert a `stat` result to `FileStatus`."""
    return FileStatus(
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_nlink,
        found.st_blocks * block_bytes,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_uid,
    )


def directory_facts(found: os.stat_result) -> DirectoryFacts:
    """Convert the `stat` result of a directory to `FileStatus.directory_facts`."""
    return (
        found.st_dev,
        found.st_ino,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_size,
        found.st_blocks * block_bytes,
    )


# Open and close


def open_root(path: str) -> Handle:
    return os.open(path, _ROOT)


def open_directory(name: str | bytes, parent: Handle) -> Handle:
    return os.open(name, _ROOT | _NO_FOLLOW, dir_fd=parent)


def locate_directory(name: str, parent: Handle) -> Handle:
    return os.open(name, _ROOT | _NO_FOLLOW | getattr(os, "O_PATH", 0), dir_fd=parent)


def open_own_directory(path: str) -> Handle:
    return os.open(path, _ROOT | _NO_FOLLOW)


def open_file(
    name: str,
    access: Access,
    *,
    parent: Handle | None = None,
    follow_symlinks: bool = False,
    mode: int = 0o600,
) -> Handle:
    flags = _FLAGS_OF_ACCESS[access] | _FILE | (0 if follow_symlinks else _NO_FOLLOW)
    return os.open(name, flags, mode, dir_fd=parent)


def read_bytes(handle: Handle, size_bytes: int) -> bytes:
    content = os.read(handle, size_bytes)
    while len(content) < size_bytes:
        more = os.read(handle, size_bytes - len(content))
        if not more:
            break
        content += more
    return content


def duplicate(handle: Handle) -> Handle:
    return os.dup(handle)  # a call, not an alias, so that replacing `os.dup` has an effect


def close(handle: Handle) -> None:
    os.close(handle)


def most_open_directories() -> int:
    return max(os.sysconf("SC_OPEN_MAX"), 0)  # negative if there is no limit


# Status and listings


def status(path: str, *, follow_symlinks: bool = False) -> FileStatus:
    return from_raw(os.stat(path) if follow_symlinks else os.lstat(path))


def status_at(name: str | bytes, parent: Handle) -> FileStatus:
    return from_raw(os.stat(name, dir_fd=parent, follow_symlinks=False))


def status_of(handle: Handle) -> FileStatus:
    return from_raw(os.fstat(handle))


def raw_status_of(handle: Handle) -> os.stat_result:
    return os.fstat(handle)


def directory_facts_at(names: Iterable[str | bytes], parent: Handle) -> list[DirectoryFacts]:
    return [directory_facts(os.stat(name, dir_fd=parent)) for name in names]


def directory_facts_of(handle: Handle) -> DirectoryFacts:
    return directory_facts(os.fstat(handle))


def entry_facts_at(names: Iterable[str | bytes], parent: Handle) -> list[EntryFacts]:
    return [
        (found.st_ino, found.st_nlink, found.st_size, found.st_blocks * block_bytes)
        for name in names
        for found in (os.stat(name, dir_fd=parent, follow_symlinks=False),)
    ]


def scan(handle: Handle) -> AbstractContextManager[Iterator[DirEntry[str]]]:
    return os.scandir(handle)


def list_names(handle: Handle) -> list[str]:
    return os.listdir(handle)


def read_link_at(name: str, parent: Handle) -> str:
    return os.readlink(name, dir_fd=parent)


def mount_of(handle: Handle) -> tuple[int, str]:
    """Return the device and, if the system publishes it, the mount ID (proc_pid_fdinfo(5))."""
    number = ""
    with (
        contextlib.suppress(OSError),
        open(f"/proc/self/fdinfo/{handle}", encoding="ascii") as file,
    ):
        number = next((line for line in file if line.startswith("mnt_id:")), "")
    return os.fstat(handle).st_dev, number


# Changes


def make_directory(name: str, parent: Handle, mode: int = 0o777) -> None:
    os.mkdir(name, mode, dir_fd=parent)


def rename(name: str, parent: Handle, new_name: str, new_parent: Handle) -> None:
    os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=new_parent)


def link(name: str, parent: Handle, new_name: str, new_parent: Handle) -> None:
    os.link(name, new_name, src_dir_fd=parent, dst_dir_fd=new_parent, follow_symlinks=False)


def unlink(name: str, parent: Handle) -> None:
    os.unlink(name, dir_fd=parent)


def remove_directory(name: str, parent: Handle) -> None:
    os.rmdir(name, dir_fd=parent)


def make_writable(handle: Handle) -> None:
    try:
        os.fchmod(handle, stat.S_IRWXU)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        os.chmod(f"/proc/self/fd/{handle}", stat.S_IRWXU)  # open(2), O_PATH


def take_over_permissions(handle: Handle, path: str) -> None:
    before = os.stat(path)
    with contextlib.suppress(PermissionError):
        os.fchown(handle, before.st_uid, before.st_gid)
    os.fchmod(handle, stat.S_IMODE(before.st_mode))


# Locks


def lock_file(handle: Handle) -> None:
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock_byte(handle: Handle, offset: int) -> None:
    fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)


def is_locked(handle: Handle) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def lock_holder(handle: Handle) -> str:
    """Describe the process that `/proc/locks` names (proc_locks(5))."""
    found = os.fstat(handle)
    file_id = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
        holder = next(words[4] for words in lines if words[1] != "->" and words[5] == file_id)
        with open(f"/proc/{holder}/comm", encoding="utf-8", errors="replace") as file:
            return f"process {holder} ({file.read().strip()})"
    except (OSError, StopIteration, IndexError, ValueError):
        return "another process"


# Users


def current_user() -> Owner:
    return os.geteuid()


def is_administrator() -> bool:
    return os.geteuid() == 0


def user_name(owner: Owner) -> str:
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"user {owner}"


def all_homes() -> list[str]:
    return [entry.pw_dir for entry in pwd.getpwall() if entry.pw_dir]


def cache_home(home: str | None = None) -> str:
    """Return `XDG_CACHE_HOME` or `~/.cache` (XDG Base Directory Specification)."""
    base = home or os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(base, "Library", "Caches")
    if home is None and os.path.isabs(os.environ.get("XDG_CACHE_HOME", "")):
        return os.environ["XDG_CACHE_HOME"]
    return os.path.join(base, ".cache")


def hard_links_are_protected() -> bool:
    try:
        with open(_PROTECTED, encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


# Processes


def voluntary_switches() -> int:
    import resource  # noqa: PLC0415  # not on Windows

    return resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)).ru_nvcsw


def processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# Filesystems


def read_mounts() -> MountTable:
    from .mounts import read_mount_table  # noqa: PLC0415  # workers start faster without it

    return read_mount_table()


def free_bytes(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def is_own_descriptor(directory: str) -> bool:
    return directory.startswith("/proc/") or directory == "/dev/fd"
