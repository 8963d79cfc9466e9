"""Several processes read together: what becomes of the result, and of them, when one fails."""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import stat
import subprocess
import sys

import pytest

from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.scan import crew
from conda_hardlink_plugin.scan.inventory import ProblemKind
from conda_hardlink_plugin.scan.pool import read_together
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.forking import children, forked
from tests.support.oracles import du, open_descriptors
from tests.support.trees import (
    cache_root,
    environment_root,
    install,
    link,
    make_installation,
    package,
    write,
)

SECONDS = 60


@pytest.fixture
def wide(tmp_path):
    """A cache and two environments with more directories than are read at one go."""
    cache = f"{tmp_path}/pkgs"
    files = {f"lib/d{number}/e{number % 7}/f": b"x" * number for number in range(300)}
    extracted = package(cache, "wide-1-0", files)
    extracted_too = package(cache, "other-1-0", {"lib/one": b"1" * 9_000})
    link(f"{extracted}/lib/d1/e1/f", f"{extracted_too}/lib/linked")
    prefixes = [f"{tmp_path}/envs/{name}" for name in ("first", "second")]
    for prefix in prefixes:
        install(extracted, prefix)
        for number in range(300):
            write(f"{prefix}/own/d{number}/f", b"y" * number * 10)
    return [cache_root(cache), *map(environment_root, prefixes)]


def figures(inventory):
    usage = Usage(inventory)
    return (
        usage.unique_by_root,
        usage.exclusive_by_root,
        inventory.links,
        usage.outside_links,
    )


def once(action):
    """A callback for progress that does something the first time."""
    done = []

    def on_progress(links):
        if not done:
            done.append(links)
            action()

    on_progress.done = done
    return on_progress


def assert_ended(pids):
    """That processes end by themselves, whoever is their parent by now."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        readable, _, _ = select.select([descriptor], [], [], SECONDS)
        os.close(descriptor)
        assert readable, f"{pid} is still there"


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_several_processes_find_what_one_finds_and_leave_nothing_open(wide, processes):
    descriptors = open_descriptors()
    together = scan(wide, processes=processes)
    assert figures(together) == figures(scan(wide, processes=1))
    assert Usage(together).added([0, 1, 2]) == du(*(root.path for root in wide))
    assert together.problems == ()
    assert children() == []
    assert open_descriptors() == descriptors


def test_several_processes_find_the_same_details_as_one(wide):
    paths = [root.path for root in wide]
    together, alone = (scan(wide, detailed=paths, processes=number) for number in (3, 1))
    own = [
        {root: sorted(files, key=str) for root, files in inventory.own_files.items()}
        for inventory in (together, alone)
    ]
    assert own[0] == own[1]
    assert len(own[0][1]) > 300


def test_every_process_reads(wide):
    scan_roots = survey_roots(wide, (), read_mount_table())
    with crew.start_crew(3) as workers:
        parts = read_together(workers, scan_roots, (), None)
    counted = [sum(part.links) for part in parts]
    assert sum(counted) == sum(scan(wide, processes=1).links)
    assert min(counted) > 100


@pytest.mark.parametrize("how_many", [1, 3])
def test_everything_is_read_again_if_processes_are_killed(wide, how_many, caplog):
    killing = once(lambda: [os.kill(pid, signal.SIGKILL) for pid in children()[:how_many]])
    inventory = scan(wide, processes=3, on_progress=killing)
    assert killing.done
    assert figures(inventory) == figures(scan(wide, processes=1))
    assert "Scanning with one process" in caplog.text
    assert children() == []


def test_everything_is_read_again_if_a_process_has_no_memory(wide, caplog):
    def starve():
        for pid in children():
            resource.prlimit(pid, resource.RLIMIT_DATA, (1, 1))
            resource.prlimit(pid, resource.RLIMIT_AS, (1, 1))

    starving = once(starve)
    for number in range(20_000):  # each takes its place in a table
        path = write(f"{wide[1].path}/many/{number % 50}/{number}")
        os.link(path, f"{path}-too")
    inventory = scan(wide, processes=2, on_progress=starving)
    assert starving.done
    assert figures(inventory) == figures(scan(wide, processes=1))
    assert "Scanning with one process" in caplog.text


@pytest.mark.parametrize(
    "program",
    [
        "#!/bin/sh\nexit 3\n",
        "#!/bin/sh\necho no pickle\n",
        f'#!/bin/sh\necho Using python; exec {sys.executable} "$@"\n',
        f'#!/bin/sh\necho Loading modules; {sys.executable} "$@"\n',
        "#!/nowhere\n",
        None,
    ],
)
def test_one_process_reads_if_no_other_can_be_started(wide, tmp_path, monkeypatch, caplog, program):
    executable = f"{tmp_path}/python"
    if program is not None:
        os.chmod(write(executable, program.encode()), stat.S_IRWXU)
    monkeypatch.setattr(sys, "executable", executable)
    inventory = scan(wide, processes=2)
    monkeypatch.undo()
    assert figures(inventory) == figures(scan(wide, processes=1))
    assert "one process" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_a_scan_that_is_stopped_leaves_no_process(wide, error):
    descriptors, there = open_descriptors(), []

    def stop():
        there.extend(children())
        raise error

    with pytest.raises(error):
        scan(wide, processes=3, on_progress=once(stop))
    assert len(there) == 3
    assert children() == []
    assert open_descriptors() == descriptors


def test_worker_processes_end_when_their_parent_is_killed(wide, tmp_path):
    told = f"{tmp_path}/told"
    os.mkfifo(told)

    def scan_and_wait():
        def wait():
            with open(told, "w") as fifo:
                fifo.write(" ".join(map(str, children())))
            signal.pause()

        scan(wide, processes=2, on_progress=once(wait))

    with forked(scan_and_wait) as process:
        with open(told) as fifo:
            pids = [int(pid) for pid in fifo.read().split()]
        process.kill()
    assert len(pids) == 2
    assert_ended(pids)


def test_a_directory_that_is_replaced_between_two_processes_is_named(tmp_path):
    """A directory that one has listed and another is to read is another one by then."""
    made = make_installation(str(tmp_path))
    for number in range(40):
        write(f"{made.first}/lib/d{number}/f", b"x" * 9_000)
    scan_roots = survey_roots(made.roots, (), read_mount_table())
    from conda_hardlink_plugin.scan.walker import Walker  # noqa: PLC0415

    giving, taking = Walker(scan_roots, ()), Walker(scan_roots, ())
    giving.open_root(1)
    giving.read(2)
    shares = giving.part_with()
    assert shares
    os.rename(made.first, f"{made.first}-before")
    os.mkdir(made.first)
    for share in shares:
        taking.take_over(share)
        assert taking.stack == []
    giving.close()
    problems = taking.collector.findings().problems
    assert len(problems) == len(shares)
    assert {problem.kind for problem in problems} == {ProblemKind.VANISHED}


def folders(top, *numbers):
    """Folders with so many packages."""
    for folder, number in enumerate(numbers):
        for package_number in range(number):
            os.makedirs(f"{top}/{folder}/p{package_number}-1-0")
    return [f"{top}/{folder}" for folder in range(len(numbers))]


@pytest.mark.parametrize(("packages", "expected"), [([249], 1), ([125, 125], 4), ([0], 1)])
def test_few_packages_are_read_by_one_process(monkeypatch, tmp_path, packages, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    found = folders(tmp_path, *packages)
    assert crew.useful_processes([*found, f"{tmp_path}/nowhere"]) == expected


@pytest.mark.parametrize(("processors", "expected"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4)])
def test_there_are_not_more_processes_than_processors(monkeypatch, tmp_path, processors, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    assert crew.useful_processes(folders(tmp_path, 300)) == expected


@pytest.mark.parametrize("executable", [None, ""])
def test_no_process_is_started_if_no_interpreter_is_known(monkeypatch, tmp_path, executable):
    monkeypatch.setattr(sys, "executable", executable)
    assert crew.useful_processes(folders(tmp_path, 300)) == 1


def test_a_frozen_conda_has_no_interpreter_to_start(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert crew.useful_processes(folders(tmp_path, 300)) == 1


def test_processes_are_started_ahead_for_a_large_cache_and_used(wide, tmp_path):
    for number in range(250):
        package(f"{tmp_path}/pkgs", f"p{number}-1-0")
    with crew.crew_for([wide[0].path, f"{tmp_path}/nowhere"]) as workers:
        processors = len(os.sched_getaffinity(0))
        assert len(workers) == (min(processors, 4) if processors > 1 else 0)
        before = children()
        inventory = scan(wide, crew=workers, on_progress=once(lambda: before.extend(children())))
    if workers:
        assert sorted(before) == sorted(2 * [*dict.fromkeys(before)])
    assert figures(inventory) == figures(scan(wide, processes=1))
    assert children() == []


def test_no_processes_are_started_ahead_for_a_small_cache(wide):
    with crew.crew_for([wide[0].path]) as workers:
        assert workers == []
        assert children() == []


SCAN = """\
import sys; sys.path.append(sys.argv[1])
from conda_hardlink_plugin.analysis.symlinks import follow_symlinks
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
cache, processes, *prefixes = sys.argv[2:]
roots = [Root(RootKind.CACHE, cache)] + [Root(RootKind.ENVIRONMENT, path) for path in prefixes]
inventory = scan(roots, processes=int(processes))
links = {root: sorted(found.links) for root, found in follow_symlinks(inventory).items()}
print(inventory.links, links, ascii([unit.path for unit in inventory.units]))
"""


def scanned(package_folder, processes, *paths, options=("-I", "-S"), **env):
    """What a scan in a fresh interpreter prints; it says nothing else."""
    cache, *prefixes = paths
    done = subprocess.run(
        [sys.executable, *options, "-c", SCAN, package_folder, cache, str(processes), *prefixes],
        env={"PATH": os.environ["PATH"], **env},
        cwd=package_folder,  # what is in the current folder comes first
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""  # where all had to be read again, it would be said
    return done.stdout


@pytest.fixture
def copied(tmp_path):
    """The package alone in a folder, with no bytecode."""
    folder = f"{tmp_path}/site-packages"
    shutil.copytree(
        os.path.dirname(os.path.dirname(crew.__file__)),
        f"{folder}/conda_hardlink_plugin",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return folder


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "1"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
    ],
    ids=str,
)
def test_names_are_decoded_equally_in_every_process(tmp_path, copied, env):
    cache, prefix = os.fsencode(f"{tmp_path}/pkgs-\u00fc"), os.fsencode(f"{tmp_path}/env-\u00e4")
    for folder in (cache + b"/a-\xff-1-0/info", prefix + b"/conda-meta", prefix + b"/lib"):
        os.makedirs(folder)
    write(os.fsdecode(cache + b"/a-\xff-1-0/info/index.json"), b"{}")
    write(os.fsdecode(cache + b"/a-\xff-1-0/f"), b"x")
    os.symlink(b"../../" + os.path.basename(cache) + b"/a-\xff-1-0/f", prefix + b"/lib/f")
    roots = (cache, prefix)
    one, three = (scanned(copied, number, *roots, options=("-S",), **env) for number in (1, 3))
    assert one == three
    assert b"{1: [" in one


@pytest.mark.parametrize("forbidden", [True, False])
def test_bytecode_is_written_only_where_python_may_write_it(wide, tmp_path, copied, forbidden):
    env = {"PYTHONPYCACHEPREFIX": f"{tmp_path}/elsewhere"}
    if forbidden:
        env["PYTHONDONTWRITEBYTECODE"] = "1"
    scanned(copied, 2, wide[0].path, options=("-S",), **env)
    assert not os.path.exists(f"{copied}/conda_hardlink_plugin/__pycache__")
    assert os.path.exists(f"{tmp_path}/elsewhere") is not forbidden


def test_a_module_beside_the_plugin_hides_none_of_the_standard_library(wide, copied):
    """Backports of it are installed where the plugin is, in `site-packages`."""
    for name in ("dataclasses", "typing", "enum", "pickle", "array"):
        write(f"{copied}/{name}.py", b"raise SystemExit('not this one')")
    assert scanned(copied, 2, wide[0].path) == scanned(copied, 1, wide[0].path)
