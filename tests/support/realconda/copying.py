"""A copy in the place of an installation, or of a part of one, for whoever changes it."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def copy_in_place(directory: str) -> Iterator[None]:
    """Have a copy of a folder stand in its place.

    At the same path, which symbolic links and records have in them.
    """
    untouched = f"{directory}.untouched"
    os.rename(directory, untouched)
    try:
        subprocess.run(["cp", "-a", untouched, directory], check=True)
        yield
    finally:
        subprocess.run(["rm", "-rf", directory], check=True)
        os.rename(untouched, directory)


def forget_reports(directory: str) -> None:
    """Have the next report of an installation be the first one."""
    with suppress(FileNotFoundError):
        os.unlink(f"{directory}/home/.cache/conda/hardlinks/report.index")
