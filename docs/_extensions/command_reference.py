"""The directive `command-reference`: the help of every command of `conda hardlinks`."""

from __future__ import annotations

import argparse
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx_argparse_cli._logic import SphinxArgparseCli

from conda_hardlink_plugin.cli import VERBS, verb

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PROG = "conda hardlinks"
# The titles of argparse and conda, which are the same for every command.
_HEADINGS = {
    "positional arguments": "Arguments",
    "options": "Options",
    "Output, Prompt, and Flow Control Options": "Output, prompt and flow control",
}


class CommandReference(SphinxArgparseCli):
    """Sections for each command, with a heading for each group of its options."""

    has_content = False
    option_spec = {}  # noqa: RUF012  # as the base class has it

    @cached_property
    def parser(self) -> argparse.ArgumentParser:
        """The parser that the sections describe."""
        return whole_parser()

    def run(self) -> list[nodes.Node]:
        """Return a section for each command."""
        self.options |= {"title": PROG, "usage_width": 90, "no_default_values": ""}
        (whole,) = super().run()
        for usage in whole.findall(nodes.literal_block):
            usage["language"] = "none"
        return [section for section in whole if isinstance(section, nodes.section)]

    def _mk_option_group(
        self, group: argparse._ArgumentGroup, *args: Any, **kwargs: Any
    ) -> nodes.section:
        """Use the title of the group as the heading, without the name of the command before it."""
        section = super()._mk_option_group(group, *args, **kwargs)
        title = group.title or ""
        section[0].replace_self(nodes.title("", _HEADINGS.get(title, title)))
        return section


def whole_parser() -> argparse.ArgumentParser:
    """Return a parser with the options of every command.

    The parser that conda gets has the options of a command only if that command runs.
    """
    whole = argparse.ArgumentParser(prog=PROG, add_help=False)
    parsers = whole.add_subparsers(title="commands", metavar="COMMAND")
    for name, summary in VERBS.items():
        module = verb(name)
        description = module.DESCRIPTION.replace("`", '"')  # Sphinx shows it as plain text
        one = parsers.add_parser(name, help=summary, description=description, add_help=False)
        module.configure_parser(one)
        for action in one._actions:  # noqa: SLF001  # argparse has no other way to ask
            if action.help != argparse.SUPPRESS:
                # Code has single backticks on a terminal, and double ones in reStructuredText.
                action.help = re.sub(r"`([^`]+)`", r"``\1``", action.help or "")
    return whole


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.setup_extension("sphinx_argparse_cli")
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True}
