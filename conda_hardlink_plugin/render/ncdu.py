"""Render an inventory as a file for `ncdu -f`: folders, and groups of inodes with the same holders.

The format is version 1.2 of https://dev.yorhel.nl/ncdu/jsonfmt. The inodes of a package that the
same environments hold are one entry rather than one entry for each file. All entries for the same
inodes have the same inode number and are marked as hard links, so that ncdu counts them once in a
folder that holds several of them: its totals are the unique usage in a report.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..formatting import count, join_names
from ..scan.inventory import ProblemKind, RootKind, UnitKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..scan.inventory import GroupSums, InodeGroup, Inventory, PrivateSums

_PROGRAM = "conda-hardlink-plugin"


@dataclass(slots=True)
class _Folder:
    """A folder: its own fields, its entries, and its subfolders by name."""

    own: dict[str, Any] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    folders: dict[str, _Folder] = field(default_factory=dict)

    def at(self, path: str) -> _Folder:
        """Return the folder at a relative path; create it if it does not exist."""
        folder = self
        for name in path.split("/"):
            if name not in ("", "."):
                folder = folder.folders.setdefault(name, _Folder())
        return folder

    def content(self, name: str) -> list[Any]:
        """Return the folder in the format of ncdu."""
        inner = (folder.content(inside) for inside, folder in self.folders.items())
        return [{"name": name, **self.own}, *_with_unique_names(self.entries), *inner]


def render_ncdu(
    inventory: Inventory, names: Mapping[str, str], *, version: str, taken_s: int
) -> str:
    r"""Return an inventory as text for ncdu.

    A byte of a name that is not valid UTF-8 is a lone surrogate, as from `os.fsdecode`: encode the
    text with `os.fsencode`. The only escape that ncdu reads is `\u00NN`.

    Args:
        inventory: The result of a scan.
        names: The name of each environment, by prefix.
        version: The version of this program.
        taken_s: The time of the scan, in seconds since the epoch.

    """
    top = os.path.commonpath([root.path for root in inventory.roots])
    tree = _Tree(inventory, names, top)
    about = {"progname": _PROGRAM, "progver": version, "timestamp": taken_s}
    return json.dumps([1, 2, about, tree.whole.content(top)], ensure_ascii=False) + "\n"


class _Tree:
    """The folders of all units of an inventory, below their common path."""

    def __init__(self, inventory: Inventory, names: Mapping[str, str], top: str) -> None:
        self.inventory = inventory
        self.names = names
        self.whole = _Folder()
        self.folders: list[_Folder] = []  # of each unit; of an archive, the folder that holds it
        self.folder_of_root: dict[int, _Folder] = {}
        for unit in inventory.units:
            path = os.path.dirname(unit.path) if unit.kind is UnitKind.ARCHIVE else unit.path
            folder = self.whole.at(os.path.relpath(path, top))
            self.folders.append(folder)
            if unit.kind in {UnitKind.ENVIRONMENT, UnitKind.OTHER}:
                self.folder_of_root[unit.root] = folder
        for (index, device), private in inventory.private.items():
            self.add_private(index, inventory.devices[device], private)
        for inode, (group, sums) in enumerate(inventory.groups.items(), start=1):
            self.add_group(inode, group, sums)
        for problem in inventory.problems:
            if problem.kind is ProblemKind.UNREADABLE and problem.root in self.folder_of_root:
                self.folder_of_root[problem.root].own["read_error"] = True

    def add_private(self, index: int, device: int, sums: PrivateSums) -> None:
        """Add the inodes of a unit that have one link; directories count for the folder itself."""
        unit, folder = self.inventory.units[index], self.folders[index]
        own = {"asize": sums.directory_apparent_bytes, "dsize": sums.directory_disk_bytes}
        files = {
            "asize": sums.apparent_bytes - own["asize"],
            "dsize": sums.disk_bytes - own["dsize"],
            "dev": device,
        }
        if unit.kind is UnitKind.ARCHIVE:
            folder.entries.append({"name": os.path.basename(unit.path), **files})
            return
        for key, amount in own.items():
            folder.own[key] = folder.own.get(key, 0) + amount
        folder.own.setdefault("dev", device)
        if files["asize"] or files["dsize"]:
            folder.entries.append({"name": "files with a single link", **files})

    def add_group(self, inode: int, group: InodeGroup, sums: GroupSums) -> None:
        """Add a group of inodes with several links to each folder that holds them."""
        holders = list(self.holders_of(group))
        entry = {
            "asize": sums.apparent_bytes,
            "dsize": sums.disk_bytes,
            "dev": self.inventory.devices[group.device],
            "ino": inode,
            "hlnkc": True,
            "nlink": max(len(holders) + (not group.complete), 2),
        }
        for folder, name in holders:
            folder.entries.append({"name": f"{name}: {count(sums.inodes, 'inode')}", **entry})

    def holders_of(self, group: InodeGroup) -> Iterator[tuple[_Folder, str]]:
        """Yield each folder that holds a group of inodes, and the name of the group there."""
        roots, units = self.inventory.roots, self.inventory.units
        environments = [root for root in group.roots if roots[root].kind is RootKind.ENVIRONMENT]
        users = count(len(environments), "environment")
        if len(environments) == 1:
            path = roots[environments[0]].path
            users = os.path.basename(self.names.get(path, path))
        users += "" if group.complete else " and outside"
        dists = sorted(units[index].dist for index in group.cache_units)
        package = join_names(dists or [f"in {users}"], 1)
        for index in sorted(group.cache_units):
            is_file = units[index].kind is UnitKind.ARCHIVE
            name = os.path.basename(units[index].path) if is_file else f"in {users}"
            yield self.folders[index], name
        for root in environments:
            yield self.folder_of_root[root], package


def _with_unique_names(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a folder; a name that repeats gets a number."""
    times: Counter[str] = Counter()
    for entry in entries:
        name = entry["name"]
        times[name] += 1
        yield entry if times[name] == 1 else {**entry, "name": f"{name} ({times[name]})"}
