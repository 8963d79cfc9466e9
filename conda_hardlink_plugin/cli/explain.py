"""`conda hardlinks explain`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .arguments import add_cache_option, add_evidence_options, path

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """
Show everything about one cached package, given by NAME, NAME-VERSION-BUILD or
path, or about one file: the verdict, the files that prove it, what removing it
would free, and what would break. Nothing is written.
"""
EXAMPLES = """\
  conda hardlinks explain numpy               the numpy in the caches
  conda hardlinks explain numpy-1.26.4-py312h_0
  conda hardlinks explain ~/miniconda3/envs/work/lib/libz.so
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the explanation."""
    from .frontend import add_json_option

    parser.add_argument(
        "subject",
        type=path,
        metavar="PACKAGE|PATH",
        help="A cached package, or the path of any file.",
    )
    where = parser.add_argument_group("Where to look")
    add_cache_option(where, "Include the package cache DIR, of mamba, pixi or another conda.")
    add_evidence_options(where)
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Read, gather and print. Returns the exit code."""
    from ..api import check_subject
    from ..exceptions import StoppedError
    from ..render.explain import print_file, print_package, render_explanation
    from ..render.terminal import Terminal
    from .frontend import is_verbose, wants_json
    from .output import is_closed, show
    from .reading import read_installation

    if is_closed("the explanation"):
        return 1
    check_subject(args.subject)
    try:
        found = read_installation(args).explain(args.subject)

        def printing() -> None:
            if wants_json():
                sys.stdout.write(render_explanation(found.package, found.file))
                return
            terminal = Terminal()
            if found.file is not None:
                print_file(found.file, terminal)
            if found.package is not None:
                print_package(found.package, terminal, verbose=is_verbose())

        show(printing)
    except KeyboardInterrupt:
        raise StoppedError("Interrupted. Nothing was changed.") from None
    return 0
