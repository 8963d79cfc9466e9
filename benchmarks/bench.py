"""Race the scan and the report against GNU du, ncdu and gdu on a big conda-like root.

    python benchmarks/bench.py [--root DIR] [--rounds N] [--conda-python PYTHON]

Whole processes, interleaved, the order rotated from round to round; each command runs once
before, unmeasured. The figures that decide are ratios to du within a round. Before anything is
timed, our figures are compared with `du -B1 -s`, byte for byte.

Exit status: 0 when every target that could be measured is met, 1 when one is missed or the
figures differ from du's, 2 for bad usage.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from machine import describe_machine
from make_root import Census, add_sizes, census
from summary import MEGABYTE, Run, Target, draw_table, median_ratio, peak_bytes, quartiles

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DU, SCAN, REPORT, STARTUP = "du", "scan + accounting", "report --json", "conda --version"
MAX_SCAN_RATIO = 1.0
REPORT_BASE_BYTES = 45 * MEGABYTE
REPORT_BYTES_PER_INODE = 130

# The figures of every root, in the order of the arguments, caches first.
_SCAN_CODE = """\
import sys
sys.path.insert(0, sys.argv[1])
from conda_hardlink_plugin.inventory import Root, RootKind
from conda_hardlink_plugin.scan import scan
from conda_hardlink_plugin.usage import Usage
roots = [Root(RootKind.CACHE, sys.argv[2])]
roots += [Root(RootKind.ENVIRONMENT, path) for path in sys.argv[3:]]
usage = Usage(scan(roots))
print(usage.on_disk, usage.as_copies, sum(usage.exclusive_by_root))
for alone, added in zip(usage.unique_by_root, usage.added(range(len(roots)))):
    print(alone, added)
"""

# Linux hands the peak memory of a process on to the program it turns into, so a child started
# from here would count our own memory as its. A small interpreter in between starts the child,
# times it, and says how much memory it had itself: less than that cannot be seen.
_LAUNCHER_CODE = """\
import os, sys, time
with open("/proc/self/status") as status:
    floor = next(line.split()[1] for line in status if line.startswith("VmHWM"))
nowhere = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
start = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=nowhere)
status, usage = os.wait4(child, 0)[1:]
wall = time.perf_counter() - start
status = os.waitstatus_to_exitcode(status)
print(status, wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss, floor)
"""


class BenchmarkError(Exception):
    """A reason to stop without figures, in one sentence."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program in the race."""

    label: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    def output(self) -> str:
        """Run it unmeasured and return what it prints; raise when it fails."""
        ended = subprocess.run(
            self.arguments, env=self.environment, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise BenchmarkError(
                f"{self.label} ended with status {ended.returncode}:\n{ended.stderr.strip()}"
            )
        return ended.stdout

    def measure(self) -> Run:
        """Run it once, its output thrown away, and return what it took."""
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER_CODE, *self.arguments]
        answer = subprocess.run(
            launcher, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout.split()
        if answer[0] != "0":
            raise BenchmarkError(f"{self.label} ended with status {answer[0]}")
        wall, user, system = map(float, answer[1:4])
        peak, floor = (1024 * int(field) for field in answer[4:])
        return Run(wall, user, system, peak, floor)


@dataclass(frozen=True, slots=True)
class Roots:
    """The package cache and the environments that everybody walks."""

    directory: str
    cache: str
    environments: tuple[str, ...]

    @classmethod
    def below(cls, directory: str) -> "Roots":
        """Find them in a directory that make_root.py has written."""
        cache = os.path.join(directory, "pkgs")
        environments = tuple(sorted(glob.glob(os.path.join(glob.escape(directory), "envs", "*"))))
        if not os.path.isdir(cache) or not environments:
            raise BenchmarkError(f"{directory} has no pkgs and envs/*: write it with make_root.py")
        return cls(directory, cache, environments)

    @property
    def all(self) -> tuple[str, ...]:
        """Every root, the cache first."""
        return (self.cache, *self.environments)


def du_sizes(paths: Sequence[str]) -> list[int]:
    """What one `du -B1 -s` of all these paths prints, a figure for each path."""
    printed = Command(DU, ["du", "-B1", "-s", *paths], plain_environment()).output()
    return [int(line.split("\t", 1)[0]) for line in printed.splitlines()]


def plain_environment() -> dict[str, str]:
    """The environment of the peers: ours, in the C locale."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def conda_environment(roots: Roots, home: str) -> dict[str, str]:
    """The environment of a conda that sees these roots and nothing else.

    One of the environments stands in for the base, so that conda's own folder is not walked.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CONDA")}
    return kept | {
        "CONDA_ENVS_DIRS": os.path.join(roots.directory, "envs"),
        "CONDA_PKGS_DIRS": roots.cache,
        "CONDA_REGISTER_ENVS": "false",
        "CONDA_ROOT_PREFIX": roots.environments[0],
        "HOME": home,
        "LC_ALL": "C.UTF-8",
    }


def scan_command(roots: Roots) -> Command:
    """Ours (a): the scan and its accounting alone, without conda and without drawing."""
    code = [sys.executable, "-I", "-c", _SCAN_CODE, CHECKOUT, *roots.all]
    return Command(SCAN, code, plain_environment())


def report_command(roots: Roots, conda_python: str, home: str) -> Command:
    """Ours (b): the whole command that a user runs."""
    arguments = [conda_python, "-m", "conda", "hardlinks", "report", "--json"]
    return Command(REPORT, arguments, conda_environment(roots, home))


def startup_command(roots: Roots, conda_python: str, home: str) -> Command:
    """What conda itself takes to start, to be subtracted from (b)."""
    arguments = [conda_python, "-m", "conda", "--version"]
    return Command(STARTUP, arguments, conda_environment(roots, home))


def peers(roots: Roots) -> tuple[list[Command], list[str]]:
    """The other programs, and the names of those that are absent."""
    environment = plain_environment()
    candidates = [
        Command("ncdu", ["ncdu", "-0", "-o", "/dev/null", roots.directory], environment),
        Command("gdu", ["gdu", "-n", "-s", "-p", roots.directory], environment),
    ]
    found, absent = [], []
    for command in candidates:
        # GNU du goes by the name of gdu on some systems.
        if shutil.which(command.label) and "coreutils" not in version_of(command.label):
            found.append(command)
        else:
            absent.append(command.label)
    return found, absent


def version_of(program: str) -> str:
    """The first line a program prints for --version."""
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    first = (printed.stdout + printed.stderr).partition("\n")[0]
    return " ".join(first.removeprefix("Version:").split())


def conda_absence(roots: Roots, conda_python: str, home: str) -> str:
    """Why `conda hardlinks report` cannot run here; empty when it can."""
    for words, lacking in (
        (["--version"], "no conda in this interpreter"),
        (["hardlinks", "report", "--help"], "the conda there has no `hardlinks report`"),
    ):
        asked = [conda_python, "-m", "conda", *words]
        environment = conda_environment(roots, home)
        if subprocess.run(asked, env=environment, capture_output=True, check=False).returncode:
            return lacking
    return ""


def check_scan(roots: Roots) -> None:
    """Raise unless the scan's figures are du's: each root alone, and all together."""
    printed = scan_command(roots).output().splitlines()
    on_disk, as_copies = map(int, printed[0].split()[:2])
    figures = [tuple(map(int, line.split())) for line in printed[1:]]
    compare("scan", roots.all, figures)
    if on_disk != sum(du_sizes(roots.all)) or as_copies != sum(alone for alone, _ in figures):
        raise BenchmarkError("the scan's totals differ from du's")


def check_report(command: Command, roots: Roots) -> None:
    """Raise unless the report walks exactly these roots and its figures are du's."""
    du_table = Command(command.label, [*command.arguments, "--du"], command.environment)
    answer = json.loads(du_table.output())
    rows = answer["du"]
    paths = [row["path"] for row in rows]
    if {os.path.realpath(path) for path in paths} != set(map(os.path.realpath, roots.all)):
        raise BenchmarkError(f"the report walks other roots than du: {paths}")
    compare("report", paths, [(row["alone_bytes"], row["added_bytes"]) for row in rows])
    if answer["totals"]["on_disk_bytes"] != sum(du_sizes(paths)):
        raise BenchmarkError("the report's total differs from du's")


def compare(who: str, paths: Sequence[str], figures: Sequence[tuple[int, ...]]) -> None:
    """Raise where a root's usage alone, or what it adds, is not what du prints."""
    together = du_sizes(paths)
    for path, (alone, added), adds in zip(paths, figures, together, strict=True):
        expected = du_sizes([path])[0]
        if alone != expected:
            raise BenchmarkError(f"{path}: {who} says {alone} bytes, du {expected}")
        if added != adds:
            raise BenchmarkError(f"{path}: {who} says it adds {added} bytes, du {adds}")


def race(commands: Sequence[Command], rounds: int) -> dict[str, list[Run]]:
    """Run every command once in each round, each round starting with another one."""
    runs: dict[str, list[Run]] = {command.label: [] for command in commands}
    for command in commands:
        command.measure()  # warm, and not counted
    for number in range(rounds):
        first = number % len(commands)
        order = [*commands[first:], *commands[:first]]
        for command in order if number % 2 == 0 else reversed(order):
            runs[command.label].append(command.measure())
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return runs


def targets(runs: Mapping[str, Sequence[Run]], counted: Census) -> list[Target]:
    """What the project promises, beside what was measured."""
    found = [
        Target(
            "scan + accounting, wall time, median ratio to du",
            median_ratio(runs[SCAN], runs[DU]),
            MAX_SCAN_RATIO,
            "x",
        )
    ]
    if REPORT in runs:
        allowed = REPORT_BASE_BYTES + REPORT_BYTES_PER_INODE * counted.multi_link_inodes
        peak = peak_bytes(runs[REPORT])
        name = "report, peak memory (45 MB + 130 bytes for each multi-link inode)"
        found.append(Target(name, peak / MEGABYTE, allowed / MEGABYTE, " MB"))
    return found


def bench(roots: Roots, rounds: int, conda_python: str, home: str) -> int:
    """Check, race and print; answers the exit status."""
    commands = [Command(DU, ["du", "-s", *roots.all], plain_environment()), scan_command(roots)]
    others, absent = peers(roots)
    commands += others
    lacking = conda_absence(roots, conda_python, home)
    if lacking:
        absent += [f"{label} ({lacking})" for label in (REPORT, STARTUP)]
    else:
        commands.append(report_command(roots, conda_python, home))
        commands.append(startup_command(roots, conda_python, home))
    versions = {name: version_of(name) for name in ("du", *(peer.label for peer in others))}
    if not lacking:
        versions["conda"] = startup_command(roots, conda_python, home).output().strip()
    counted = census(roots.all)  # also reads every directory once, before du does
    print(describe_machine(roots.directory, versions))
    print(counted.lines(), end="\n\n")
    check_scan(roots)
    if not lacking:
        check_report(report_command(roots, conda_python, home), roots)
    whose = "the scan's" if lacking else "the scan's and the report's"
    print(f"equal to du -B1 -s, each root alone and all together: {whose} figures\n")
    runs = race(commands, rounds)
    print(draw_table(runs, DU))
    if not lacking:
        without = [
            run.wall - start.wall for run, start in zip(runs[REPORT], runs[STARTUP], strict=True)
        ]
        middle = quartiles(without)[1]
        print(f"\n{REPORT} without {STARTUP}: {middle:.3f} s wall, median of the differences")
    for name in absent:
        print(f"absent: {name}")
    print()
    checked = targets(runs, counted)
    for target in checked:
        print(target.line())
    return 0 if all(target.met for target in checked) else 1


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Race against du, ncdu and gdu.")
    parser.add_argument("--root", metavar="DIR", help="of make_root.py; else one is generated")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument(
        "--conda-python",
        default=sys.executable,
        metavar="PYTHON",
        help="the interpreter whose `-m conda` has the plugin; this one when not given",
    )
    add_sizes(parser)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.rounds < 7:
        print("fewer than 7 rounds: good for a try, not for a figure to quote", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="hardlinks-bench-") as made:
        home = os.path.join(made, "home")
        os.mkdir(home)
        directory = options.root
        if directory is None:
            directory = os.path.join(made, "root")
            sizes = ("cache_files", "environments", "paths", "seed")
            words = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in sizes]
            maker = os.path.join(CHECKOUT, "benchmarks", "make_root.py")
            if subprocess.run([sys.executable, maker, directory, *words], check=False).returncode:
                return 2
            print()
        try:
            roots = Roots.below(os.path.abspath(directory))
            return bench(roots, options.rounds, options.conda_python, home)
        except BenchmarkError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
