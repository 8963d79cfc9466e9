"""What earlier runs hold: how it is listed, and that it comes back as it was."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import tempfile

import pytest

from conda_hardlink_plugin.executor.restore import HeldRun, Restored, held_runs, restore
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.quarantine_names import QuarantineEntry, Stage
from tests.support.cleaning import move_aside
from tests.support.faults import at_look
from tests.support.forking import in_child
from tests.support.oracles import NOBODY, du
from tests.support.small_installation import SmallInstallation, below
from tests.support.trees import ODD_NAMES, QUARANTINE, link, symlink, write

EXPIRES_S = 4_000_000_000


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def hold(made, dist, run="r1", *, cache="pkgs", expires_s=EXPIRES_S):
    """Extract a package and have a run hold it; return its path in the quarantine."""
    path = made.package(dist, {"lib/f": dist.encode() * 3_000}, cache)
    return hold_file(f"{made.directory}/{cache}", path, run, expires_s=expires_s)


def hold_file(cache, path, run="r1", *, expires_s=EXPIRES_S):
    entry = QuarantineEntry(Stage.HELD, run, os.path.relpath(path, cache), expires_s)
    os.makedirs(f"{cache}/{QUARANTINE}", 0o700, exist_ok=True)
    os.rename(path, held := f"{cache}/{QUARANTINE}/{entry.name}")
    return held


def identities(*paths):
    """Return the inode, mode and mtime of everything in some trees."""
    statuses = ((path, os.lstat(path)) for top in paths for path in below(top))
    return {path: (one.st_ino, one.st_mode, one.st_mtime_ns) for path, one in statuses}


def restored(cache, run="r1"):
    done = Restored()
    restore(cache, run, done)
    return done


def test_caches_in_which_nothing_is_held_have_no_runs(made, tmp_path):
    made.package("p-1-0", {})
    move_aside(made, made.package("q-1-0", {}), "moving")
    move_aside(made, made.package("r-1-0", {}), "purge")
    write(f"{made.caches[0]}/{QUARANTINE}/lock")
    write(f"{made.caches[0]}/{QUARANTINE}/held-never-r1-p-1-0")
    missing, file = f"{tmp_path}/missing", write(f"{tmp_path}/file")
    assert held_runs([made.caches[0], missing, file]) == ([], [])
    assert held_runs([]) == ([], [])


def test_runs_are_listed_by_cache_with_their_unique_usage_the_oldest_first(made):
    late = hold(made, "late-1-0", "r2", cache="other")
    paths = [hold(made, "a-1-0"), hold(made, "https/host/b-1-0", expires_s=EXPIRES_S + 5)]
    link(f"{paths[0]}/lib/f", f"{paths[1]}/lib/again")
    other, cache = made.caches
    paths.append(hold_file(cache, write(f"{cache}/a-1-0.conda", b"a" * 9_000)))
    elsewhere = hold(made, "a-1-0", cache="other")
    homes = ("a-1-0", "a-1-0.conda", "https/host/b-1-0")
    assert held_runs([cache, other]) == (
        [
            HeldRun("r1", other, ("a-1-0",), EXPIRES_S, du(elsewhere)[0]),
            HeldRun("r1", cache, homes, EXPIRES_S + 5, sum(du(*paths))),
            HeldRun("r2", other, ("late-1-0",), EXPIRES_S, du(late)[0]),
        ],
        [],
    )


def test_an_unreadable_quarantine_is_a_problem_and_the_others_are_listed(made):
    hold(made, "p-1-0")
    loop = symlink(QUARANTINE, f"{made.directory}/other/{QUARANTINE}")
    runs, problems = held_runs([os.path.dirname(loop), made.caches[0]])
    assert [run.homes for run in runs] == [("p-1-0",)]
    assert problems == [PathProblem(loop, "too many levels of symbolic links")]


def test_a_held_symbolic_link_has_its_own_size(made):
    made.package("p-1-0", {})
    write(f"{made.directory}/big/f", b"f" * 90_000)
    path = symlink(f"{made.directory}/big", f"{made.caches[0]}/old.c~")
    held = hold_file(made.caches[0], path)
    ((run,), _) = held_runs(made.caches)
    assert run.size_bytes == du(held)[0]


def test_a_file_that_goes_while_it_is_listed_is_not_an_error(made):
    """Another clean removes what has expired."""
    made.package("p-1-0", {})
    held = hold_file(made.caches[0], write(f"{made.caches[0]}/p-1-0.conda", b"a" * 9_000))

    def remove(look):
        os.unlink(held)
        return look()

    for number in itertools.count(1):
        write(held)
        with at_look(number, remove) as steps:
            _, problems = held_runs(made.caches)
        assert problems == []
        if not steps.reached:
            break
    assert number > 2  # it was there when the folder was listed


def test_a_cache_with_two_paths_is_listed_once(made):
    hold(made, "p-1-0")
    cache, alias = made.caches[0], symlink(made.caches[0], f"{made.directory}/alias")
    for paths in ([cache, alias, f"{cache}/"], [alias, cache]):
        ((run,), problems) = held_runs(paths)
        assert (run.cache, run.homes, problems) == (paths[0], ("p-1-0",), [])


def test_a_held_file_with_two_names_counts_once(made):
    made.package("p-1-0", {})
    cache = made.caches[0]
    first = write(f"{cache}/p-1-0.conda", b"a" * 9_000)
    again = link(first, f"{cache}/q-1-0.conda")
    held = [hold_file(cache, path) for path in (first, again)]
    ((run,), _) = held_runs([cache])
    assert run.size_bytes == sum(du(*held))


def test_what_is_held_in_a_folder_that_cannot_be_entered_is_a_problem():
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        made = SmallInstallation(top)
        held = hold(made, "p-1-0")
        if os.geteuid() == 0:
            os.chown(os.path.dirname(held), NOBODY, NOBODY)
        os.chmod(os.path.dirname(held), 0o400)
        runs, problems = in_child(lambda: held_runs(made.caches), user=NOBODY)
        os.chmod(os.path.dirname(held), 0o700)
    assert [(run.homes, run.size_bytes) for run in runs] == [(("p-1-0",), 0)]
    assert problems == [PathProblem(held, "permission denied")]


def test_a_run_comes_back_as_it_was_and_nothing_else_does(made):
    other, cache = hold(made, "other-1-0", "r2"), made.caches[0]
    path = made.package("https/host/p-1-0", {"lib/f": b"f"})
    symlink("lib/f", f"{path}/link")
    archive = write(f"{cache}/p-1-0.conda", b"archive")
    before = identities(path, archive)
    hold_file(cache, path)
    hold_file(cache, archive)
    shutil.rmtree(f"{cache}/https")
    assert restored(cache) == Restored(paths=[path, archive])
    assert identities(path, archive) == before
    assert os.path.isdir(other)
    assert [run.run for run in held_runs([cache])[0]] == ["r2"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_held_file_comes_back_by_the_same_name_to_the_byte(made, name):
    made.package("p-1-0", {})
    path = write(f"{made.caches[0]}/{name}.conda", b"archive")
    hold_file(made.caches[0], path)
    assert not os.path.lexists(path)
    assert held_runs(made.caches)[0][0].homes == (f"{name}.conda",)
    assert restored(made.caches[0]) == Restored(paths=[path])
    assert os.path.isfile(path)


def test_a_package_extracted_again_stays_and_the_rest_of_the_run_is_restored(made):
    held, cache = hold(made, "p-1-0"), made.caches[0]
    hold(made, "q-1-0")
    again = made.package("p-1-0", {"lib/f": b"again"})
    done = restored(cache)
    assert done.problems == [PathProblem(again, "something else is there now")]
    assert done.paths == [f"{cache}/q-1-0"]
    with open(f"{again}/lib/f", "rb") as file:
        assert file.read() == b"again"
    assert os.path.isdir(held)


def test_an_unknown_run_changes_nothing(made):
    hold(made, "p-1-0")
    write(f"{made.caches[0]}/{QUARANTINE}/lock")
    names = sorted(os.listdir(f"{made.caches[0]}/{QUARANTINE}"))
    assert restored(made.caches[0], "r") == Restored()
    assert restored(made.caches[0], "r11") == Restored()
    assert sorted(os.listdir(f"{made.caches[0]}/{QUARANTINE}")) == names


def test_a_cache_that_cannot_be_opened_is_a_problem(made):
    done = restored(f"{made.directory}/missing")
    (problem,) = done.problems
    assert problem == PathProblem(f"{made.directory}/missing", os.strerror(errno.ENOENT).lower())
