"""Time whole conda commands with and without the plugin, one after the other.

    python benchmarks/transactions.py [--rounds N] [--files N]

A throw-away installation with packages of made-up files is built in a temporary directory. Each
command runs once before, unmeasured; then the two ways take turns, and which is first changes from
round to round. What decides is the median of the differences within a round: at most 2.5 % of the
command, and at most 0.3 seconds.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, CHECKOUT)

from tests.support.realconda.installation import Installation  # noqa: E402  # found by the line above
from tests.support.realconda.packages import PackageSpec, write_channel  # noqa: E402

MAX_SHARE = 0.025
MAX_S = 0.3
FILES_OF_A_PACKAGE = 500
PACKAGE = "conda_hardlink_plugin"


def hide(directory: str) -> dict[str, str]:
    """Return variables with which the plugin is a module without any hook; others stay."""
    os.makedirs(f"{directory}/{PACKAGE}")
    for name in ("__init__", "plugin"):
        with open(f"{directory}/{PACKAGE}/{name}.py", "x", encoding="utf-8"):
            pass
    return {"PYTHONPATH": directory}


def build(directory: str, files: int) -> tuple[Installation, list[str]]:
    """Make an installation, and packages with so many files in its channel and its cache."""
    specs = [
        PackageSpec(
            f"made-up-{number}",
            files={
                f"lib/p{number}/d{file % 20}/f{file}": 100 + file % 5000
                for file in range(FILES_OF_A_PACKAGE)
            },
        )
        for number in range(max(1, files // FILES_OF_A_PACKAGE))
    ]
    installation = Installation.new(f"{directory}/i", (write_channel(f"{directory}/c", specs),))
    return installation, [spec.name for spec in specs]


def seconds(installation: Installation, command: Sequence[str], env: Mapping[str, str]) -> float:
    """Run conda, and return how long that took."""
    began = time.perf_counter()
    installation.conda(*command, env=env, fresh=True)
    return time.perf_counter() - began


def compare(
    installation: Installation,
    commands: Sequence[Sequence[str]],
    without_plugin: Mapping[str, str],
    rounds: int,
) -> bool:
    """Time a command, or several in a row of which the first counts; tell whether it is within."""
    command, *after = commands
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(-1, rounds):
        for plugin in (True, False) if number % 2 else (False, True):
            elapsed = seconds(installation, command, {} if plugin else without_plugin)
            for other in after:
                installation.conda(*other, env=without_plugin)
            if number >= 0:
                taken[plugin].append(elapsed)
    differences = [ours - without for ours, without in zip(taken[True], taken[False], strict=True)]
    without = statistics.median(taken[False])
    low, median, high = statistics.quantiles(differences, n=4)
    is_within = median <= min(MAX_S, MAX_SHARE * without)
    print(
        f"conda {' '.join(command[:1]):<10} {without:7.3f} s without, with the plugin"
        f" {median * 1000:+7.1f} ms [{low * 1000:+.1f}, {high * 1000:+.1f}]"
        f" = {median / without:+.1%}  {'ok' if is_within else 'MISSED'}",
        flush=True,
    )
    return is_within


def main() -> int:
    """Run everything; return 1 where a median is over what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="transactions-") as directory:
        installation, names = build(directory, options.files)
        source = installation.source_options
        create = ("create", "--quiet", "--name", "new", *source, *names)
        loud = tuple(word for word in create if word != "--quiet")
        without = hide(f"{directory}/without")
        installation.conda(*create, env=without)
        remove = ("env", "remove", "--quiet", "--yes", "--name", "new")
        installation.conda(*remove, env=without)
        print(f"{len(names)} packages, {options.files:,} files, {options.rounds} rounds")
        results = [
            compare(installation, commands, without, options.rounds)
            for commands in ([loud, remove], [("list",)], [("--version",)])
        ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
