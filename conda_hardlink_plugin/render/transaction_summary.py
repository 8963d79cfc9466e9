"""What a transaction cost or freed, in lines of one sentence."""

from __future__ import annotations

import os
import textwrap
import time
from contextlib import suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from ..analysis.causes import Cause
from ..formatting import count, printable, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from ..report.transaction_summary import TransactionSummary

_MAX_LINES = 4
_NAMES_OF_CAUSES = {
    Cause.PREFIX_REWRITTEN: "prefix",
    Cause.BYTECODE: "bytecode",
    Cause.COPIED: "copies",
    Cause.CONDA_OWN: "entry points",
    Cause.SYMLINKS: "symbolic links",
    Cause.NO_LINK: "not to be linked",
}


def summary_lines(summary: TransactionSummary) -> list[str]:
    """Return the lines, at most four, without the newline."""
    lines = [*_linked(summary), *_unlinked(summary), *_added(summary), *_warnings(summary)]
    shown = lines[: _MAX_LINES - summary.warned]
    if summary.over_budget and len(lines) > len(shown):
        shown[-1] = lines[-1]  # that figures are missing is not to be left out
    return [f"hardlinks: {printable(line)}" for line in shown]


def warning_line(sentence: str) -> str:
    """Return a warning as a line, without the newline."""
    return f"hardlinks: warning: {printable(sentence)}"


def write_lines(lines: Iterable[str], file: TextIO) -> None:
    """Write lines; on a terminal they are folded between words."""
    if file.isatty():
        columns = get_terminal_size().columns
        lines = [
            textwrap.fill(
                line,
                columns,
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in lines
        ]
    text = "".join(f"{line}\n" for line in lines)
    try:
        file.flush()
        descriptor = file.fileno()
    except (OSError, ValueError):  # what captures it has none
        file.write(text)
        return
    with suppress(OSError):  # a full disk, or nobody listens: nothing may wait for the end
        os.write(descriptor, text.encode(file.encoding, "backslashreplace"))


def _linked(summary: TransactionSummary) -> Iterator[str]:
    linked = summary.linked
    if not linked.packages:
        return
    said = f"{count(linked.packages, 'package')}, {size(linked.size_bytes)}"
    parts = []
    if linked.hardlinked_bytes:
        parts.append(f"{size(linked.hardlinked_bytes)} hardlinked to the cache")
    if linked.private_bytes:
        why = [
            f"{name} {size(amount)}"
            for cause, name in _NAMES_OF_CAUSES.items()
            if (amount := linked.by_cause.get(cause, 0))
        ]
        parts.append(f"{size(linked.private_bytes)} private ({', '.join(why)})")
    yield f"{said}: {', '.join(parts)}" if parts else said


def _unlinked(summary: TransactionSummary) -> Iterator[str]:
    if not summary.unlinked_packages:
        return
    said = f"removed {count(summary.unlinked_packages, 'package')}"
    if summary.unlinked_bytes is None or summary.freed_bytes is None:
        yield f"{said}; `conda hardlinks report` says what is left in the cache"
        return
    said += f", {size(summary.unlinked_bytes)}: freed {size(summary.freed_bytes)}"
    if summary.left_bytes:
        said += (
            f"; the cache still has {size(summary.left_bytes)} of them that no environment"
            " hardlinks: `conda hardlinks clean` removes what none uses"
        )
    yield said


def _added(summary: TransactionSummary) -> Iterator[str]:
    if summary.added_bytes is None:
        return
    said = f"the environment adds {size(summary.added_bytes)} to the disk"
    totals = summary.totals
    if totals is not None and not totals.incomplete:
        caches = "the cache" if totals.caches == 1 else count(totals.caches, "cache")
        taken = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.totals_taken_s))
        said += (
            f"; in the report of {taken} {count(totals.environments, 'environment')} and {caches}"
            f" used {size(totals.on_disk_bytes)}, {size(totals.as_copies_bytes)} as copies"
        )
    yield said


def _warnings(summary: TransactionSummary) -> Iterator[str]:
    linked = summary.linked
    if linked.copied and summary.why_copied and not summary.warned:
        yield (
            f"warning: {_packages(package.dist for package in linked.copied)} copied although hard"
            f" links were asked for: {summary.why_copied}"
        )
    if linked.softlinked and not summary.warned:
        yield (
            f"warning: {_packages(package.dist for package in linked.softlinked)} linked by"
            " symbolic links: `conda clean --packages` may break this environment, `conda"
            " hardlinks clean` does not"
        )
    if summary.over_budget:
        yield "measuring took too long; `conda hardlinks report` has the figures"


def _packages(dists: Iterable[str]) -> str:
    found = sorted(dists)
    if len(found) == 1:
        return f"{found[0]} was"
    return f"{len(found):,} packages were"
