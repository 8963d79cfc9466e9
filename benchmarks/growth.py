"""How the cost grows: the scan, GNU du and the same in C, over 1, 2, 4, ... environments.

    python benchmarks/growth.py [--root DIR] [--rounds N] [--svg FILE]

The environments share one cache: of each one that is added most files are known already. The
figures are wall seconds, medians over interleaved rounds; each command runs once before,
unmeasured.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence

from bench import check_scan, race
from machine import describe_machine
from make_root import census
from programs import (
    DU,
    BenchmarkError,
    Command,
    Roots,
    floor_command,
    plain_environment,
    scan_command,
)
from summary import quartiles

SIZES = {"environments": 32, "paths": 2_500_000, "cache_files": 130_000}
Point = tuple[int, int, int, dict[str, float]]  # environments, paths, inodes, label to seconds


def measure(roots: Roots, rounds: int, folder: str) -> Point:
    """Race over some environments; raise where our figures are not du's."""
    check_scan(roots)
    commands = [
        Command(DU, ["du", "-s", *roots.all], plain_environment()),
        scan_command(roots),
        scan_command(roots, native=False),
    ]
    if shutil.which("cc"):
        threads = sorted({1, len(os.sched_getaffinity(0))})
        commands += [floor_command(roots, folder, number) for number in threads]
    runs = race(commands, rounds)
    counted = census(roots.all)
    seconds = {label: quartiles([run.wall for run in taken])[1] for label, taken in runs.items()}
    return len(roots.environments), counted.paths, counted.inodes, seconds


def table(points: Sequence[Point]) -> str:
    """A row for each number of environments: seconds, and in brackets the ratio to du."""
    labels = list(points[0][3])
    rows = [["environments", "paths", "inodes", *labels]]
    rows += [
        [
            str(environments),
            f"{paths:,}",
            f"{inodes:,}",
            *(f"{seconds[label]:.2f} ({seconds[label] / seconds[DU]:.2f})" for label in labels),
        ]
        for environments, paths, inodes, seconds in points
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, f"|{' ---: |' * len(rows[0])}")
    return "\n".join(lines)


def draw(points: Sequence[Point], path: str) -> None:
    """Write a plot as SVG."""
    import matplotlib as mpl  # noqa: PLC0415  # only who wants a plot needs it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(7, 4.2))
    environments = [point[0] for point in points]
    for label in points[0][3]:
        axes.plot(environments, [point[3][label] for point in points], marker="o", label=label)
    axes.set_xlabel("environments over one package cache")
    axes.set_ylabel("seconds")
    axes.set_xticks(environments)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure how the cost of a scan grows.")
    parser.add_argument("--root", metavar="DIR", help="of make_root.py; else one is generated")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--svg", metavar="FILE", help="write a plot (needs matplotlib)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hardlinks-growth-") as made:
        try:
            every = Roots.given_or_generated(options.root, SIZES, made)
            print(describe_machine(every.directory, {}))
            points = []
            number = 1
            while number <= len(every.environments):
                roots = Roots(every.directory, every.cache, every.environments[:number])
                points.append(measure(roots, options.rounds, made))
                number *= 2
        except BenchmarkError as error:
            print(f"growth: {error}", file=sys.stderr)
            return 1
    print(table(points))
    if options.svg:
        draw(points, options.svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
