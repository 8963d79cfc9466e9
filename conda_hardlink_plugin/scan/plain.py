"""Reads directories whose listings may be taken as they are: nearly all there are.

What stands here is done for each entry of every environment: it is the cost of a scan.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..filesystem import fs
from ..filesystem.linux import BLOCK_BYTES, as_status, directory_facts
from .index.page import NEXT, pack_directory, pack_name
from .listing import UntrustedDeviceError
from .open_directory import OpenDirectory

if TYPE_CHECKING:
    from .walker import Walker


def read_plain(  # noqa: C901, PLR0912, PLR0915  # inline: a call for each entry costs more
    walker: Walker, end: int
) -> None:
    """Read the directories below those on the stack of a walk, as far as they are of one unit.

    It stops when so many directories as `end` were read in all. Where a listing's numbers may not
    be taken as they are, `Walker.read_with_stat` does it slowly.
    """
    collector, special_inodes, stack = walker.collector, walker.special_inodes, walker.stack
    unit, sums = stack[-1].unit, stack[-1].sums
    table = collector.listed[stack[-1].identity[0]]
    states, step = table.states, collector.step_in(unit)
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
            children: list[str] = []
            try:
                status = os.fstat(descriptor)
                if status.st_dev != device or status.st_ino in special_inodes:
                    place = walker.read_with_stat(parent, name, unit, descriptor, as_status(status))
                    walker.enter(place, descriptor)
                    draft = walker.draft(unit, own_device)  # others may have had to be written
                    noting = draft is not None
                    continue
                inode = status.st_ino
                directory_blocks += status.st_blocks
                directory_size += status.st_size
                directories += 1
                if draft is not None and parent.inside is None:
                    walker.stop_recording()
                    draft, noting = None, False
                elif draft is not None and parent.inside is not None:
                    add_known, add_name = draft.linked.append, draft.names.append
                    facts = draft.name_facts
                    draft.directories.append(parent.inside + name)
                    draft.directory_facts += pack_directory(directory_facts(status))
                    add_name(NEXT)
                with os.scandir(descriptor) as entries:
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
                        if status.st_ino != number or status.st_dev != device:
                            raise UntrustedDeviceError(parent.identity[0])  # noqa: TRY301
                        link_count, file_size, file_blocks = (
                            status.st_nlink, status.st_size, status.st_blocks
                        )  # fmt: skip
                        if noting:
                            add_name(entry.name)
                            facts += pack_name(
                                number, link_count, file_size, file_blocks * BLOCK_BYTES
                            )
                        if keeps_own or entry.is_symlink():
                            path = f"{parent.path}/{name}"
                            collector.add_file(
                                unit, path, entry.name, descriptor, as_status(status)
                            )
                            if draft is not None and entry.is_symlink():
                                draft.symbolic.add(number)
                        elif link_count > 1:
                            states[number] = first_state
                            add_disk_bytes(file_blocks * BLOCK_BYTES)
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
                os.close(descriptor)
                raise
            if children:
                identity = (parent.identity[0], inode)
                place = OpenDirectory(parent, name, unit, sums, identity, children, plain=True)
                walker.enter(place, descriptor)
            else:
                os.close(descriptor)
    finally:
        walker.directories += directories
        collector.links[collector.root] += inodes + linked + directories
        sums.disk_bytes += (blocks + directory_blocks) * BLOCK_BYTES
        sums.apparent_bytes += size + directory_size
        sums.inodes += inodes + directories
        sums.directory_disk_bytes += directory_blocks * BLOCK_BYTES
        sums.directory_apparent_bytes += directory_size
