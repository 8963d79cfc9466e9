"""Each mistake in a copy of the package makes a test fail.

A few mistakes are made, or all of them where `ALL_MUTANTS` is set: `make test-long` sets it.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.clean_safety.mutants import MUTANTS
from tests.clean_safety.mutants.matching import parse
from tests.clean_safety.mutants.places import locate, mutate, read_package
from tests.support.repository import TOP

if TYPE_CHECKING:
    from tests.clean_safety.mutants.mutant import Mutant

PACKAGE = "conda_hardlink_plugin"
COPIED = (PACKAGE, "tests", "pyproject.toml")
PATIENCE_S = 300
QUICK = {
    "a package with links from outside counts as unused",
    "the first plan has the last word",
    "a replaced package counts as the one that was checked",
}
MADE = [mutant for mutant in MUTANTS if os.environ.get("ALL_MUTANTS") or mutant.name in QUICK]

_KNOWN_ATTRIBUTES = {*dir(os), *dir(os.stat_result), *dir(AbstractContextManager)}
_WHERE = f"import {PACKAGE}; print({PACKAGE}.__file__)"


def named(mutants: list[Mutant] | tuple[Mutant, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mutant", mutants, ids=[mutant.name for mutant in mutants])


@cache
def sources() -> dict[str, str]:
    return read_package(f"{TOP}/{PACKAGE}")


@cache
def meaning_of(source: str) -> str:
    """Return what a program does, whatever its layout and comments."""
    return ast.dump(ast.parse(source))


def names_in(*parts: ast.AST) -> set[str]:
    """Return the names of variables, attributes and so on in some trees."""
    return {
        value
        for part in parts
        for node in ast.walk(part)
        for _, value in ast.iter_fields(node)
        if isinstance(value, str) and not isinstance(node, ast.Constant)
    }


@cache
def names_in_package() -> set[str]:
    return names_in(*map(ast.parse, sources().values()))


@pytest.fixture
def copy():
    """A copy of the project in which tests can be run, some of them as another user."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as top:
        os.chmod(top, 0o755)
        directory = f"{top}/copy"
        os.mkdir(directory)
        os.mkdir(f"{top}/home")
        for name in COPIED:
            if os.path.isdir(f"{TOP}/{name}"):
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(f"{TOP}/{name}", f"{directory}/{name}", ignore=ignore)
            else:
                shutil.copy(f"{TOP}/{name}", directory)
        yield directory


def python(copy: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter on a copy, with nothing of the caller's environment but `PATH`."""
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=copy,
        env={
            "HOME": f"{copy}/../home",
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": copy,
        },
        timeout=PATIENCE_S,
    )


def run(copy: str, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    options = ("-x", "-q", "-p", "no:cacheprovider", "--basetemp", f"{copy}/../tmp")
    return python(copy, "-m", "pytest", *options, *tests)


def counted(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return how many tests passed, failed and so on, by the last line of the output."""
    *_, last = done.stdout.splitlines() or [""]
    return {what: int(number) for number, what in re.findall(r"(\d+) ([a-z]+)(?=,| in )", last)}


def test_each_mutant_has_a_name_and_the_quick_ones_are_there():
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names))
    assert set(names) >= QUICK


@named(MUTANTS)
def test_a_mutant_has_one_place_and_changes_the_program_there(mutant):
    module, mutated = mutate(mutant, sources())
    compile(mutated, module, "exec")
    assert meaning_of(mutated) != meaning_of(sources()[module])


@named(MUTANTS)
def test_the_replacement_of_a_mutant_has_no_name_that_the_package_does_not_know(mutant):
    added = names_in(*parse(mutant.new)) - names_in(*parse(mutant.old))
    known = names_in_package() | set(dir(builtins))
    if locate(mutant, sources()).place.match.is_exact:  # else an object may be another one now
        known |= _KNOWN_ATTRIBUTES
    assert added <= known


def test_the_tests_of_the_mutants_exist(copy):
    tests = sorted({test for mutant in MUTANTS for test in mutant.tests})
    done = python(copy, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_mutant_the_same_tests_pass_on_the_copy_itself(copy):
    assert python(copy, "-c", _WHERE).stdout.strip() == f"{copy}/{PACKAGE}/__init__.py"
    done = run(copy, tuple(sorted({test for mutant in MADE for test in mutant.tests})))
    assert done.returncode == 0, done.stdout + done.stderr
    assert counted(done)["passed"] >= len(QUICK)


@named(MADE)
def test_a_mutant_is_caught(copy, mutant):
    module, mutated = mutate(mutant, sources())
    with open(f"{copy}/{PACKAGE}/{module}", "w", encoding="utf-8") as file:
        file.write(mutated)
    done = run(copy, mutant.tests)
    count = counted(done)
    if done.returncode == 0 and count.keys() == {"skipped"}:
        pytest.skip(f"its tests cannot be run here: {done.stdout.splitlines()[-2]}")
    assert done.returncode == 1, f"nobody noticed\n{done.stdout}{done.stderr}"
    assert count["failed"] == 1
    assert not count.keys() & {"error", "errors"}, done.stdout
