"""Scans and reports by the workers of a real Dask scheduler, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys

import pytest

from conda_hardlink_plugin.scan import scanner
from tests.support.repository import TOP
from tests.support.scanning import analysis, reader
from tests.support.trees import cache_root, environment_root, install, package, write

pytest.importorskip("distributed")
SECONDS = 60


@contextlib.contextmanager
def running(*words, **environment):
    """Run a command of Dask; yields the process, whose log can be read."""
    quiet = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "info", "PYTHONPATH": TOP}
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{words[0]}", *words[1:]],
        env=os.environ | quiet | environment,
        cwd="/",  # -m would find this package here
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler."""
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    with running("dask_scheduler", *options) as process:
        for line in process.stderr:
            if "Scheduler at:" in line:
                yield line.rpartition(" ")[2].strip()
                return
        pytest.fail("the scheduler did not start")


@contextlib.contextmanager
def workers(scheduler, number, **environment):
    """Start workers; yields their processes. Each has another OTHER_DEVICE."""
    with contextlib.ExitStack() as stack:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        started = [
            stack.enter_context(
                running(
                    "dask_worker", scheduler, *options, OTHER_DEVICE=f"{10 + at}", **environment
                )
            )
            for at in range(number)
        ]
        for process in started:
            if not any("Registered to:" in line for line in process.stderr):
                pytest.fail("a worker did not start")
        yield started


@pytest.fixture
def wide(tmp_path):
    cache, prefixes = f"{tmp_path}/pkgs", [f"{tmp_path}/envs/{name}" for name in ("a", "b")]
    for number in range(80):
        extracted = package(cache, f"p{number}-1-0", {f"lib/d/f{number}": b"x" * 3_000})
        for prefix in prefixes[: 1 + number % 2]:
            install(extracted, prefix)
    for number in range(300):
        write(f"{prefixes[0]}/own/d{number}/e/f", b"y" * number)
    return [cache_root(cache), *map(environment_root, prefixes)]


def here(roots):
    with reader("native"):
        return analysis(scanner.scan(roots))


# In a process of its own: distributed starts threads that outlive a test.
BY_WORKERS = """\
import os, pickle, signal, sys
from conda_hardlink_plugin.cli import dask_workers
from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.scan import boundaries, executor_reader, scanner
from tests.support.scanning import analysis

scheduler, roots, victim = pickle.loads(bytes.fromhex(sys.argv[1]))
boundaries._LINKS_PER_PROGRESS = 1
dask_workers._SECONDS_BETWEEN_CHECKS, dask_workers._SECONDS_WITHOUT_WORKERS = 0.2, 2
executor_reader._FIRST_DIRECTORIES = executor_reader.MAX_DIRECTORIES = 10
killed = []

def kill_one(links):
    if victim and links and not killed:
        killed.append(links)
        os.kill(victim, signal.SIGKILL)

try:
    with dask_workers.dask_workers(scheduler) as executor:
        inventory = scanner.scan(roots, executor=executor, on_progress=kill_one)
except HardlinksError as error:
    found = str(error)
else:
    found = analysis(inventory)
print("FOUND", pickle.dumps((found, killed)).hex())
"""


def by_workers(scheduler, roots, victim=0):
    """Scan with the workers of a scheduler, and kill one once there is progress.

    Returns what is found, or the error; and whether a worker was killed.
    """
    arguments = pickle.dumps((scheduler, roots, victim)).hex()
    done = subprocess.run(
        [sys.executable, "-c", BY_WORKERS, arguments],
        env=os.environ | {"HARDLINKS_READER": "native", "PYTHONPATH": TOP},
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=True,
    )
    (found,) = (line.split()[1] for line in done.stdout.splitlines() if line.startswith("FOUND "))
    return pickle.loads(bytes.fromhex(found))


@pytest.mark.parametrize("number", [1, 3])
def test_workers_find_what_one_process_finds(scheduler, wide, number):
    with workers(scheduler, number):
        found, _ = by_workers(scheduler, wide)
    assert found == here(wide)


def test_workers_with_other_device_numbers_find_the_same(scheduler, wide, tmp_path):
    library, source = f"{tmp_path}/other.so", f"{TOP}/tests/support/other_device.c"
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    except FileNotFoundError:
        pytest.skip("there is no C compiler")
    with workers(scheduler, 2, LD_PRELOAD=library):
        found, _ = by_workers(scheduler, wide)
    assert found == here(wide)


def test_a_worker_that_is_killed_changes_no_figure(scheduler, wide):
    with workers(scheduler, 2) as started:
        found, killed = by_workers(scheduler, wide, started[0].pid)
    assert killed
    assert found == here(wide)


def test_where_the_last_worker_is_killed_the_scan_ends_with_a_sentence(scheduler, wide):
    with workers(scheduler, 1) as started:
        found, killed = by_workers(scheduler, wide, started[0].pid)
    assert killed
    assert "no worker is left that can read" in found


def test_a_scheduler_without_workers_is_an_error(scheduler, wide):
    found, _ = by_workers(scheduler, wide)
    assert "it has no workers" in found


def test_a_worker_without_this_package_is_named(scheduler, tmp_path, wide):
    """It refuses nothing: it does not know how to."""
    hidden = f"{tmp_path}/hidden/conda_hardlink_plugin"
    os.makedirs(hidden)
    write(f"{hidden}/__init__.py", b"raise ImportError('not installed here')")
    with workers(scheduler, 1, PYTHONPATH=os.path.dirname(hidden)):
        found, _ = by_workers(scheduler, wide)
    assert "cannot run conda-hardlink-plugin" in found


def test_a_report_by_workers_equals_one_by_this_machine(scheduler, installation, tmp_path):
    with workers(scheduler, 2):
        done = installation.hardlinks("report", "--json", "--packages", "--dask", scheduler)
    expected = installation.hardlinks("report", "--json", "--packages", "--no-index")
    assert json.loads(done.stdout) == json.loads(expected.stdout)


def test_quick_and_dask_are_refused_together(installation):
    done = installation.hardlinks("report", "--quick", "--dask", "tcp://127.0.0.1:1", check=False)
    assert done.returncode == 1
    assert "--quick and --dask cannot be combined" in done.stderr
