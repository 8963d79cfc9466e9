"""Leases: who holds one is believed, who is dead is forgotten, and what is odd keeps packages."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conda_hardlink_plugin.metadata.leases import HeldLease, lease_folder, read_leases
from tests.support.forking import forked, in_child
from tests.support.oracles import NOBODY, open_descriptors
from tests.support.trees import write

ANY = None
DISTS = ("a-1-0", "b_b-2.0-py_0", "c-1!3-h0_0")
ME = f"process {os.getpid()} (conda install)"


def read(folder):
    """What living processes say: who, and which packages."""
    return [(lease.holder, lease.dists) for lease in read_leases([folder])]


def one_in(folder):
    (lease,) = read_leases([folder])
    return lease


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "cache" / "leases")


@pytest.fixture
def held(folder):
    lease = HeldLease(folder, "install")
    yield lease
    lease.release()


@contextmanager
def locked(path, content=b""):
    """A lease as anybody may write one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, content)
        yield
    finally:
        os.close(descriptor)


def test_before_the_packages_are_named_it_may_be_any(folder, held):
    assert read(folder) == [(ME, ANY)]
    assert one_in(folder).covers("whatever-1-0")


def test_once_they_are_named_it_is_these_and_no_other(folder, held):
    held.name(DISTS)
    lease = one_in(folder)
    assert (lease.holder, set(lease.dists) - {"."}) == (ME, set(DISTS))
    assert all(map(lease.covers, DISTS))
    assert not any(map(lease.covers, ("a-1", "a-1-1", "other-1-0")))


def test_a_transaction_that_links_nothing_keeps_nothing(folder, held):
    held.name(())
    assert read(folder) == [(ME, frozenset())]


def test_what_a_second_solver_wants_comes_on_top(folder, held):
    held.name(DISTS[:1])
    held.name(DISTS[1:])
    assert all(map(one_in(folder).covers, DISTS))
    assert not one_in(folder).covers("other-1-0")


def test_a_lease_that_is_given_back_is_gone_and_can_be_given_back_again(folder):
    lease = HeldLease(folder, "install")
    assert [lease.release(), lease.release()] == [None, None]
    assert (read(folder), os.listdir(folder)) == ([], [])


def test_nothing_stays_open(folder):
    before = open_descriptors()
    for _ in range(3):
        lease = HeldLease(folder, "install")
        lease.name(DISTS)
        read(folder)
        lease.release()
    assert open_descriptors() == before


def test_several_processes_each_have_their_own(folder, held):
    held.name(DISTS[:1])
    with in_another_process(folder, DISTS[1:]) as process:
        found = dict(read(folder))
        assert set(found) == {ME, f"process {process.pid} (conda create)"}
        assert found[ME] != found[f"process {process.pid} (conda create)"]
    assert len(read_leases([folder, folder])) == 1


@contextmanager
def in_another_process(folder, dists=None, *, also=str):
    """A process that has a lease, and waits to be killed."""
    readable, writable = os.pipe()

    def hold():
        lease = HeldLease(folder, "create")
        if dists is not None:
            lease.name(dists)
        also()
        os.write(writable, b".")
        signal.pause()

    try:
        with forked(hold) as process:
            assert os.read(readable, 1) == b"."
            yield process
    finally:
        os.close(readable)
        os.close(writable)


def test_a_killed_process_holds_nothing_and_the_next_one_clears_up(folder):
    with in_another_process(folder) as process:
        assert len(read(folder)) == 1
        process.kill()
        assert read(folder) == []
        (dead,) = os.listdir(folder)
    with in_another_process(folder):
        lease = HeldLease(folder, "install")
        assert dead not in os.listdir(folder)
        assert len(os.listdir(folder)) == len(read(folder)) == 2
        lease.release()


def test_what_a_killed_process_started_does_not_hold_its_lease(folder):
    """As a daemon of a post-link script: the lock would live on with a descriptor in it."""
    readable, writable = os.pipe()
    started = f"{folder}/started"

    def start():
        child = subprocess.Popen(["cat"], stdin=readable, close_fds=False)
        write(started, str(child.pid).encode())

    try:
        with in_another_process(folder, also=start) as process:
            process.kill()
            with open(started, encoding="ascii") as file:
                daemon = int(file.read())
            os.kill(daemon, 0)  # it is there
            assert read(folder) == []
            os.kill(daemon, signal.SIGKILL)
    finally:
        os.close(readable)
        os.close(writable)


def test_one_that_is_taken_for_a_dead_ones_before_it_is_locked_is_had_all_the_same(
    folder, monkeypatch
):
    def another_begins(descriptor, operation, flock):
        HeldLease(folder, "create").release()
        assert os.listdir(folder) == []

    assert_had_although(another_begins, folder, monkeypatch)


def assert_had_although(meanwhile, folder, monkeypatch):
    """That a process has its lease whatever happens just before it is locked for the first time."""
    flock, times = fcntl.flock, []

    def interrupted(descriptor, operation):
        if operation & fcntl.LOCK_EX and not times:
            times.append(1)
            meanwhile(descriptor, operation, flock)
        return flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", interrupted)
    lease = HeldLease(folder, "install")
    assert read(folder) == [(ME, ANY)]
    lease.release()


def test_whoever_looks_at_one_before_it_is_locked_does_not_keep_a_process_from_it(
    folder, monkeypatch
):
    """A clean: it holds a lock of its own for that moment."""

    def somebody_looks(descriptor, operation, flock):
        looking = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)
        flock(looking, fcntl.LOCK_SH)
        try:
            if operation & fcntl.LOCK_NB:
                flock(descriptor, operation)
        finally:
            os.close(looking)

    assert_had_although(somebody_looks, folder, monkeypatch)


def test_what_does_not_fit_on_the_disk_may_be_any(folder):
    assert in_child(lambda: named_with_room_for(folder, 4096)[0]) == ANY


def test_what_fits_again_later_is_not_taken_for_all(folder):
    later = in_child(lambda: named_with_room_for(folder, 4096)[1])
    assert later is ANY or {"p0-1-0", "p1-1-0", "late-1-0"} <= later


def test_on_a_full_disk_a_process_has_a_lease_all_the_same(folder):
    """Then somebody cleans: a locked file is enough to say that it may be any."""

    def take():
        make_room_for(0)
        HeldLease(folder, "install").name(DISTS)
        return [dists for _, dists in read(folder)]

    assert in_child(take) == [ANY]


def named_with_room_for(folder, limit_bytes):
    """What is read after more names than there is room for, and after few more."""
    lease = HeldLease(folder, "install")
    make_room_for(limit_bytes)
    with suppress(OSError):
        lease.name(f"p{number}-1-0" for number in range(limit_bytes))
    before = one_in(folder)
    make_room_for(resource.RLIM_INFINITY)
    lease.name(["late-1-0"])
    return before.dists, one_in(folder).dists


def make_room_for(limit_bytes):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))


def test_more_than_anybody_reads_may_be_any(folder, held):
    held.name(f"package-with-a-long-name-{number}-1-0" for number in range(150_000))
    assert read(folder) == [(ME, ANY)]


@given(st.binary(max_size=80))
@example(b"process 1 (conda install)\na-1-0\n.\n")
@example(b"process 1 (conda install)\na-1-0\n.")
@example(b"\n.\n")
@example(b".\n")
@example(b"")
def test_whatever_is_in_a_locked_file_it_is_a_lease_and_of_any_unless_it_is_whole(
    tmp_path_factory, content
):
    folder = str(tmp_path_factory.mktemp("leases"))
    with locked(f"{folder}/1-2", content):
        lease = one_in(folder)
    assert lease.holder
    whole = content.endswith(b"\n.\n")
    assert (lease.dists is not None) == whole
    if whole:
        assert {os.fsencode(dist) for dist in lease.dists} == set(content.split(b"\n")[1:-2])
    assert read(folder) == []


def test_whatever_is_in_a_file_that_nobody_locks_is_nothing_and_is_removed(folder, held):
    write(f"{folder}/1-2", b"process 1 (conda install)\na-1-0\n.\n")
    write(f"{folder}/3-4", b"\xff\0\n" * 9)
    assert read(folder) == [(ME, ANY)]
    HeldLease(folder, "create").release()
    assert len(os.listdir(folder)) == 1


def test_odd_things_neither_stop_nor_hold_up_anybody_and_stay(folder, tmp_path):
    precious = write(str(tmp_path / "precious"), b"mine")
    os.makedirs(f"{folder}/1-1/in-it")
    os.mkfifo(f"{folder}/2-2")
    os.symlink(precious, f"{folder}/3-3")
    os.symlink("nowhere", f"{folder}/4-4")
    os.symlink("5-5", f"{folder}/5-5")
    write(f"{folder}/notes", b"mine, too")
    odd = sorted(os.listdir(folder))
    assert read(folder) == []
    lease = HeldLease(folder, "install")
    assert read(folder) == [(ME, ANY)]
    lease.release()
    assert sorted(os.listdir(folder)) == odd
    with locked(f"{folder}/notes"), locked(precious), locked(f"{folder}/2-2"):
        assert read(folder) == []


def test_a_socket_is_no_lease(folder):
    os.makedirs(folder)
    with socket.socket(socket.AF_UNIX) as made:
        before = os.getcwd()
        os.chdir(folder)  # its name may not be long
        try:
            made.bind("1-1")
        finally:
            os.chdir(before)
        assert read(folder) == []
        HeldLease(folder, "install").release()


def test_a_folder_that_is_a_symbolic_link_holds_none(folder, tmp_path):
    os.makedirs(os.path.dirname(folder))
    os.symlink(str(tmp_path), folder)
    with locked(f"{tmp_path}/1-1"):
        assert read(folder) == []
        with pytest.raises(OSError, match=r"[Nn]ot a directory|symbolic links"):
            HeldLease(folder, "install")


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can give folders away")
def test_a_folder_of_somebody_else_holds_none(folder, held):
    os.chown(folder, NOBODY, NOBODY)
    assert read(folder) == []
    before = os.listdir(folder), open_descriptors()
    with pytest.raises(PermissionError):
        HeldLease(folder, "install")
    assert (os.listdir(folder), open_descriptors()) == before


@pytest.mark.parametrize("made", ["nothing", "a file", "a file on the way"])
def test_where_there_is_no_folder_there_are_no_leases(folder, made):
    if made != "nothing":
        write(folder if made == "a file" else os.path.dirname(folder))
    assert read(folder) == []


def test_what_may_not_be_read_keeps_packages(folder):
    folder = shared(folder)
    path = write(f"{folder}/1-2", b"process 1 (conda install)\na-1-0\n.\n")
    os.chmod(path, 0)
    for unreadable in (path, folder):
        lease = in_child(lambda: one_in(folder), user=NOBODY)
        assert (lease.path, lease.holder, lease.dists) == (unreadable, "permission denied", ANY)
        os.chmod(folder, 0o711)


def shared(folder):
    """Make a folder that another user may go to."""
    os.makedirs(folder)
    subprocess.run(["chmod", "a+rx", folder, *map(str, Path(folder).parents[:-2])], check=True)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can become somebody else")
def test_where_a_lease_cannot_be_written_there_is_an_error_and_nothing_is_left(folder):
    def take():
        with pytest.raises(PermissionError):
            HeldLease(folder, "install")
        return open_descriptors()

    before = in_child(open_descriptors, user=NOBODY)
    assert in_child(take, user=NOBODY) == before
    assert os.listdir(shared(folder)) == []
    assert in_child(take, user=NOBODY) == before


def test_a_lease_is_for_its_user_alone(folder, held):
    assert os.stat(folder).st_mode & 0o777 == 0o700
    (name,) = os.listdir(folder)
    assert os.stat(f"{folder}/{name}").st_mode & 0o777 == 0o600


def test_leases_are_in_the_cache_folder_of_the_user(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    macos = sys.platform == "darwin"
    below = "Library/Caches" if macos else ".cache"
    assert lease_folder() == f"/home/me/{below}/conda/hardlinks/leases"
    assert lease_folder("/home/you") == f"/home/you/{below}/conda/hardlinks/leases"
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch/me")
    base = f"/home/me/{below}" if macos else "/scratch/me"
    assert lease_folder() == f"{base}/conda/hardlinks/leases"
    assert lease_folder("/home/you") == f"/home/you/{below}/conda/hardlinks/leases"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # of no account, says its specification
    assert lease_folder() == f"/home/me/{below}/conda/hardlinks/leases"


def test_to_take_a_lease_and_to_name_it_costs_nothing_that_anybody_notices(folder):
    dists = [f"package-{number}-1.0-h0_0" for number in range(300)]
    took_s = []
    for _ in range(50):
        began_s = time.process_time()
        lease = HeldLease(folder, "install")
        lease.name(dists)
        took_s.append(time.process_time() - began_s)
        lease.release()
    assert sorted(took_s)[25] < 0.02
