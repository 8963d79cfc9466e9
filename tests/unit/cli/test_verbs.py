"""The parsers of the verbs: loaded when they are needed, and by whom."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from types import ModuleType

import pytest

from conda_hardlink_plugin.cli import VERBS, configure_parser


def verb_parsers():
    parser = ArgumentParser()
    configure_parser(parser)
    (verbs,) = (action for action in parser._actions if action.choices)  # noqa: SLF001
    return verbs.choices


def options_of(parser):
    actions = parser._actions  # noqa: SLF001  # as conda-completion reads them
    return {option for action in actions for option in action.option_strings}


def test_every_verb_has_a_parser_without_options_until_it_parses():
    parsers = verb_parsers()
    assert list(parsers) == list(VERBS)
    assert {frozenset(options_of(parser)) for parser in parsers.values()} == {
        frozenset({"-h", "--help"})
    }
    parsers["index"].parse_args(["--clear"])
    assert "--clear" in options_of(parsers["index"])


def test_conda_completion_sees_the_options_of_every_verb(monkeypatch):
    name = "conda_completion.introspect"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    parsers = verb_parsers()
    assert {"--packages", "--sort", "--html"} <= options_of(parsers["report"])
    assert {"--tarballs", "--keep"} <= options_of(parsers["clean"])


def test_an_unknown_option_is_an_error_of_the_verb(capsys):
    with pytest.raises(SystemExit):
        verb_parsers()["index"].parse_args(["--no-such-option"])
    assert "--no-such-option" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gone", "says"),
    [
        ("rich", "conda-hardlink-plugin needs the package rich, which is not installed beside it"),
        ("conda_hardlink_plugin.api", "ModuleNotFoundError"),  # conda's report of a defect
    ],
)
def test_where_a_needed_package_is_gone_a_sentence_says_so(gone, says):
    code = f"import sys; sys.modules[{gone!r}] = None; from conda.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "hardlinks", "index"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert ("Traceback" in done.stderr) == (gone != "rich")
