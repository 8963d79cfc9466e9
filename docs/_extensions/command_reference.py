"""The parser of `conda hardlinks` with the options of every verb, for sphinx-argparse-cli."""

from __future__ import annotations

import argparse
import re

from conda_hardlink_plugin.cli import VERBS, verb


def parser() -> argparse.ArgumentParser:
    """Return the whole parser: conda's own gets the options of a verb only when it is asked for."""
    whole = argparse.ArgumentParser(prog="conda hardlinks", add_help=False)
    parsers = whole.add_subparsers(title="commands", metavar="COMMAND")
    for name, summary in VERBS.items():
        module = verb(name)
        description = module.DESCRIPTION.replace("`", '"')  # it is shown as it is
        one = parsers.add_parser(name, help=summary, description=description)
        module.configure_parser(one)
        for action in one._actions:  # noqa: SLF001  # argparse has no other way to ask
            if action.help != argparse.SUPPRESS:
                # what is code on a terminal, as reStructuredText has it
                action.help = re.sub(r"`([^`]+)`", r"``\1``", action.help or "")
    return whole
