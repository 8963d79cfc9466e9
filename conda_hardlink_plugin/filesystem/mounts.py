"""The mount table: which filesystem is mounted where, from `/proc/self/mountinfo`.

The format is described in proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

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
        mount_point: Absolute path of a directory, or of a single bind-mounted file.
        filesystem: Filesystem type, as the kernel names it: `ext4`, `overlay`, `tmpfs`.
        device: Major and minor number of the filesystem, as the kernel writes them.
        shown: Path in the filesystem that appears at the mount point.
        upper: Of an overlay, the directory of its upper layer; empty if there is none, and often
            not a path in this container.

    """

    mount_point: str
    filesystem: str
    device: str = ""
    shown: str = "/"
    upper: str = ""


@dataclass(frozen=True, slots=True)
class MountTable:
    """The mounts of this process.

    Attributes:
        mounts: The mounts in the kernel's order: a later mount hides an earlier one at the same
            mount point.
        known: False if the system does not publish its mounts (no `/proc`): the absence of a mount
            then proves nothing.
        innermost: The mount that is visible at each mount point.

    """

    mounts: tuple[Mount, ...]
    known: bool
    innermost: dict[str, Mount] = field(init=False, compare=False, repr=False)
    _of_folder: dict[str, Mount | None] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Find the mount that is visible at each mount point."""
        visible = {mount.mount_point: mount for mount in self.mounts}
        object.__setattr__(self, "innermost", visible)
        object.__setattr__(self, "_of_folder", {})

    def mount_at(self, path: str) -> Mount | None:
        """Return the mount that holds a real path, `None` if it is unknown."""
        if path in self.innermost:
            return self.innermost[path]
        above = os.path.dirname(path)
        if above not in self._of_folder:
            self._of_folder[above] = None if above == path else self.mount_at(above)
        return self._of_folder[above]

    def filesystem(self, path: str) -> str:
        """Return the type of the filesystem that holds a real path, `""` if it is unknown."""
        mount = self.mount_at(path)
        return mount.filesystem if mount else ""

    def path_in_upper_layer(self, path: str) -> str:
        """Return where the upper layer of an overlay has the file at a real path, if it does.

        `""` if the file is not in an overlay, or the upper layer cannot be seen from here.
        """
        mount = self.mount_at(path)
        if mount is None or not os.path.isabs(mount.upper) or not os.path.isdir(mount.upper):
            return ""
        path_in_overlay = _join(mount.shown, path[len(mount.mount_point.rstrip("/")) :])
        return _join(mount.upper, path_in_overlay)

    def views(self, path: str) -> list[tuple[str, str]]:
        """Return the other paths at which mounts show a directory or a part of it.

        Args:
            path: Real path of the directory.

        Returns:
            Pairs of a real path and the part that appears there: `""` for the whole directory, or
            a path below the directory with a leading `/`.

        """
        own = self.mount_at(path)
        if own is None:
            return []
        path_on_device = _join(own.shown, path[len(own.mount_point.rstrip("/")) :])
        found = []
        for mount in self.mounts:
            if mount is own or mount.device != own.device:
                continue
            if is_within(path_on_device, mount.shown):
                below = path_on_device[len(mount.shown.rstrip("/")) :]
                found.append((_join(mount.mount_point, below), ""))
            elif is_within(mount.shown, path_on_device):
                found.append((mount.mount_point, mount.shown[len(path_on_device) :]))
        return [(view, below) for view, below in found if view != path]

    def below(self, path: str) -> list[str]:
        """Return the mount points strictly below a real path."""
        mount_points = (mount.mount_point for mount in self.mounts)
        return [point for point in mount_points if point != path and is_within(point, path)]


def is_in_user_space(filesystem: str) -> bool:
    """Return whether a program serves this type of filesystem, such as `fuse.sshfs` (fuse(4))."""
    return filesystem.startswith("fuse")


def read_mount_table(mountinfo: str = MOUNTINFO) -> MountTable:
    """Read the mounts of this process; the table is not `known` if they cannot be read."""
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
    options = dict(option.partition(b"=")[::2] for option in fields[-1].split(b","))
    return Mount(
        _unescape(mount_point),
        os.fsdecode(filesystem),
        device.decode(),
        _unescape(shown),
        _unescape(options.get(b"upperdir", b"")) if filesystem == b"overlay" else "",
    )


def _unescape(field: bytes) -> str:
    """Decode a path in which space, tab, newline, backslash and more are three octal digits."""
    return os.fsdecode(field.decode("unicode_escape").encode("latin-1"))


def _join(directory: str, below: str) -> str:
    """Return a path in a directory; `below` is `""` or starts with `/`."""
    return directory.rstrip("/") + below or "/"
