"""The verbs on a small installation, in this process."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import NamedTuple

import pytest

from conda_hardlink_plugin.cli import verb


class Done(NamedTuple):
    """The exit code and the output of a verb."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def hardlinks(configured, read_configuration, capsys):
    """Return a function that parses the options of a verb and executes it."""

    def run(name, *options):
        parser = ArgumentParser()
        verb(name).configure_parser(parser)
        args = parser.parse_args(options)
        read_configuration(options=args)
        capsys.readouterr()
        code = verb(name).execute(args)
        return Done(code, *capsys.readouterr())

    return run
