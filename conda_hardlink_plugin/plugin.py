"""The hooks that conda calls. Loaded by every conda command: it imports nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conda.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conda.plugins.types import CondaSubcommand


@hookimpl
def conda_subcommands() -> Iterator[CondaSubcommand]:
    """Add `conda hardlinks`."""
    from conda.plugins.types import CondaSubcommand

    from .commands import configure_parser, execute

    yield CondaSubcommand(
        name="hardlinks",
        summary="Show what environments really cost on disk, counted by inode.",
        action=execute,
        configure_parser=configure_parser,
    )
