"""Render the summary of a transaction: lines of one sentence each."""

from __future__ import annotations

import os
from contextlib import suppress
from shutil import get_terminal_size
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from ..analysis.causes import Cause
from ..formatting import count, printable, size, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from ..report.transaction_summary import TransactionSummary

_MAX_LINES = 4
_CAUSES = {
    Cause.PREFIX_REWRITTEN: "prefix",
    Cause.BYTECODE: "bytecode",
    Cause.COPIED: "copies",
    Cause.CONDA_OWN: "entry points",
    Cause.SYMLINKS: "symbolic links",
    Cause.NO_LINK: "not linkable",
}


def summary_lines(summary: TransactionSummary) -> list[str]:
    """Return at most four lines, without newlines."""
    lines = [*_linked(summary), *_unlinked(summary), *_added(summary), *_warnings(summary)]
    shown = lines[: _MAX_LINES - summary.warned]
    if summary.over_budget and len(lines) > len(shown):
        shown[-1] = lines[-1]  # never leave out that figures are missing
    return [f"hardlinks: {printable(line)}" for line in shown]


def warning_line(sentence: str) -> str:
    """Return a warning as a line, without a newline."""
    return f"hardlinks: warning: {printable(sentence)}"


def write_lines(lines: Iterable[str], file: TextIO) -> None:
    """Write lines; on a terminal, fold them between words."""
    if file.isatty():
        columns = get_terminal_size().columns
        wrapper = TextWrapper(
            columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        lines = map(wrapper.fill, lines)
    text = "".join(f"{line}\n" for line in lines)
    try:
        file.flush()
        descriptor = file.fileno()
    except (OSError, ValueError):  # a captured stream has no descriptor
        file.write(text)
        return
    # Write now rather than at exit. A full disk or a closed pipe must not fail the command.
    with suppress(OSError):
        os.write(descriptor, text.encode(file.encoding, "backslashreplace"))


def _linked(summary: TransactionSummary) -> Iterator[str]:
    linked = summary.linked
    if not linked.packages:
        return
    parts = []
    if linked.hardlinked_bytes:
        parts.append(f"{size(linked.hardlinked_bytes)} hard-linked to the cache")
    if linked.private_bytes:
        causes = [
            f"{name} {size(amount)}"
            for cause, name in _CAUSES.items()
            if (amount := linked.by_cause.get(cause, 0))
        ]
        parts.append(f"{size(linked.private_bytes)} private ({', '.join(causes)})")
    line = f"{count(linked.packages, 'package')}, {size(linked.size_bytes)}"
    yield f"{line}: {', '.join(parts)}" if parts else line


def _unlinked(summary: TransactionSummary) -> Iterator[str]:
    if not summary.unlinked_packages:
        return
    line = f"removed {count(summary.unlinked_packages, 'package')}"
    if summary.unlinked_bytes is None or summary.freed_bytes is None:
        yield f"{line}; `conda hardlinks report` shows what is left in the cache"
        return
    line += f", {size(summary.unlinked_bytes)}: freed {size(summary.freed_bytes)}"
    if summary.left_bytes:
        line += (
            f"; {size(summary.left_bytes)} of them are left in the cache without hard links from"
            " an environment: `conda hardlinks clean` removes unused packages"
        )
    yield line


def _added(summary: TransactionSummary) -> Iterator[str]:
    if summary.added_bytes is None:
        return
    line = f"the environment adds {size(summary.added_bytes)} to the disk"
    totals = summary.totals
    if totals is not None and not totals.incomplete:
        caches = "the cache" if totals.caches == 1 else count(totals.caches, "cache")
        line += (
            f"; in the report of {timestamp(summary.totals_taken_s)}"
            f" {count(totals.environments, 'environment')} and {caches}"
            f" used {size(totals.on_disk_bytes)}, {size(totals.as_copies_bytes)} as copies"
        )
    yield line


def _warnings(summary: TransactionSummary) -> Iterator[str]:
    linked = summary.linked
    if linked.copied and summary.why_copied and not summary.warned:
        yield (
            f"warning: {_packages(package.dist for package in linked.copied)} copied instead of"
            f" hard-linked: {summary.why_copied}"
        )
    if linked.softlinked and not summary.warned:
        yield (
            f"warning: {_packages(package.dist for package in linked.softlinked)} linked by"
            " symbolic links: `conda clean --packages` may break this environment, `conda"
            " hardlinks clean` does not"
        )
    if summary.over_budget:
        yield "measuring took too long; `conda hardlinks report` shows the figures"


def _packages(dists: Iterable[str]) -> str:
    found = sorted(dists)
    return f"{found[0]} was" if len(found) == 1 else f"{len(found):,} packages were"
