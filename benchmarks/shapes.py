"""Race the report against the same in C on roots of very different shapes.

    python benchmarks/shapes.py [--rounds N] [--only SHAPE ...] [--conda-python PYTHON]

One benchmark root is a target that one tunes to. Each of these is written, checked against du,
raced and removed. `floor.c` reads with as many threads as there are processors.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import check_report, race, without_startup
from machine import describe_machine
from make_root import census
from programs import (
    DU,
    EXACT,
    QUICK,
    REPORT,
    BenchmarkError,
    Command,
    Roots,
    floor_command,
    plain_environment,
    report_commands,
    startup_command,
)
from summary import Run, Target, draw_table, median_ratio, print_targets, quartiles

MAX_FLOOR_RATIO, MAX_FLOOR_SECONDS = 1.35, 0.030
MAX_EXACT_RATIO, MAX_QUICK_RATIO = 0.5, 0.2
_FILES_OF_DIRECTORY = 12
_SIZES = (120, 900, 3_500, 9_000)


@dataclass(frozen=True, slots=True)
class Shape:
    """How many of what a root has.

    Attributes:
        packages: Packages in the cache.
        files: Files of each package.
        environments: Environments.
        linked: Packages linked into each.
        private: Files of each that have one link.

    """

    packages: int
    files: int
    environments: int
    linked: int
    private: int


SHAPES: Mapping[str, Shape] = {
    "few large packages": Shape(104, 600, 12, 68, 600),
    "many tiny packages": Shape(12_000, 5, 4, 3_000, 200),
    "one environment alone": Shape(1, 1, 1, 1, 100_000),
    "one environment of a million files": Shape(1, 1, 1, 1, 1_000_000),
    "1,000 environments": Shape(40, 60, 1_000, 4, 30),
}


def write(top: str, shape: Shape) -> None:
    """Write a root: `pkgs` and `envs/*`."""
    for number in range(shape.packages):
        package = f"{top}/pkgs/package{number}-1.0-0"
        _fill(package, shape.files)
        _file(f"{package}/info/index.json", 300)
        _file(f"{package}/info/repodata_record.json", 900)
    for number in range(shape.environments):
        prefix = f"{top}/envs/env{number:04}"
        _file(f"{prefix}/conda-meta/history", 200)
        _fill(f"{prefix}/own", shape.private)
        for other in range(shape.linked):
            first = number * shape.linked * 9 // 10  # most packages are used, some by several
            dist = f"package{(first + other) % shape.packages}-1.0-0"
            _link(f"{top}/pkgs/{dist}", f"{prefix}/lib/{dist}", shape.files)


def _names(files: int) -> list[str]:
    """The paths of files, some in a directory, and directories in directories."""
    return [
        f"d{number // _FILES_OF_DIRECTORY // 30}/e{number // _FILES_OF_DIRECTORY % 30}/f{number}"
        for number in range(files)
    ]


def _fill(folder: str, files: int) -> None:
    for number, name in enumerate(_names(files)):
        _file(f"{folder}/{name}", _SIZES[number % len(_SIZES)])


def _link(source: str, folder: str, files: int) -> None:
    for name in _names(files):
        _made(os.path.dirname(f"{folder}/{name}"))
        os.link(f"{source}/{name}", f"{folder}/{name}")


def _file(path: str, size: int) -> None:
    _made(os.path.dirname(path))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, b"x" * size)
    finally:
        os.close(descriptor)


_known: set[str] = set()


def _made(folder: str) -> None:
    if folder not in _known:
        os.makedirs(folder, exist_ok=True)
        _known.add(folder)


def measure(name: str, roots: Roots, rounds: int, conda_python: str, home: str) -> list[Target]:
    """Check, race and print; return what is promised, beside what was measured."""
    print(f"\n== {name} ==\n{census(roots.all).lines()}\n")
    threads = len(os.sched_getaffinity(0))
    reports = report_commands(roots, conda_python, home)
    floor = floor_command(roots, home, threads)
    commands = [
        Command(DU, ["du", "-s", *roots.all], plain_environment()),
        floor,
        *reports.values(),
        startup_command(roots, conda_python, home),
    ]
    for command in reports.values():
        command.output()  # writes its index, if it has one
        check_report(command, roots)
    runs = race(commands, rounds)
    print(draw_table(runs, DU), end="\n\n")
    full = without_startup(runs, REPORT)
    return [
        _beyond_floor(name, full, runs[floor.label]),
        Target(f"{name}: exact / full", _ratio(runs, EXACT, full), MAX_EXACT_RATIO, "x"),
        Target(f"{name}: quick / full", _ratio(runs, QUICK, full), MAX_QUICK_RATIO, "x"),
    ]


def _beyond_floor(name: str, full: Sequence[Run], floor: Sequence[Run]) -> Target:
    """What a full report takes, with the constant part taken off, in units of the floor."""
    measured = [
        (run.wall - MAX_FLOOR_SECONDS) / least.wall for run, least in zip(full, floor, strict=True)
    ]
    words = f"{name}: (full report - {1000 * MAX_FLOOR_SECONDS:.0f} ms) / the same in C"
    return Target(words, quartiles(measured)[1], MAX_FLOOR_RATIO, "x")


def _ratio(runs: Mapping[str, Sequence[Run]], label: str, full: Sequence[Run]) -> float:
    return median_ratio(without_startup(runs, label), full)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Race on roots of several shapes.")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--only", nargs="+", choices=SHAPES, default=list(SHAPES), metavar="SHAPE")
    parser.add_argument("--conda-python", default=sys.executable, metavar="PYTHON")
    options = parser.parse_args()
    targets: list[Target] = []
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="hardlinks-shape-") as made:
            home = os.path.join(made, "home")
            os.mkdir(home)
            write(made, SHAPES[name])
            roots = Roots.below(made)
            if not targets:
                print(describe_machine(made, {}))
            try:
                targets += measure(name, roots, options.rounds, options.conda_python, home)
            except BenchmarkError as error:
                print(f"shapes: {error}", file=sys.stderr)
                return 1
    return print_targets(targets)


if __name__ == "__main__":
    sys.exit(main())
