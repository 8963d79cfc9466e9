"""Reads plain directories, which nearly all are: the cost of a scan without the native module.

A directory is plain if it belongs to the unit and the device of the directory above, and if its
listing shows the inode numbers of its entries.
"""

from __future__ import annotations

from stat import S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING

from ..filesystem import fs
from .index.page import NEXT, pack_directory, pack_name
from .listing import UntrustedDeviceError
from .open_directory import OpenDirectory

if TYPE_CHECKING:
    from .boundaries import BoundaryWalker
    from .inode_table import PythonInodeTable


def read_plain(  # noqa: C901, PLR0912, PLR0915  # inline: a call for each entry costs more
    walker: BoundaryWalker, inodes_of: PythonInodeTable, end: int
) -> None:
    """Read the directories below those on the stack of a walker, as long as they are of one unit.

    Stops when `end` directories were read in all. A directory that turns out not to be plain is
    left to `BoundaryWalker.read_with_stat`.
    """
    collector, special_inodes, stack = walker.collector, walker.special_inodes, walker.stack
    unit, sums = stack[-1].unit, stack[-1].sums
    table = inodes_of.of_device(stack[-1].identity[0])
    states, step = table.states, inodes_of.step(collector.location_of(unit))
    facts_of, block_bytes, is_directory, is_symlink = (
        fs.raw_facts, fs.block_bytes, S_ISDIR, S_ISLNK
    )  # fmt: skip
    first_state = step[0]
    state_of = states.get
    add_disk_bytes, add_apparent_bytes, add_link_count = (
        table.disk_bytes.append, table.apparent_bytes.append, table.link_counts.append
    )  # fmt: skip
    keeps_own, subvolumes = collector.keeps_own, walker.scan_roots.has_subvolumes
    own_device = stack[-1].identity[0]
    draft = walker.draft(unit, own_device)
    noting = draft is not None
    limit = end - walker.directories
    blocks = size = inodes = directory_blocks = directory_size = directories = linked = 0
    try:
        while stack and stack[-1].sums is sums and directories < limit:
            parent = stack[-1]
            if not parent.children:
                stack.pop().close()
                continue
            if walker.on_progress is not None:
                walker.report_progress(directories + inodes + linked)
            device = parent.identity[0] if parent.plain else None
            name = parent.children.pop()
            try:
                descriptor = fs.open_directory(parent.relative + name, parent.handle)
            except OSError as error:
                walker.add_unopened(parent, name, error)
                continue
            try:
                status = fs.raw_status_of(descriptor)
            except OSError as error:
                fs.close(descriptor)
                walker.add_unopened(parent, name, error)
                continue
            children: list[str] = []
            try:
                found_device, inode, _, file_size, file_blocks = facts_of(status)
                if found_device != device or inode in special_inodes:
                    found = fs.from_raw(status)
                    directory = walker.read_with_stat(parent, name, unit, descriptor, found)
                    walker.enter(directory, descriptor)
                    draft = walker.draft(unit, own_device)  # the former one may have been written
                    noting = draft is not None
                    continue
                directory_blocks += file_blocks
                directory_size += file_size
                directories += 1
                if draft is not None and parent.inside is None:
                    walker.stop_recording()
                    draft, noting = None, False
                elif draft is not None and parent.inside is not None:
                    add_known, add_name = draft.linked.append, draft.names.append
                    facts = draft.name_facts
                    draft.directories.append(parent.inside + name)
                    draft.directory_facts += pack_directory(fs.directory_facts(status))
                    add_name(NEXT)
                with fs.scan(descriptor) as entries:
                    for entry in entries:
                        number = entry.inode()
                        state = state_of(number)
                        if state is not None and not (
                            subvolumes and entry.is_dir(follow_symlinks=False)
                        ):
                            states[number] = step[state]
                            linked += 1
                            if noting:
                                add_known(number)
                            continue
                        try:
                            if entry.is_dir(follow_symlinks=False):
                                children.append(entry.name)
                                continue
                            status = entry.stat(follow_symlinks=False)
                        except OSError as error:
                            collector.add_problem(f"{parent.path}/{name}/{entry.name}", error)
                            continue
                        found_device, found_inode, link_count, file_size, file_blocks = facts_of(
                            status
                        )
                        mode = status.st_mode  # the type may be another one since it was listed
                        if is_directory(mode):
                            children.append(entry.name)
                            continue
                        if found_inode != number or found_device != device:
                            raise UntrustedDeviceError(parent.identity[0])  # noqa: TRY301
                        if noting:
                            add_name(entry.name)
                            facts += pack_name(
                                number, link_count, file_size, file_blocks * block_bytes
                            )
                        if keeps_own or is_symlink(mode):
                            path = f"{parent.path}/{name}"
                            collector.add_file(
                                unit, path, entry.name, descriptor, fs.from_raw(status)
                            )
                            if draft is not None and is_symlink(mode):
                                draft.symbolic.add(number)
                        elif link_count > 1:
                            states[number] = first_state
                            add_disk_bytes(file_blocks * block_bytes)
                            add_apparent_bytes(file_size)
                            add_link_count(link_count)
                            linked += 1
                        else:
                            blocks += file_blocks
                            size += file_size
                            inodes += 1
            except OSError as error:
                collector.add_problem(f"{parent.path}/{name}", error)
            except BaseException:
                fs.close(descriptor)
                raise
            if children:
                identity = (parent.identity[0], inode)
                directory = OpenDirectory(parent, name, unit, sums, identity, children, plain=True)
                walker.enter(directory, descriptor)
            else:
                fs.close(descriptor)
    finally:
        walker.directories += directories
        collector.links[collector.root] += inodes + linked + directories
        sums.disk_bytes += (blocks + directory_blocks) * block_bytes
        sums.apparent_bytes += size + directory_size
        sums.inodes += inodes + directories
        sums.directory_disk_bytes += directory_blocks * block_bytes
        sums.directory_apparent_bytes += directory_size
