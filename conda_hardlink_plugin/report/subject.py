"""What a name or path means that is to be explained: a cached package, or a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..exceptions import NotFoundError
from ..filesystem.paths import expand
from .explain import (
    explain_file,
    explain_package,
    find_archives,
    find_packages,
    package_at,
    runs_holding,
)

if TYPE_CHECKING:
    from ..analysis.analysis import Analysis
    from .explain import FileExplanation, PackageExplanation


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about a package, a file, or a file and the package that holds it.

    Attributes:
        package: The package; `None` of a file that no cached package holds.
        file: The file; `None` of a package.

    """

    package: PackageExplanation | None
    file: FileExplanation | None


def explain(analysis: Analysis, subject: str) -> Explanation:
    """Gather everything about what a name or a path means.

    Args:
        analysis: What it is computed from.
        subject: `NAME`, `NAME-VERSION-BUILD` or path of a package, or the path of a file.

    Raises:
        NotFoundError: There is no such package or file, or there are several.

    """
    path = _path_of(subject)
    archives = find_archives(analysis, subject) if path is None else []
    path = archives[0] if len(archives) == 1 else path
    file = None if path is None or os.path.isdir(path) else explain_file(analysis, path)
    unit = _package(analysis, subject, path, file)
    package = None if unit is None else explain_package(analysis, unit)
    return Explanation(package, file)


def check_subject(subject: str) -> None:
    """Check that a subject can mean something, before anything is read for it.

    Raises:
        NotFoundError: It is a path at which nothing is.

    """
    _path_of(subject)


def _path_of(subject: str) -> str | None:
    """Return the absolute path that the subject is; `None` where it is the name of a package."""
    if os.sep not in subject and subject not in (".", ".."):
        return None
    path = expand(subject)
    if not os.path.lexists(path):
        raise NotFoundError(f"There is nothing at {path}: give a path that exists.")
    return path


def _package(
    analysis: Analysis, subject: str, path: str | None, file: FileExplanation | None
) -> int | None:
    """Return the package that is meant, or that holds the file; `None` of another file."""
    if path is None:
        return _package_named(analysis, subject)
    unit = package_at(analysis, path)
    if unit is None and file is not None and file.packages:
        return package_at(analysis, file.packages[0])
    if unit is None and file is None:
        for run in runs_holding(analysis, path):
            raise NotFoundError(
                f"{path} is held by a clean: `conda hardlinks restore {run}` brings it back."
            )
        raise NotFoundError(f"{path} is not a cached package: give the path of one, or of a file.")
    return unit


def _package_named(analysis: Analysis, name: str) -> int:
    found = find_packages(analysis, name)
    if len(found) == 1:
        return found[0]
    if found:
        paths = ", ".join(sorted(analysis.inventory.units[unit].path for unit in found))
        raise NotFoundError(f"{name} means several packages: give one of {paths}")
    for run in runs_holding(analysis, name):
        raise NotFoundError(
            f"{name} was moved aside by a clean and is held: `conda hardlinks restore {run}`"
            " brings it back."
        )
    raise NotFoundError(
        f"No package cache has {name}: `conda hardlinks report --packages` lists the packages,"
        " --cache DIR includes another cache."
    )
