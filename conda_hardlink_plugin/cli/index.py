"""`conda hardlinks index`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """
Show or clear the report index: what the last report found, so that the next one
reads only what has changed.
"""
EXAMPLES = """\
  conda hardlinks index
  conda hardlinks index --clear
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the index."""
    from .frontend import add_json_option

    parser.add_argument(
        "--clear",
        action="store_true",
        help="Remove the index. The next report reads everything and writes a new one.",
    )
    add_json_option(parser)


def execute(args: argparse.Namespace) -> int:
    """Show what there is, or remove it. Returns the exit code."""
    from ..api import clear_index, index_status
    from ..render.index import print_status, render_status
    from ..render.terminal import Terminal
    from .frontend import wants_json
    from .output import is_closed, show

    if is_closed("the status of the index"):
        return 1
    status = index_status()
    if args.clear:
        clear_index()

    def printing() -> None:
        if wants_json():
            sys.stdout.write(render_status(status, cleared=args.clear))
        else:
            print_status(status, Terminal(), cleared=args.clear)

    show(printing)
    return 0
