"""Rooms import only rooms below them, no two modules import each other, and nothing lies about."""

from __future__ import annotations

import ast
import os
import re
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.repository import TOP

PACKAGE = "conda_hardlink_plugin"
LAYERS = (  # the upper ones first
    {"__main__", "plugin"},
    {"cli"},
    {"hooks"},
    {"api"},
    {"render"},
    {"report"},
    {"clean", "relink"},  # neither imports the other
    {"executor"},
    {"analysis"},
    {"discovery"},
    {"settings"},
    {"scan"},
    {"metadata"},
    {"filesystem"},
    {"exceptions"},
    {"formatting"},
)
# What differs between platforms is the business of one room.
PLATFORM = re.compile(
    r"sys\.platform|from sys import|\bos\.name\b|/proc\b"
    r"|\bst_blocks\b|\bst_uid\b|\bfcntl\b|\bdir_fd\b"
)


def modules(top=TOP):
    """The source of each module of the package by its dotted name, without the package's."""
    found = {}
    for folder, _, names in os.walk(f"{top}/{PACKAGE}"):
        for name in names:
            if name.endswith(".py"):
                path = os.path.relpath(f"{folder}/{name}", f"{top}/{PACKAGE}").removesuffix(".py")
                with open(f"{folder}/{name}", encoding="utf-8") as file:
                    found[path.replace(os.sep, ".").removesuffix(".__init__")] = file.read()
    return found


def imports(name, sources):
    """The modules of the package that a module imports: in functions and for types as well."""
    is_package = name == "__init__" or any(other.startswith(f"{name}.") for other in sources)
    above = [] if name == "__init__" else name.split(".")
    for node in ast.walk(ast.parse(sources[name])):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = above[: len(above) - node.level + is_package]
        module = ".".join([*base, *filter(None, [node.module])])
        for alias in node.names:
            inner = f"{module}.{alias.name}".lstrip(".")
            if inner in sources or module:
                yield inner if inner in sources else module
            elif alias.name != "__version__":  # a public name, which the package gets from there
                yield "api"


def layer(name):
    room = name.split(".")[0]
    return next((place for place, rooms in enumerate(LAYERS) if room in rooms), None)


def faults(sources):
    """What is wrong with the imports of some modules, a sentence each."""
    edges = {name: set(imports(name, sources)) - {name} for name in sources}
    for name, imported in edges.items():
        if PACKAGE in imported_libraries(sources[name]):
            yield f"{name} imports the package by its full name"
        if name != "__init__" and layer(name) is None:
            yield f"{name} is in no room"
        for other in imported if layer(name) is not None else ():
            same = name.split(".")[0] == other.split(".")[0]
            if layer(other) is None or (layer(other) <= layer(name) and not same):
                yield f"{name} imports {other}, which is not below it"
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        yield f"{' imports '.join(reversed(error.args[1]))}"


def test_rooms_import_only_rooms_below_them():
    assert sorted(faults(modules())) == []


@pytest.mark.parametrize(
    ("name", "code", "fault"),
    [
        ("scan.scanner", "def f():\n    from ..report import model\n", "not below it"),
        (
            "scan.scanner",
            "if TYPE_CHECKING:\n    from ..analysis.usage import Usage\n",
            "not below it",
        ),
        ("clean.plan", "from ..relink import plan\n", "not below it"),
        ("scan.inventory", "from .collector import Collector\n", "imports scan."),
        ("scan.scanner", "from .. import analyze\n", "scan.scanner imports api"),
        ("scan.scanner", f"import {PACKAGE}.report.model\n", "by its full name"),
        ("scan.scanner", f"from {PACKAGE}.report import model\n", "by its full name"),
        ("helpers", "", "helpers is in no room"),
    ],
    ids=repr,
)
def test_an_import_that_points_upwards_a_cycle_and_a_stray_module_are_found(name, code, fault):
    sources = modules()
    sources |= {"relink": "", "relink.plan": "", name: sources.get(name, "") + f"\n{code}"}
    assert any(fault in sentence for sentence in faults(sources))


def test_no_other_room_knows_the_platform():
    found = {
        name: sorted(set(PLATFORM.findall(source)))
        for name, source in modules().items()
        if name.split(".")[0] != "filesystem" and PLATFORM.search(source)
    }
    assert found == {}


def imported_libraries(source):
    """The top-level names of the libraries that a module imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def test_verbs_use_the_api_and_nothing_below_it():
    sources = modules()
    used = {
        other.split(".")[0]
        for name in sources
        if name.split(".")[0] == "cli"
        for other in imports(name, sources)
    }
    allowed = {"cli", "api", "render", "exceptions", "formatting", "filesystem"}
    assert used <= allowed


def test_conda_and_argparse_are_imported_by_those_that_face_them():
    faces = {"conda": set(), "argparse": set()}
    for name, source in modules().items():
        for library in faces.keys() & set(imported_libraries(source)):
            faces[library].add(name if name.startswith("cli") else name.split(".")[0])
    assert faces["conda"] == {"cli.frontend", "discovery", "hooks", "plugin", "settings"}
    assert all(name.startswith("cli") for name in faces["argparse"])
