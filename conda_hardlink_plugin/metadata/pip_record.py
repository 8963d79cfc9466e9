"""Reader of the RECORD files that pip, uv and the like write (PEP 376)."""

from __future__ import annotations

import csv
import io
import os

from ..filesystem.problems import PathProblem, reason_of
from .bounded_reader import read_record_bytes


def read_pip_files(prefix: str) -> tuple[set[str], list[PathProblem]]:
    """Return the files that `RECORD` files below site-packages list (PEP 376), as prefix paths.

    Conda's own Python packages have a `RECORD` too: whoever asks what pip installed takes the
    files that conda's records name away.
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
            if not name.endswith(".dist-info"):
                continue
            record = os.path.join(folder, name, "RECORD")
            if not os.path.lexists(record):
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
    found = ["Lib/site-packages"] if os.path.isdir(f"{prefix}/Lib/site-packages") else []
    try:
        names = os.listdir(os.path.join(prefix, "lib"))
    except OSError:
        return found
    for name in names:
        path = f"lib/{name}/site-packages"
        real = not os.path.islink(f"{prefix}/lib/{name}")
        if name.startswith(("python", "pypy")) and real and os.path.isdir(f"{prefix}/{path}"):
            found.append(path)
    return found
