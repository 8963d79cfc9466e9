"""Time a scan by one, two and four Dask workers, where each call to the filesystem waits.

    python benchmarks/workers.py [--rounds N] [--microseconds N]

A scheduler and workers run on loopback. `slow.c` is loaded into the workers alone. The roots are
those of `make_root.py`, and one environment of very many files. The totals must be those of a scan
by this process.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from machine import describe_machine
from make_root import add_sizes, census, sizes_of
from programs import CHECKOUT, BenchmarkError, Roots, plain_environment, scan_command
from shapes import Shape, write
from summary import Target, print_targets

WORKERS = (1, 2, 4)
MAX_RATIO = 1 / 0.8  # of linear speed-up
ONE_LARGE = "one environment of a million files"
_SCAN_CODE = """\
import sys, time
sys.path.insert(0, sys.argv[1])
from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.cli.dask_workers import dask_workers
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
cache, *prefixes = sys.argv[3:]
roots = [Root(RootKind.CACHE, cache), *(Root(RootKind.ENVIRONMENT, path) for path in prefixes)]
with dask_workers(sys.argv[2]) as executor:
    begin_s = time.perf_counter()
    usage = Usage(scan(roots, executor=executor))
    print("FOUND", usage.on_disk, usage.as_copies, time.perf_counter() - begin_s)
"""


@contextmanager
def running(*words: str, **environment: str) -> Iterator[str]:
    """Run a command of Dask until the end of the block; yield the line that says it is ready."""
    ready = ("Scheduler at:", "Registered to:")
    log = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "info", "PYTHONPATH": CHECKOUT}
    with subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{words[0]}", *words[1:]],
        env=plain_environment() | log | environment,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            lines = process.stderr or ()
            found = next((line for line in lines if any(word in line for word in ready)), None)
            if found is None:
                raise BenchmarkError(f"{words[0]} did not start")
            yield found.split()[-1]
        finally:
            process.kill()


def scan_seconds(roots: Roots, scheduler: str, expected: Sequence[str]) -> float:
    """Scan with the workers of a scheduler; return the seconds that it takes.

    Raises:
        BenchmarkError: The totals are not the expected ones.

    """
    words = [sys.executable, "-c", _SCAN_CODE, CHECKOUT, scheduler, *roots.all]
    ended = subprocess.run(
        words, env=plain_environment(), capture_output=True, text=True, check=False
    )
    answers = [line.split() for line in ended.stdout.splitlines() if line.startswith("FOUND ")]
    if ended.returncode or not answers:
        raise BenchmarkError(f"the scan failed:\n{ended.stderr.strip()}")
    *totals, seconds = answers[0][1:]
    if totals != list(expected):
        raise BenchmarkError(f"the workers found {totals}, this process {expected}")
    return float(seconds)


def measure(name: str, roots: Roots, rounds: int, slow: dict[str, str]) -> Target:
    """Time the scan of some roots with each number of workers; return what is promised."""
    print(f"\n== {name} ==\n{census(roots.all).lines()}\n")
    expected = scan_command(roots).output().splitlines()[0].split()[:2]
    of_workers = {}
    for number in WORKERS:
        with ExitStack() as stack:
            options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
            scheduler = stack.enter_context(running("dask_scheduler", *options))
            for _ in range(number):
                alone = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
                stack.enter_context(running("dask_worker", scheduler, *alone, **slow))
            scan_seconds(roots, scheduler, expected)  # warm, and not counted
            taken = [scan_seconds(roots, scheduler, expected) for _ in range(rounds)]
        of_workers[number] = statistics.median(taken)
        faster = of_workers[WORKERS[0]] / of_workers[number]
        print(f"{number} workers: {of_workers[number]:.2f} s, {faster:.2f} times as fast as one")
    least, most = WORKERS[0], WORKERS[-1]
    measured = most * of_workers[most] / of_workers[least]
    words = f"{name}: {most} times the time of {most} workers / the time of one"
    return Target(words, measured, MAX_RATIO, "x")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Time scans by the workers of a scheduler.")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--microseconds", type=int, default=300, metavar="N")
    parser.add_argument("--large", type=int, default=1_000_000, metavar="FILES")
    add_sizes(parser)
    parser.set_defaults(paths=120_000, cache_files=15_000)
    options = parser.parse_args()
    targets = []
    with tempfile.TemporaryDirectory(prefix="hardlinks-workers-") as made:
        library = os.path.join(made, "slow.so")
        source = os.path.join(CHECKOUT, "benchmarks", "slow.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        slow = {"LD_PRELOAD": library, "SLOW_MICROSECONDS": str(options.microseconds)}
        try:
            several = Roots.given_or_generated(None, sizes_of(options), made)
            print(describe_machine(made, {}))
            targets.append(measure("several environments", several, options.rounds, slow))
            large = os.path.join(made, "large")
            write(large, Shape(1, 1, 1, 1, options.large))
            targets.append(measure(ONE_LARGE, Roots.below(large), options.rounds, slow))
        except BenchmarkError as error:
            print(f"workers: {error}", file=sys.stderr)
            return 1
    return print_targets(targets)


if __name__ == "__main__":
    sys.exit(main())
