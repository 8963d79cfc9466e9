"""`conda hardlinks VERB`: one file a verb. Loaded by every conda command: argparse and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import report

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

VERBS = {"report": report}


def configure_parser(parser: ArgumentParser) -> None:
    """Add the verbs to the parser of `conda hardlinks`."""
    parser.description = "Show what environments really cost on disk, counted by inode."
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, verb in VERBS.items():
        verb_parser = verbs.add_parser(
            name, help=verb.HELP, description=verb.DESCRIPTION, allow_abbrev=False
        )
        verb.configure_parser(verb_parser)
        verb_parser.set_defaults(execute_verb=verb.execute)
    parser.set_defaults(print_verbs=parser.print_help)


def execute(args: Namespace) -> int:
    """Run the verb that was asked for; without one print what there is."""
    execute_verb = getattr(args, "execute_verb", None)
    if execute_verb is None:
        args.print_verbs()
        return 0
    return int(execute_verb(args))
