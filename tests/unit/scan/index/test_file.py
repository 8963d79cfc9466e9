"""The index file: damaged, of other users, written by two processes, or not writable."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem.mounts import MountTable
from conda_hardlink_plugin.scan.index.file import index_path, open_index
from conda_hardlink_plugin.scan.inventory import ReadingMode
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.forking import allow_descriptors, forked, in_child
from tests.support.oracles import NOBODY, open_descriptors
from tests.support.repository import TOP
from tests.support.scanning import Partly, analysis, look_up, next_tick, trusting, write_index
from tests.support.trees import (
    cache_root,
    environment_root,
    install,
    make_installation,
    package,
    write,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")

pytestmark = pytest.mark.usefixtures("each_reader")


@pytest.fixture
def made(tmp_path):
    return make_installation(str(tmp_path))


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "cache" / "index")


@pytest.fixture
def indexed(made, folder):
    """An installation with a complete index."""
    write_index(folder, made.roots)
    next_tick(folder)
    return made


def again(folder, roots, *, quick=False, partly=False):
    with trusting(), look_up(folder, quick=quick) as lookup:
        return scan(roots, lookup=Partly(lookup) if partly else lookup)


def contents(folder):
    with open(index_path(folder), "rb") as file:
        return file.read()


def test_only_its_user_can_access_an_index(indexed, folder):
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(index_path(folder)).st_mode) == 0o600
    assert os.listdir(folder) == [os.path.basename(index_path(folder))]


def test_an_unchanged_index_is_not_written_again(indexed, folder):
    before = contents(folder)
    assert again(folder, indexed.roots).reading.mode is ReadingMode.EXACT
    assert contents(folder) == before


@pytest.mark.parametrize("quick", [False, True])
def test_scans_leave_nothing_open(indexed, folder, quick):
    before = open_descriptors()
    again(folder, indexed.roots, quick=quick)
    write(f"{indexed.first}/new")
    again(folder, indexed.roots, quick=quick)
    assert open_descriptors() == before


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """An installation, its inventory, the content of its index, and the directory of the index."""
    made = make_installation(str(tmp_path_factory.mktemp("damaged")))
    os.symlink("own", f"{made.first}/lib/link")
    folder = str(tmp_path_factory.mktemp("index"))
    inventory = write_index(folder, made.roots)
    return made, analysis(inventory), contents(folder), folder


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9), st.integers(1, 255), st.booleans(), st.booleans())
def test_a_changed_byte_in_the_index_does_not_change_figures(damaged, offset, bits, partly, quick):
    made, expected, content, folder = damaged
    offset %= len(content)
    changed = bytes([content[offset] ^ bits])
    write(index_path(folder), content[:offset] + changed + content[offset + 1 :])
    assert analysis(again(folder, made.roots, partly=partly, quick=quick)) == expected


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9), st.binary(max_size=100), st.booleans())
def test_a_truncated_index_does_not_change_figures(damaged, length, more, partly):
    made, expected, content, folder = damaged
    write(index_path(folder), content[: length % len(content)] + more)
    assert analysis(again(folder, made.roots, partly=partly)) == expected


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 100, b"\0" * 10_000])
def test_a_file_that_is_not_an_index_is_replaced(made, folder, content):
    write(index_path(folder), content)
    assert again(folder, made.roots).reading.mode is ReadingMode.FULL
    assert again(folder, made.roots).reading.mode is ReadingMode.EXACT


def test_a_pipe_or_symlink_instead_of_the_index_is_replaced(indexed, folder, tmp_path):
    elsewhere = f"{tmp_path}/elsewhere"
    path = index_path(folder)
    os.rename(path, elsewhere)
    os.symlink(elsewhere, path)
    before = os.stat(elsewhere)
    assert again(folder, indexed.roots).reading.mode is ReadingMode.FULL
    assert not os.path.islink(path)
    assert os.stat(elsewhere) == before
    os.unlink(path)
    os.mkfifo(path)
    assert again(folder, indexed.roots).reading.mode is ReadingMode.FULL
    assert again(folder, indexed.roots).reading.mode is ReadingMode.EXACT


def test_everything_is_read_if_no_index_can_be_written(made, folder, tmp_path):
    os.makedirs(index_path(folder))
    for _ in range(2):
        assert analysis(again(folder, made.roots)) == analysis(scan(made.roots))
    nowhere = f"{write(f'{tmp_path}/file')}/index"
    assert again(nowhere, made.roots).reading.mode is ReadingMode.FULL


@as_root
def test_an_index_of_another_user_is_not_used(indexed, folder):
    os.chown(index_path(folder), NOBODY, NOBODY)
    assert again(folder, indexed.roots).reading.mode is ReadingMode.FULL
    os.chown(folder, NOBODY, NOBODY)
    os.chown(index_path(folder), NOBODY, NOBODY)
    assert again(folder, indexed.roots).reading.mode is ReadingMode.FULL
    assert os.stat(index_path(folder)).st_uid == NOBODY, "the index was written again"


@as_root
def test_an_administrator_creates_no_directory_in_the_home_of_a_user(made, tmp_path):
    home = f"{tmp_path}/home"
    os.mkdir(home)
    os.chown(home, NOBODY, NOBODY)
    again(f"{home}/.cache/conda/hardlinks", made.roots)
    assert os.listdir(home) == []


def test_a_user_without_write_permission_gets_a_report_without_an_index():
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        made, folder = make_installation(top), f"{top}/read-only"
        os.mkdir(folder, 0o555)
        expected = analysis(scan(made.roots))
        assert in_child(lambda: analysis(again(folder, made.roots)), user=NOBODY) == expected
        assert os.listdir(folder) == []


@pytest.mark.parametrize("allowed", [0, 100, 1_000, 2_500])
def test_no_index_remains_if_it_does_not_fit_on_the_disk(made, folder, allowed):
    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, allowed))
        return analysis(again(folder, made.roots))

    assert in_child(limited) == analysis(scan(made.roots))
    assert os.listdir(folder) == []


def test_the_previous_index_remains_if_the_next_one_does_not_fit(indexed, folder):
    before = contents(folder)
    write(f"{indexed.first}/lib/new")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
        return analysis(again(folder, indexed.roots))

    assert in_child(limited) == analysis(scan(indexed.roots))
    assert contents(folder) == before


def test_two_reports_at_the_same_time_are_both_correct(indexed, folder):
    """The second report replaces the index before the first one has checked it."""
    write(f"{indexed.first}/lib/new", b"n" * 5_000)
    expected = analysis(scan(indexed.roots))
    with trusting(), look_up(folder, quick=False) as first:
        assert analysis(again(folder, indexed.roots)) == expected
        assert analysis(scan(indexed.roots, lookup=first)) == expected
    assert again(folder, indexed.roots).reading.mode is ReadingMode.EXACT
    assert analysis(again(folder, indexed.roots, partly=True)) == expected


def test_leftovers_of_a_killed_report_are_removed_and_files_of_a_running_one_are_not(made, folder):
    readable, writable = os.pipe()

    def written_in_part():
        def stop(_links):
            os.write(writable, b"x")
            signal.pause()

        for number in range(6_000):  # enough to report progress
            os.link(f"{made.first}/lib/own", f"{made.first}/lib/own-{number}")
        with look_up(folder, quick=False) as lookup:
            scan(made.roots, lookup=lookup, on_progress=stop)

    with forked(written_in_part) as process:
        assert os.read(readable, 1)
        (left,) = os.listdir(folder)
        again(folder, made.roots)
        assert left in os.listdir(folder), "the file of a running process was removed"
        process.kill()
    assert left in os.listdir(folder)
    write(f"{made.first}/lib/one-more")
    again(folder, made.roots)
    assert left not in os.listdir(folder)
    os.close(readable)
    os.close(writable)
    assert analysis(again(folder, made.roots)) == analysis(scan(made.roots))


def test_no_index_is_written_if_a_directory_may_appear_twice(made, folder):
    unknown = MountTable((), known=False)
    with look_up(folder, quick=False) as lookup:
        inventory = scan(made.roots, lookup=lookup, mounts=unknown)
    assert inventory.reading.mode is ReadingMode.FULL
    assert not os.path.exists(index_path(folder))


def test_an_index_is_not_used_if_a_directory_may_appear_twice(indexed, folder):
    unknown = MountTable((), known=False)
    with look_up(folder, quick=True) as lookup:
        inventory = scan(indexed.roots, lookup=lookup, mounts=unknown)
    assert inventory.reading.mode is ReadingMode.FULL


def test_an_index_in_another_encoding_is_not_used(tmp_path, folder):
    """The same bytes would be different text, and the same text different bytes."""
    code = (
        "import sys\n"
        "from conda_hardlink_plugin.scan.index import page\n"
        "from conda_hardlink_plugin.analysis.index_totals import index_totals\n"
        "from conda_hardlink_plugin.scan.index.lookup import look_up\n"
        "from conda_hardlink_plugin.scan.inventory import Root, RootKind\n"
        "from conda_hardlink_plugin.scan.scanner import scan\n"
        "page.RACY_NS = -10**19\n"
        "with look_up(sys.argv[1], quick=False, totals_of=index_totals) as lookup:\n"
        "    roots = [Root(RootKind.ENVIRONMENT, sys.argv[2])]\n"
        "    print(scan(roots, lookup=lookup).reading.mode.value)\n"
    )
    prefix = f"{tmp_path}/env"
    write(f"{prefix}/ünïcödé")
    utf_8 = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    other = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    modes = [
        subprocess.run(
            [sys.executable, "-c", code, folder, prefix],
            env=os.environ | encoding,
            cwd=TOP,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for encoding in (utf_8, utf_8, other, other, utf_8)
    ]
    assert modes == ["full", "exact", "full", "exact", "full"]


@pytest.fixture
def wide(tmp_path):
    """A cache with many packages, and environments with some of them."""
    cache = f"{tmp_path}/pkgs"
    extracted = [
        package(cache, f"p{number}-1-0", {f"lib/p{number}/f{file}": b"x" for file in range(3)})
        for number in range(80)
    ]
    prefixes = [f"{tmp_path}/envs/{name}" for name in ("first", "second", "third")]
    for shift, prefix in enumerate(prefixes):
        for one in extracted[shift * 20 : shift * 20 + 40]:
            install(one, prefix)
        for number in range(300):
            write(f"{prefix}/own/d{number}/f", b"y" * number)
    return [cache_root(cache), *map(environment_root, prefixes)]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("changed", ["", "envs/first/own/d7/new", "pkgs/p1-1-0/new"])
def test_an_index_of_many_directories_is_checked_correctly(wide, folder, tmp_path, quick, changed):
    write_index(folder, wide)
    next_tick(folder)
    if changed:
        write(f"{tmp_path}/{changed}", b"n" * 5_000)
    inventory = again(folder, wide, quick=quick)
    quick_enough = quick and not changed
    assert inventory.reading.mode is (ReadingMode.QUICK if quick_enough else ReadingMode.EXACT)
    assert analysis(inventory) == analysis(scan(wide))


@pytest.mark.parametrize("quick", [False, True])
def test_an_index_may_have_more_environments_than_allowed_descriptors(tmp_path, folder, quick):
    roots = [environment_root(f"{tmp_path}/envs/{number}") for number in range(300)]
    for root in roots:
        write(f"{root.path}/lib/file")
    write_index(folder, roots)

    def mode_with_few():
        allow_descriptors(100)
        with look_up(folder, quick=quick) as lookup:
            return scan(roots, lookup=lookup).reading.mode

    assert in_child(mode_with_few) is (ReadingMode.QUICK if quick else ReadingMode.EXACT)


def test_an_index_of_many_directories_is_complete(wide, folder):
    """Nothing is settled yet, so each unit is read and written again."""
    for _ in range(3):
        with look_up(folder, quick=False) as lookup:
            inventory = scan(wide, lookup=lookup)
        assert analysis(inventory) == analysis(scan(wide))
        with open_index(folder) as index:
            assert {page.unit for page in index.stored.pages} >= set(range(len(inventory.units)))
            assert sum(page.directories for page in index.stored.pages) == directories(wide)


def directories(roots):
    """Return the number of directories in some roots, including the roots."""
    return sum(1 for root in roots for _ in os.walk(root.path))


def test_a_quick_check_returns_the_time_of_the_last_exact_check(indexed, folder):
    os.utime(index_path(folder), (1_000, 1_000))
    assert again(folder, indexed.roots, quick=True).reading.taken_s == 1_000
    assert again(folder, indexed.roots).reading.taken_s is None
    assert again(folder, indexed.roots, quick=True).reading.taken_s > 1_000
