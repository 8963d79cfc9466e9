"""Reading with the processes of an executor: equal to reading here, whatever the tasks are."""

from __future__ import annotations

import contextlib
import os
import shutil
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.filesystem.mounts import MountTable
from conda_hardlink_plugin.scan import executor_reader, scanner
from conda_hardlink_plugin.scan.inventory import ProblemKind
from tests.support.oracles import du
from tests.support.scanning import analysis, reader
from tests.support.trees import (
    cache_root,
    environment_root,
    install,
    make_installation,
    package,
    write,
)


@contextlib.contextmanager
def tasks_of(directories):
    """Have each task read about so many directories."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(executor_reader, "_FIRST_DIRECTORIES", directories)
        patched.setattr(executor_reader, "MAX_DIRECTORIES", directories)
        yield


def here(roots, **options):
    with reader("native"):
        return scanner.scan(roots, **options)


def with_threads(roots, directories=1, **options):
    with reader("native"), ThreadPoolExecutor(3) as executor, tasks_of(directories):
        return scanner.scan(roots, executor=executor, **options)


@pytest.fixture
def made(tmp_path):
    return make_installation(str(tmp_path))


@pytest.fixture
def wide(tmp_path):
    """A cache of many packages, and environments with many directories."""
    cache = f"{tmp_path}/pkgs"
    prefixes = [f"{tmp_path}/envs/{name}" for name in ("a", "b")]
    for number in range(150):
        extracted = package(cache, f"p{number}-1-0", {f"lib/d/f{number}": b"x" * 3_000})
        for prefix in prefixes[: 1 + number % 2]:
            install(extracted, prefix)
    for prefix in prefixes:
        for number in range(60):
            write(f"{prefix}/own/d{number}/e/f", b"y" * number)
        os.symlink("../own/d1", f"{prefix}/own/link")
    return [cache_root(cache), *map(environment_root, prefixes)]


@pytest.mark.parametrize("directories", [1, 7, 20_000])
def test_tasks_of_any_size_find_what_one_process_finds(wide, directories):
    assert analysis(with_threads(wide, directories)) == analysis(here(wide))


def test_other_processes_find_the_same(wide):
    with reader("native"), ProcessPoolExecutor(2) as executor:
        found = scanner.scan(wide, executor=executor)
    assert analysis(found) == analysis(here(wide))


def test_the_files_of_a_detailed_root_are_the_same(made):
    found = with_threads(made.roots, detailed=made.paths).own_files
    expected = here(made.roots, detailed=made.paths).own_files
    assert {root: sorted(files, key=repr) for root, files in found.items()} == {
        root: sorted(files, key=repr) for root, files in expected.items()
    }


def test_a_root_in_a_root_and_an_unreadable_folder_are_counted_once(made, tmp_path):
    inner = f"{made.first}/envs/inner"
    write(f"{inner}/lib/f", b"z" * 5_000)
    roots = [*made.roots, environment_root(inner)]
    assert analysis(with_threads(roots)) == analysis(here(roots))


def test_a_missing_root_is_a_problem_and_not_an_error(made, tmp_path):
    roots = [*made.roots, environment_root(f"{tmp_path}/nowhere")]
    found = with_threads(roots)
    assert [problem.kind for problem in found.problems] == [ProblemKind.VANISHED]
    assert analysis(found) == analysis(here(roots))


def test_without_the_native_reader_an_executor_is_refused(wide):
    with (
        reader("python"),
        ThreadPoolExecutor(1) as executor,
        pytest.raises(HardlinksError, match="install the compiled package"),
    ):
        scanner.scan(wide, executor=executor)


def test_where_directories_may_repeat_this_process_reads_and_says_so(wide, caplog):
    unknown = MountTable((), known=False)
    with reader("native"):
        here = scanner.scan(wide, mounts=unknown)
        found = scanner.scan(wide, mounts=unknown, executor=Failing(RuntimeError("not asked")))
    assert analysis(found) == analysis(here)
    (message,) = caplog.messages
    assert "reads everything by itself" in message


def test_progress_reports_paths_that_other_processes_have_read(wide, monkeypatch):
    reported = []
    monkeypatch.setattr("conda_hardlink_plugin.scan.boundaries._LINKS_PER_PROGRESS", 1)
    inventory = with_threads(wide, on_progress=reported.append)
    assert reported == sorted(reported)
    assert 0 < reported[-1] <= sum(inventory.links)


class Failing(Executor):
    """An executor whose third task fails, as that of a process that was killed does."""

    def __init__(self, error):
        self.error = error
        self.submitted = 0

    def submit(self, function, /, *arguments, **keywords):
        self.submitted += 1
        future = Future()
        if self.submitted > 2:
            future.set_exception(self.error)
        else:
            future.set_result(function(*arguments, **keywords))
        return future


def test_a_process_that_fails_ends_the_scan_with_a_sentence(wide):
    executor = Failing(RuntimeError("killed\nby the kernel"))
    with (
        reader("native"),
        tasks_of(5),
        pytest.raises(HardlinksError, match=r"failed \(RuntimeError: killed\). Nothing was count"),
    ):
        scanner.scan(wide, executor=executor)


class Removing(ThreadPoolExecutor):
    """Removes a folder before a task is run."""

    def __init__(self, folder, number):
        super().__init__(1)
        self.folder, self.number = folder, number

    def submit(self, function, /, *arguments):
        self.number -= 1
        if not self.number:
            shutil.rmtree(self.folder)
        return super().submit(function, *arguments)


@pytest.mark.parametrize("number", [4, 20, 60])
def test_an_environment_that_is_removed_meanwhile_is_a_problem_of_its_own(wide, number):
    """The others are reported, as by one process."""
    gone = wide[2].path
    with reader("native"), tasks_of(3), Removing(gone, number) as executor:
        inventory = scanner.scan(wide, executor=executor)
    assert {problem.kind for problem in inventory.problems} == {ProblemKind.VANISHED}
    assert all(problem.path.startswith(gone) for problem in inventory.problems)
    expected = here(wide[:2])
    assert inventory.links[:2] == expected.links
    assert Usage(inventory).unique_by_root[:2] == Usage(expected).unique_by_root


def test_an_executor_that_takes_nothing_ends_the_scan_with_a_sentence(wide):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with reader("native"), pytest.raises(HardlinksError, match="cannot schedule new futures"):
        scanner.scan(wide, executor=executor)


def test_a_scan_with_an_executor_that_is_interrupted_cancels_its_tasks(wide, monkeypatch):
    cancelled = []

    class Hanging(Executor):
        def submit(self, *_, **__):
            future = Future()
            future.add_done_callback(lambda done: cancelled.append(done.cancelled()))
            return future

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("conda_hardlink_plugin.scan.boundaries._LINKS_PER_PROGRESS", 0)
    with reader("native"), pytest.raises(KeyboardInterrupt):
        scanner.scan(wide, executor=Hanging(), on_progress=stop)
    assert cancelled
    assert all(cancelled)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(directories=st.integers(1, 40))
def test_the_figures_are_those_of_du(wide, directories):
    paths = [root.path for root in wide]
    assert Usage(with_threads(wide, directories)).added(range(3)) == du(*paths)
