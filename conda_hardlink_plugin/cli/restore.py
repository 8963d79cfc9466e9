"""`conda hardlinks restore`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .arguments import add_cache_option

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """
List what `conda hardlinks clean --keep` holds, or bring back what one of its
runs removed.
"""
EXAMPLES = """\
  conda hardlinks restore                     what is held, and until when
  conda hardlinks restore ID                  bring back what that run removed
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the restore."""
    from .frontend import add_json_option

    parser.add_argument(
        "run",
        nargs="?",
        metavar="ID",
        help="The run whose packages to bring back; without it, the runs are listed.",
    )
    add_cache_option(parser, "Look in the package cache DIR, too.")
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """List, or bring back. Returns the exit code."""
    from ..api import find_installation
    from ..exceptions import StoppedError
    from ..render.restore import print_held, print_restored, render_restore
    from ..render.terminal import Terminal
    from .frontend import wants_json
    from .output import is_closed, show

    if is_closed("what is held"):
        return 1
    try:
        installation = find_installation(caches=args.cache_folders)
        if args.run is None:
            runs, problems = installation.held_runs()
            paths: list[str] = []
        else:
            restored = installation.restore(args.run)
            runs, paths, problems = [], restored.paths, restored.problems

        def printing() -> None:
            if wants_json():
                sys.stdout.write(render_restore(runs, paths, problems))
            elif args.run is None:
                print_held(runs, problems, Terminal())
            else:
                print_restored(paths, problems, Terminal())

        show(printing)
    except KeyboardInterrupt:
        raise StoppedError(
            "Interrupted. Items that were already restored stay in their place."
        ) from None
    return 1 if problems else 0
