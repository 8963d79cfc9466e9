"""Leases: those of running processes count, stale ones go, unreadable ones keep packages."""

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
    """Return the holder and the packages of each lease."""
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
    """A locked file with any content."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, content)
        yield
    finally:
        os.close(descriptor)


def test_a_lease_covers_every_package_until_packages_are_named(folder, held):
    assert read(folder) == [(ME, ANY)]
    assert one_in(folder).covers("whatever-1-0")


def test_a_lease_covers_only_its_named_packages(folder, held):
    held.name(DISTS)
    lease = one_in(folder)
    assert (lease.holder, lease.dists) == (ME, frozenset(DISTS))
    assert all(map(lease.covers, DISTS))
    assert not any(map(lease.covers, ("a-1", "a-1-1", "other-1-0")))


def test_a_transaction_that_links_nothing_keeps_nothing(folder, held):
    held.name(())
    assert read(folder) == [(ME, frozenset())]


def test_naming_again_adds_packages(folder, held):
    held.name(DISTS[:1])
    held.name(DISTS[1:])
    assert read(folder) == [(ME, frozenset(DISTS))]


def test_a_released_lease_is_gone_and_can_be_released_again(folder):
    lease = HeldLease(folder, "install")
    assert [lease.release(), lease.release()] == [None, None]
    assert (read(folder), os.listdir(folder)) == ([], [])


def test_no_descriptor_stays_open(folder):
    before = open_descriptors()
    for _ in range(3):
        lease = HeldLease(folder, "install")
        lease.name(DISTS)
        read(folder)
        lease.release()
    assert open_descriptors() == before


def test_each_process_has_its_own_lease(folder, held):
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


def test_the_lease_of_a_killed_process_ends_and_the_next_one_removes_it(folder):
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


def test_children_of_a_killed_process_do_not_hold_its_lease(folder):
    """For example, a daemon of a post-link script: an inherited descriptor would keep the lock."""
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


def test_a_lease_is_taken_even_if_it_is_removed_as_stale_before_it_is_locked(folder, monkeypatch):
    def another_starts(descriptor, operation, flock):
        HeldLease(folder, "create").release()
        assert os.listdir(folder) == []

    assert_taken_despite(another_starts, folder, monkeypatch)


def assert_taken_despite(meanwhile, folder, monkeypatch):
    """Assert that a process gets its lease whatever happens just before the first lock."""
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


def test_a_lease_is_taken_even_if_another_process_reads_it_before_it_is_locked(folder, monkeypatch):
    """A clean does: it holds a lock of its own for that moment."""

    def another_reads(descriptor, operation, flock):
        looking = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)
        flock(looking, fcntl.LOCK_SH)
        try:
            if operation & fcntl.LOCK_NB:
                flock(descriptor, operation)
        finally:
            os.close(looking)

    assert_taken_despite(another_reads, folder, monkeypatch)


def test_names_that_do_not_fit_on_the_disk_cover_every_package(folder):
    assert in_child(lambda: named_with_room_for(folder, 4096)[0]) == ANY


def test_names_that_fit_later_do_not_count_as_complete(folder):
    later = in_child(lambda: named_with_room_for(folder, 4096)[1])
    assert later is ANY or {"p0-1-0", "p1-1-0", "late-1-0"} <= later


@pytest.mark.parametrize("room_bytes", [0, 10])
def test_a_lease_can_be_taken_on_a_full_disk(folder, room_bytes):
    """Then somebody cleans: a locked file without a complete list covers every package."""

    def take():
        make_room_for(room_bytes)
        lease = HeldLease(folder, "install")
        make_room_for(resource.RLIM_INFINITY)
        lease.name(DISTS)
        return [dists for _, dists in read(folder)]

    assert in_child(take) == [ANY]


def named_with_room_for(folder, limit_bytes):
    """Return the packages read after naming too many for the disk, and after naming one more."""
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


def test_a_list_over_the_read_limit_covers_every_package(folder, held):
    held.name(f"package-with-a-long-name-{number}-1-0" for number in range(150_000))
    assert read(folder) == [(ME, ANY)]


@given(st.binary(max_size=80))
@example(b"process 1 (conda install)\na-1-0\n.\n")
@example(b"process 1 (conda install)\na-1-0\n.")
@example(b"\n.\n")
@example(b".\n")
@example(b"")
def test_an_incomplete_locked_file_covers_every_package(tmp_path_factory, content):
    folder = str(tmp_path_factory.mktemp("leases"))
    with locked(f"{folder}/1-2", content):
        lease = one_in(folder)
    assert lease.holder
    whole = content.endswith(b"\n.\n")
    assert (lease.dists is not None) == whole
    if whole:
        assert {os.fsencode(dist) for dist in lease.dists} == set(content.split(b"\n")[1:-2])
    assert read(folder) == []


def test_an_unlocked_file_is_ignored_and_removed(folder, held):
    write(f"{folder}/1-2", b"process 1 (conda install)\na-1-0\n.\n")
    write(f"{folder}/3-4", b"\xff\0\n" * 9)
    assert read(folder) == [(ME, ANY)]
    HeldLease(folder, "create").release()
    assert len(os.listdir(folder)) == 1


def test_other_kinds_of_files_are_ignored_and_kept(folder, tmp_path):
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


def test_a_socket_is_ignored(folder):
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


def test_a_lease_folder_that_is_a_symbolic_link_is_ignored(folder, tmp_path):
    os.makedirs(os.path.dirname(folder))
    os.symlink(str(tmp_path), folder)
    with locked(f"{tmp_path}/1-1"):
        assert read(folder) == []
        with pytest.raises(OSError, match=r"[Nn]ot a directory|symbolic links"):
            HeldLease(folder, "install")


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can give folders away")
def test_a_lease_folder_of_another_user_is_ignored(folder, held):
    os.chown(folder, NOBODY, NOBODY)
    assert read(folder) == []
    before = os.listdir(folder), open_descriptors()
    with pytest.raises(PermissionError):
        HeldLease(folder, "install")
    assert (os.listdir(folder), open_descriptors()) == before


@pytest.mark.parametrize("made", ["nothing", "a file", "a file on the way"])
def test_without_a_folder_there_are_no_leases(folder, made):
    if made != "nothing":
        write(folder if made == "a file" else os.path.dirname(folder))
    assert read(folder) == []


def test_an_unreadable_lease_covers_every_package(folder):
    folder = shared(folder)
    path = write(f"{folder}/1-2", b"process 1 (conda install)\na-1-0\n.\n")
    os.chmod(path, 0)
    for unreadable in (path, folder):
        lease = in_child(lambda: one_in(folder), user=NOBODY)
        assert (lease.path, lease.holder, lease.dists) == (unreadable, "permission denied", ANY)
        os.chmod(folder, 0o711)


def shared(folder):
    """Make a folder that another user may enter."""
    os.makedirs(folder)
    subprocess.run(["chmod", "a+rx", folder, *map(str, Path(folder).parents[:-2])], check=True)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can become somebody else")
def test_a_lease_that_cannot_be_written_raises_and_leaves_nothing(folder):
    def take():
        with pytest.raises(PermissionError):
            HeldLease(folder, "install")
        return open_descriptors()

    before = in_child(open_descriptors, user=NOBODY)
    assert in_child(take, user=NOBODY) == before
    assert os.listdir(shared(folder)) == []
    assert in_child(take, user=NOBODY) == before


def test_a_lease_is_accessible_only_to_its_user(folder, held):
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
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # ignored, by its specification
    assert lease_folder() == f"/home/me/{below}/conda/hardlinks/leases"


def test_taking_and_naming_a_lease_is_fast(folder):
    dists = [f"package-{number}-1.0-h0_0" for number in range(300)]
    took_s = []
    for _ in range(50):
        began_s = time.process_time()
        lease = HeldLease(folder, "install")
        lease.name(dists)
        took_s.append(time.process_time() - began_s)
        lease.release()
    assert sorted(took_s)[25] < 0.02
