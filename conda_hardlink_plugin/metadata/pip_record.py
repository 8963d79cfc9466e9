"""Reader of the `RECORD` files that pip, uv, and similar installers write (PEP 376)."""

from __future__ import annotations

import csv
import io
import os

from ..filesystem.problems import PathProblem, reason_of
from .bounded_reader import read_record_bytes


def read_pip_files(prefix: str) -> tuple[set[str], list[PathProblem]]:
    """Return the files that `RECORD` files in site-packages list, and unreadable paths.

    The paths are relative to the prefix. conda's own Python packages have a `RECORD` too: to get
    the files that pip installed, subtract those that conda's records name.
    """
    files: set[str] = set()
    problems: list[PathProblem] = []
    for site_packages in _site_packages(prefix):
        folder = os.path.join(prefix, site_packages)
        try:
            names = os.listdir(folder)
        except OSError as error:
            problems.append(PathProblem(folder, reason_of(error)))
            continue
        for name in names:
            record = os.path.join(folder, name, "RECORD")
            if not name.endswith(".dist-info") or not os.path.lexists(record):
                continue
            paths = _read_pip_record(record, site_packages)
            if isinstance(paths, PathProblem):
                problems.append(paths)
            else:
                files |= paths
    return files, problems


def _read_pip_record(path: str, site_packages: str) -> set[str] | PathProblem:
    content = read_record_bytes(path)
    if isinstance(content, PathProblem):
        return content
    try:
        rows = list(csv.reader(io.StringIO(os.fsdecode(content), newline="")))
    except csv.Error as error:
        return PathProblem(path, str(error))
    return {
        os.path.normpath(os.path.join(site_packages, row[0]))
        for row in rows
        if row and not os.path.isabs(row[0])
    }


def _site_packages(prefix: str) -> list[str]:
    """Return the site-packages folders of a prefix, relative to it."""
    try:
        names = os.listdir(os.path.join(prefix, "lib"))
    except OSError:
        names = []
    folders = [
        f"lib/{name}"
        for name in names
        if name.startswith(("python", "pypy")) and not os.path.islink(f"{prefix}/lib/{name}")
    ]
    found = [f"{folder}/site-packages" for folder in ("Lib", *folders)]  # Lib on Windows
    return [path for path in found if os.path.isdir(f"{prefix}/{path}")]
