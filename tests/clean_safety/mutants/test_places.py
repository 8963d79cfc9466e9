from __future__ import annotations

import ast
import builtins
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.clean_safety.mutants import MUTANTS
from tests.clean_safety.mutants.mutant import Mutant
from tests.clean_safety.mutants.places import NoPlaceError, is_named, locate, mutate, read_package
from tests.support.repository import TOP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CACHE = '''"""A cache."""

LIMIT = 3  # packages


class Cache:
    """A package cache."""

    def is_full(self, count):
        """Tell whether no package fits."""
        if count > LIMIT:  # never mind
            return True
        return False

    @property
    def is_wide(self):
        return self.width > LIMIT


# at the end
def age(now, then):
    return now - then
'''
SOURCES = {"cache.py": CACHE, "room/other.py": "def age(a, b):\n    return b - a\n"}


def mutant(where, old, new="0"):
    return Mutant("a mistake", where, old, new, ())


def test_only_the_statement_with_the_mistake_is_written_anew():
    module, source = mutate(mutant("cache.py::age", "now - then", "then - now"), SOURCES)
    assert module == "cache.py"
    assert source == CACHE.replace("now - then", "then - now")
    _, source = mutate(mutant("cache.py", "LIMIT = 3", "LIMIT = 4\nWIDE = 1"), SOURCES)
    assert source == CACHE.replace("LIMIT = 3  # packages", "LIMIT = 4\nWIDE = 1")


def test_a_decorator_is_written_once():
    source = "import a\n\n@a.once\ndef f():\n    return 1\n\nb = 2\n"
    _, mistaken = mutate(mutant("f.py::f", "return 1", "return 2"), {"f.py": source})
    assert mistaken == source.replace("return 1", "return 2")


def test_the_tree_of_a_source_is_not_changed_by_a_mistake():
    one = mutant("cache.py::age", "now - then", "then - now")
    assert mutate(one, SOURCES) == mutate(one, SOURCES)


def test_an_exact_match_is_preferred():
    sources = {"m.py": "a = f(x)\nb = g(y)\n"}
    assert str(locate(mutant("m.py", "f(x)"), sources)) == "m.py:1: f(x)"
    assert str(locate(mutant("m.py", "g(y)"), sources)) == "m.py:2: g(y)"


@pytest.mark.parametrize("where", ["second", "B.second", "B", "C.first"])
def test_a_function_a_method_or_a_class_narrows_the_search(where):
    source = """
class A:
    def first(self): return 1
class B:
    def second(self): return 1
class C:
    def first(self): return 1
"""
    site = locate(mutant(f"m.py::{where}", "return 1"), {"m.py": source})
    assert site.place.nodes[0].lineno == (5 if "C" not in where else 7)


def test_a_snippet_that_is_only_outside_its_function_is_not_found():
    with pytest.raises(NoPlaceError):
        locate(mutant("cache.py::Cache.is_full", "self.width > LIMIT"), SOURCES)


def test_two_matches_are_an_error_that_names_both():
    source = "a = f(x)\nb = g(y)\n"
    with pytest.raises(NoPlaceError) as error:
        locate(mutant("m.py", "h(z)"), {"m.py": source})
    assert str(error.value).splitlines() == [
        "'a mistake' matches several places in m.py. Snippet:",
        "h(z)",
        "Candidates:",
        "m.py:1: f(x)",
        "m.py:2: g(y)",
    ]


def test_a_snippet_that_is_gone_is_an_error_that_names_what_is_most_like_it():
    with pytest.raises(NoPlaceError) as error:
        locate(mutant("cache.py::Cache.is_full", "count >= LIMIT"), SOURCES)
    message = str(error.value).splitlines()
    assert message[:3] == [
        "'a mistake' matches no place in cache.py::Cache.is_full. Snippet:",
        "count >= LIMIT",
        "Candidates:",
    ]
    assert message[3] == "cache.py:11: count > LIMIT"


def test_a_snippet_is_found_after_its_function_got_another_name():
    assert locate(mutant("cache.py::fits", "count > LIMIT"), SOURCES).module == "cache.py"
    assert locate(mutant("cache.py::fits", "size > LIMIT"), SOURCES).module == "cache.py"


def test_a_function_is_named_if_it_is_in_its_module():
    for where in ("cache.py", "cache.py::age", "cache.py::Cache.is_full", "cache.py::is_full"):
        assert is_named(mutant(where, "0"), SOURCES)
    for where in ("gone.py", "gone.py::age", "cache.py::fits", "room/other.py::is_full"):
        assert not is_named(mutant(where, "0"), SOURCES)


def test_a_snippet_is_found_after_its_function_or_its_module_moved():
    sources = {"new.py": CACHE, "cache.py": "LIMIT = 2 - 1\nWIDTH = LIMIT - now\n"}
    assert locate(mutant("cache.py::age", "now - then"), sources).module == "new.py"
    assert locate(mutant("cache.py::age", "after - before"), sources).module == "new.py"
    assert locate(mutant("gone.py", "now - then"), sources).module == "new.py"
    assert locate(mutant("gone.py", "self.size > MOST"), sources).module == "new.py"


def test_a_module_that_is_gone_is_looked_for_in_other_folders_first():
    sources = {"a.py": "LIMIT = 3\n", "room/cache.py": CACHE}
    assert locate(mutant("cache.py", "LIMIT = 3"), sources).module == "room/cache.py"


def test_a_clash_of_names_is_an_error_that_says_so():
    with pytest.raises(NoPlaceError, match="cannot be replaced: then is the new name of before"):
        mutate(mutant("cache.py::age", "after - before", "then - before"), SOURCES)


def changed(is_changed: Callable[[str], bool], sources: Mapping[str, str]) -> dict[str, str]:
    """Return modules in another layout, some of their names with an underscore at their end."""
    found = {}
    for path, source in sources.items():
        tree = ast.parse(source)
        for node in ast.walk(tree):
            for field, value in ast.iter_fields(node):
                if isinstance(value, str) and not isinstance(node, ast.Constant):
                    is_kept = hasattr(builtins, value) or value.startswith("__")
                    setattr(
                        node, field, f"{value}_" if not is_kept and is_changed(value) else value
                    )
        found[path] = ast.unparse(tree)
    return found


def line_of(one: Mutant, sources: Mapping[str, str]) -> tuple[str, int] | str:
    try:
        site = locate(one, sources)
    except NoPlaceError as error:
        return str(error)
    return site.module, site.place.nodes[0].lineno


@pytest.fixture(scope="module")
def package():
    return changed(lambda _: False, read_package(f"{TOP}/conda_hardlink_plugin"))


@pytest.fixture(scope="module")
def lines(package):
    return {one.name: line_of(one, package) for one in MUTANTS}


def lines_after_renaming(package: Mapping[str, str], *, functions: bool) -> dict[str, object]:
    """Rename the function that each mutant names, or all other names in its module."""

    @cache
    def renamed(where: str) -> dict[str, str]:
        module, _, function = where.partition("::")
        own = set(function.split("."))
        return changed(lambda name: (name in own) is functions, {module: package[module]})

    return {one.name: line_of(one, {**package, **renamed(one.where)}) for one in MUTANTS}


def test_every_mutant_is_found_where_its_function_has_another_name(package, lines):
    assert lines_after_renaming(package, functions=True) == lines


def test_every_mutant_is_found_where_all_but_its_function_has_another_name(package, lines):
    assert lines_after_renaming(package, functions=False) == lines


def test_every_mutant_is_found_in_modules_that_moved(package, lines):
    moved = {f"room/{path}": source for path, source in package.items()}
    expected = {name: (f"room/{module}", number) for name, (module, number) in lines.items()}
    assert {one.name: line_of(one, moved) for one in MUTANTS} == expected
