"""Whether what is remembered is still so: asked page by page, with as few calls as that takes."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ..pace import Pace, threads_allowed
from ..place import OPEN_CHILD, OPEN_ROOT
from .page import Page, digest_of, facts_of_directory, facts_of_name, names_by_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

OPEN_INDEX = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Check(NamedTuple):
    """Some pages that are to be checked.

    Attributes:
        path: The file of the index.
        identity: Its device and inode.
        roots: Paths of roots.
        pages: For each page the place of its root in `roots`, its number, and its fields: plain
            tuples, as they are sent in a third of the time.
        exact: Look at each entry that was looked at when the page was written, too.

    """

    path: str
    identity: tuple[int, int]
    roots: Sequence[str]
    pages: Sequence[tuple[int, int, tuple[Any, ...]]]
    exact: bool


class Checked(NamedTuple):
    """Answers `Check`.

    Attributes:
        unchanged: Numbers of the pages that are as they were.
        entries: How many entries they tell of.

    """

    unchanged: list[int]
    entries: int


def check(request: Check) -> Checked:
    """Check pages; one that cannot be checked is not unchanged."""
    try:
        descriptor = _reopen(request.path, request.identity)
    except OSError:
        return Checked([], 0)
    roots: dict[int, int] = {}
    try:
        for root in {root for root, _, _ in request.pages}:
            with suppress(OSError):
                roots[root] = os.open(request.roots[root], OPEN_ROOT)
        return _Checking(descriptor, roots, request).run()
    finally:
        for opened in (descriptor, *roots.values()):
            os.close(opened)


class _Checking:
    def __init__(self, descriptor: int, roots: dict[int, int], request: Check) -> None:
        self.descriptor = descriptor
        self.roots = roots
        self.exact = request.exact
        self.waiting = deque(request.pages)
        self.unchanged: list[int] = []
        self.directories = 0
        self.entries = 0

    def run(self) -> Checked:
        pace = Pace()
        while self.waiting and not pace.waits:
            self.check_next()
            pace.look(self.directories)
        threads = [threading.Thread(target=self.work) for _ in range(threads_allowed())]
        if self.waiting:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return Checked(self.unchanged, self.entries)

    def work(self) -> None:
        with suppress(IndexError):
            while True:
                self.check_next()

    def check_next(self) -> None:
        root, number, fields = self.waiting.popleft()
        page = Page(*fields)
        self.directories += page.directories
        with suppress(OSError, KeyError, ValueError):  # gone, or damaged
            if self.is_unchanged(self.roots[root], page):
                self.unchanged.append(number)
                self.entries += page.entries

    def is_unchanged(self, root: int, page: Page) -> bool:
        """Tell whether a page is as it was.

        Raises:
            OSError: It cannot be told, or something is gone.
            ValueError: The page is damaged.

        """
        if not self.exact:
            content = read_at(self.descriptor, page.offset, page.directories_bytes)
            return digest_of(_quick(root, content.split(b"\0"))) == page.directories_digest
        content = read_at(self.descriptor, page.offset, page.directories_bytes + page.names_bytes)
        paths = content[: page.directories_bytes].split(b"\0")
        names = names_by_directory(content[page.directories_bytes :])
        directories: list[int] = []
        entries: list[int] = []
        for path, of_directory in zip(paths, names, strict=True):
            descriptor = os.open(path, OPEN_CHILD, dir_fd=root)
            try:
                directories += facts_of_directory(os.fstat(descriptor))
                for name in of_directory:
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    entries += facts_of_name(status)
            finally:
                os.close(descriptor)
        return (digest_of(directories), digest_of(entries)) == (
            page.directories_digest,
            page.names_digest,
        )


def _quick(root: int, paths: list[bytes]) -> list[int]:
    facts: list[int] = []
    for path in paths:
        facts += facts_of_directory(os.stat(path, dir_fd=root))
    return facts


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Return a part of a file.

    Raises:
        OSError: It cannot be read, or is shorter.

    """
    content = os.pread(descriptor, length, offset)
    if len(content) != length:
        raise OSError(errno.EIO, "the index is shorter than it says")
    return content


def _reopen(path: str, identity: tuple[int, int]) -> int:
    """Open the file of an index that another process has open.

    Raises:
        OSError: It is gone, or another is there by now.

    """
    descriptor = os.open(path, OPEN_INDEX)
    status = os.fstat(descriptor)
    if (status.st_dev, status.st_ino) != identity:
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "another index has taken its place")
    return descriptor
