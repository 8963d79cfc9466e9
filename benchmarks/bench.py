"""Race the scan and the report against GNU du and its peers on a big conda-like root.

    python benchmarks/bench.py [--root DIR] [--rounds N] [--conda-python PYTHON]

Whole processes, interleaved, the order rotated from round to round; each command runs once
before, unmeasured. The figures that decide are ratios to du within a round. Before anything is
timed, our figures are compared with `du -B1 -s`, byte for byte.

Exit status: 0 when every target that could be measured is met, 1 when one is missed or the
figures differ from du's, 2 for bad usage.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace

from machine import describe_machine
from make_root import add_sizes, census, sizes_of
from programs import (
    CLEAN,
    DU,
    EXACT,
    FIRST,
    PLAN,
    PYTHON,
    QUICK,
    REPORT,
    SCAN,
    STARTUP,
    BenchmarkError,
    Command,
    Roots,
    clean_command,
    conda_environment,
    floor_command,
    plain_environment,
    plan_command,
    report_commands,
    scan_command,
    startup_command,
)
from summary import (
    MEGABYTE,
    Run,
    Target,
    draw_table,
    median_ratio,
    peak_bytes,
    print_targets,
    quartiles,
    ratios,
)

DISKUSE = "diskuse"
PEERS = ("ncdu", "gdu", DISKUSE)
LARGE = 12  # environments; with fewer there is less that need not be looked at
MAX_PYTHON_RATIO = 1.05
MAX_RATIOS = {  # by the number of environments, nothing changed since the index was written
    12: {REPORT: 0.42, FIRST: 0.48, EXACT: 0.17, QUICK: 0.08},
    32: {REPORT: 0.38, FIRST: 0.44, EXACT: 0.15, QUICK: 0.07},
}
MAX_COLD_RATIO = 0.42
MAX_REPORT_BYTES = 75 * MEGABYTE
ENVIRONMENTS_OF_A_MILLION = 12  # with more there are more than a million paths
MAX_CLEAN_RATIO = 1.1
MAX_PLAN_MEMORY_RATIO = 1.5


def du_sizes(paths: Sequence[str]) -> list[int]:
    """What one `du -B1 -s` of all these paths prints, a figure for each path."""
    printed = Command(DU, ["du", "-B1", "-s", *paths], plain_environment()).output()
    return [int(line.split("\t", 1)[0]) for line in printed.splitlines()]


def peers(roots: Roots, home: str) -> tuple[list[Command], list[str]]:
    """The other programs, and the names of those that are absent."""
    environment = plain_environment()
    candidates = [
        Command("ncdu", ["ncdu", "-0", "-o", "/dev/null", roots.directory], environment),
        Command("gdu", ["gdu", "-n", "-s", "-p", roots.directory], environment),
        # It keeps what it found in the home.
        Command("diskuse", ["diskuse", "scan", roots.directory], environment | {"HOME": home}),
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


def race(commands: Sequence[Command], rounds: int, *, cold: bool = False) -> dict[str, list[Run]]:
    """Run every command once in each round, each round starting with another one.

    Args:
        commands: What is run.
        rounds: How often.
        cold: Have the kernel forget what it has read, before each run.

    """
    runs: dict[str, list[Run]] = {command.label: [] for command in commands}
    for command in commands:
        command.measure()  # warm, and not counted
    for number in range(rounds):
        first = number % len(commands)
        order = [*commands[first:], *commands[:first]]
        for command in order if number % 2 == 0 else reversed(order):
            if cold:
                drop_caches()
            runs[command.label].append(command.measure())
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return runs


def drop_caches() -> None:
    """Have the kernel forget directories, inodes and contents of files (proc_sys_vm(5))."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
    except OSError as error:
        raise BenchmarkError(f"caches cannot be dropped here: {error.strerror}") from error


def cold_targets(runs: Mapping[str, Sequence[Run]]) -> list[Target]:
    """What the project promises where nothing has been read yet."""
    if REPORT not in runs:
        return []
    measured = quartiles(ratios(without_startup(runs, REPORT), runs[DU], "wall"))[1]
    name = f"{REPORT}, without conda's start-up, wall time, median ratio to du, cold"
    return [Target(name, measured, MAX_COLD_RATIO, "x")]


def targets(
    runs: Mapping[str, Sequence[Run]], summed: Mapping[str, int], environments: int
) -> list[Target]:
    """What the project promises, beside what was measured."""
    memory = peak_bytes(runs[PLAN]) / peak_bytes(runs[SCAN])
    found = [Target("plan of a clean, peak memory / scan", memory, MAX_PLAN_MEMORY_RATIO, "x")]
    if environments >= LARGE:
        measured = median_ratio(runs[PYTHON], runs[DU])
        found.append(Target(f"{PYTHON}, wall / du", measured, MAX_PYTHON_RATIO, "x"))
    if REPORT not in runs:
        return found
    if environments <= ENVIRONMENTS_OF_A_MILLION:
        peak = max(summed[label] for label in (REPORT, FIRST, EXACT, QUICK)) / MEGABYTE
        allowed = MAX_REPORT_BYTES / MEGABYTE
        found.append(Target("any report, all processes, peak memory", peak, allowed, " MB"))
    for label, ratio in MAX_RATIOS.get(environments, {}).items():
        measured = quartiles(ratios(without_startup(runs, label), runs[DU], "wall"))[1]
        found.append(Target(f"{label}, without conda's start-up, wall / du", measured, ratio, "x"))
    clean, report = without_startup(runs, CLEAN), without_startup(runs, REPORT)
    measured = quartiles(ratios(clean, report, "wall"))[1]
    name = f"{CLEAN} / {REPORT}, without conda's start-up, wall"
    found.append(Target(name, measured, MAX_CLEAN_RATIO, "x"))
    if DISKUSE in runs:
        measured = quartiles(ratios(without_startup(runs, FIRST), runs[DISKUSE], "wall"))[1]
        found.append(Target(f"{FIRST}, without conda's start-up, wall / diskuse", measured, 1, "x"))
    return found


def without_startup(runs: Mapping[str, Sequence[Run]], label: str) -> list[Run]:
    """What a report takes beyond what conda takes to start, round for round."""
    pairs = zip(runs[label], runs[STARTUP], strict=True)
    return [replace(run, wall=run.wall - start.wall) for run, start in pairs]


def contestants(
    roots: Roots, conda_python: str, home: str
) -> tuple[list[Command], dict[str, Command], list[str]]:
    """All that can run, those of them that are reports, by label, and what cannot and why."""
    commands = [
        Command(DU, ["du", "-s", *roots.all], plain_environment()),
        scan_command(roots),
        scan_command(roots, native=False),
        plan_command(roots),
    ]
    absent = []
    if shutil.which("cc"):
        threads = sorted({1, len(os.sched_getaffinity(0))})
        commands += [floor_command(roots, home, number) for number in threads]
    else:
        absent.append("the same in C (there is no compiler)")
    others, others_absent = peers(roots, home)
    commands += others
    absent += others_absent
    lacking = conda_absence(roots, conda_python, home)
    if lacking:
        return commands, {}, [*absent, f"{REPORT} and the like ({lacking})"]
    reports = report_commands(roots, conda_python, home)
    commands += reports.values()
    commands.append(clean_command(roots, conda_python, home))
    commands.append(startup_command(roots, conda_python, home))
    return commands, reports, absent


def bench(roots: Roots, rounds: int, conda_python: str, home: str, *, cold: bool) -> int:
    """Check, race and print; answers the exit status."""
    if cold:
        drop_caches()  # or say at once that it cannot be done
    commands, reports, absent = contestants(roots, conda_python, home)
    labels = {command.label for command in commands}
    versions = {name: version_of(name) for name in (DU, *sorted(labels & set(PEERS)))}
    if reports:
        versions["conda"] = startup_command(roots, conda_python, home).output().strip()
    counted = census(roots.all)  # also reads every directory once, before du does
    print(describe_machine(roots.directory, versions))
    print(counted.lines(), end="\n\n")
    check_scan(roots)
    for command in reports.values():
        command.output()  # writes its index, if it has one
        check_report(command, roots)
    whose = "the scan's and the reports'" if reports else "the scan's"
    print(f"equal to du -B1 -s, each root alone and all together: {whose} figures\n")
    if cold:
        commands = [command for command in commands if command.label not in (PYTHON, PLAN, CLEAN)]
    runs = race(commands, rounds, cold=cold)
    summed = {}
    for command in commands:
        if cold:
            drop_caches()
        summed[command.label] = command.summed_peak()
    print(draw_table(runs, DU, summed), end="\n\n")
    for label in reports:
        low, middle, high = quartiles(ratios(without_startup(runs, label), runs[DU], "wall"))
        print(f"{label} without {STARTUP}: {middle:.3f} [{low:.3f}-{high:.3f}] of {DU}")
    for name in absent:
        print(f"absent: {name}")
    print()
    checked = cold_targets(runs) if cold else targets(runs, summed, len(roots.environments))
    return print_targets(checked)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Race against du, ncdu, gdu and diskuse.")
    parser.add_argument("--root", metavar="DIR", help="of make_root.py; else one is generated")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument(
        "--cold",
        action="store_true",
        help="have the kernel forget what it has read before each run (only root may)",
    )
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
        try:
            roots = Roots.given_or_generated(options.root, sizes_of(options), made)
            return bench(roots, options.rounds, options.conda_python, home, cold=options.cold)
        except BenchmarkError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
