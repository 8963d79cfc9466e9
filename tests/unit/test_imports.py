"""What each module brings with it, seen in an interpreter of its own."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys

import pytest

import conda_hardlink_plugin

PACKAGE = "conda_hardlink_plugin"
FACE_CONDA = {"__main__", "discovery.finder", "plugin", "settings"}
ROOMS_THAT_FACE_CONDA = {"cli", "hooks"}
NAMES = [
    module.name.removeprefix(f"{PACKAGE}.")
    for module in pkgutil.walk_packages(conda_hardlink_plugin.__path__, f"{PACKAGE}.")
]
PURE = sorted(
    name
    for name in NAMES
    if name not in FACE_CONDA and name.split(".")[0] not in ROOMS_THAT_FACE_CONDA
)
DRAW = {f"render.{name}" for name in ("table", "terminal", "sections", "clean", "restore")}
# All that a conda command other than ours loads of the package.
AT_START = {
    PACKAGE,
    f"{PACKAGE}.plugin",
    f"{PACKAGE}.cli",
    f"{PACKAGE}.settings",  # conda asks for them with its configuration; 24.7 later than 26.7
}

_RUN_CONDA = """\
import contextlib, io, json, sys

sys.argv = ["conda", *sys.argv[1:]]
from conda.cli import main

with contextlib.redirect_stdout(io.StringIO()):
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code
assert not code, code
json.dump(sorted(sys.modules), sys.stdout)
"""


def modules_after(code, *arguments, env=None):
    """The modules that an interpreter has loaded when it has run the code."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
    )
    return set(json.loads(done.stdout))


def imported_by(statement, before=""):
    """The modules that a statement adds to those that are there before it."""
    return modules_after(
        f"import json, sys\n{before}\nthere = set(sys.modules)\n{statement}\n"
        "json.dump(sorted(set(sys.modules) - there), sys.stdout)"
    )


def of_package(modules):
    return {name for name in modules if name.split(".")[0] == PACKAGE}


def is_of(name, modules):
    return any(module == name or module.startswith(f"{name}.") for module in modules)


def those_that_import(wanted, names, before=""):
    """Of some modules of ours, those that import something.

    If importing all of them in one interpreter does not, none of them does; otherwise each is
    imported in an interpreter of its own.
    """
    statements = [f"import {PACKAGE}.{name}" for name in names]
    if not is_of(wanted, imported_by("\n".join(statements), before)):
        return []
    return [
        name
        for name, statement in zip(names, statements, strict=True)
        if is_of(wanted, imported_by(statement, before))
    ]


def test_the_modules_that_import_something_are_found():
    assert those_that_import("rich", ["formatting", "render.terminal"]) == ["render.terminal"]


def test_a_pure_module_does_not_import_conda():
    assert those_that_import("conda", PURE) == []


def test_a_module_that_draws_nothing_does_not_import_rich():
    assert those_that_import("rich", [name for name in PURE if name not in DRAW]) == []


def test_modules_that_face_conda_import_rich_only_to_draw():
    facing = [name for name in NAMES if name not in PURE]
    assert those_that_import("rich", facing, before="import conda.plugins") == []


def test_the_plugin_module_adds_itself_and_the_package_only():
    before = "import conda.plugins, __future__, typing"
    added = imported_by(f"import {PACKAGE}.plugin", before)
    assert added == {PACKAGE, f"{PACKAGE}.plugin"}


@pytest.mark.parametrize(
    "command", [("--version",), ("info", "--base"), ("config", "--show", "solver")]
)
def test_another_command_of_conda_loads_only_our_parser(command):
    loaded = modules_after(_RUN_CONDA, *command)
    without = modules_after(_RUN_CONDA, *command, env={"CONDA_NO_PLUGINS": "true"})
    assert of_package(loaded) <= AT_START
    # Newer condas answer --version before they look for plugins.
    assert f"{PACKAGE}.plugin" in loaded or command == ("--version",)
    assert is_of("rich", loaded) <= is_of("rich", without)


def test_the_parser_loads_only_our_own_modules():
    # conda does as much for every command of its own.
    before = """\
import argparse, conda.plugins.types
from conda.cli.helpers import add_parser_json
add_parser_json(argparse.ArgumentParser())
"""
    statement = f"""\
from {PACKAGE}.cli import configure_parser
configure_parser(argparse.ArgumentParser())
"""
    assert imported_by(statement, before) == AT_START - {f"{PACKAGE}.plugin", f"{PACKAGE}.settings"}


def test_a_report_in_json_does_not_import_rich(configured):
    loaded = modules_after(_RUN_CONDA, "hardlinks", "report", "--json")
    assert f"{PACKAGE}.scan" in loaded
    assert not is_of("rich", loaded)
