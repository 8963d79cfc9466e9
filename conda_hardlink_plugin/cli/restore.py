"""`conda hardlinks restore`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """
List what `conda hardlinks clean --keep` moved aside and still holds, or bring
back what one of those runs took away.
"""
EXAMPLES = """\
  conda hardlinks restore                     what is held, and until when
  conda hardlinks restore ID                  bring back what that run removed
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the restore."""
    from conda.cli.helpers import add_parser_json

    parser.add_argument(
        "run",
        nargs="?",
        metavar="ID",
        help="The run whose packages are to be brought back; without it the runs are listed.",
    )
    parser.add_argument(
        "--cache",
        action="append",
        default=[],
        dest="cache_folders",
        metavar="DIR",
        help="Look into this package cache too. Can be repeated.",
    )
    add_parser_json(parser)


def execute(args: argparse.Namespace) -> int:
    """List, or bring back. Returns the exit code."""
    from conda.base.context import context

    from ..discovery.finder import find_installation
    from ..exceptions import NotHeldError, StoppedError
    from ..executor.restore import Restored, held_runs, restore
    from ..render.restore import print_held, print_restored, render_restore
    from ..render.terminal import Terminal
    from .output import is_closed, show

    if is_closed("what is held"):
        return 1
    try:
        runs, problems = held_runs(find_installation(caches=args.cache_folders).caches)
        restored = Restored(problems=problems)
        wanted = [held for held in runs if held.run == args.run]
        if args.run is not None and not wanted:
            raise NotHeldError(
                f"No run {args.run} holds anything: `conda hardlinks restore` lists the runs that"
                " do."
            )
        for held in wanted:
            restore(held.cache, held.run, restored)

        def printing() -> None:
            if context.json:
                sys.stdout.write(render_restore([] if wanted else runs, restored))
            elif wanted:
                print_restored(restored, Terminal())
            else:
                print_held(runs, restored, Terminal())

        show(printing)
    except KeyboardInterrupt:
        raise StoppedError("Stopped by Ctrl-C: what was brought back stays.") from None
    return 1 if restored.problems else 0
