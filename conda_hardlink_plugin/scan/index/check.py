"""Whether what is remembered is still so: asked page by page, with as few calls as that takes."""

from __future__ import annotations

import errno
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ...filesystem import fs
from ...filesystem.protocol import Access
from ..pace import Pace, threads_allowed
from .page import Page, digest_of, names_by_directory, pack_directory, pack_name
from .trailer import read_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..crew_member import Check

_DIRECTORIES_OF_LOOK = 32
_LOOKS_AHEAD = 100


class Checked(NamedTuple):
    """Answers `Check`.

    Attributes:
        unchanged: Numbers of the pages that are as they were.
        entries: How many entries they tell of.

    """

    unchanged: list[int]
    entries: int


def check(request: Check) -> Checked:
    """Check pages; one that cannot be checked is not unchanged.

    If another index has taken the place of the one that is asked for, its directories are looked
    at: they are what the page says, or others.
    """
    try:
        handle = fs.open_file(request.path, Access.READ)
    except OSError:
        return Checked([], 0)
    roots: dict[int, int] = {}
    try:
        for root in {root for root, _, _ in request.pages}:
            with suppress(OSError):
                roots[root] = fs.open_root(request.roots[root])
        return _Checking(handle, roots, request).run()
    finally:
        for opened in (handle, *roots.values()):
            fs.close(opened)


class _Look(NamedTuple):
    """Some directories that are to be looked at again.

    Attributes:
        number: The page that they are on.
        root: Opens their root.
        paths: Their paths below it.
        names: The entries of each that are to be looked at too; `None` for none.

    """

    number: int
    root: int
    paths: list[bytes]
    names: list[list[bytes]] | None


class _Seen(NamedTuple):
    """What some directories are now; `None` if something is gone."""

    number: int
    directories: int
    facts: tuple[bytearray, bytearray] | None


class _Comparison:
    """A page, and what was seen of it so far."""

    def __init__(self, page: Page, directories: int) -> None:
        self.page = page
        self.directories_left = directories
        self.directory_facts = bytearray()
        self.name_facts = bytearray()


class _Checking:
    def __init__(self, handle: int, roots: dict[int, int], request: Check) -> None:
        self.handle = handle
        self.roots = roots
        self.request = request
        self.begun: dict[int, _Comparison] = {}
        self.unchanged: list[int] = []
        self.entries = 0

    def run(self) -> Checked:
        looks, pace, directories = self.looks(), Pace(), 0
        for look in looks:
            self.take(_look(look))
            directories += len(look.paths)
            pace.look(directories)
            if pace.waits:
                for seen in _with_threads(looks):
                    self.take(seen)
        return Checked(self.unchanged, self.entries)

    def looks(self) -> Iterator[_Look]:
        """Yield what is to be looked at, page by page."""
        for root, number, fields in self.request.pages:
            page = Page(*fields)
            try:
                handle = self.roots[root]
                paths, names = self.content(page)
            except (KeyError, OSError):
                continue
            self.begun[number] = _Comparison(page, len(paths))
            for begin in range(0, len(paths), _DIRECTORIES_OF_LOOK):
                some = slice(begin, begin + _DIRECTORIES_OF_LOOK)
                yield _Look(number, handle, paths[some], names and names[some])

    def content(self, page: Page) -> tuple[list[bytes], list[list[bytes]] | None]:
        """Read which directories are on a page, and which of their entries are to be looked at.

        Raises:
            OSError: The page cannot be read, or is damaged.

        """
        length = page.directories_bytes + (page.names_bytes if self.request.exact else 0)
        content = read_at(self.handle, page.offset, length)
        paths = content[: page.directories_bytes].split(b"\0")
        if not self.request.exact:
            return paths, None
        names = names_by_directory(content[page.directories_bytes :])
        if len(names) != len(paths):
            raise OSError(errno.EIO, "the index is damaged")
        return paths, names

    def take(self, seen: _Seen) -> None:
        """Compare what was seen, as soon as all of a page was."""
        comparison = self.begun.get(seen.number)
        if comparison is None:
            return
        if seen.facts is None:
            del self.begun[seen.number]
            return
        directory_facts, name_facts = seen.facts
        comparison.directory_facts += directory_facts
        comparison.name_facts += name_facts
        comparison.directories_left -= seen.directories
        if not comparison.directories_left:
            del self.begun[seen.number]
            if self.is_unchanged(comparison):
                self.unchanged.append(seen.number)
                self.entries += comparison.page.entries

    def is_unchanged(self, comparison: _Comparison) -> bool:
        page = comparison.page
        if digest_of(comparison.directory_facts) != page.directories_digest:
            return False
        return not self.request.exact or digest_of(comparison.name_facts) == page.names_digest


def _with_threads(looks: Iterator[_Look]) -> Iterator[_Seen]:
    """Look at many at once; yield what was seen in the order in which it was asked for."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # only where calls wait

    with ThreadPoolExecutor(threads_allowed()) as pool:
        asked: deque[Callable[[], _Seen]] = deque()
        for look in looks:
            try:
                asked.append(pool.submit(_look, look).result)
            except RuntimeError:  # no more threads are allowed
                asked.append(partial(_look, look))
            if len(asked) > _LOOKS_AHEAD:
                yield asked.popleft()()
        while asked:
            yield asked.popleft()()


def _look(look: _Look) -> _Seen:
    """Look at directories, and at entries of theirs."""
    facts = None
    with suppress(OSError):
        facts = _quick(look) if look.names is None else _exact(look, look.names)
    return _Seen(look.number, len(look.paths), facts)


def _quick(look: _Look) -> tuple[bytearray, bytearray]:
    facts = bytearray()
    for path in look.paths:
        facts += pack_directory(fs.directory_facts_at(path, look.root))
    return facts, bytearray()


def _exact(look: _Look, names: list[list[bytes]]) -> tuple[bytearray, bytearray]:
    directories = bytearray()
    entries = bytearray()
    for path, of_directory in zip(look.paths, names, strict=True):
        handle = fs.open_directory(path, look.root)
        try:
            directories += pack_directory(fs.directory_facts_of(handle))
            for name in of_directory:
                entries += pack_name(*fs.entry_facts_at(name, handle))
        finally:
            fs.close(handle)
    return directories, entries
