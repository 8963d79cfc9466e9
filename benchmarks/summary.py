"""Measured runs to medians, quartiles and targets; pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a program took."""

    wall: float
    user: float
    system: float
    peak: int  # bytes
    floor: int  # bytes; a peak below cannot be told from it

    @property
    def cpu(self) -> float:
        """Seconds of processor time, its own and the kernel's."""
        return self.user + self.system


@dataclass(frozen=True, slots=True)
class Target:
    """A promise and what was measured; less is better."""

    name: str
    measured: float
    allowed: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.measured <= self.allowed

    def line(self) -> str:
        """The target as a line of text."""
        verdict = "met" if self.met else "MISSED"
        return (
            f"{verdict}: {self.name}: {self.measured:.2f}{self.unit}, "
            f"allowed {self.allowed:.2f}{self.unit}"
        )


def print_targets(targets: Sequence[Target]) -> int:
    """Print each target; return the exit status: 0 if all are met."""
    for target in targets:
        print(target.line())
    return 0 if all(target.met for target in targets) else 1


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratios(runs: Sequence[Run], base: Sequence[Run], figure: str) -> list[float]:
    """Round for round, the figure (`wall` or `cpu`) of the runs divided by that of the base."""
    return [
        getattr(run, figure) / getattr(other, figure) for run, other in zip(runs, base, strict=True)
    ]


def median_ratio(runs: Sequence[Run], base: Sequence[Run]) -> float:
    """The median of the per-round ratios of wall time."""
    return quartiles(ratios(runs, base, "wall"))[1]


def peak_bytes(runs: Sequence[Run]) -> int:
    """The highest peak memory of any run."""
    return max(run.peak for run in runs)


def draw_table(
    runs: Mapping[str, Sequence[Run]], base: str, summed: Mapping[str, int] | None = None
) -> str:
    """A row for each program: medians, and in brackets the quartiles, over the rounds.

    Args:
        runs: What each program took.
        base: The program that the others are compared with.
        summed: The peak memory of all processes of each program, added up, in bytes; where it
            was not measured, there is no column for it.

    """
    heading = (
        "",
        "wall s",
        f"wall / {base}",
        "cpu s",
        f"cpu / {base}",
        "user s",
        "sys s",
        "peak MB",
        *(["all processes MB"] if summed else []),
    )
    rows: list[tuple[str, ...]] = [heading]
    for label, taken in runs.items():
        peak = peak_bytes(taken)
        # Within a tenth of the launcher's own memory the peak may be the launcher's.
        hidden = "<= " if peak < 1.1 * max(run.floor for run in taken) else ""
        rows.append(
            (
                label,
                _spread([run.wall for run in taken]),
                _spread(ratios(taken, runs[base], "wall")),
                _spread([run.cpu for run in taken]),
                _spread(ratios(taken, runs[base], "cpu")),
                f"{statistics.median(run.user for run in taken):.3f}",
                f"{statistics.median(run.system for run in taken):.3f}",
                f"{hidden}{peak / MEGABYTE:.1f}",
                *([f"{summed[label] / MEGABYTE:.1f}"] if summed else []),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _spread(values: Sequence[float]) -> str:
    low, middle, high = quartiles(values)
    return f"{middle:.3f} [{low:.3f}-{high:.3f}]"
