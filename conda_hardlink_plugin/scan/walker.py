"""The walker: reads every directory below the roots once, in one process, and counts its entries.

The kernel returns the inode number of an entry with the directory listing (`d_ino`, readdir(3)), so
an inode that was seen before on the same device needs no `stat`: with caches read first, most
entries of an environment cost nothing more. Each `stat` result is checked against the listing. If
the numbers of a device do not match (overlayfs with `xino=off`), it must be read again with a
`stat` for every entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .boundaries import BoundaryWalker
from .inode_table import PythonInodeTable
from .latency import Latency
from .plain_directories import read_plain
from .threads import read_with_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .index.recall import Remembered
    from .index.recorder import Recorder
    from .scan_roots import ScanRoots


class Walker(BoundaryWalker):
    """Reads roots without the native module.

    Attributes:
        latency: Whether calls to the filesystem wait.

    """

    def __init__(
        self,
        scan_roots: ScanRoots,
        untrusted: Collection[int],
        on_progress: Callable[[int], None] | None = None,
        *,
        recorder: Recorder | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        """Begin with nothing read; the arguments are those of `BoundaryWalker`."""
        self.table = PythonInodeTable()
        super().__init__(
            scan_roots,
            untrusted,
            on_progress,
            table=self.table,
            recorder=recorder,
            remembered=remembered,
        )
        self.latency = Latency()

    def read_roots(self) -> None:
        """Read all roots, caches first."""
        for index in range(len(self.scan_roots.roots)):
            self.open_root(index)
            self.read_below()

    def read_below(self) -> None:
        """Read the directories below the current root."""
        self.latency.begin(self.directories)
        while self.stack:
            if not self.stack[-1].children:
                self.stack.pop().close()
                continue
            end = self.directories + self.latency.directories
            if self.latency.waits:
                read_with_threads(self, self.table, self.latency, end)
            else:
                read_plain(self, self.table, end)
            self.latency.look(self.directories)
