"""Checks whether pages of the index still match the disk, with as few system calls as possible."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from ...filesystem import closing, fs
from ...filesystem.native import check_pages, native_module
from ...filesystem.thread_counts import threads_where_calls_wait
from ..latency import Latency
from .page import digest_of, names_by_directory, pack_directory, pack_name
from .trailer import read_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from types import ModuleType

    from ...filesystem.protocol import Handle
    from .file import IndexFile
    from .page import Page

_MAX_ENTRIES = 100_000  # of a batch: their facts are in memory at the same time
_MAX_ROOTS = 50  # of a batch: each is opened
_LOOKS_AHEAD = 100
_FEW_PAGES = 64  # of a batch: each is divided, so that all threads have something to do
_DIRECTORIES_OF_PART = 32
_Facts = tuple[bytes, bytes]  # of directories, and of entries


class _Look(NamedTuple):
    """Directories of a page, and the entries to examine in them.

    Attributes:
        number: Number of the page; looks at parts of one follow each other.
        root: The open root of the directories.
        paths: Their paths below the root, as on the page.
        names: The names of the entries, as on the page; empty for a quick check.

    """

    number: int
    root: Handle
    paths: bytes
    names: bytes


def unchanged_pages(
    index: IndexFile,
    numbers: Collection[int],
    *,
    exact: bool,
    on_progress: Callable[[int], None] | None = None,
) -> set[int]:
    """Return the pages that match the disk; a page that cannot be checked is not among them.

    Args:
        index: The index.
        numbers: Numbers of the pages to check.
        exact: Look at each entry that was examined when the page was written as well.
        on_progress: Called now and then with the number of entries checked so far.

    """
    native, latency = native_module(), Latency()
    unchanged, entries = set(), 0
    for batch in _batches(index, numbers):
        with ExitStack() as stack:
            looks = list(_looks(index, batch, stack, exact=exact))
            if len(looks) < _FEW_PAGES:
                looks = [part for look in looks for part in _parts(look, exact=exact)]
            found: Iterable[_Facts | None]
            if native is None:
                found = _facts_in_python(looks, latency, exact=exact)
            else:
                found = _facts(native, looks, exact=exact)
            for number, facts in _joined(looks, found):
                if facts is not None and _match(index.stored.pages[number], facts, exact=exact):
                    unchanged.add(number)
        entries += sum(index.stored.pages[number].entries for number in batch)
        if on_progress is not None:
            on_progress(entries)
    return unchanged


def _parts(look: _Look, *, exact: bool) -> Iterator[_Look]:
    """Yield parts of a look."""
    paths, names = look.paths.split(b"\0"), look.names.split(b"\0")[1:]
    if exact and len(paths) != len(names):
        yield look
        return
    for begin in range(0, len(paths), _DIRECTORIES_OF_PART):
        end = begin + _DIRECTORIES_OF_PART
        of_part = b"\0" + b"\0".join(names[begin:end]) if names else b""
        yield look._replace(paths=b"\0".join(paths[begin:end]), names=of_part)


def _joined(
    looks: Iterable[_Look], found: Iterable[_Facts | None]
) -> Iterator[tuple[int, _Facts | None]]:
    """Yield the number of each page, and the facts about all of its parts."""
    pairs = zip(looks, found, strict=True)
    for number, parts in groupby(pairs, key=lambda pair: pair[0].number):
        facts = [of_part for _, of_part in parts]
        whole = [of_part for of_part in facts if of_part is not None]
        joined = tuple(map(b"".join, zip(*whole, strict=True)))
        yield number, (joined[0], joined[1]) if len(whole) == len(facts) else None


def _match(page: Page, facts: _Facts, *, exact: bool) -> bool:
    return digest_of(facts[0]) == page.directories_digest and (
        not exact or digest_of(facts[1]) == page.names_digest
    )


def _batches(index: IndexFile, numbers: Collection[int]) -> Iterator[list[int]]:
    """Yield pages that are checked together, root by root."""
    pages, units = index.stored.pages, index.stored.inventory.units
    batch: list[int] = []
    roots: set[int] = set()
    entries = 0
    for number in sorted(numbers, key=lambda number: (units[pages[number].unit].root, number)):
        root = units[pages[number].unit].root
        if entries > _MAX_ENTRIES or (len(roots) == _MAX_ROOTS and root not in roots):
            yield batch
            batch, roots, entries = [], set(), 0
        batch.append(number)
        roots.add(root)
        entries += pages[number].entries
    if batch:
        yield batch


def _looks(
    index: IndexFile, numbers: Sequence[int], stack: ExitStack, *, exact: bool
) -> Iterator[_Look]:
    """Yield what is to be looked at for some pages, from the index."""
    handles: dict[int, Handle] = {}
    stored = index.stored
    for number in numbers:
        page = stored.pages[number]
        root = stored.inventory.units[page.unit].root
        with suppress(OSError):
            if root not in handles:
                handle = fs.open_root(stored.roots[root][1])
                handles[root] = stack.enter_context(closing(handle))
            names_bytes = page.names_bytes if exact else 0
            content = read_at(index.handle, page.offset, page.directories_bytes + names_bytes)
            paths, names = content[: page.directories_bytes], content[page.directories_bytes :]
            yield _Look(number, handles[root], paths, names)


def _facts(native: ModuleType, looks: Sequence[_Look], *, exact: bool) -> list[_Facts | None]:
    """Return the facts for each look with the native reader; `None` if something is gone."""
    tasks = [(look.root, 0, 0, 0, look.paths, look.names) for look in looks]
    return check_pages(native, tasks, exact=exact)


def _facts_in_python(
    looks: Sequence[_Look], latency: Latency, *, exact: bool
) -> Iterator[_Facts | None]:
    """Yield the facts about each page, with threads while calls to the filesystem wait."""
    waiting = iter(looks)
    directories = 0
    for look in waiting:
        yield _examine(look, exact=exact)
        directories += look.paths.count(b"\0") + 1
        latency.look(directories)
        if latency.waits:
            yield from _with_threads(waiting, exact=exact)
    latency.begin(0)


def _with_threads(looks: Iterator[_Look], *, exact: bool) -> Iterator[_Facts | None]:
    """Examine many pages at the same time; yield the results in their order."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # only if calls wait

    with ThreadPoolExecutor(threads_where_calls_wait()) as pool:
        results: deque[Callable[[], _Facts | None]] = deque()
        for look in looks:
            examine = partial(_examine, look, exact=exact)
            try:
                results.append(pool.submit(examine).result)
            except RuntimeError:  # the thread limit is reached
                results.append(examine)
            if len(results) > _LOOKS_AHEAD:
                yield results.popleft()()
        while results:
            yield results.popleft()()


def _examine(look: _Look, *, exact: bool) -> _Facts | None:
    """Examine the directories of a page, and entries in them; `None` if one of them is gone."""
    paths = look.paths.split(b"\0")
    try:
        if not exact:
            return b"".join(map(pack_directory, fs.directory_facts_at(paths, look.root))), b""
        names = names_by_directory(look.names)
        return _exact(look.root, paths, names) if len(names) == len(paths) else None
    except OSError:
        return None


def _exact(root: Handle, paths: list[bytes], names: list[list[bytes]]) -> _Facts:
    directories = bytearray()
    entries = bytearray()
    for path, of_directory in zip(paths, names, strict=True):
        handle = fs.open_directory(path, root)
        try:
            directories += pack_directory(fs.directory_facts_of(handle))
            if of_directory:
                for facts in fs.entry_facts_at(of_directory, handle):
                    entries += pack_name(*facts)
        finally:
            fs.close(handle)
    return bytes(directories), bytes(entries)
