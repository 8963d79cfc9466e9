"""``python -m tests.support.realconda.bundled``: give this interpreter a conda, if it has none.

Nothing called conda is on the package index, but conda-lock carries all of
conda 24.7.1. Two files beside it make that one importable as ``conda``: a copy
of ``finder.py``, and a ``.pth`` that has each start of the interpreter install
the finder, child processes included. Where the interpreter can import a conda
of its own, nothing is written.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution

from tests.support.realconda import finder

MODULE = "_bundled_conda"
PTH = f"""\
# Makes the conda inside conda-lock importable as conda; see {MODULE}.py.
import {MODULE}; {MODULE}.install()
"""


def site_directory() -> str:
    """The site-packages directory that holds conda-lock, with its conda.

    Raises:
        FileNotFoundError: conda-lock, or the conda within it, is not installed.
    """
    install_command = f"{sys.executable} -m pip install --no-deps conda-lock==4.0.3"
    try:
        directory = str(distribution("conda-lock").locate_file(""))
    except PackageNotFoundError as error:
        raise FileNotFoundError(f"conda-lock is not installed. Run: {install_command}") from error
    if not os.path.isfile(os.path.join(directory, "conda_lock/_vendor/conda/__init__.py")):
        raise FileNotFoundError(
            f"The conda-lock in {directory} carries no conda. Run: {install_command}"
        )
    return directory


def install(directory: str) -> None:
    """Write the finder's module and its ``.pth`` into the site directory."""
    shutil.copyfile(finder.__file__, os.path.join(directory, f"{MODULE}.py"))
    # The .pth last: from here on every start of the interpreter obeys it.
    with open(os.path.join(directory, f"{MODULE}.pth"), "w", encoding="utf-8") as pth:
        pth.write(PTH)


def main() -> int:
    """Install what is missing and say what there is."""
    origin = finder.other_conda_origin()
    if origin is not None:
        sys.stdout.write(f"This interpreter has a conda of its own: {origin}\n")
        return 0
    try:
        directory = site_directory()
    except FileNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    install(directory)
    sys.stdout.write(f"Bundled conda installed: {os.path.join(directory, MODULE)}.pth\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
