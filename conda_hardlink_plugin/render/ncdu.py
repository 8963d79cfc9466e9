"""What was found, as a file that `ncdu -f` opens: folders, and in them inodes that lie together.

The format is the one of https://dev.yorhel.nl/ncdu/jsonfmt, version 1.2. It has an entry for the
inodes of a package that lie in the same environments, not one for each file. All entries for the
same inodes bear the same number and are marked as hard links, so that ncdu counts them once in
every folder that holds several: its totals are the unique usage that a report has.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..formatting import count
from ..scan.inventory import (
    GroupSums,
    InodeGroup,
    Inventory,
    PrivateSums,
    ProblemKind,
    RootKind,
    UnitKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROGRAM = "conda-hardlink-plugin"


@dataclass(slots=True)
class _Folder:
    """A folder: its own size, what is in it, and the folders in it by name."""

    own: dict[str, Any] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    folders: dict[str, _Folder] = field(default_factory=dict)

    def at(self, path: str) -> _Folder:
        """Return the folder at a path below it, made where there is none."""
        folder = self
        for name in path.split("/"):
            if name not in ("", "."):
                folder = folder.folders.setdefault(name, _Folder())
        return folder

    def content(self, name: str) -> list[Any]:
        """Return it as ncdu takes it."""
        inner = (folder.content(inside) for inside, folder in self.folders.items())
        return [{"name": name, **self.own}, *_named_apart(self.entries), *inner]


def render_ncdu(
    inventory: Inventory, names: Mapping[str, str], *, version: str, taken_s: int
) -> str:
    r"""Return an inventory as the text that ncdu reads.

    A byte of a name that was not UTF-8 is a lone surrogate in it, as `os.fsdecode` gives it: it is
    to be written by `os.fsencode`. ncdu knows no escape but `\u00NN`.

    Args:
        inventory: What the scan found.
        names: Prefix to the name of the environment.
        version: The version of this program.
        taken_s: When it was found, in seconds since the epoch.

    """
    top = os.path.commonpath([root.path for root in inventory.roots])
    tree = _Tree(inventory, names, top)
    about = {"progname": _PROGRAM, "progver": version, "timestamp": taken_s}
    return json.dumps([1, 2, about, tree.whole.content(top)], ensure_ascii=False) + "\n"


class _Tree:
    def __init__(self, inventory: Inventory, names: Mapping[str, str], top: str) -> None:
        self.inventory = inventory
        self.names = names
        self.whole = _Folder()
        self.top = top
        unit_of_root = {}
        for number, unit in enumerate(inventory.units):
            if unit.kind in {UnitKind.ENVIRONMENT, UnitKind.OTHER}:
                unit_of_root[unit.root] = number
        self.folders = [self.folder_of(number) for number in range(len(inventory.units))]
        self.folder_of_root = {root: self.folders[unit] for root, unit in unit_of_root.items()}
        for (number, device), sums in inventory.private.items():
            self.add_private(number, inventory.devices[device], sums)
        for inode, (group, group_sums) in enumerate(inventory.groups.items(), start=1):
            self.add_group(inode, group, group_sums)
        for problem in inventory.problems:
            if problem.kind is ProblemKind.UNREADABLE and problem.root in self.folder_of_root:
                self.folder_of_root[problem.root].own["read_error"] = True

    def folder_of(self, number: int) -> _Folder:
        """Return the folder of a unit; of one that is a file, the one that holds it."""
        unit = self.inventory.units[number]
        path = os.path.dirname(unit.path) if unit.kind is UnitKind.TARBALL else unit.path
        return self.whole.at(os.path.relpath(path, self.top))

    def add_private(self, number: int, device: int, sums: PrivateSums) -> None:
        """Add the inodes with a single link of a unit; a folder has those of its folders itself."""
        unit, folder = self.inventory.units[number], self.folders[number]
        own = {"asize": sums.directory_apparent_bytes, "dsize": sums.directory_disk_bytes}
        files = {
            "asize": sums.apparent_bytes - own["asize"],
            "dsize": sums.disk_bytes - own["dsize"],
            "dev": device,
        }
        if unit.kind is UnitKind.TARBALL:
            folder.entries.append({"name": os.path.basename(unit.path), **files})
            return
        for size, amount in own.items():
            folder.own[size] = folder.own.get(size, 0) + amount
        folder.own.setdefault("dev", device)
        if files["asize"] or files["dsize"]:
            folder.entries.append({"name": "files with a single link", **files})

    def add_group(self, inode: int, group: InodeGroup, sums: GroupSums) -> None:
        """Add inodes with several links to each place they lie in."""
        places = list(self.places_of(group))
        entry = {
            "asize": sums.apparent_bytes,
            "dsize": sums.disk_bytes,
            "dev": self.inventory.devices[group.device],
            "ino": inode,
            "hlnkc": True,
            "nlink": max(len(places) + (not group.complete), 2),
        }
        for folder, name in places:
            folder.entries.append({"name": f"{name}: {count(sums.inodes, 'inode')}", **entry})

    def places_of(self, group: InodeGroup) -> Iterator[tuple[_Folder, str]]:
        """Yield in which folders inodes lie, and what they are to be called there."""
        inventory = self.inventory
        environments = [
            root for root in group.roots if inventory.roots[root].kind is RootKind.ENVIRONMENT
        ]
        users = self.users(environments) + ("" if group.complete else " and outside")
        packages = sorted(inventory.units[number].dist for number in group.cache_units)
        package = ", ".join(packages[:1]) + (f" and {len(packages) - 1} more" * (len(packages) > 1))
        for number in sorted(group.cache_units):
            unit = inventory.units[number]
            is_file = unit.kind is UnitKind.TARBALL
            yield self.folders[number], os.path.basename(unit.path) if is_file else f"in {users}"
        for root in environments:
            yield self.folder_of_root[root], package or f"in {users}"

    def users(self, environments: list[int]) -> str:
        """Name the one environment that inodes lie in, or say in how many they lie."""
        if len(environments) == 1:
            path = self.inventory.roots[environments[0]].path
            return os.path.basename(self.names.get(path, path))
        return count(len(environments), "environment")


def _named_apart(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield entries of one folder, each under a name of its own."""
    met: defaultdict[str, int] = defaultdict(int)
    for entry in entries:
        met[entry["name"]] += 1
        again = met[entry["name"]]
        yield entry if again == 1 else {**entry, "name": f"{entry['name']} ({again})"}
