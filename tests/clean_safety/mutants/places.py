"""Where a mutant is made in the package, and the text of the module with it.

A mutant names a module and, mostly, a function or a class in it. If that is there, the snippet must
be in it. Otherwise it was moved or renamed, and these are searched, first for the exact snippet and
then for one with other names; the first that has a match decides:

1. Functions and classes of that name in the whole package.
2. The module; if it is gone, one of that name in another folder; otherwise the whole package.

In any case one place must match: a second one is an error, not a choice.
"""

from __future__ import annotations

import ast
import copy
import os
import textwrap
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from tests.clean_safety.mutants.matching import Place, find, is_expression, parse, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.clean_safety.mutants.mutant import Mutant

_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CANDIDATES = 3


class NoPlaceError(Exception):
    """A mutant has no place, or more than one."""


@dataclass(frozen=True)
class Site:
    """The place of a mutant in the package.

    Attributes:
        module: Path of the module in the package.
        place: The place in its tree.

    """

    module: str
    place: Place

    def __str__(self) -> str:
        """Name the file and the line, and show what is there."""
        return _shown(self.module, self.place.nodes)


def read_package(top: str) -> dict[str, str]:
    """Return the text of every module below a directory, by its path there."""
    sources = {}
    for folder, _, names in os.walk(top):
        for path in (os.path.join(folder, name) for name in names if name.endswith(".py")):
            with open(path, encoding="utf-8") as file:
                sources[os.path.relpath(path, top)] = file.read()
    return dict(sorted(sources.items()))


def is_named(mutant: Mutant, sources: Mapping[str, str]) -> bool:
    """Return whether the function or class that a mutant names, if any, is in its module."""
    module, _, name = mutant.where.partition("::")
    return module in sources and (not name or bool(_named(name, [module], sources)))


def locate(mutant: Mutant, sources: Mapping[str, str]) -> Site:
    """Return the one place of a mutant.

    Raises:
        NoPlaceError: No place matches, or more than one; says where one might be.

    """
    module, _, name = mutant.where.partition("::")
    for exact in (True, False):
        for scope in _scopes(module, name, sources):
            sites = [
                Site(path, place)
                for path, node in scope
                for place in find(mutant.old, mutant.new, node)
                if place.match.is_exact or not exact
            ]
            if len(sites) > 1:
                raise NoPlaceError(_explain(mutant, "matches several places", map(str, sites)))
            if sites:
                return sites[0]
    raise NoPlaceError(_explain(mutant, "matches no place", _nearest(mutant, sources)))


def mutate(mutant: Mutant, sources: Mapping[str, str]) -> tuple[str, str]:
    """Return the module of a mutant, and its text with the mistake.

    Only the statement of the module that has the place in it is written anew.

    Raises:
        NoPlaceError: No place matches, or more than one, or new names clash with the replacement.

    """
    site = locate(mutant, sources)
    source = sources[site.module]
    tree, place = copy.deepcopy((_tree(source), site.place))  # the place stays in the tree
    if place.parent is tree:
        first, last = place.first or 0, (place.first or 0) + len(place.nodes)
    else:
        tops = (index for index, top in enumerate(tree.body) if place.parent in ast.walk(top))
        first = next(tops)
        last = first + 1
    behind = len(tree.body) - last
    lines = source.split("\n")
    begin, end = _first_line(tree.body[first]) - 1, tree.body[last - 1].end_lineno
    try:
        place.put(mutant.new)
    except ValueError as error:
        raise NoPlaceError(_explain(mutant, f"cannot be replaced: {error}", [str(site)])) from None
    tree.body = tree.body[first : len(tree.body) - behind]
    written = ast.unparse(ast.fix_missing_locations(tree))
    return site.module, "\n".join([*lines[:begin], written, *lines[end:]])


@cache
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _scopes(module: str, name: str, sources: Mapping[str, str]) -> list[list[tuple[str, ast.AST]]]:
    """Return what is searched in turn: some trees, each with the path of its module."""
    file = os.path.basename(module)
    own = [module] if module in sources else [it for it in sources if it.endswith(f"/{file}")]
    named = _named(name, own, sources)
    if named:
        return [named]
    whole: list[tuple[str, ast.AST]] = [(path, _tree(sources[path])) for path in own or sources]
    return [_named(name, sources, sources), whole]


def _named(
    name: str, paths: Iterable[str], sources: Mapping[str, str]
) -> list[tuple[str, ast.AST]]:
    """Return the functions and classes of a name, as `method` or `Class.method`."""
    return [
        (path, node)
        for path in paths
        for dotted, node in _definitions(sources[path])
        if name and dotted.endswith(f".{name}")
    ]


@cache
def _definitions(source: str) -> list[tuple[str, ast.AST]]:
    """Return the functions and classes of a module, by their dotted names."""
    found: list[tuple[str, ast.AST]] = []
    waiting: list[tuple[str, ast.AST]] = [("", _tree(source))]
    while waiting:
        above, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            dotted = f"{above}.{node.name}" if isinstance(node, _NAMED) else above
            waiting.append((dotted, node))
            if isinstance(node, _NAMED):
                found.append((dotted, node))
    return found


def _nearest(mutant: Mutant, sources: Mapping[str, str]) -> list[str]:
    """Return what is most like the snippet in the whole package."""
    snippet: list[Any] = parse(mutant.old)
    if is_expression(mutant.old):
        snippet = [snippet[0].value]
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2("\n".join(map(ast.unparse, snippet)))
    found = []
    for path, source in sources.items():
        for _, _, _, nodes in parts(snippet, _tree(source)):
            if type(nodes[0]) is type(snippet[0]):
                matcher.set_seq1("\n".join(map(ast.unparse, nodes)))
                if matcher.quick_ratio() > 0.5:
                    found.append((matcher.ratio(), _shown(path, nodes)))
    return [shown for _, shown in nlargest(_CANDIDATES, found)]


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min(part.lineno for part in (node, *decorators))


def _shown(path: str, nodes: list[Any]) -> str:
    return f"{path}:{nodes[0].lineno}: " + "\n".join(map(ast.unparse, nodes))


def _explain(mutant: Mutant, what: str, sites: Iterable[str]) -> str:
    snippet = textwrap.dedent(mutant.old).strip()
    title = f"{mutant.name!r} {what} in {mutant.where}. Snippet:"
    return "\n".join([title, snippet, "Candidates:", *sites])
