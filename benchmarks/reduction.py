"""Measure what the coordinator of a scan by several machines takes for made-up results of tasks.

    python benchmarks/reduction.py [--paths N ...]

Each task has read 200,000 paths of one of many environments that share caches: 70 % are links to
inodes that the caches have, 5 % to other inodes with several links, 1 % are symbolic links. Nothing
is read from a disk; the results are made and taken one after the other, as they would come.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from struct import Struct

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, CHECKOUT)

from conda_hardlink_plugin.filesystem.native import EventKind, events_of, native_module  # noqa: E402
from conda_hardlink_plugin.scan.native_table import NativeInodeTable  # noqa: E402

PATHS_OF_TASK = 200_000
DEVICE = 7
_ROW, _EVENT = Struct("3Q4I"), Struct("IIiI4Q4I")
_LINKED, _SEVERAL, _SYMLINKS = 0.70, 0.05, 0.01


def rows(first: int, count: int, link_count: int, state: int) -> bytes:
    """Packed rows of inodes that follow each other."""
    return b"".join(
        _ROW.pack(number, 4096, 3000, 0, link_count, state, 0)
        for number in range(first, first + count)
    )


def events(count: int, location: int) -> bytes:
    """Packed symbolic links."""
    return b"".join(
        _EVENT.pack(EventKind.TEXT, location, 0, 0, 0, 0, 0, 0, 0, 22, 12, 0)
        + b"lib/liblinked.so.%06d" % number
        + b"liblinked.so"
        for number in range(count)
    )


def results(paths: int) -> Iterator[tuple[int, bytes, list[bytes], bytes]]:
    """Yield location, rows, states and events of each task; the caches come first."""
    cache_inodes = min(2_000_000, paths // 5)
    for first in range(1, cache_inodes + 1, PATHS_OF_TASK):
        count = min(PATHS_OF_TASK, cache_inodes + 1 - first)
        yield 0, rows(first, count, 9, 1), [b"", array("I", [0]).tobytes()], b""
    for task in range(1, (paths - cache_inodes) // PATHS_OF_TASK + 1):
        linked, several = int(_LINKED * PATHS_OF_TASK), int(_SEVERAL * PATHS_OF_TASK)
        first = task * linked % max(cache_inodes - linked, 1) + 1
        own = 10_000_000 + task * several
        packed = rows(first, linked, 0, 1) + rows(own, several, 2, 1)
        location = array("I", [task]).tobytes()
        yield task, packed, [b"", location], events(int(_SYMLINKS * PATHS_OF_TASK), task)


def reduce(paths: int) -> None:
    """Take all results, and print seconds and memory of that alone."""
    native = native_module()
    if native is None:
        raise SystemExit("there is no native reader")
    table = NativeInodeTable(native.Table())
    seconds, found = 0.0, 0
    texts: dict[int, dict[str, str]] = {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for location, packed, states, packed_events in results(paths):
        began = time.perf_counter()
        table.load(DEVICE, packed, states)
        for event in events_of(packed_events):
            texts.setdefault(location, {})[event.path] = event.text
        seconds += time.perf_counter() - began
    began = time.perf_counter()
    found = sum(1 for _ in table.groups())
    seconds += time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{paths:>12,} {seconds:8.2f} {1024 * (peak - before) / 1e6:10.0f} {found:10,}")


def main() -> int:
    """Run the command line: one process for each size, so that memory is its own."""
    parser = argparse.ArgumentParser(description="Measure the reduction of made-up results.")
    sizes = [1_000_000, 3_000_000, 10_000_000]
    parser.add_argument("--paths", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        reduce(options.paths[0])
        return 0
    print(f"{'paths':>12} {'seconds':>8} {'memory MB':>10} {'groups':>10}", flush=True)
    for paths in options.paths:
        subprocess.run([sys.executable, __file__, "--alone", "--paths", str(paths)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
