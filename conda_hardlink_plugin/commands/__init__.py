"""`conda hardlinks VERB`: one file a verb. Loaded by every conda command: argparse and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import clean, explain, report, restore

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

VERBS = {"report": report, "explain": explain, "clean": clean, "restore": restore}


def configure_parser(parser: ArgumentParser) -> None:
    """Add the verbs to the parser of `conda hardlinks`."""
    parser.description = (
        "Show what environments really cost on disk, counted by inode, and free what none uses."
    )
    verbs = parser.add_subparsers(
        title="commands", metavar="COMMAND", parser_class=_parser_when_needed(type(parser))
    )
    for name, verb in VERBS.items():
        verbs.add_parser(
            name, help=verb.HELP, description=verb.DESCRIPTION, allow_abbrev=False
        ).set_defaults(execute_verb=verb.execute, configure_verb=verb.configure_parser)
    parser.set_defaults(print_verbs=parser.print_help)


def execute(args: Namespace) -> int:
    """Run the verb that was asked for; without one print what there is."""
    execute_verb = getattr(args, "execute_verb", None)
    if execute_verb is None:
        args.print_verbs()
        return 0
    return int(execute_verb(args))


def _parser_when_needed(parser_class: type[ArgumentParser]) -> type[ArgumentParser]:
    """Return a class of parsers that get their options when they parse.

    conda builds the parsers of all commands for each of them: options cost most of that.
    """

    class VerbParser(parser_class):  # type: ignore[valid-type,misc]  # conda's class at run time
        def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
            configure = self.get_default("configure_verb")
            if configure is not None:
                self.set_defaults(configure_verb=None)
                configure(self)
            return super().parse_known_args(*args, **kwargs)

    return VerbParser
