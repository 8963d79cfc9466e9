"""`conda hardlinks explain`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from .arguments import add_evidence_options, path

if TYPE_CHECKING:
    import argparse

    from ..analysis.analysis import Analysis
    from ..report.explain import FileExplanation

DESCRIPTION = """
Everything about one cached package, given by NAME, NAME-VERSION-BUILD or path,
or about one file: the verdict, the files that witness it, what removing it
would free, and what would break. Nothing is written anywhere.
"""
EXAMPLES = """\
  conda hardlinks explain numpy               every numpy in the caches
  conda hardlinks explain numpy-1.26.4-py312h_0
  conda hardlinks explain ~/miniconda3/envs/work/lib/libz.so
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the explanation."""
    from conda.cli.helpers import add_parser_json

    parser.add_argument(
        "subject",
        type=path,
        metavar="PACKAGE|PATH",
        help="A cached package, or the path of any file.",
    )
    where = parser.add_argument_group("Where to look")
    where.add_argument(
        "--cache",
        action="append",
        default=[],
        dest="cache_folders",
        metavar="DIR",
        help="Take in the package cache DIR too, of mamba, pixi or another conda. Can be repeated.",
    )
    add_evidence_options(where)
    add_parser_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Scan, gather and print. Returns the exit code."""
    from conda.base.context import context

    from ..analysis.analysis import Analysis
    from ..analysis.usage import Measure
    from ..exceptions import StoppedError
    from ..render.explain import print_file, print_package, render_explanation
    from ..render.terminal import Terminal
    from ..report.explain import explain_file, explain_package, find_archives
    from ..scan.crew import crew_for
    from .output import is_closed, show
    from .survey import find, take_survey

    if is_closed("the explanation"):
        return 1
    place = _path_of(args.subject)
    try:
        with crew_for(context.pkgs_dirs) as crew:
            survey = take_survey(args, find(args), crew)
        analysis = Analysis(survey.inventory, survey.names, Measure.DISK, survey.terms)
        archives = find_archives(analysis, args.subject) if place is None else []
        place = archives[0] if len(archives) == 1 else place
        file = None if place is None or os.path.isdir(place) else explain_file(analysis, place)
        unit = _package(analysis, args.subject, place, file)
        package = None if unit is None else explain_package(analysis, unit)

        def printing() -> None:
            if context.json:
                sys.stdout.write(render_explanation(package, file))
                return
            terminal = Terminal()
            if file is not None:
                print_file(file, terminal)
            if package is not None:
                print_package(package, terminal, verbose=context.verbosity > 0)

        show(printing)
    except KeyboardInterrupt:
        raise StoppedError("Stopped by Ctrl-C; nothing was changed.") from None
    return 0


def _path_of(subject: str) -> str | None:
    """Return the absolute path that the subject is; `None` where it is the name of a package."""
    from conda.common.path import expand

    from ..exceptions import SubjectNotFoundError

    if os.sep not in subject and subject not in (".", ".."):
        return None
    place: str = expand(subject)
    if not os.path.lexists(place):
        raise SubjectNotFoundError(f"There is nothing at {place}: give a path that exists.")
    return place


def _package(
    analysis: Analysis, subject: str, place: str | None, file: FileExplanation | None
) -> int | None:
    """Return the package that is asked about, or that holds the file; `None` of another file."""
    from ..exceptions import SubjectNotFoundError
    from ..report.explain import find_packages, package_at, runs_holding

    if place is None:
        found = find_packages(analysis, subject)
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(sorted(analysis.inventory.units[unit].path for unit in found))
            raise SubjectNotFoundError(f"{subject} means several packages: give one of {paths}")
        for run in runs_holding(analysis, subject):
            raise SubjectNotFoundError(
                f"{subject} was moved aside by a clean and is held: `conda hardlinks restore {run}`"
                " brings it back."
            )
        raise SubjectNotFoundError(
            f"No package cache has {subject}: `conda hardlinks report --packages` lists what there"
            " is, --cache DIR takes in another cache."
        )
    unit = package_at(analysis, place)
    if unit is None and file is not None and file.packages:
        return package_at(analysis, file.packages[0])
    if unit is None and file is None:
        for run in runs_holding(analysis, place):
            raise SubjectNotFoundError(
                f"{place} is held by a clean: `conda hardlinks restore {run}` brings it back."
            )
        raise SubjectNotFoundError(
            f"{place} is no cached package: give the path of one, or of a file."
        )
    return unit
