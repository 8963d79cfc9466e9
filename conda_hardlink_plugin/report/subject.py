"""Find the package or file that a name or path means, and explain it."""

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
    """The explanation of a package, of a file, or of a file and the package that contains it.

    Attributes:
        package: The package; `None` for a file outside every cached package.
        file: The file; `None` for a package.

    """

    package: PackageExplanation | None
    file: FileExplanation | None


def explain(analysis: Analysis, subject: str) -> Explanation:
    """Return the explanation of a package or file.

    Args:
        analysis: The analysis to explain from.
        subject: `NAME`, `NAME-VERSION-BUILD` or path of a package, or the path of a file.

    Raises:
        NotFoundError: No package or file matches, or several do.

    """
    path = check_subject(subject)
    archives = find_archives(analysis, subject) if path is None else []
    if len(archives) > 1:
        raise NotFoundError(_several(subject, "archives", archives))
    path = archives[0] if archives else path
    unit: int | None
    file: FileExplanation | None = None
    if path is None:
        unit = _package_named(analysis, subject)
    else:
        unit = package_at(analysis, path)
        if not os.path.isdir(path):
            file = explain_file(analysis, path)
        if unit is None and file is None:
            _refuse_held(analysis, path)
            raise NotFoundError(
                f"{path} is not a cached package: give the path of one, or of a file."
            )
        if unit is None and file is not None and file.packages:
            unit = package_at(analysis, file.packages[0])
    package = None if unit is None else explain_package(analysis, unit)
    return Explanation(package, file)


def check_subject(subject: str) -> str | None:
    """Check a subject before a scan, and return its absolute path; `None` for a package name.

    Raises:
        NotFoundError: The subject is a path that does not exist.

    """
    if os.sep not in subject and subject not in (".", ".."):
        return None
    path = expand(subject)
    if not os.path.lexists(path):
        raise NotFoundError(f"{path} does not exist: give the path of a package or of a file.")
    return path


def _package_named(analysis: Analysis, name: str) -> int:
    found = find_packages(analysis, name)
    if len(found) == 1:
        return found[0]
    if found:
        paths = [analysis.inventory.units[unit].path for unit in found]
        raise NotFoundError(_several(name, "packages", paths))
    _refuse_held(analysis, name)
    raise NotFoundError(
        f"No package cache contains {name}: `conda hardlinks report --packages` lists the packages,"
        " --cache DIR includes another cache."
    )


def _several(name: str, what: str, paths: list[str]) -> str:
    return f"{name} matches several {what}: give one of {', '.join(sorted(paths))}."


def _refuse_held(analysis: Analysis, wanted: str) -> None:
    """Raise an error that names the run of `clean` that holds a package, if there is one."""
    for run in runs_holding(analysis, wanted):
        raise NotFoundError(
            f"{wanted} was moved aside by a clean: `conda hardlinks restore {run}` restores it."
        )
