"""Checks whether pages of the index still match the disk, with as few system calls as possible."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ...filesystem import closing, fs
from ...filesystem.protocol import Access
from ..pace import Pace, threads_allowed
from .page import Page, digest_of, names_by_directory, pack_directory, pack_name
from .trailer import read_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ...filesystem.protocol import Handle
    from ..crew_member import Check

_DIRECTORIES_PER_LOOK = 32
_LOOKS_AHEAD = 100
_Facts = tuple[bytes, bytes]  # of directories, and of entries


class Checked(NamedTuple):
    """The answer to `Check`.

    Attributes:
        unchanged: Numbers of the pages that match the disk.
        entries: Number of entries that these pages describe.

    """

    unchanged: list[int]
    entries: int


def check(request: Check) -> Checked:
    """Check pages; a page that cannot be checked does not count as unchanged.

    If another index has replaced the requested one, the paths that are read from it may be wrong.
    The facts of the directories then differ from the digests of the page.
    """
    unchanged, entries = [], 0
    with ExitStack() as stack, suppress(OSError):
        handle = stack.enter_context(closing(fs.open_file(request.path, Access.READ)))
        roots = {}
        for root in {root for root, _, _ in request.pages}:
            with suppress(OSError):
                roots[root] = stack.enter_context(closing(fs.open_root(request.roots[root])))
        for look, facts in _examine_all(_looks(request, handle, roots)):
            if look.comparison.add(len(look.paths), facts, exact=request.exact):
                unchanged.append(look.comparison.number)
                entries += look.comparison.page.entries
    return Checked(unchanged, entries)


class _Comparison:
    """The facts about the directories of one page, until they are complete and can be compared."""

    def __init__(self, number: int, page: Page, directories: int) -> None:
        self.number = number
        self.page = page
        self.directories_left = directories
        self.failed = False
        self.directory_facts = bytearray()
        self.name_facts = bytearray()

    def add(self, directories: int, facts: _Facts | None, *, exact: bool) -> bool:
        """Add the facts about some directories; return whether the whole page is unchanged."""
        self.directories_left -= directories
        if facts is None or self.failed:
            self.failed = True
            return False
        self.directory_facts += facts[0]
        self.name_facts += facts[1]
        return (
            not self.directories_left
            and digest_of(self.directory_facts) == self.page.directories_digest
            and (not exact or digest_of(self.name_facts) == self.page.names_digest)
        )


class _Look(NamedTuple):
    """Some directories of a page to examine.

    Attributes:
        comparison: The page.
        root: The open root of the directories.
        paths: Their paths below the root.
        names: The entries to examine in each directory; `None` for a quick check.

    """

    comparison: _Comparison
    root: Handle
    paths: list[bytes]
    names: list[list[bytes]] | None


def _looks(request: Check, handle: Handle, roots: Mapping[int, Handle]) -> Iterator[_Look]:
    """Yield the directories to examine, page by page."""
    for root, number, fields in request.pages:
        page = Page(*fields)
        names_bytes = page.names_bytes if request.exact else 0
        try:
            root_handle = roots[root]
            content = read_at(handle, page.offset, page.directories_bytes + names_bytes)
        except (KeyError, OSError):
            continue
        paths = content[: page.directories_bytes].split(b"\0")
        names = names_by_directory(content[page.directories_bytes :]) if request.exact else None
        if names is not None and len(names) != len(paths):  # the index is damaged
            continue
        comparison = _Comparison(number, page, len(paths))
        for begin in range(0, len(paths), _DIRECTORIES_PER_LOOK):
            some = slice(begin, begin + _DIRECTORIES_PER_LOOK)
            yield _Look(comparison, root_handle, paths[some], names and names[some])


def _examine_all(looks: Iterator[_Look]) -> Iterator[tuple[_Look, _Facts | None]]:
    """Examine directories, with threads while calls to the filesystem wait."""
    pace, directories = Pace(), 0
    for look in looks:
        yield _examine(look)
        directories += len(look.paths)
        pace.look(directories)
        if pace.waits:
            yield from _examine_with_threads(looks)


def _examine_with_threads(looks: Iterator[_Look]) -> Iterator[tuple[_Look, _Facts | None]]:
    """Examine many directories at the same time; yield the results in the order of the looks."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # only if calls wait

    with ThreadPoolExecutor(threads_allowed()) as pool:
        results: deque[Callable[[], tuple[_Look, _Facts | None]]] = deque()
        for look in looks:
            try:
                results.append(pool.submit(_examine, look).result)
            except RuntimeError:  # the thread limit is reached
                results.append(partial(_examine, look))
            if len(results) > _LOOKS_AHEAD:
                yield results.popleft()()
        while results:
            yield results.popleft()()


def _examine(look: _Look) -> tuple[_Look, _Facts | None]:
    """Examine directories, and entries in them; return no facts if one of them is gone."""
    facts = None
    with suppress(OSError):
        facts = _quick(look) if look.names is None else _exact(look, look.names)
    return look, facts


def _quick(look: _Look) -> _Facts:
    return b"".join(map(pack_directory, fs.directory_facts_at(look.paths, look.root))), b""


def _exact(look: _Look, names: list[list[bytes]]) -> _Facts:
    directories = bytearray()
    entries = bytearray()
    for path, of_directory in zip(look.paths, names, strict=True):
        handle = fs.open_directory(path, look.root)
        try:
            directories += pack_directory(fs.directory_facts_of(handle))
            if of_directory:
                for facts in fs.entry_facts_at(of_directory, handle):
                    entries += pack_name(*facts)
        finally:
            fs.close(handle)
    return bytes(directories), bytes(entries)
