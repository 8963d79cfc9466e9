"""The native module takes any arguments: it returns something, or raises an exception."""

from __future__ import annotations

import os
import resource
import struct
from array import array

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem.native import (
    EventKind,
    Settings,
    TaskFlag,
    check_pages,
    count_trees,
    events_of,
    search_trees,
)
from conda_hardlink_plugin.scan.index.page import pack_directory
from tests.support.oracles import open_descriptors
from tests.support.scanning import native
from tests.support.trees import ODD_NAMES, link, symlink, write

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
COUNT, SEARCH, CHECK = range(3)
NOTHING = (), (), (), None, lambda *_: None
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A small tree, which is the current directory."""
    top = str(tmp_path_factory.mktemp("tree"))
    for name in ODD_NAMES:
        path = write(f"{top}/a/{name}/{name}", b"x" * 5_000)
        link(path, f"{top}/a/{name}/again")
        symlink(name, f"{top}/a/{name}/link")
    write(f"{top}/env/conda-meta/history")
    before = os.getcwd()
    os.chdir(top)
    yield top
    os.chdir(before)


class Awkward:
    """Has every method that the module may call, each of which fails or lies."""

    def __init__(self, value):
        self.value = value

    def __len__(self):
        return self._answer()

    def __getitem__(self, _):
        return self._answer()

    def __index__(self):
        return self._answer()

    def __call__(self, *_):
        return self._answer()

    def _answer(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


_numbers = st.sampled_from([-(2**63), -1, 0, 1, 2, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, 10**30])
_anything = st.recursive(
    st.one_of(
        _numbers,
        st.sampled_from([None, True, 0.5, "text", "\udcff", b"", b"a", b"a\0b", b"/" * 9_000]),
        st.binary(max_size=90),
        st.builds(
            Awkward, st.sampled_from([-1, 0, 3, 2**62, "x", OSError(5), KeyboardInterrupt()])
        ),
        st.builds(object),
        st.builds(lambda: native().Table()),
        st.builds(lambda: native().Table),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=7).map(tuple), st.just({1: 2})
    ),
    max_leaves=8,
)


def or_anything(strategy):
    """Mostly what the module expects, and sometimes anything."""
    return st.one_of(strategy, strategy, strategy, _anything)


_names = st.sampled_from([b"a", b".", b"", b"env", b"missing", b"a\0b", b"n" * 300, b"a/" * 3_000])
_parents = st.sampled_from([-100, -1, 0, 10**6, 2**31 - 1])  # -100 is the current directory
_flags = st.one_of(st.integers(0, 15), _numbers)
_insides = st.one_of(
    _names,
    st.binary(max_size=40),
    st.sampled_from([b"\0", b"\0/x\0", b"\0/link/\0/x", b"x" * 9_000]),
)
_tasks = st.lists(
    or_anything(
        st.tuples(
            or_anything(_parents),
            or_anything(_flags),
            or_anything(st.integers(0, 3)),
            or_anything(_numbers),
            or_anything(_names),
            or_anything(_insides),
        )
    ),
    max_size=5,
)
_tables = st.one_of(st.builds(lambda: native().Table()), st.none())
_limits = or_anything(st.sampled_from([-1, 0, 1, 3, 300]))
_settings = st.tuples(_limits, _limits, _limits, st.booleans(), _limits)
_identities = st.lists(st.tuples(_numbers, _numbers), max_size=3)
_callbacks = st.one_of(st.none(), st.just(lambda *_: None), _anything)

ALLOWED = (
    TypeError, ValueError, OverflowError, MemoryError, OSError, IndexError, KeyboardInterrupt
)  # fmt: skip


def use(call, *arguments):
    """Call the module; it may refuse with an exception that says that the arguments are wrong."""
    try:
        return call(*arguments)
    except ALLOWED:
        return None


_arguments = st.tuples(
    or_anything(st.sampled_from([COUNT, SEARCH, CHECK])),
    or_anything(_tables),
    or_anything(_tasks),
    or_anything(_settings),
    or_anything(_identities),
    or_anything(st.lists(_numbers, max_size=3)),
    or_anything(st.lists(_names, max_size=3)),
    _callbacks,
    _callbacks,
)


@fuzz
@given(arguments=_arguments)
def test_reading_with_any_arguments_ends(tree, arguments):
    before = open_descriptors()
    use(native().read, *arguments)
    assert open_descriptors() == before


@fuzz
@given(or_anything(_tables), st.lists(st.tuples(*[or_anything(_numbers)] * 7), max_size=20))
def test_a_table_takes_any_link(table, links):
    add = getattr(table, "add", native().Table().add)
    for facts in links:
        use(add, *facts)
    use(add, *[1] * (len(links) % 9))
    table = native().Table()
    for _ in range(3):
        use(table.state, *links[0][:2] if links else (1, 2))
    assert len(table) == 0


_pages = st.tuples(
    or_anything(_numbers),
    or_anything(st.integers(-1, 4)),
    or_anything(st.integers(-1, 4)),
    or_anything(st.lists(st.sampled_from([0, 1, 5, 2**64 - 1]), max_size=24)
                .map(lambda numbers: array("Q", numbers).tobytes())),
)  # fmt: skip


@fuzz
@given(st.lists(st.tuples(or_anything(st.lists(or_anything(_pages), max_size=3)), _anything)))
def test_a_table_takes_any_page(recalls):
    table = native().Table()
    for number, (pages, location) in enumerate(recalls):
        use(table.recall, pages, location if number % 2 else number)
    devices, groups, locations = table.groups()
    assert len(devices) % 8 == len(groups) % 48 == 0
    assert all(len(some) % 4 == 0 for some in locations.values())


_rows = st.lists(
    st.tuples(*[st.sampled_from([0, 1, 2, 5, 2**63])] * 3, *[st.integers(0, 3)] * 4), max_size=4
).map(lambda rows: b"".join(struct.pack("3Q4I", *row) for row in rows))
_words = st.binary(max_size=20).map(lambda content: content * 2)
_states = st.lists(or_anything(_words), max_size=4)


@fuzz
@given(or_anything(_words), or_anything(_rows), or_anything(_states), _anything)
def test_a_table_takes_any_rows(devices, rows, states, anything):
    table = native().Table()
    use(table.load, devices, rows, states)
    use(table.load, b"12345678" * 4, rows, states)
    use(table.load, b"12345678" * 4, rows, [b"abcd", b"", b"abcdefgh", b"x"])
    use(table.learn, anything, devices)
    use(table.learn, 1, rows)
    use(table.numbers, anything)
    devices, rows, states = table.rows()
    copy = native().Table()
    copy.load(devices, rows, states)
    assert len(copy) <= len(table) == len(rows) // 40
    assert sorted(copy.groups()[2].values()) == sorted(set(table.groups()[2].values()) - {b""})


def test_a_table_must_be_a_table(tree):
    with pytest.raises(TypeError, match="must be a Table"):
        native().read(COUNT, object(), (), Settings(1, 1, 9), *NOTHING)
    with pytest.raises(ValueError, match="a table is needed"):
        native().read(COUNT, None, (), Settings(1, 1, 9), *NOTHING)
    with pytest.raises(ValueError, match="a table is needed"):
        native().read(SEARCH, native().Table(), (), Settings(1, 1, 9), *NOTHING)


def count(top, table=None, *, flags=TaskFlag.ROOT, on_page=None, record=True):
    return count_trees(
        native(),
        native().Table() if table is None else table,
        [(-1, flags, 7, 0, os.fsencode(top), b"")],
        settings=Settings(2, 2, 9, record=record),
        special=(),
        untrusted=(),
        on_progress=lambda _: None,
        on_page=on_page or (lambda *_: None),
    )


def test_the_table_cannot_be_summed_up_while_it_is_filled(tree):
    """A page comes while threads read."""
    table, refused = native().Table(), []

    def on_page(*_):
        table.add(1, 2, 3, 4, 5, False, 6)
        for sum_up in (table.groups, table.rows, lambda: table.numbers(1)):
            with pytest.raises(RuntimeError, match="still adding"):
                sum_up()
        refused.append(len(table))

    count(tree, table, on_page=on_page)
    assert refused
    assert len(table.groups()[1]) > 0


def test_a_reading_may_begin_while_another_one_hands_over_a_page(tree):
    table, found = native().Table(), []
    count(tree, table, on_page=lambda *_: found.append(count(tree, table)))
    assert all(inner.tops == found[0].tops for inner in found)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_error_of_the_caller_ends_the_reading(tree, error):
    def fail(*_):
        raise error

    before = open_descriptors()
    with pytest.raises(error):
        count(tree, on_page=fail)
    assert open_descriptors() == before


def test_events_name_paths_below_the_root_as_they_are(tree):
    found = count(tree, flags=TaskFlag.ROOT | TaskFlag.TEXTS | TaskFlag.FILES)
    events = list(events_of(found.events))
    texts = {event.path: event.text for event in events if event.kind == EventKind.TEXT}
    assert texts == {f"a/{name}/link": name for name in ODD_NAMES}
    files = {event.path.rsplit("/", 1)[0] for event in events if event.kind == EventKind.FILE}
    assert files == {*(f"a/{name}" for name in ODD_NAMES), "env/conda-meta"}
    assert found.tops == [(os.stat(tree).st_dev, os.stat(tree).st_ino)]


def test_a_search_finds_environments_and_skips_only_what_it_is_told_to(tmp_path):
    for name in ("a/b/env", "ab/env", "a/bc/env", "abc"):
        write(f"{tmp_path}/{name}/conda-meta/history")
    task = (-1, TaskFlag.ROOT, 0, 0, os.fsencode(tmp_path), b"")

    def search(*skipped):
        _, packed = search_trees(native(), [task], skipped, Settings(2, 2, 9))
        return sorted(event.path for event in events_of(packed))

    assert search() == ["a/b/env", "a/bc/env", "ab/env", "abc"]
    assert search(b"ab") == ["a/b/env", "a/bc/env", "abc"]
    assert search(b"a/b", b"abc") == ["a/bc/env", "ab/env"]
    assert search(b"b", b"env", b"/a") == search()


def test_a_check_returns_facts_in_the_order_of_the_directories(tree):
    parent = os.open(tree, os.O_RDONLY)
    paths = [os.fsencode(f"a/{name}") for name in ODD_NAMES]
    names = b"/".join(b"\0/" + os.fsencode(name) + b"/again" for name in ODD_NAMES)
    tasks = [
        (parent, 0, 0, 0, b"\0".join(paths), names),
        (parent, 0, 0, 0, b"\0".join([*paths, b"gone"]), names + b"/\0"),
        (parent, 0, 0, 0, b"a", b"\0/gone"),
        (parent, 0, 0, 0, b"a", b"\0/\0"),
        (parent, 0, 0, 0, b"a\0env", b"\0"),
    ]
    complete, *others = check_pages(native(), tasks, exact=True)
    os.close(parent)
    assert others == [None] * 4
    status = [os.stat(path) for path in paths]
    facts = ("st_dev", "st_ino", "st_mtime_ns", "st_ctime_ns", "st_size")
    assert complete[0] == b"".join(
        pack_directory((*(getattr(one, fact) for fact in facts), one.st_blocks * 512))
        for one in status
    )
    files = [os.lstat(f"{os.fsdecode(path)}/again") for path in paths for _ in range(2)]
    packed = [
        struct.pack("QQqq", one.st_ino, one.st_nlink, one.st_size, one.st_blocks * 512)
        for one in files
    ]
    assert complete[1] == b"".join(packed)


def test_reading_takes_no_more_memory_each_time(tree):
    def read_all():
        for _ in range(200):
            count(tree, flags=TaskFlag.ROOT | TaskFlag.TEXTS | TaskFlag.FILES)
            use(
                native().read,
                COUNT,
                native().Table(),
                [(1, 2)],
                Settings(2, 2, 9, record=True),
                *NOTHING,
            )
            use(native().read, COUNT, native().Table(), [], Settings(2, 2, 9), [(1,)], *NOTHING[1:])

    read_all()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        read_all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000
