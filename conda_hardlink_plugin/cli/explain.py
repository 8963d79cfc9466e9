"""`conda hardlinks explain`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .arguments import add_cache_option, add_evidence_options, evidence_of, path

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
    from .. import api
    from ..exceptions import StoppedError
    from ..render.explain import print_file, print_package, render_explanation
    from ..render.progress import progress
    from ..render.terminal import Terminal
    from .frontend import is_quiet, is_verbose, package_caches, wants_json
    from .output import is_closed, show

    if is_closed("the explanation"):
        return 1
    api.check_subject(args.subject)
    where, policy = evidence_of(args)
    try:
        with api.readers_started(package_caches()) as readers:
            installation = api.find_installation(**where)
            with progress("files and folders read", quiet=is_quiet()) as on_progress:
                analysis = api.analyze(
                    installation, policy=policy, readers=readers, on_progress=on_progress
                )
        found = analysis.explain(args.subject)

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
