"""`conda hardlinks VERB`: one file a verb. Every conda command loads this: argparse only."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from types import ModuleType

    from ..exceptions import HardlinksError

EXAMPLES = """\
  conda hardlinks                     what the last report found, where to begin
  conda hardlinks report              what each environment really costs
  conda hardlinks clean --dry-run     what can be freed safely
"""
VERBS = {
    "report": "Show what environments and package caches cost, alone and together.",
    "explain": "Explain why a cached package is kept, or where a file is linked.",
    "clean": "Remove cached packages that no environment uses.",
    "restore": "Restore what `clean --keep` holds.",
    "merge": "Add up the reports of several machines.",
    "index": "Show or clear the report index.",
}


def verb(name: str) -> ModuleType:
    """Return the module of a verb.

    It has `DESCRIPTION`, `EXAMPLES`, `configure_parser` and `execute`.
    """
    return import_module(f".{name}", __name__)


def configure_parser(parser: ArgumentParser) -> None:
    """Add the verbs to the parser of `conda hardlinks`."""
    parser.description = (
        "Show what conda environments really cost on disk, and remove cached packages that no"
        " environment uses."
    )
    parser.epilog = f"examples:\n{EXAMPLES}"
    verbs = parser.add_subparsers(
        title="commands", metavar="COMMAND", parser_class=_parser_when_needed(type(parser))
    )
    for name, summary in VERBS.items():
        verb_parser: Any = verbs.add_parser(name, help=summary, allow_abbrev=False)
        verb_parser.set_defaults(hardlinks_verb=name)
        if "conda_completion.introspect" in sys.modules:  # it reads parsers, and never parses
            verb_parser.configure()


def execute(args: Namespace) -> int:
    """Run the verb that was asked for; without one print where to begin."""
    import gc

    from ..exceptions import HardlinksError
    from .frontend import conda_error

    name = getattr(args, "hardlinks_verb", None)
    if name is None:
        from .guide import print_where_to_begin

        return print_where_to_begin()
    gc.freeze()  # what conda has loaded stays: collecting it again and again takes 30 ms
    try:
        return int(verb(name).execute(args))
    except HardlinksError as error:
        raise conda_error(error) from None
    except ModuleNotFoundError as error:
        raise conda_error(_incomplete(error)) from None


def _incomplete(error: ModuleNotFoundError) -> HardlinksError:
    """Return what to say where a package that the plugin depends on is gone.

    Raises:
        ModuleNotFoundError: The module is a part of the plugin, or of conda.

    """
    package = (error.name or "").partition(".")[0]
    if package in ("", "conda", __name__.partition(".")[0]):
        raise error
    from ..exceptions import HardlinksError

    return HardlinksError(
        f"conda-hardlink-plugin needs the package {package}, which is not installed beside it:"
        " reinstall conda-hardlink-plugin."
    )


def _parser_when_needed(parser_class: type[ArgumentParser]) -> type[ArgumentParser]:
    """Return a class of parsers that load their verb and add its options when they parse.

    Every conda command builds the parsers of all commands; most of that time is for options.
    """

    class VerbParser(parser_class):  # type: ignore[valid-type,misc]  # conda's class at run time
        is_configured = False

        def configure(self) -> None:
            self.is_configured = True
            module = verb(self.get_default("hardlinks_verb"))
            self.description = module.DESCRIPTION
            self.epilog = f"examples:\n{module.EXAMPLES}"
            module.configure_parser(self)

        def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
            if not self.is_configured:
                self.configure()
            return super().parse_known_args(*args, **kwargs)

    return VerbParser
