"""`conda hardlinks index`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """
Say what the index is that the last report has left behind, so that the next one
reads only what has changed; or remove it.
"""
EXAMPLES = """\
  conda hardlinks index
  conda hardlinks index --clear
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the index."""
    from conda.cli.helpers import add_parser_json

    parser.add_argument(
        "--clear",
        action="store_true",
        help="Remove the index. The next report reads everything, and writes another one.",
    )
    add_parser_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Say what there is, or remove it. Returns the exit code."""
    from conda.base.context import context

    from ..exceptions import IndexNotClearedError
    from ..render.index import print_status, render_status
    from ..render.terminal import Terminal
    from ..scan.index.file import clear_index
    from ..scan.index.status import status_of
    from ..scan.index.trailer import index_folder
    from .output import is_closed, show

    if is_closed("what the index is"):
        return 1
    status = status_of(index_folder())
    if args.clear:
        try:
            clear_index(index_folder())
        except OSError as error:
            raise IndexNotClearedError(
                f"The index {status.path} cannot be removed: {error.strerror}."
            ) from error

    def printing() -> None:
        if context.json:
            sys.stdout.write(render_status(status, cleared=args.clear))
        else:
            print_status(status, Terminal(), cleared=args.clear)

    show(printing)
    return 0
