"""The programs in the race: what is run, on which roots, in which environment."""

import glob
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from summary import Run

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DU = "du"
FLOOR = "the same in C"
SCAN, PYTHON, PLAN = "scan + accounting", "scan in Python", "scan + plan of a clean"
REPORT, FIRST = "report --json --no-index", "report --json, first"
EXACT, QUICK = "report --json, exact", "report --json --quick"
CLEAN, STARTUP = "clean --dry-run --json", "conda --version"

# The figures of every root, in the order of the arguments, caches first.
_SCAN_CODE = """\
import sys
sys.path.insert(0, sys.argv[1])
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
from conda_hardlink_plugin.analysis.usage import Usage
roots = [Root(RootKind.CACHE, sys.argv[2])]
roots += [Root(RootKind.ENVIRONMENT, path) for path in sys.argv[3:]]
usage = Usage(scan(roots))
print(usage.on_disk, usage.as_copies, sum(usage.exclusive_by_root))
for alone, added in zip(usage.unique_by_root, usage.added(range(len(roots)))):
    print(alone, added)
"""

# What a clean would remove of the same roots, with all it takes to know.
_PLAN_CODE = """\
import sys, time
sys.path.insert(0, sys.argv[1])
from conda_hardlink_plugin.clean.plan import CleanChoice
from conda_hardlink_plugin.clean.planner import make_plan
from conda_hardlink_plugin.analysis.analysis import Analysis
from conda_hardlink_plugin.analysis.retention import Observations, RetentionPolicy
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from conda_hardlink_plugin.scan.scanner import scan
from conda_hardlink_plugin.analysis.usage import Measure
roots = [Root(RootKind.CACHE, sys.argv[2])]
roots += [Root(RootKind.ENVIRONMENT, path) for path in sys.argv[3:]]
policy = RetentionPolicy(grace=0)
observations = Observations(now_ns=time.time_ns())
analysis = Analysis(scan(roots), {}, Measure.DISK, policy, observations)
plan = make_plan(analysis, CleanChoice(), closed={}, version_key=str)
print(len(plan.remove), len(plan.keep), plan.planned_bytes)
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
    """A program in the race; `forgets` is a file that is removed before each run."""

    label: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    forgets: str | None = None

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

    def summed_peak(self) -> int:
        """Run it unmeasured and return the peak memory of all its processes added up, in bytes."""
        self._forget()
        nowhere = subprocess.DEVNULL
        peaks: dict[int, int] = {}
        with subprocess.Popen(self.arguments, env=self.environment, stdout=nowhere) as process:
            while process.poll() is None:
                for pid in _descendants(process.pid):
                    peaks[pid] = _peak_kib(pid) or peaks.get(pid, 0)  # before exec: its parent's
                time.sleep(0.002)
        return 1024 * sum(peaks.values())

    def _forget(self) -> None:
        if self.forgets is not None:
            with suppress(FileNotFoundError):
                os.unlink(self.forgets)

    def measure(self) -> Run:
        """Run it once, its output thrown away, and return what it took."""
        self._forget()
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER_CODE, *self.arguments]
        answer = subprocess.run(
            launcher, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout.split()
        if answer[0] != "0":
            raise BenchmarkError(f"{self.label} ended with status {answer[0]}")
        wall, user, system = map(float, answer[1:4])
        peak, floor = (1024 * int(field) for field in answer[4:])
        return Run(wall, user, system, peak, floor)


def _descendants(pid: int) -> Iterator[int]:
    """Yield a process and those it has started."""
    yield pid
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except OSError:  # it ended
        return
    for child in children:
        yield from _descendants(int(child))


def _peak_kib(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            lines = [line.split() for line in status]
    except OSError:
        return 0
    return next((int(fields[1]) for fields in lines if fields[0] == "VmHWM:"), 0)


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

    @classmethod
    def given_or_generated(
        cls, given: str | None, sizes: Mapping[str, int], folder: str
    ) -> "Roots":
        """Find them in a directory that was named, or write one with make_root.py.

        Args:
            given: The directory; `None` to write one.
            sizes: The options of make_root.py.
            folder: Where to write it.

        """
        if given is not None:
            return cls.below(os.path.abspath(given))
        directory = os.path.join(folder, "root")
        words = [f"--{name.replace('_', '-')}={size}" for name, size in sizes.items()]
        maker = os.path.join(CHECKOUT, "benchmarks", "make_root.py")
        if subprocess.run([sys.executable, maker, directory, *words], check=False).returncode:
            raise BenchmarkError("no root could be generated")
        return cls.below(directory)

    @property
    def all(self) -> tuple[str, ...]:
        """Every root, the cache first."""
        return (self.cache, *self.environments)


def plain_environment() -> dict[str, str]:
    """The environment of the peers: ours, in the C locale.

    Python may keep what it has compiled, as it does for users: a benchmark in a shell that forbids
    it would measure the compiler.
    """
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"LC_ALL": "C.UTF-8"}


def conda_environment(roots: Roots, home: str) -> dict[str, str]:
    """The environment of a conda that sees these roots and nothing else.

    One of the environments stands in for the base, so that conda's own folder is not walked.
    """
    kept = {key: value for key, value in plain_environment().items() if key[:5] != "CONDA"}
    return kept | {
        "CONDA_ENVS_DIRS": os.path.join(roots.directory, "envs"),
        "CONDA_PKGS_DIRS": roots.cache,
        "CONDA_REGISTER_ENVS": "false",
        "CONDA_ROOT_PREFIX": roots.environments[0],
        "HOME": home,
    }


def scan_command(roots: Roots, *, native: bool = True) -> Command:
    """Ours (a): the scan and its accounting alone, without conda and without drawing."""
    code = [sys.executable, "-I", "-c", _SCAN_CODE, CHECKOUT, *roots.all]
    reader = {"HARDLINKS_READER": "native" if native else "python"}
    return Command(SCAN if native else PYTHON, code, plain_environment() | reader)


def floor_command(roots: Roots, folder: str, threads: int) -> Command:
    """What it must cost: the same trick in C, compiled now, one total and nothing else."""
    program = os.path.join(folder, "floor")
    source = os.path.join(CHECKOUT, "benchmarks", "floor.c")
    subprocess.run(["cc", "-O2", "-pthread", "-o", program, source], check=True)
    label = f"{FLOOR}, {threads} thread{'s' * (threads > 1)}"
    return Command(label, [program, str(threads), *roots.all], plain_environment())


def plan_command(roots: Roots) -> Command:
    """Ours: the same scan, the evidence and the plan of a clean."""
    code = [sys.executable, "-I", "-c", _PLAN_CODE, CHECKOUT, *roots.all]
    return Command(PLAN, code, plain_environment())


def clean_command(roots: Roots, conda_python: str, home: str) -> Command:
    """The whole command that shows what a clean would do."""
    words = ["hardlinks", "clean", "--dry-run", "--json", "--grace", "0"]
    return Command(CLEAN, [conda_python, "-m", "conda", *words], conda_environment(roots, home))


def report_commands(roots: Roots, conda_python: str, home: str) -> dict[str, Command]:
    """Ours (b): the whole command that a user runs, in each mode, by its label.

    Each has a home of its own, where its index is: the one that looks exactly is not to be later
    than the one that looks quickly.
    """
    found = {}
    for label, options in (
        (REPORT, ["--no-index"]),
        (FIRST, []),
        (EXACT, []),
        (QUICK, ["--quick"]),
    ):
        folder = os.path.join(home, label.replace(" ", ""))
        os.makedirs(folder, exist_ok=True)
        arguments = [conda_python, "-m", "conda", "hardlinks", "report", "--json", *options]
        index = os.path.join(folder, ".cache", "conda", "hardlinks", "report.index")
        found[label] = Command(
            label,
            arguments,
            conda_environment(roots, folder),
            forgets=index if label == FIRST else None,
        )
    return found


def startup_command(roots: Roots, conda_python: str, home: str) -> Command:
    """What conda itself takes to start, to be subtracted from (b)."""
    arguments = [conda_python, "-m", "conda", "--version"]
    return Command(STARTUP, arguments, conda_environment(roots, home))
