"""The locks on a cache: a clean waits for their holders and names them, and they wait for it."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from conda_hardlink_plugin.clean.execution import execute_plan
from conda_hardlink_plugin.executor.errors import RefusedError
from conda_hardlink_plugin.executor.locks import RATTLER_LOCK, lock_files, locked, locked_quarantine
from conda_hardlink_plugin.executor.outcome import Outcome, new_run
from conda_hardlink_plugin.executor.quarantine import opened_quarantine
from conda_hardlink_plugin.executor.recheck import Checker
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from tests.support.cleaning import executed, plan_of
from tests.support.forking import forked, in_child
from tests.support.oracles import du
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, write

MAMBA_BYTE = 21
PATIENCE_S = 20  # only a lock that is never released takes that long
_OPEN = os.O_RDWR | os.O_CREAT


def lock_as_mamba(cache):
    """Lock as libmamba and conda do: `F_SETLK`."""
    descriptor = os.open(f"{cache}/{os.path.basename(cache)}.lock", _OPEN)
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, MAMBA_BYTE)
    return descriptor


def lock_as_mamba_by_descriptor(cache):
    """Take the same lock, owned by an open file instead of a process: `F_OFD_SETLK`."""
    descriptor = os.open(f"{cache}/{os.path.basename(cache)}.lock", _OPEN)
    wanted = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, MAMBA_BYTE, 1, 0)
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    return descriptor


def lock_as_rattler(cache):
    descriptor = os.open(f"{cache}/{RATTLER_LOCK}", _OPEN)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def lock_to_read(cache):
    """Take a lock that several processes may hold at once."""
    descriptor = os.open(f"{cache}/{RATTLER_LOCK}", _OPEN)
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor


def lock_as_we_do(cache):
    os.makedirs(f"{cache}/{QUARANTINE}", mode=0o700, exist_ok=True)
    descriptor = os.open(f"{cache}/{QUARANTINE}/lock", _OPEN)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


NAMES = {
    lock_as_mamba: "pkgs.lock",
    lock_as_mamba_by_descriptor: "pkgs.lock",
    lock_as_rattler: ".cache.lock",
    lock_to_read: ".cache.lock",
    lock_as_we_do: ".conda-hardlinks/lock",
}
each_way = pytest.mark.parametrize("take", NAMES, ids=lambda take: take.__name__)


class Holder:
    """Another process that holds a lock until it receives a command."""

    def __init__(self, process, go_on):
        self.process = process
        self._go_on = go_on

    def release(self):
        """Have it close its descriptor, and wait until it has."""
        self._send(b"c")

    def remove_and_release(self):
        """Have it remove the file and close its descriptor."""
        self._send(b"r")

    def _send(self, command):
        if self.process.pid:
            os.write(self._go_on, command)
            self.process.result()


@contextmanager
def held(take, cache, remove=None):
    """Have another process hold a lock; on command it removes the lock file."""
    is_held, report = os.pipe()
    commands, go_on = os.pipe()

    def hold():
        descriptor = take(cache)
        os.write(report, b".")
        if os.read(commands, 1) == b"r":
            remove() if remove else os.unlink(f"{cache}/{NAMES[take]}")
        os.close(descriptor)

    with forked(hold) as process:
        os.close(report)
        os.close(commands)
        try:
            assert os.read(is_held, 1) == b"."
            yield Holder(process, go_on)
        finally:
            os.close(is_held)
            os.close(go_on)


@pytest.fixture
def cache(tmp_path):
    path = f"{tmp_path}/pkgs"
    os.mkdir(path)
    return path


@contextmanager
def all_locked(cache, wait_s=0.0, when_refused=None):
    """Take all locks of a cache; call a function each time that one cannot be taken."""

    def reporting(file):
        def lock(descriptor):
            try:
                file.lock(descriptor)
            except BlockingIOError:
                if when_refused:
                    when_refused()
                raise

        return replace(file, lock=lock)

    with opened_quarantine(cache) as quarantine:
        files = [reporting(file) for file in lock_files(cache, quarantine)]
        with locked(files, wait_s):
            yield


def can_lock(take, cache):
    def attempt():
        try:
            os.close(take(cache))
        except BlockingIOError:
            return False
        return True

    return in_child(attempt)


@each_way
def test_the_holder_of_a_lock_is_named(cache, take):
    with held(take, cache) as holder:
        with open(f"/proc/{holder.process.pid}/comm", encoding="utf-8") as file:
            who = f"process {holder.process.pid} ({file.read().strip()})"
        if take is lock_as_mamba_by_descriptor:
            who = "another process"  # the system does not report its owner
        with pytest.raises(RefusedError) as refused, all_locked(cache):
            pass
    assert refused.value.problem.path == f"{cache}/{NAMES[take]}"
    assert refused.value.problem.reason == (
        f"it is locked by {who}: wait until that process finishes, or stop it, and run this"
        " command again"
    )


@each_way
def test_a_clean_waits_until_a_lock_is_released(cache, take):
    waited = []
    with held(take, cache) as holder:

        def release():
            waited.append(True)
            holder.release()

        with all_locked(cache, PATIENCE_S, release):
            assert not any(can_lock(way, cache) for way in NAMES)
    assert waited


@each_way
def test_a_lock_file_that_its_holder_removes_is_created_and_locked_again(cache, take):
    """As mamba does if it created the file."""
    with held(take, cache) as holder, all_locked(cache, PATIENCE_S, holder.remove_and_release):
        assert not any(can_lock(way, cache) for way in NAMES)


def test_a_lock_on_a_deleted_file_does_not_count(cache):
    """It was opened while it existed, and locked after its holder had removed it."""
    with held(lock_as_mamba, cache) as holder, opened_quarantine(cache) as quarantine:
        (file,) = (
            file for file in lock_files(cache, quarantine) if file.path.endswith("pkgs.lock")
        )
        tries = []

        def lock(descriptor):
            tries.append(os.fstat(descriptor).st_ino)
            holder.remove_and_release()
            file.lock(descriptor)

        with locked([replace(file, lock=lock)], PATIENCE_S):
            assert len(tries) == 2
            assert tries[-1] == os.stat(file.path).st_ino
            assert not can_lock(lock_as_mamba, cache)


@each_way
def test_no_other_process_gets_a_lock_that_a_clean_holds(cache, take):
    assert can_lock(take, cache)
    with all_locked(cache):
        assert not can_lock(take, cache)
    assert can_lock(take, cache)


def test_a_rattler_lock_in_a_folder_of_the_cache_is_held_too(cache):
    folder = f"{cache}/rattler/pkgs"
    os.makedirs(folder)
    with locked_quarantine(cache, ["rattler/pkgs"]):
        assert can_lock(lock_as_rattler, folder)
    write(f"{folder}/{RATTLER_LOCK}")
    with locked_quarantine(cache, ["rattler/pkgs"]):
        assert not can_lock(lock_as_rattler, folder)
    assert can_lock(lock_as_rattler, folder)


@each_way
def test_the_lock_of_a_killed_process_is_free(cache, take):
    with held(take, cache) as holder:
        holder.process.kill()
        with all_locked(cache):
            pass


def test_the_locks_of_a_killed_clean_are_free(cache):
    stack = ExitStack()

    def take(cache):
        stack.enter_context(locked_quarantine(cache))
        return os.open(cache, os.O_RDONLY)

    with held(take, cache) as holder:
        assert not any(can_lock(way, cache) for way in NAMES)
        holder.process.kill()
        with locked_quarantine(cache):
            pass


def test_a_quarantine_that_its_holder_removes_is_created_and_locked_again(cache):
    """As a clean does that finishes while another one waits for its lock."""
    stack = ExitStack()
    removed = []
    is_waiting, report = os.pipe()
    commands, go_on = os.pipe()

    def take(cache):
        removed.append(stack.enter_context(locked_quarantine(cache)).remove_if_empty)
        return os.open(cache, os.O_RDONLY)

    def remove():
        removed.pop()()
        stack.close()

    def wait_for_it():
        first = [True]

        def when_about_to_lock(event, _):
            if event == "fcntl.flock" and first:
                first.clear()
                os.write(report, b".")
                os.read(commands, 1)

        sys.addaudithook(when_about_to_lock)
        with locked_quarantine(cache) as quarantine:
            return quarantine.is_in_place(), any(can_lock(way, cache) for way in NAMES)

    with held(take, cache, remove) as holder, forked(wait_for_it) as waiting:
        assert os.read(is_waiting, 1) == b"."
        assert os.path.exists(f"{cache}/{QUARANTINE}/lock")
        holder.remove_and_release()
        assert not os.path.exists(f"{cache}/{QUARANTINE}")
        os.write(go_on, b".")
        assert waiting.result() == (True, False)


def test_a_quarantine_that_is_removed_before_it_is_opened_is_created_again(cache):
    """Another clean, which has just finished, removes it."""
    os.mkdir(f"{cache}/{QUARANTINE}", mode=0o700)

    def open_it():
        is_first = [True]

        def when_about_to_open(event, arguments):
            if event == "open" and arguments[0] == QUARANTINE and is_first:
                is_first.clear()
                os.rmdir(f"{cache}/{QUARANTINE}")

        sys.addaudithook(when_about_to_open)
        with locked_quarantine(cache) as quarantine:
            return quarantine.is_in_place(), quarantine.made, bool(is_first)

    with forked(open_it) as opening:
        assert opening.result() == (True, True, False)


@pytest.fixture
def made(tmp_path):
    """Two caches with unused packages in them."""
    made = SmallInstallation(str(tmp_path))
    for number in range(6):
        content = b"x" * 9_000 * (number + 1)
        made.package(f"thing{number}-1-0", {"lib/a": content}, ("a/pkgs", "b/pkgs")[number % 2])
    return made


@pytest.mark.parametrize("round_", range(5))
def test_concurrent_cleans_remove_each_package_once_and_all_succeed(made, round_):
    plan = plan_of(made)
    before = sum(du(*made.caches))
    begun, begin = os.pipe()
    with ExitStack() as stack:

        def clean():
            os.close(begin)
            os.read(begun, 1)
            return executed(made, plan, lambda: plan_of(made))

        processes = [stack.enter_context(forked(clean)) for _ in range(3)]
        os.close(begin)
        os.close(begun)
        outcomes = [process.result() for process in processes]
    assert [problem for outcome in outcomes for problem in outcome.problems] == []
    removed = [removal.path for outcome in outcomes for removal in outcome.removed]
    assert sorted(removed) == sorted(removal.path for removal in plan.remove)
    assert len(removed) == 6
    freed = sum(outcome.freed_bytes for outcome in outcomes)
    assert freed == plan.planned_bytes
    assert freed <= before - sum(du(*made.caches)) + 2 * 4096 * len(made.caches)


def test_every_clean_locks_several_caches_in_the_same_order(made):
    """In different orders, two cleans would wait for each other."""
    plan = plan_of(made)
    order = []

    class Noting(Checker):
        def reason_to_keep(self, removal):
            order.append(removal.cache)
            return super().reason_to_keep(removal)

    plan = replace(plan, caches_to_heal=(made.caches[1],))
    checker = Noting(made.prefixes, read_mount_table())
    outcome = Outcome(run=new_run())
    execute_plan(plan, checker, lambda: plan_of(made), outcome, hold_until_s=None)
    assert outcome.problems == []
    assert list(dict.fromkeys(order)) == sorted(made.caches)
