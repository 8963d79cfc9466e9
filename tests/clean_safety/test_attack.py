"""An attacker changes the cache during a clean: nothing outside it changes, and nothing hangs."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from conda_hardlink_plugin.clean.execution import execute_plan
from conda_hardlink_plugin.executor.errors import RefusedError
from conda_hardlink_plugin.executor.locks import locked_quarantine
from conda_hardlink_plugin.executor.outcome import Outcome, new_run
from conda_hardlink_plugin.executor.recheck import Checker, identity
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.filesystem.paths import is_within
from tests.support.attacked import DIST, EVERYTHING, attacked_installation, fill, look
from tests.support.cleaning import clean, executed, plan_of
from tests.support.disk import snapshot
from tests.support.forking import forked, in_child
from tests.support.oracles import NOBODY
from tests.support.trees import QUARANTINE, write

TRIALS = int(os.environ.get("ATTACK_TRIALS", "60"))
_EXCHANGE = 2  # RENAME_EXCHANGE, renameat2(2)


@pytest.fixture
def made(tmp_path):
    with attacked_installation(str(tmp_path)) as made:
        yield made


@dataclass(frozen=True)
class Swap:
    """An entry of a folder, to exchange with a symbolic link to the same entry outside."""

    name: str
    folder: str = "pkgs"

    @property
    def path(self):
        return os.path.normpath(f"{self.folder}/{self.name}")


SWAPS = {
    "package": Swap(DIST),
    "folder that leads to a package": Swap("host", "pkgs/https"),
    "folder in a package": Swap("lib", f"pkgs/{DIST}"),
    "left-over": Swap("old.c~"),
    "archive": Swap(f"{DIST}.conda"),
    "cache": Swap("pkgs", "."),
}


class Swapper:
    """Exchanges an entry of a folder with a symbolic link out of it, atomically (renameat2)."""

    def __init__(self, directory, swap):
        libc = ctypes.CDLL(None)
        if not hasattr(libc, "renameat2"):
            pytest.skip("this system cannot exchange two files")
        self._exchange = libc.renameat2
        self._name = os.fsencode(swap.name)
        self._decoys = f"{directory}/decoys"
        os.mkdir(self._decoys)
        os.symlink(f"{directory}/precious/{swap.path}", f"{self._decoys}/decoy")
        folders = (f"{directory}/{swap.folder}", self._decoys)
        self._folders = [os.open(folder, os.O_RDONLY) for folder in folders]

    def swap(self):
        """Exchange them once, wherever the folder is now; return whether both existed."""
        folder, decoys = self._folders
        return self._exchange(folder, self._name, decoys, b"decoy", _EXCHANGE) == 0

    @contextmanager
    def swapping(self):
        """Exchange them again and again in another process."""
        shared = mmap.mmap(-1, 2)
        over, begun = 0, 1

        def swap_often():
            while not shared[over]:
                self.swap()
                shared[begun] = 1

        with forked(swap_often) as process:
            while not shared[begun]:
                pass
            try:
                yield
            finally:
                shared[over] = 1
                process.result()

    def close(self):
        for folder in self._folders:
            os.close(folder)
        shutil.rmtree(self._decoys)


@contextmanager
def attacking(made, swap):
    """Yield a swapper; at the end remove what it left, and fill the cache again."""
    swapper = Swapper(made.directory, swap)
    try:
        yield swapper
    finally:
        swapper.close()
        cache = made.caches[0]
        if os.path.islink(cache):
            os.unlink(cache)
        else:
            shutil.rmtree(cache)
        fill(cache)


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
def test_nothing_outside_the_cache_changes_during_repeated_swaps(made, swap):
    before = snapshot(f"{made.directory}/precious")
    removed = 0
    for _ in range(TRIALS):
        plan = plan_of(made, **EVERYTHING)
        with attacking(made, swap) as attack, attack.swapping():
            outcome = executed(made, plan, lambda: plan_of(made, **EVERYTHING))
        removed += len(outcome.removed)
    assert snapshot(f"{made.directory}/precious") == before
    assert removed


@pytest.mark.parametrize("moment", ["after the plan", "just before the move", "while away"])
@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
def test_nothing_outside_the_cache_changes_after_a_swap(made, swap, moment):
    before = snapshot(f"{made.directory}/precious")
    plan = plan_of(made, **EVERYTHING)
    path = f"{made.directory}/{swap.path}"
    moments = [moment]

    def swap_at(now):
        if now in moments:  # once
            moments.remove(now)
            attack.swap()  # it may be moved aside itself

    class Swapped(Checker):
        def reason_to_keep(self, removal):
            found = super().reason_to_keep(removal)
            if is_within(removal.path, path) or is_within(path, removal.path):
                swap_at("just before the move")
            return found

    def replan():
        swap_at("while away")
        return plan_of(made, **EVERYTHING)

    with attacking(made, swap) as attack:
        swap_at("after the plan")
        outcome = Outcome(run=new_run())
        checker = Swapped(made.prefixes, read_mount_table())
        execute_plan(plan, checker, replan, outcome, hold_until_s=None)
        assert snapshot(f"{made.directory}/precious") == before
        if swap != SWAPS["cache"]:  # then the symbolic link is the cache
            assert clean(made, **EVERYTHING).problems == []
    assert snapshot(f"{made.directory}/precious") == before


@pytest.mark.parametrize(
    ("swap", "event"),
    [
        (SWAPS["folder in a package"], "open"),
        (SWAPS["folder that leads to a package"], "open"),
        (SWAPS["package"], "os.rename"),
        (SWAPS["left-over"], "os.rename"),
        (SWAPS["archive"], "os.remove"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.path,
)
def test_nothing_outside_the_cache_changes_after_a_swap_right_before_a_call(made, swap, event):
    before = snapshot(f"{made.directory}/precious")
    for number in itertools.count(1):
        with attacking(made, swap) as attack:
            reached = in_child(lambda: cleaned_with_a_swap(made, swap, attack, event, number))  # noqa: B023
        assert snapshot(f"{made.directory}/precious") == before
        if not reached:
            break
    assert number > 1


def cleaned_with_a_swap(made, swap, attack, event, number):
    """Clean, and swap at the n-th call for the entry; return whether there was such a call."""
    calls = itertools.count(1)

    def swap_at_call(now, arguments):
        if now == event and arguments[0] == swap.name and next(calls) == number:
            attack.swap()

    sys.addaudithook(swap_at_call)
    clean(made, **EVERYTHING)
    return next(calls) > number


def test_a_replaced_package_or_archive_is_not_moved_or_removed(made):
    cache = made.caches[0]
    other = identity(f"{cache}/urls.txt")
    before = look(cache)
    with locked_quarantine(cache) as quarantine:
        for name in (DIST, "old.c~", f"{DIST}.conda"):
            with pytest.raises(RefusedError, match="it was replaced in the meantime"):
                quarantine.move(name, "run", other)
        with pytest.raises(RefusedError, match="it was replaced in the meantime"):
            quarantine.unlink(f"{DIST}.conda", other)
        quarantine.remove_if_empty()
    assert {path: entry for path, entry in look(cache).items() if "lock" not in path} == before


def test_symbolic_links_in_a_removed_package_are_not_followed(made):
    directory, cache = made.directory, made.caches[0]
    before = snapshot(f"{directory}/precious")
    for folder in (f"{cache}/{DIST}", f"{cache}/old.c~"):
        for number, target in enumerate(("pkgs", f"pkgs/{DIST}/lib/1", "")):
            os.symlink(f"{directory}/precious/{target}", f"{folder}/absolute{number}")
            os.symlink(f"../../precious/{target}", f"{folder}/lib/relative{number}")
    outcome = clean(made, **EVERYTHING)
    assert len(outcome.removed) == 5
    assert outcome.problems == []
    assert snapshot(f"{directory}/precious") == before


QUARANTINES = {
    "symbolic link": "not a directory",
    "dangling link": "not a directory",
    "file": "not a directory",
    "pipe": "not a directory",
    "writable by a group": "other users can write to it",
    "writable by all": "other users can write to it",
    "somebody else's": "it belongs to another user",
}


def put(path, what, target):
    """Put something at the path of the quarantine, or of a lock file."""
    if "link" in what:
        os.symlink("/nowhere" if what == "dangling link" else target, path)
    elif what == "file":
        write(path)
    elif what == "pipe":
        os.mkfifo(path)
    else:
        os.mkdir(path, 0o700)
        if what != "folder":
            os.chmod(
                path, {"writable by a group": 0o770, "writable by all": 0o702}.get(what, 0o700)
            )


def give_away(path):
    """Give something to another user, which only root can do."""
    if os.geteuid() != 0:
        pytest.skip("only an administrator can give files away")
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def refused(made):
    """Clean, which must change nothing; return the problem that it reports."""
    before = look(made.directory)
    outcome = clean(made, **EVERYTHING)
    assert outcome.removed == []
    assert outcome.freed_bytes == 0
    after = look(made.directory)
    ours = {f"/pkgs/{name}" for name in (f"{QUARANTINE}/lock", "pkgs.lock", ".cache.lock")}
    assert {path: after[path] for path in after if path in before or path not in ours} == before
    (problem,) = outcome.problems
    return problem


@pytest.mark.parametrize("what", QUARANTINES)
def test_a_foreign_or_unsafe_quarantine_is_refused(made, what):
    path = f"{made.caches[0]}/{QUARANTINE}"
    put(path, what, f"{made.directory}/precious")
    if what == "somebody else's":
        give_away(path)
    problem = refused(made)
    assert (problem.path, problem.reason) == (path, QUARANTINES[what])


def test_an_ordinary_user_does_not_use_the_quarantine_of_root(made):
    cache = made.caches[0]
    os.mkdir(f"{cache}/{QUARANTINE}", 0o700)
    os.chmod(os.path.dirname(made.directory), 0o755)
    for folder, folders, names in os.walk(cache):
        for name in (*folders, *names):
            if name != QUARANTINE:
                give_away(f"{folder}/{name}")
    give_away(cache)
    outcome = in_child(lambda: clean(made, **EVERYTHING), user=NOBODY)
    assert outcome.removed == []
    assert [problem.path for problem in outcome.problems] == [f"{cache}/{QUARANTINE}"]


LOCKS = {
    "symbolic link": "too many levels of symbolic links",
    "dangling link": "too many levels of symbolic links",
    "pipe": "it cannot be locked: it is not a regular file",
    "folder": "is a directory",
}


@pytest.mark.parametrize("what", LOCKS)
@pytest.mark.parametrize("lock", [f"{QUARANTINE}/lock", "pkgs.lock", ".cache.lock"])
def test_a_lock_file_that_is_not_a_regular_file_is_refused_at_once(made, lock, what):
    path = f"{made.caches[0]}/{lock}"
    os.mkdir(f"{made.caches[0]}/{QUARANTINE}", 0o700)
    put(path, what, f"{made.directory}/precious/pkgs/urls.txt")
    problem = refused(made)
    assert (problem.path, problem.reason) == (path, LOCKS[what])


def test_a_private_lock_file_of_another_user_is_refused(made):
    path = write(f"{made.caches[0]}/{QUARANTINE}/lock")
    os.chmod(os.path.dirname(path), 0o700)
    give_away(path)
    problem = refused(made)
    assert (problem.path, problem.reason) == (
        path,
        "it cannot be locked: it belongs to another user",
    )
