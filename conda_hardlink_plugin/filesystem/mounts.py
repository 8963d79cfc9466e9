"""What is mounted where, from `/proc/self/mountinfo` (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .paths import is_within

MOUNTINFO = "/proc/self/mountinfo"
OVERLAYS = frozenset({"overlay", "aufs", "fuse.fuse-overlayfs"})
PSEUDO_FILESYSTEMS = frozenset({"proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs"})
SUBVOLUME_FILESYSTEMS = frozenset({"btrfs", "bcachefs"})
REFLINK_FILESYSTEMS = frozenset({"btrfs", "xfs", "bcachefs", "ocfs2", "zfs", "apfs"})

_FIELDS_BEFORE_DASH = 6


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted filesystem.

    Attributes:
        mount_point: Absolute path; of a directory, or of a single file that is bind-mounted.
        filesystem: Its type, as the kernel names it: `ext4`, `overlay`, `tmpfs`.
        device: Major and minor number of the filesystem, as the kernel writes them.
        shown: What of the filesystem is seen there: a path in it.

    """

    mount_point: str
    filesystem: str
    device: str = ""
    shown: str = "/"


@dataclass(frozen=True, slots=True)
class MountTable:
    """The mounts of this process.

    Attributes:
        mounts: In the kernel's order: of two at one place the later one is seen.
        known: False where the system does not tell (no `/proc`): then nothing may be concluded
            from a mount's absence.

    """

    mounts: tuple[Mount, ...]
    known: bool

    def mount_at(self, path: str) -> Mount | None:
        """Return what is mounted where a real path is, `None` if that is unknown."""
        best: Mount | None = None
        for mount in self.mounts:
            longer = best is None or len(mount.mount_point) >= len(best.mount_point)
            if longer and is_within(path, mount.mount_point):
                best = mount
        return best

    def filesystem(self, path: str) -> str:
        """Return the type of the filesystem that holds the real path `path`, `""` if unknown."""
        mount = self.mount_at(path)
        return mount.filesystem if mount else ""

    def views(self, path: str) -> list[tuple[str, str]]:
        """Return where else mounts show a folder, or a part of it.

        Args:
            path: Its real path.

        Returns:
            Real paths, each with what is there: `""` for the folder, or a path below it with `/`
            before it.

        """
        own = self.mount_at(path)
        if own is None:
            return []
        place = _joined(own.shown, path[len(own.mount_point.rstrip("/")) :])
        found = []
        for mount in self.mounts:
            if mount is own or mount.device != own.device:
                continue
            if is_within(place, mount.shown):
                below = place[len(mount.shown.rstrip("/")) :]
                found.append((_joined(mount.mount_point, below), ""))
            elif is_within(mount.shown, place):
                found.append((mount.mount_point, mount.shown[len(place) :]))
        return [(view, below) for view, below in found if view != path]

    def below(self, path: str) -> list[str]:
        """Return the mount points strictly below the real path `path`."""
        return [
            mount.mount_point
            for mount in self.mounts
            if mount.mount_point != path and is_within(mount.mount_point, path)
        ]


def is_in_user_space(filesystem: str) -> bool:
    """Tell by the type of a filesystem whether a program serves it, as `fuse.sshfs` (fuse(4))."""
    return filesystem.startswith("fuse")


def read_mount_table(mountinfo: str = MOUNTINFO) -> MountTable:
    """Read the mounts of this process; a table that is not `known` where they cannot be read."""
    try:
        with open(mountinfo, "rb") as file:
            lines = file.read().split(b"\n")  # a carriage return is part of a name
    except OSError:
        return MountTable((), known=False)
    return MountTable(tuple(mount for line in lines if (mount := _parse(line))), known=True)


def _parse(line: bytes) -> Mount | None:
    fields = line.split(b" ")
    try:
        dash = fields.index(b"-", _FIELDS_BEFORE_DASH)
        device, shown, mount_point, filesystem = *fields[2:5], fields[dash + 1]
    except (ValueError, IndexError):
        return None
    return Mount(
        _unescaped(mount_point), os.fsdecode(filesystem), device.decode(), _unescaped(shown)
    )


def _unescaped(field: bytes) -> str:
    """Return a path: space, tab, newline and backslash are written as three octal digits."""
    return os.fsdecode(field.decode("unicode_escape").encode("latin-1"))


def _joined(folder: str, below: str) -> str:
    """Return a path in a folder; `below` is `""` or begins with `/`."""
    return folder.rstrip("/") + below or "/"
