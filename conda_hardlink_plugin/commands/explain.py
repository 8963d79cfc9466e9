"""`conda hardlinks explain`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from .arguments import add_evidence_options

if TYPE_CHECKING:
    import argparse

    from ..costs import Facts
    from ..explain import FileExplanation

DESCRIPTION = """
Everything about one cached package, given by NAME, NAME-VERSION-BUILD or path,
or about one file: the verdict, the files that witness it, what removing it
would free, and what would break. Nothing is written anywhere.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the explanation."""
    from conda.cli.helpers import add_parser_json

    parser.add_argument(
        "subject", metavar="PACKAGE|PATH", help="A cached package, or the path of any file."
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

    from ..costs import Facts
    from ..errors import StoppedError
    from ..explain import explain_file, explain_package
    from ..render.explaining import print_file, print_package, render_explanation
    from ..render.terminal import Terminal
    from ..usage import Measure
    from .output import is_closed, show
    from .survey import find, take_survey

    if is_closed("the explanation"):
        return 1
    path = _path_of(args.subject)
    try:
        survey = take_survey(args, find(args))
        facts = Facts(survey.inventory, survey.names, Measure.DISK, survey.terms)
        file = None if path is None or os.path.isdir(path) else explain_file(facts, path)
        unit = _package(facts, args.subject, path, file)
        package = None if unit is None else explain_package(facts, unit)

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

    from ..errors import SubjectNotFoundError

    if os.sep not in subject:
        return None
    path: str = expand(subject)
    if not os.path.lexists(path):
        raise SubjectNotFoundError(f"There is nothing at {path}: give a path that exists.")
    return path


def _package(
    facts: Facts, subject: str, path: str | None, file: FileExplanation | None
) -> int | None:
    """Return the package that is asked about, or that holds the file; `None` of another file."""
    from ..errors import SubjectNotFoundError
    from ..explain import find_packages, package_at

    if path is None:
        found = find_packages(facts, subject)
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(sorted(facts.inventory.units[unit].path for unit in found))
            raise SubjectNotFoundError(f"{subject} means several packages: give one of {paths}")
        raise SubjectNotFoundError(
            f"No package cache has {subject}: `conda hardlinks report --packages` lists what there"
            " is, --cache DIR takes in another cache."
        )
    unit = package_at(facts, path)
    if unit is None and file is not None and file.packages:
        return package_at(facts, file.packages[0])
    if unit is None and file is None:
        raise SubjectNotFoundError(
            f"{path} is no cached package: give the path of one, or of a file."
        )
    return unit
