"""Race the scan against GNU du where each stat, and each directory read, takes some time longer.

    python benchmarks/slow.py [--root DIR] [--rounds N] [--microseconds N]

`slow.c` is compiled and loaded into every program. What Python and conda take to start is slower
there, too: it is measured and shown.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace

from bench import race
from machine import describe_machine
from make_root import add_sizes, census, sizes_of
from programs import (
    CHECKOUT,
    DU,
    SCAN,
    BenchmarkError,
    Command,
    Roots,
    plain_environment,
    scan_command,
)
from summary import Target, draw_table, median_ratio, print_targets

MAX_RATIO = 0.04
START = "Python and its modules"
_IMPORTS = "import sys; sys.path.insert(0, sys.argv[1]); import conda_hardlink_plugin.scan.scanner"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Race where calls to the filesystem wait.")
    parser.add_argument("--root", metavar="DIR", help="of make_root.py; else one is generated")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--microseconds", type=int, default=300, metavar="N")
    add_sizes(parser)
    parser.set_defaults(paths=120_000, cache_files=15_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hardlinks-slow-") as made:
        library = os.path.join(made, "slow.so")
        source = os.path.join(CHECKOUT, "benchmarks", "slow.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        try:
            roots = Roots.given_or_generated(options.root, sizes_of(options), made)
            print(describe_machine(roots.directory, {}))
            print(census(roots.all).lines())
            slow = {"LD_PRELOAD": library, "SLOW_MICROSECONDS": str(options.microseconds)}
            environment = plain_environment() | slow
            start = [sys.executable, "-I", "-c", _IMPORTS, CHECKOUT]
            native, python = scan_command(roots), scan_command(roots, native=False)
            commands = [
                Command(DU, ["du", "-s", *roots.all], environment),
                replace(native, environment=environment | native.environment),
                replace(python, environment=environment | python.environment),
                Command(START, start, environment),
            ]
            runs = race(commands, options.rounds)
        except BenchmarkError as error:
            print(f"slow: {error}", file=sys.stderr)
            return 1
    summed = {label: max(run.peak for run in taken) for label, taken in runs.items()}
    print(draw_table(runs, DU, summed))
    target = Target(
        "scan, wall time, median ratio to du", median_ratio(runs[SCAN], runs[DU]), MAX_RATIO, "x"
    )
    return print_targets([target])


if __name__ == "__main__":
    sys.exit(main())
